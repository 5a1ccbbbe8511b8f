"""The ledgers that the suite judges: in memory, and the catalog's in its database."""

import shutil

import pytest
from django.db import connections

from strongroom.server.catalog.connection import bring_up_to_date, use_catalog
from strongroom.server.catalog.ledger import CatalogLedger
from strongroom.testing.memory_ledger import MemoryLedger


@pytest.fixture(scope="session")
def empty_catalog(tmp_path_factory):
    """Make the tables once; each test gets a copy of the file."""
    file = tmp_path_factory.mktemp("catalog") / "catalog.sqlite3"
    use_catalog(file, secret_key="x" * 50, host_names=())
    bring_up_to_date()
    connections.close_all()
    return file


@pytest.fixture
def memory_ledger():
    return MemoryLedger()


@pytest.fixture
def catalog_ledger(empty_catalog, tmp_path):
    file = shutil.copy(empty_catalog, tmp_path / "catalog.sqlite3")
    use_catalog(file, secret_key="x" * 50, host_names=())
    yield CatalogLedger()
    connections.close_all()


@pytest.fixture(params=["memory", "catalog"])
def ledger(request):
    return request.getfixturevalue(f"{request.param}_ledger")
