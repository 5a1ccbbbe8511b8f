"""Cancelling a job: at once while it waits; through its agent while it runs.

A running job's agent gets a cancel order and reports the end. Is the agent away, the job closes at once; the agent
finds its session ended when it comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from strongroom.errors import Conflict
from strongroom.model.job import JobState, ReasonCode
from strongroom.server.backup.find import require_job
from strongroom.server.backup.state import move, note
from strongroom.server.hosts import presence
from strongroom.server.users.audit import Actor, record

if TYPE_CHECKING:
    from datetime import datetime

    from strongroom.server.catalog import models


def cancel_job(*, job_id: int, by: Actor, now: datetime) -> models.Job:
    """Cancel a job; asking again while it is being cancelled changes nothing.

    Raises:
        NotFound: there is no such job.
        Conflict: it has ended already.
    """
    with transaction.atomic():
        job = require_job(job_id)
        if JobState(job.state).is_closed:
            raise Conflict(f"Job {job.id} has ended already: {job.state}.", code="already_ended")
        if not job.cancel_requested:
            job.cancel_requested = True
            job.save(update_fields=["cancel_requested"])
            note(job, f"cancel requested by {by.name}", now)
            record("job.cancel", f"job {job.id}", by=by, now=now)
        if job.state != JobState.RUNNING.value or not presence.is_running(job.host_id):
            move(job, JobState.CANCELLED, ReasonCode.CANCELLED_BY_USER, now=now)
        else:
            presence.notify_on_commit(job.host_id)
    return job
