"""CHECK: is everything there that the snapshots need, and is it what it was? And: what does the vault hold?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from strongroom.server.premises import premises
from strongroom.server.users.audit import Actor, record

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


def check_vault(
    *, read_data: bool, by: Actor, now: datetime, progress: Callable[[int, int], None] = lambda *_: None
) -> dict[str, Any]:
    """Check the vault and return the report as plain data: damaged and missing packs, and the snapshots they hit.

    Args:
        read_data: read and verify every byte, not only that all is there.
        progress: called with (done, all) as it goes.
    """
    report = premises().vault.check(read_data=read_data, progress=progress)
    record("vault.check", "vault", by=by, now=now, read_data=read_data, findings=len(report.findings))
    return {"healthy": report.healthy, **_plain(report), "affected": list(report.affected)}


def vault_stats() -> dict[str, Any]:
    """Return what the vault holds, as plain data."""
    stats = premises().vault.stats()
    return {**_plain(stats), "dedup_ratio": stats.dedup_ratio, "compression_ratio": stats.compression_ratio}


def _plain(value: object) -> dict[str, Any]:
    """Return a value's fields as plain data."""
    fields: dict[str, Any] = msgspec.to_builtins(value)
    return fields
