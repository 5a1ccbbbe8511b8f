"""Jobs, as the job record of the workflow, their logs and their missed files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.errors import NotFound
from strongroom.model import missed as missed_words
from strongroom.model.paths import escape_path
from strongroom.server.catalog import models
from strongroom.server.times import iso
from strongroom.server.views.shape import MOST, View, page_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from strongroom.model.job import JobState, JobType


def jobs(
    *,
    limit: int = 100,
    before: int = 0,
    set_id: int = 0,
    host: str = "",
    states: tuple[JobState, ...] = (),
    job_type: JobType | None = None,
) -> list[View]:
    """Return jobs, newest first, without their logs.

    Args:
        before: only jobs with smaller numbers: the last one of the page before.
        set_id, host, states, job_type: only these; `host` is an id.
    """
    rows = _with_names(models.Job.objects.all()).order_by("-id")
    if before:
        rows = rows.filter(id__lt=before)
    if set_id:
        rows = rows.filter(backup_set_id=set_id)
    if host:
        rows = rows.filter(host_id=host)
    if states:
        rows = rows.filter(state__in=[state.value for state in states])
    if job_type:
        rows = rows.filter(type=job_type.value)
    return [_job(row) for row in rows[: page_size(limit)]]


def job(job_id: int) -> View:
    """Return one job, with its log.

    Raises:
        NotFound: there is none of this number.
    """
    row = _with_names(models.Job.objects.filter(id=job_id)).first()
    if row is None:
        raise NotFound(f"There is no job {job_id}.", code="no_such_job", hint="List them with: strongroom job list")
    lines = models.JobLogLine.objects.filter(job_id=job_id).order_by("id")
    return {**_job(row), "log": [{"time": iso(line.time), "text": line.text} for line in lines]}


def missed_files(job_id: int, *, limit: int = MOST, after: int = -1) -> list[View]:
    """Return missed files of a job in the order they were found; `after` is the last index of the page before."""
    rows = models.JobMissedFile.objects.filter(job_id=job_id, index__gt=after).order_by("index")
    return [_missed(row) for row in rows[: page_size(limit)]]


def all_missed_files(job_id: int) -> Iterator[View]:
    """Yield all missed files of a job: for a download."""
    rows = models.JobMissedFile.objects.filter(job_id=job_id).order_by("index")
    return (_missed(row) for row in rows.iterator(chunk_size=MOST))


def _with_names(rows: QuerySet[models.Job]) -> QuerySet[models.Job]:
    """Fetch the names of hosts and sets with the jobs."""
    return rows.select_related("host", "backup_set")


def _job(row: models.Job) -> View:
    """Return a job as the workflow's job record."""
    return {
        "id": row.id,
        "type": row.type,
        "trigger": row.trigger,
        "kind": row.kind or None,
        "set_id": row.backup_set_id,
        "set_name": row.backup_set.name,
        "host": row.host.name,
        "host_id": row.host_id,
        "requested_by": row.requested_by,
        "state": row.state,
        "reason": {"code": row.reason_code, "text": row.reason_text},
        "step": row.step,
        "requested": iso(row.requested),
        "started": iso(row.started),
        "ended": iso(row.ended),
        "deadline": iso(row.deadline),
        "cancel_requested": row.cancel_requested,
        "source": row.source or None,
        "source_why": row.source_why or None,
        "source_areas": row.source_areas or [],
        "progress": row.progress,
        "estimate": row.estimate,
        "transfer": row.transfer,
        "restore": row.restore_result,
        "restore_request": _asked(row.restore_request),
        "missed_count": row.missed_count,
        "base": row.base or None,
        "snapshot_id": row.snapshot or None,
    }


def _asked(request: View | None) -> View | None:
    """Return what was asked to be restored; no target is the original place."""
    return None if request is None else {**request, "target": request["target"] or None}


def _missed(row: models.JobMissedFile) -> View:
    """Return a missed file as plain data."""
    return {
        "index": row.index,
        "path": escape_path(bytes(row.path)),
        "reason": row.reason,
        "text": missed_words.SENTENCES[missed_words.Reason(row.reason)],
        "detail": row.detail,
    }
