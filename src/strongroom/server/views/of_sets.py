"""Backup sets, each with its newest snapshot and job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from django.db.models import Count, Max

from strongroom.model.job import JobType
from strongroom.model.policy import Options
from strongroom.server.backup.sets import require_set
from strongroom.server.catalog import models
from strongroom.server.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strongroom.server.views.shape import View


def backup_sets(*, host: str = "") -> list[View]:
    """Return all sets by name, or those of one host (its id)."""
    rows = models.BackupSet.objects.select_related("host").order_by("name")
    return _sets(rows.filter(host_id=host) if host else rows)


def backup_set(reference: str) -> View:
    """Return one set.

    Raises:
        NotFound: there is none of this name or number.
    """
    return _sets([require_set(reference)])[0]


def _sets(rows: Iterable[models.BackupSet]) -> list[View]:
    """Return sets as plain data, each with its newest snapshot and job."""
    found = list(rows)
    ids = [row.id for row in found]
    newest = models.Snapshot.objects.filter(set_id__in=ids).values("set_id").annotate(last=Max("number")).values("last")
    last_snapshot = {one.set_id: one for one in models.Snapshot.objects.defer("bitmap").filter(number__in=newest)}
    counts = dict(models.Snapshot.objects.filter(set_id__in=ids).values_list("set_id").annotate(Count("id")))
    latest = models.Job.objects.filter(backup_set_id__in=ids, type=JobType.BACKUP.value).values("backup_set_id")
    last_job = {
        one.backup_set_id: one
        for one in models.Job.objects.filter(id__in=latest.annotate(last=Max("id")).values("last"))
    }
    return [_set(row, last_snapshot.get(row.id), last_job.get(row.id), counts.get(row.id, 0)) for row in found]


def _set(
    row: models.BackupSet, newest: models.Snapshot | None, last_job: models.Job | None, snapshot_count: int
) -> View:
    """Return a set as plain data."""
    return {
        "id": row.id,
        "name": row.name,
        "host": row.host.name,
        "host_id": row.host_id,
        "include": row.content["include"],
        "exclude": row.content["exclude"],
        "one_file_system": row.content["one_file_system"],
        "options": msgspec.to_builtins(msgspec.convert(row.options, Options)),
        "created": iso(row.created),
        "snapshot_count": snapshot_count,
        "last_snapshot": None if newest is None else {"id": newest.id, "time": iso(newest.time)},
        "last_job": None if last_job is None else {"id": last_job.id, "state": last_job.state},
    }
