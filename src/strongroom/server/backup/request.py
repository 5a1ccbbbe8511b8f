"""REQUEST: a backup is asked for. It is recorded first, judged, and only then made known to the agent's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from strongroom.errors import Conflict, Mistake
from strongroom.model.host import OsFamily
from strongroom.model.job import JobState, JobType, ReasonCode, Trigger
from strongroom.model.steps import Step
from strongroom.server.backup.admission import Verdict, admit
from strongroom.server.backup.once import Also, nothing_else
from strongroom.server.backup.state import explain, move, note, open_jobs
from strongroom.server.catalog import models
from strongroom.server.hosts import presence
from strongroom.server.users.audit import SYSTEM, Actor, record

if TYPE_CHECKING:
    from datetime import datetime


def request_backup(
    *,
    backup_set: models.BackupSet,
    trigger: Trigger,
    now: datetime,
    by: Actor = SYSTEM,
    deadline: datetime | None = None,
    also: Also = nothing_else,
) -> models.Job:
    """Record a request for a backup, judge it, and return the job; it may have ended already (W3, W4).

    Args:
        deadline: when a scheduled request that has to wait is given up.
        also: called with the job in the transaction that records it.

    Raises:
        Conflict: a backup of the set is queued (`already_queued`) or running (`already_running`), or the host was
            revoked.
        Mistake: a scheduled request came without a deadline.
    """
    if trigger is Trigger.SCHEDULED and deadline is None:
        raise Mistake("A scheduled request needs the end of its window.", code="no_deadline")
    with transaction.atomic():
        chosen = models.BackupSet.objects.select_related("host").get(id=backup_set.id)
        require_not_revoked(chosen.host)
        others = list(open_jobs().filter(backup_set=chosen, type=JobType.BACKUP.value).order_by("id"))
        if others and trigger is Trigger.NOW:
            raise _already(others)
        verdict = admit(
            os_family=OsFamily(chosen.host.os_family),
            trigger=trigger,
            agent_running=presence.is_running(chosen.host.id),
            set_busy=bool(others),
        )
        job = models.Job(
            type=JobType.BACKUP.value,
            trigger=trigger.value,
            host=chosen.host,
            backup_set=chosen,
            requested_by=by.name,
            requested=now,
            deadline=deadline,
        )
        record_job(job, verdict, step=Step.ADMISSION.value, now=now)
        also(job)
        what = f"job {job.id} set {chosen.name}"
        record("backup.request", what, by=by, now=now, state=job.state, reason=job.reason_code)
    return job


def record_job(job: models.Job, verdict: Verdict, *, step: str, now: datetime, text: str = "") -> None:
    """Save a new job in the state that admission gave it; wake the host's stream if there is something to run."""
    job.step = step
    job.state = JobState.QUEUED.value if verdict.state.is_closed else verdict.state.value
    explain(job, ReasonCode(verdict.reason), text)
    job.save(force_insert=True)
    note(job, f"requested by {job.requested_by}", now)
    if verdict.state.is_closed:
        move(job, verdict.state, verdict.reason, now=now, text=text)
    else:
        note(job, f"{job.state}: {job.reason_text}", now)
        presence.notify_on_commit(job.host_id)


def require_not_revoked(host: models.Host) -> None:
    """Refuse to make work for a host that was shut out.

    Raises:
        Conflict: it was.
    """
    if host.revoked is not None:
        raise Conflict(f"The access of host {host.name} was revoked.", code="host_revoked")


def _already(others: list[models.Job]) -> Conflict:
    """Return the error for a second request while one is open; a running one is named first."""
    job = next((other for other in others if other.state == JobState.RUNNING.value), others[0])
    running = job.state == JobState.RUNNING.value
    return Conflict(
        f"A backup of this set is {'running' if running else 'queued'} already: job {job.id}.",
        code="already_running" if running else "already_queued",
        hint=f"See it with: strongroom job show {job.id}",
    )
