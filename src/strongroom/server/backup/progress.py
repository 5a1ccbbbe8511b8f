"""Progress: how a running job stands, as its agent last said. A picture, not a sum: the newest one counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from strongroom.model.job import JobType
from strongroom.model.steps import RestoreStep, Step
from strongroom.server.backup.state import hear_of
from strongroom.server.catalog import models
from strongroom.server.hosts.facts import one_line

if TYPE_CHECKING:
    from datetime import datetime

    from strongroom.model.report import Progress
    from strongroom.protocol.messages import Report

MISSED_KEPT: Final = 1_000_000
"""How many missed files of one job are kept by name; beyond it only their number grows."""
MOST_COUNTED: Final = 10**15
"""No count that an agent gives is larger, or it is not one."""
PATH_LIMIT: Final = 8192
_DETAIL_LIMIT: Final = 500


def note_progress(job: models.Job, message: Report, now: datetime) -> None:
    """Take in progress, estimate and missed files of a running job; the caller holds the transaction."""
    hear_of(job, now)
    changed = []
    if message.progress is not None:
        job.progress = plain(_cut(message.progress))
        job.step = known_step(job, message.progress.step)
        changed += ["progress", "step"]
    if message.estimate is not None:
        job.estimate = plain(message.estimate)
        changed.append("estimate")
    if message.missed:
        note_missed(job, message)
        changed.append("missed_count")
    if changed:
        job.save(update_fields=changed)


def note_missed(job: models.Job, message: Report) -> None:
    """Add a batch of missed files; what is there already from an earlier try stays as it is."""
    begin = min(max(message.missed_from, 0), MOST_COUNTED)
    rows = [
        models.JobMissedFile(
            job=job,
            index=begin + place,
            path=missed.path[:PATH_LIMIT],
            reason=missed.reason.value,
            detail=one_line(missed.detail, _DETAIL_LIMIT),
        )
        for place, missed in enumerate(message.missed)
        if begin + place < MISSED_KEPT
    ]
    models.JobMissedFile.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    job.missed_count = max(job.missed_count, begin + len(message.missed))


def plain(value: msgspec.Struct) -> dict[str, Any]:
    """Return a structure as what JSON can say; a number that is none becomes nothing."""
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return fields


def known_step(job: models.Job, step: str) -> str:
    """Return the step an agent names if its kind of job has it, else the one the job is at."""
    steps = Step if job.type == JobType.BACKUP.value else RestoreStep
    return step if step in {known.value for known in steps} else job.step


def _cut(progress: Progress) -> Progress:
    """Cut what an agent says to a size that fits a screen and a row."""
    return msgspec.structs.replace(progress, step=progress.step[:32], current=one_line(progress.current, PATH_LIMIT))
