"""Connections to the catalog: which file it is in, and one connection a thread, closed when its thread ends.

Why: Django opens a connection for each thread that asks, and closes it only at the end of a web request; the server's
own threads make no web requests.
Promises: after `use_catalog` every new connection is to that file; a thread that runs inside `catalog_thread` leaves
no connection behind.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction

from strongroom.server.catalog import models

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FIRST_ORDINAL = 0


def use_catalog(file: Path, *, secret_key: str, host_names: Sequence[str]) -> None:
    """Point this process at the catalog in `file`; the folder must be there, the file need not."""
    connections.close_all()
    with contextlib.suppress(AttributeError):
        del connections["default"]
    connections.databases["default"]["NAME"] = str(file)
    settings.SECRET_KEY = secret_key
    settings.ALLOWED_HOSTS = [f"[{name}]" if ":" in name else name for name in host_names]


def bring_up_to_date() -> None:
    """Create the tables, or change them to what this release expects."""
    call_command("migrate", verbosity=0, interactive=False)
    with transaction.atomic():
        models.NextOrdinal.objects.get_or_create(id=1, defaults={"value": _FIRST_ORDINAL})


@contextlib.contextmanager
def catalog_thread() -> Iterator[None]:
    """Run a thread's work; close its connection afterwards."""
    try:
        yield
    finally:
        connections.close_all()
