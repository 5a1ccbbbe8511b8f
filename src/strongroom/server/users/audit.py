"""The audit trail: who did what, to what, from where. Rows are added in the verb's own transaction, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.server.catalog import models

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Actor:
    """Who asks for something, and from which address."""

    name: str
    address: str = ""


SYSTEM = Actor("system")
"""The server itself: schedules, start-up, duties."""


def record(action: str, what: str, *, by: Actor, now: datetime, **details: object) -> None:
    """Add a row.

    Args:
        action: the verb, for example `backup.request`.
        what: what it was done to, for example `set 3 documents`.
        details: further facts, plain data.
    """
    models.AuditRecord.objects.create(
        time=now, who=by.name, address=by.address, action=action, what=what[:255], details=details
    )
