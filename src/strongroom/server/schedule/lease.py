"""Leases on duties: of several server processes, the one that holds the row does the duty.

Promises: at most one holder at a time, as far as their clocks agree within the lease's length. A holder that dies is
replaced when its lease runs out, or when a process that has the data folder for itself says that nobody else lives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from strongroom.server.catalog import models

if TYPE_CHECKING:
    from datetime import datetime, timedelta


def take_lease(*, name: str, holder: str, length: timedelta, now: datetime) -> bool:
    """Take or renew a lease; tell whether the holder has it now."""
    with transaction.atomic():
        row = models.Lease.objects.select_for_update().filter(name=name).first()
        if row is not None and row.holder != holder and row.until > now:
            return False
        models.Lease.objects.update_or_create(name=name, defaults={"holder": holder, "until": now + length})
    return True


def drop_lease(*, name: str, holder: str) -> None:
    """Give a lease back, so that another need not wait for its end."""
    models.Lease.objects.filter(name=name, holder=holder).delete()


def forget_leases() -> None:
    """Drop all leases: for a process that starts and has the data folder for itself, so their holders are dead."""
    models.Lease.objects.all().delete()
