"""ABORT: what a restart, a silence or a revocation leaves behind is closed, and says why (W1, W14).

A lost connection is not a restart: a job goes on while its agent's instance is the same and its lease has not run out.
A job that somebody had cancelled when it was lost is cancelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from strongroom.model.job import JobState, ReasonCode
from strongroom.server.backup.state import hear_of, move, open_jobs, running_jobs, silent_s
from strongroom.server.catalog.ledger import CatalogLedger
from strongroom.server.premises import premises

if TYPE_CHECKING:
    from datetime import datetime

    from strongroom.protocol.messages import Hello
    from strongroom.server.catalog import models


def abort_lost_jobs(*, now: datetime, monotonic_s: float) -> list[models.Job]:
    """Close the running jobs of which nothing was heard for longer than their lease.

    By both clocks: one that is set an hour ahead, or a machine that slept, is not an agent that fell silent.
    """
    lease_s = premises().config.lease_s
    with transaction.atomic():
        late = running_jobs().filter(lease_until__lt=now)
        lost = [job for job in late if silent_s(job, monotonic_s) > lease_s]
        for job in lost:
            _close_lost(job, ReasonCode.AGENT_LOST, now)
    return lost


def abort_jobs_before(*, host: models.Host, hello: Hello, now: datetime) -> list[models.Job]:
    """Close the running jobs that the agent which says hello does not know; renew the leases of those it does.

    An order that was lost on its way to this same instance is not one of them: it is handed out again.
    """
    lost = []
    with transaction.atomic():
        for job in running_jobs().filter(host_id=host.id):
            same = job.instance_id == hello.facts.instance_id
            if same and job.id in hello.running:
                hear_of(job, now)
            elif not same or job.acknowledged:
                rebooted = job.boot_id != hello.facts.boot_id
                _close_lost(job, ReasonCode.HOST_RESTARTED if rebooted else ReasonCode.AGENT_RESTARTED, now)
                lost.append(job)
    return lost


def abort_after_server_start(*, now: datetime) -> list[models.Job]:
    """Close every job that was running, and every session that was open, when the server stopped."""
    ledger = CatalogLedger()
    with transaction.atomic():
        lost = list(running_jobs())
        for job in lost:
            _close_lost(job, ReasonCode.SERVER_RESTARTED, now)
        for session in ledger.open_sessions():
            ledger.end_session(session.id)
    return lost


def abort_jobs_of_host(host: models.Host, now: datetime) -> list[models.Job]:
    """Close all open jobs of a revoked host: running ones are aborted, waiting ones fail."""
    with transaction.atomic():
        lost = list(open_jobs().filter(host_id=host.id))
        for job in lost:
            running = job.state == JobState.RUNNING.value
            move(job, JobState.ABORTED if running else JobState.FAILED, ReasonCode.HOST_REVOKED, now=now)
    return lost


def _close_lost(job: models.Job, code: ReasonCode, now: datetime) -> None:
    """Close one running job whose agent does not carry it out any more."""
    if job.cancel_requested:
        move(job, JobState.CANCELLED, ReasonCode.CANCELLED_BY_USER, now=now)
    else:
        move(job, JobState.ABORTED, code, now=now)
