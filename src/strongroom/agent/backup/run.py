"""A backup on its host, as one paragraph. Each line is a step, and a file of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.agent.backup.estimate import estimate
from strongroom.agent.backup.fileset import build_fileset
from strongroom.agent.backup.known import find_known
from strongroom.agent.backup.missed import MissedFiles
from strongroom.agent.backup.places import own_files_needed
from strongroom.agent.backup.recovery_point import recovery_point
from strongroom.agent.backup.report import report
from strongroom.agent.backup.scan import scan
from strongroom.agent.backup.transmit import transmit

if TYPE_CHECKING:
    from strongroom.agent.backup.events import Events
    from strongroom.agent.backup.places import Places
    from strongroom.agent.backup.sink import BackupSink
    from strongroom.agent.platform.base import Platform
    from strongroom.model.report import JobReport
    from strongroom.protocol.messages import BackupOrder


def run_backup(order: BackupOrder, machine: Platform, places: Places, sink: BackupSink, events: Events) -> JobReport:
    """Carry out an order, up to the commit of the snapshot; return the report that was committed with it.

    Raises:
        Cancelled: the job was told to stop.
        StrongroomError: a step failed; `events.step` has said which. Nothing was committed.
    """
    with (
        own_files_needed(),
        MissedFiles(order, places, events) as missed,
    ):  # its log is written on the way out, whatever happens
        with (
            recovery_point(order, machine, places, missed, events) as origin,
            find_known(order, places, sink) as known,
        ):
            listing = scan(origin.source, order, places, missed, events, against=known)
            forecast = estimate(listing, known, events)
            fileset = build_fileset(origin.source, listing, known, order, events)
            sent = transmit(fileset, places.set_folder(order.set_id), sink, missed, events)
        return report(order, forecast, sent, missed, origin=origin, sink=sink, places=places, events=events)
