"""KIND and dispatch: of the jobs that wait for a host, those that may start are handed to its agent.

Rules: in the order they were asked for; one backup of a set at a time (W15); so many backups on a host at once as the
settings say; restores wait for nobody. The kind is chosen here, when it is certain what the newest snapshot is (W5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from django.db import transaction

from strongroom.model.job import JobState, JobType, Kind, ReasonCode
from strongroom.model.policy import Content, Options
from strongroom.model.steps import RestoreStep, Step
from strongroom.protocol.messages import BackupOrder
from strongroom.server.backup.kind import choose_kind
from strongroom.server.backup.state import move, note, open_jobs, running_jobs
from strongroom.server.catalog import models
from strongroom.server.premises import premises

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from strongroom.server.hosts.presence import Link


@dataclass(frozen=True)
class _Base:
    """A set's newest snapshot, and the newest that is whole; empty for none."""

    newest: str
    base: str


def dispatch(*, link: Link, now: datetime) -> list[models.Job]:
    """Start the host's jobs that may start; return them. Each belongs to the agent at the other end of this link."""
    waiting = open_jobs().filter(host_id=link.host_id).exclude(state=JobState.RUNNING.value)
    # Asking the vault takes its locks, so it is asked before the transaction takes the catalog's.
    bases = {set_id: _choose_base(set_id) for set_id in waiting.values_list("backup_set_id", flat=True)}
    if not bases:
        return []
    with transaction.atomic():
        chosen = _may_start(link.host_id, premises().config.backups_per_host)
        return [job for job in chosen if _start(job, link, bases.get(job.backup_set_id), now)]


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


def _newest_snapshots(set_id: int) -> QuerySet[models.Snapshot, str]:
    """Return the ids of the set's snapshots, newest first."""
    return models.Snapshot.objects.filter(set_id=set_id).order_by("-number").values_list("id", flat=True)


def _choose_base(set_id: int) -> _Base:
    """Return what the set's next backup builds on: its newest snapshot of which nothing is damaged."""
    snapshots = list(_newest_snapshots(set_id))
    whole = (snapshot for snapshot in snapshots if premises().vault.is_whole(snapshot))
    return _Base(newest=snapshots[0] if snapshots else "", base=next(whole, ""))


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


def _start(job: models.Job, link: Link, base: _Base | None, now: datetime) -> bool:
    """Mark one job running at this agent; leave it for the next round when the set has a newer snapshot by now."""
    if job.type == JobType.BACKUP.value:
        newest = _newest_snapshots(job.backup_set_id).first() or ""
        if base is None or base.newest != newest:
            return False
        job.base = base.base
        job.kind = choose_kind(newest_snapshot=newest).value
        job.step = Step.KIND.value
        if base.base != newest:
            note(job, f"snapshot {newest} is damaged; building on {base.base or 'none'} instead", now)
    else:
        job.step = RestoreStep.PLAN.value
    job.instance_id = link.instance_id
    job.boot_id = link.boot_id
    job.acknowledged = False
    job.lease_until = now + timedelta(seconds=premises().config.lease_s)
    move(job, JobState.RUNNING, ReasonCode.AGENT_RUNNING, now=now)
    return True
