"""Snapshots, with the names of what they were made of."""

from __future__ import annotations

from strongroom.server.backup.find import require_snapshot
from strongroom.server.catalog import models
from strongroom.server.times import iso
from strongroom.server.views.shape import MOST, View, page_size


def snapshots(*, set_id: int = 0, limit: int = MOST, before: int = 0) -> list[View]:
    """Return snapshots, newest first; of one set, or of all; only those with a `number` smaller than `before`."""
    rows = models.Snapshot.objects.defer("bitmap").order_by("-number")
    if set_id:
        rows = rows.filter(set_id=set_id)
    if before:
        rows = rows.filter(number__lt=before)
    return _snapshots(list(rows[: page_size(limit)]))


def snapshot(reference: str) -> View:
    """Return one snapshot by its id, or how it begins.

    Raises:
        NotFound: there is none.
        Mistake: it is not an id, or several begin so.
    """
    return _snapshots([require_snapshot(reference)])[0]


def _snapshots(rows: list[models.Snapshot]) -> list[View]:
    """Return snapshots as plain data, with the names of their sets and hosts, and what they were read from."""
    sets = models.BackupSet.objects.select_related("host").in_bulk({row.set_id for row in rows})
    sources = dict(models.Job.objects.filter(id__in=[row.job_id for row in rows]).values_list("id", "source"))
    return [
        {
            "id": row.id,
            "number": row.number,
            "set_id": row.set_id,
            "set_name": sets[row.set_id].name if row.set_id in sets else None,
            "host": sets[row.set_id].host.name if row.set_id in sets else None,
            "job_id": row.job_id,
            "time": iso(row.time),
            "kind": row.kind,
            "base": row.base or None,
            "source": sources.get(row.job_id) or None,
            "root": bytes(row.root).hex(),
            "files": row.files,
            "size_bytes": row.size_bytes,
            "new_bytes": row.new_bytes,
            "missed_count": row.missed,
        }
        for row in rows
    ]
