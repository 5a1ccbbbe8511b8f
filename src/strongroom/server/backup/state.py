"""Moving a job from one state to the next: the only place that writes a job's state.

Promises: only moves that `model.job.MOVES` lists; every move leaves a reason code, a sentence and a line in the log.
Closing a job that did not make a snapshot ends its vault session once the transaction has committed; what was stored
stays, and the next job of the set does not send it again.
"""

from __future__ import annotations

import logging
import math
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from django.db import transaction

from strongroom import clock
from strongroom.errors import Conflict, StrongroomError
from strongroom.model.job import OPEN_STATES, SENTENCES, JobState, ReasonCode, require_move
from strongroom.server.backup.following import tell_of_end
from strongroom.server.catalog import models
from strongroom.server.hosts import presence
from strongroom.server.hosts.facts import one_line
from strongroom.server.premises import premises

if TYPE_CHECKING:
    from django.db.models import QuerySet

TEXT_LIMIT: Final = 2000
_LEASE_WRITTEN_EVERY = timedelta(seconds=15)
_MADE_A_SNAPSHOT: Final = frozenset({JobState.SUCCESSFUL, JobState.SUCCESSFUL_WITH_ERRORS})

_heard_s: dict[int, float] = {}
"""When each running job was last heard of, by the clock that nobody sets; known to this process only."""
_log = logging.getLogger(__name__)


def move(job: models.Job, new: JobState, code: ReasonCode, *, now: datetime, text: str = "") -> None:
    """Move a job that this transaction has just read, and save it whole.

    Args:
        text: the sentence with the particulars; the reason's own when empty.

    Raises:
        Conflict: the move is not legal.
    """
    require_move(JobState(job.state), new)
    job.state = new.value
    explain(job, code, text)
    if new is JobState.RUNNING:
        job.started = now
        _heard_s[job.id] = clock.monotonic_s()
    if new.is_closed:
        job.ended = now
        job.lease_until = None
        job.progress = None
        _heard_s.pop(job.id, None)
        _after_commit(job, new)
    job.save()
    note(job, f"{new.value}: {job.reason_text}", now)


def explain(job: models.Job, code: ReasonCode, text: str = "") -> None:
    """Set why the job is in its state."""
    job.reason_code = code.value
    job.reason_text = one_line(text or SENTENCES[code], TEXT_LIMIT)


def note(job: models.Job, text: str, now: datetime) -> None:
    """Add a line to the job's log."""
    models.JobLogLine.objects.create(job=job, time=now, text=one_line(text, TEXT_LIMIT))


def open_jobs() -> QuerySet[models.Job]:
    """Return the jobs that have not ended."""
    return models.Job.objects.filter(state__in=[state.value for state in OPEN_STATES])


def running_jobs() -> QuerySet[models.Job]:
    """Return the jobs that an agent is carrying out."""
    return models.Job.objects.filter(state=JobState.RUNNING.value)


def require_running(job_id: int, host: models.Host) -> models.Job:
    """Return a running job of this host, as this transaction sees it.

    Raises:
        Conflict: it is not running, or not this host's.
    """
    job = running_jobs().select_for_update().filter(id=job_id, host_id=host.id).first()
    if job is None:
        raise Conflict(f"Job {job_id} is not running on this host.", code="job_not_running")
    return job


def hear_of(job: models.Job, now: datetime) -> None:
    """Renew a running job's lease: its agent has just spoken of it. Written at most every few seconds."""
    _heard_s[job.id] = clock.monotonic_s()
    until = now + timedelta(seconds=premises().config.lease_s)
    if job.acknowledged and job.lease_until is not None and until - job.lease_until < _LEASE_WRITTEN_EVERY:
        return
    job.acknowledged = True
    job.lease_until = until
    models.Job.objects.filter(id=job.id, state=JobState.RUNNING.value).update(acknowledged=True, lease_until=until)


def silent_s(job: models.Job, monotonic_s: float) -> float:
    """Return for how long nothing was heard of a job; endless for one that this process has never heard of."""
    return monotonic_s - _heard_s.get(job.id, -math.inf)


def forget_all_heard() -> None:
    """Forget when jobs were heard of: the process is ending, or stands for one that has ended."""
    _heard_s.clear()


def _after_commit(job: models.Job, new: JobState) -> None:
    """Arrange what follows from a job's end: its session ends, and who waits for it is told, and the host."""
    transaction.on_commit(partial(tell_of_end, job.id))
    if job.session and new not in _MADE_A_SNAPSHOT:
        transaction.on_commit(partial(_end_session, job.session))
    presence.notify_on_commit(job.host_id)


def _end_session(session: str) -> None:
    """End the vault session of a job that is closed already: nothing here may hurt whoever closed it."""
    try:
        premises().vault.session(session).end()
    except Conflict:
        return  # it had ended, or began before this server did
    except (StrongroomError, OSError):
        _log.exception("Session %s could not be ended in order", session)
