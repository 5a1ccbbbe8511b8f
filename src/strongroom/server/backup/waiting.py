"""Jobs whose window ended while they waited: for an agent that never came (W4), or for their set to be free (W15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from strongroom.model.job import JobState, ReasonCode
from strongroom.server.backup.state import move, open_jobs

if TYPE_CHECKING:
    from datetime import datetime

    from strongroom.server.catalog import models

_ENDS = {
    JobState.WAITING_FOR_AGENT: (JobState.FAILED, ReasonCode.AGENT_NEVER_CAME),
    JobState.QUEUED: (JobState.SKIPPED, ReasonCode.SET_BUSY_SKIPPED),
}


def close_waiting_jobs(*, now: datetime) -> list[models.Job]:
    """Close the jobs that still wait although their window has ended."""
    with transaction.atomic():
        late = list(open_jobs().filter(deadline__lt=now, state__in=[state.value for state in _ENDS]))
        for job in late:
            state, reason = _ENDS[JobState(job.state)]
            move(job, state, reason, now=now)
    return late
