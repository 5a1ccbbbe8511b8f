"""The ledgers that the suite judges: the one in memory, and the server's own in its database."""

import shutil

import pytest

from strongroom.server.catalog.connection import bring_up_to_date, catalog_thread, use_catalog
from strongroom.server.catalog.ledger import CatalogLedger
from strongroom.testing.memory_ledger import MemoryLedger


@pytest.fixture(scope="session")
def empty_catalog(tmp_path_factory):
    file = tmp_path_factory.mktemp("catalog") / "catalog.sqlite3"
    with catalog_thread():
        use_catalog(file, secret_key="tests", host_names=())
        bring_up_to_date()
    return file


@pytest.fixture(params=["memory", "catalog"])
def ledger(request, tmp_path):
    if request.param == "memory":
        yield MemoryLedger()
        return
    file = tmp_path / "catalog.sqlite3"
    shutil.copy(request.getfixturevalue("empty_catalog"), file)
    with catalog_thread():
        use_catalog(file, secret_key="tests", host_names=())
        yield CatalogLedger()
