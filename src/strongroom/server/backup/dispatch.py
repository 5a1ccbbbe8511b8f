"""KIND and dispatch: of the jobs that wait for a host, those that may start are handed to its agent.

Rules: in the order they were asked for; one backup of a set at a time (W15); so many backups on a host at once as the
settings say; restores wait for nobody. The kind is chosen here, when it is certain what the newest snapshot is (W5).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from django.db import transaction

from strongroom.model.job import JobState, JobType, Kind, ReasonCode
from strongroom.model.policy import Content, Options
from strongroom.model.steps import RestoreStep, Step
from strongroom.protocol.messages import BackupOrder
from strongroom.server.backup.kind import choose_kind
from strongroom.server.backup.state import move, open_jobs, running_jobs
from strongroom.server.catalog import models
from strongroom.server.premises import premises

if TYPE_CHECKING:
    from strongroom.server.hosts.presence import Link


def dispatch(*, link: Link, now: datetime) -> list[models.Job]:
    """Start the host's jobs that may start; return them. Each belongs to the agent at the other end of this link."""
    if not open_jobs().filter(host_id=link.host_id).exclude(state=JobState.RUNNING.value).exists():
        return []
    with transaction.atomic():
        started = _may_start(link.host_id, premises().config.backups_per_host)
        for job in started:
            _start(job, link, now)
    return started


def backup_order(job: models.Job) -> BackupOrder:
    """Return the order for a running backup."""
    chosen = job.backup_set
    return BackupOrder(
        job_id=job.id,
        set_id=chosen.id,
        kind=Kind(job.kind),
        content=msgspec.convert(chosen.content, Content),
        options=msgspec.convert(chosen.options, Options),
        base_snapshot=job.base,
    )


def newest_snapshot(set_id: int) -> str:
    """Return the id of the set's newest snapshot, empty if it has none."""
    of_set = models.Snapshot.objects.filter(set_id=set_id).order_by("-number")
    return of_set.values_list("id", flat=True).first() or ""


def _may_start(host_id: str, limit: int) -> list[models.Job]:
    """Choose the waiting jobs that may start now, oldest first."""
    running = running_jobs().filter(host_id=host_id, type=JobType.BACKUP.value)
    busy_sets = set(running.values_list("backup_set_id", flat=True))
    chosen = []
    waiting = open_jobs().filter(host_id=host_id).exclude(state=JobState.RUNNING.value)
    for job in waiting.select_related("backup_set").order_by("requested", "id"):
        if job.type == JobType.BACKUP.value:
            if job.backup_set_id in busy_sets or len(busy_sets) >= limit:
                continue
            busy_sets.add(job.backup_set_id)
        chosen.append(job)
    return chosen


def _start(job: models.Job, link: Link, now: datetime) -> None:
    """Mark one job running at this agent."""
    if job.type == JobType.BACKUP.value:
        job.base = newest_snapshot(job.backup_set_id)
        job.kind = choose_kind(newest_snapshot=job.base).value
        job.step = Step.KIND.value
    else:
        job.step = RestoreStep.PLAN.value
    job.instance_id = link.instance_id
    job.boot_id = link.boot_id
    job.acknowledged = False
    job.lease_until = now + timedelta(seconds=premises().config.lease_s)
    move(job, JobState.RUNNING, ReasonCode.AGENT_RUNNING, now=now)
