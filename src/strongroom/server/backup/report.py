"""REPORT: the job closes with what its agent counted; for a backup in the transaction that makes its snapshot.

Promises: a backup is successful by a commit and by nothing else; an agent's word alone makes no success.
A successful job is *with errors* exactly when something was missed. A report of a closed job changes nothing.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from strongroom.errors import Mistake, NotFound, StrongroomError
from strongroom.model.job import JobState, JobType, ReasonCode
from strongroom.model.report import MOST_AREAS
from strongroom.protocol.messages import Report, ReportReply
from strongroom.server.backup.progress import MOST_COUNTED, PATH_LIMIT, known_step, note_progress, plain
from strongroom.server.backup.state import TEXT_LIMIT, move, note
from strongroom.server.catalog import models
from strongroom.server.hosts.facts import one_line
from strongroom.server.premises import premises

if TYPE_CHECKING:
    from strongroom.model.report import JobReport, SourceArea

_NOTES: Final = 200
_SEEN_WRITTEN_EVERY = timedelta(seconds=60)
_SUCCESS: Final = frozenset({JobState.SUCCESSFUL, JobState.SUCCESSFUL_WITH_ERRORS})
_BY_REPORT: Final = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.ABORTED, JobState.WINDOW_EXPIRED})


def take_report(*, host: models.Host, message: Report, now: datetime) -> ReportReply:
    """Take in what an agent says of one of its jobs, or that it is idle; answer whether the job is to go on.

    Raises:
        NotFound: the host has no such job.
        Mistake: the job cannot end as the report says.
    """
    if host.last_seen is None or now - host.last_seen > _SEEN_WRITTEN_EVERY:
        models.Host.objects.filter(id=host.id).update(last_seen=now)
    if not message.job_id:
        return ReportReply(go_on=True)
    with transaction.atomic():
        job = models.Job.objects.filter(id=message.job_id, host_id=host.id).first()
        if job is None:
            raise NotFound(f"This host has no job {message.job_id}.", code="no_such_job")
        if job.state != JobState.RUNNING.value:
            return ReportReply(go_on=False)
        note_progress(job, message, now)
        if message.final is not None:
            require_counts(message.final)
            _require_by_report(job, message.final)
            close_job(job=job, report=message.final, now=now)
    if message.differs and message.final is None and job.session:
        with contextlib.suppress(StrongroomError):  # a hint that comes too late
            premises().vault.session(job.session).foresee()
    return ReportReply(go_on=message.final is None)


def close_job(*, job: models.Job, report: JobReport, now: datetime, snapshot: str = "") -> None:
    """Close a running job with its agent's report; the caller holds the transaction.

    Args:
        snapshot: what a backup made; the same transaction commits it.

    Raises:
        Conflict: the job is not running any more.
    """
    job.step = known_step(job, report.step)
    job.snapshot = snapshot or job.snapshot  # a restore keeps the one it restores
    job.source = report.source.value if report.source else ""
    job.source_why = one_line(report.source_why, TEXT_LIMIT)
    job.source_areas = [_area(area) for area in report.areas[:MOST_AREAS]]
    job.missed_count = max(job.missed_count, report.missed_count)
    if report.estimate is not None:
        job.estimate = plain(report.estimate)
    if report.transfer is not None:
        job.transfer = plain(report.transfer)
    if report.restore is not None:
        job.restore_result = plain(report.restore)
    for line in report.notes[:_NOTES]:
        note(job, line, now)
    state, reason = _outcome(job, report)
    move(job, state, reason, now=now, text=report.text)


def _area(area: SourceArea) -> dict[str, str]:
    """Return a part of what was read, cut and cleaned: it comes from outside."""
    return {
        "path": one_line(area.path, PATH_LIMIT),
        "kind": area.kind.value,
        "how": one_line(area.how, 32),
        "why": one_line(area.why, TEXT_LIMIT),
    }


def require_counts(report: JobReport) -> None:
    """Refuse numbers that nothing can have that many of: they would not fit where they are kept.

    Raises:
        Mistake: a count cannot be.
    """
    counts = [report.missed_count]
    if report.estimate is not None:
        counts += [report.estimate.files_scanned, report.estimate.source_bytes]
    if not all(0 <= count <= MOST_COUNTED * 1000 for count in counts):
        raise Mistake("The report has counts that cannot be.", code="bad_report")


def _require_by_report(job: models.Job, report: JobReport) -> None:
    """Refuse an end that a report alone cannot bring about."""
    allowed = _BY_REPORT | _SUCCESS if job.type == JobType.RESTORE.value else _BY_REPORT
    if report.state not in allowed:
        raise Mistake(f"A {job.type} cannot end as {report.state.value} by a report.", code="bad_report")


def _outcome(job: models.Job, report: JobReport) -> tuple[JobState, ReasonCode]:
    """Return the state and reason a job closes with: success is with errors exactly when something was missed."""
    if report.state not in _SUCCESS:
        return report.state, report.reason
    if job.missed_count:
        return JobState.SUCCESSFUL_WITH_ERRORS, ReasonCode.COMPLETED_WITH_MISSED
    return JobState.SUCCESSFUL, ReasonCode.COMPLETED
