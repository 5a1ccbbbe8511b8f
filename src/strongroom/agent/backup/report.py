"""Step REPORT: the job's numbers, and the commit that makes them and the snapshot true together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.agent.backup.known import distrust
from strongroom.errors import StrongroomError
from strongroom.model.job import JobState, ReasonCode, SourceKind
from strongroom.model.paths import escape_path
from strongroom.model.report import MOST_AREAS, JobReport, SourceArea
from strongroom.model.steps import Step

if TYPE_CHECKING:
    from strongroom.agent.backup.events import Events
    from strongroom.agent.backup.missed import MissedFiles
    from strongroom.agent.backup.places import Places
    from strongroom.agent.backup.recovery_point import Origin
    from strongroom.agent.backup.sink import BackupSink
    from strongroom.agent.backup.transmit import Transmitted
    from strongroom.agent.platform.base import Area
    from strongroom.model.report import Estimate
    from strongroom.protocol.messages import BackupOrder


def report(
    order: BackupOrder,
    forecast: Estimate,
    sent: Transmitted,
    missed: MissedFiles,
    *,
    origin: Origin,
    sink: BackupSink,
    places: Places,
    events: Events,
) -> JobReport:
    """Close the job: the log of missed files, the report, and the commit of the snapshot.

    Raises:
        Cancelled: the job was told to stop; nothing is committed.
        Conflict: the server does not accept the snapshot.
    """
    events.step(Step.MISSED_FILES)
    missed.write_log()
    events.step(Step.REPORT)
    events.check()
    summary = JobReport(
        state=JobState.SUCCESSFUL_WITH_ERRORS if missed.count else JobState.SUCCESSFUL,
        reason=ReasonCode.COMPLETED_WITH_MISSED if missed.count else ReasonCode.COMPLETED,
        step=Step.REPORT,
        source=origin.kind,
        source_why=origin.why,
        areas=tuple(_area(area) for area in origin.areas[:MOST_AREAS]),
        estimate=forecast,
        transfer=sent.transfer,
        missed_count=missed.count,
        notes=tuple(missed.notes),
    )
    try:
        snapshot = sink.commit(sent.root, summary)
    except StrongroomError as error:
        sent.known.drop()
        if error.code == "incomplete_tree":
            distrust(places, order.set_id)
        raise
    sent.known.keep(snapshot)
    return summary


def _area(area: Area) -> SourceArea:
    """Return a part of what was read, as the report says it."""
    kind = SourceKind.RECOVERY_POINT if area.how else SourceKind.LIVE
    return SourceArea(escape_path(area.path), kind, area.how, area.why)
