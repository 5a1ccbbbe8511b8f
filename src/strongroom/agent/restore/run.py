"""A restore, from the order to the report."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.agent.platform import linux_place as system
from strongroom.agent.restore.aim import Aim
from strongroom.agent.restore.already import Already
from strongroom.agent.restore.aside import kept_label
from strongroom.agent.restore.bulk import Bulk
from strongroom.agent.restore.fetch import Fetcher, fetched
from strongroom.agent.restore.nearby import Nearby
from strongroom.agent.restore.place import Placer
from strongroom.agent.restore.plan import Planner, Rules
from strongroom.agent.restore.sharing import Sharing
from strongroom.agent.restore.site import Site
from strongroom.agent.restore.spares import Spares
from strongroom.agent.restore.spool import spool_listing
from strongroom.agent.restore.tally import Tally
from strongroom.agent.restore.unfinished import Unfinished
from strongroom.errors import Mistake, Unavailable
from strongroom.model.job import JobState, ReasonCode
from strongroom.model.paths import escape_path
from strongroom.model.report import JobReport, Transfer
from strongroom.model.steps import RestoreStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from strongroom.agent.restore.fetch import Chunks
    from strongroom.agent.restore.ports import Events, Source
    from strongroom.agent.restore.sharing import Expected
    from strongroom.agent.restore.steps import Batch
    from strongroom.model.entry import ChunkId
    from strongroom.protocol.messages import RestoreOrder

_FILE_BYTES: Final = 8192


def run_restore(order: RestoreOrder, source: Source, spool: Path, events: Events) -> JobReport:
    """Carry out a restore and return its report.

    Args:
        spool: the agent's folder for files that end with the job.

    Raises:
        Mistake: the order cannot be carried out as it is.
        Refused, Unavailable: the server gives nothing (any more).
        TargetFull: the disk is full.
    """
    began = clock.monotonic_s()
    events.step(RestoreStep.PLAN)
    aim = Aim(order.paths, order.target)
    tally = Tally(aim, events)
    fetcher = Fetcher(source, order.key_ids)
    label = kept_label(clock.now())
    with spool_listing(source.listing(), spool, events) as listing, _opened(aim) as target:
        tally.files_total, tally.bytes_total = listing.files, listing.size_bytes
        events.step(RestoreStep.PLACE)
        already = Already(order, fetcher, events.check)
        planner = Planner(aim, target, Rules(order.conflict, label, already), tally, fetcher)
        with Site(target, Unfinished(spool, aim.target, order.job_id)) as site:
            _place(site, label, tally, fetcher, planner.batches(listing))
            _flush(site, aim)
    events.step(RestoreStep.REPORT)
    tally.tell()
    return _report(
        tally,
        Transfer(
            duration_s=clock.monotonic_s() - began,
            bytes_read=tally.bytes_restored,
            bytes_sent=fetcher.bytes_received,
        ),
    )


@contextmanager
def _opened(aim: Aim) -> Iterator[int]:
    """Open the folder that is restored into."""
    try:
        target = system.open_target(aim.target)
    except OSError as error:
        raise Mistake(
            f"The folder {escape_path(aim.target)} cannot be used: {error.strerror}.", code="bad_target"
        ) from error
    try:
        yield target
    finally:
        os.close(target)


def _place(site: Site, label: bytes, tally: Tally, fetcher: Fetcher, planned: Iterator[Batch]) -> None:
    """Carry out what is planned: several threads get the content and make the small files, this one does the rest."""
    sharing = Sharing()
    with (
        closing(Bulk(site)) as bulk,
        closing(Nearby(site, fetcher)) as nearby,
        closing(Spares(site.target, fetcher.key_ids, _disk_bytes(tally))) as spares,
        closing(Placer(site, label, tally, fetcher, nearby)) as placer,
    ):

        def work(batch: Batch, expected: Expected) -> Chunks:
            def get(ids: Sequence[ChunkId], have: Chunks) -> Chunks:
                with spares.turn(ids, keeps=batch.is_of_small_files) as turn:
                    return fetcher.fetch(ids, have | nearby.chunks(ids) | turn.found, turn)

            return bulk.place(batch, sharing.fetch(batch.ids, expected, get))

        with closing(fetched(planned, lambda batch: sharing.expect(batch.ids), work, spares.stop)) as batches:
            placer.place(batches)


def _disk_bytes(tally: Tally) -> int:
    """Return how much of the disk the restore takes at most: a file takes what it holds, rounded up, and an inode."""
    return tally.bytes_total + _FILE_BYTES * tally.files_total


def _flush(site: Site, aim: Aim) -> None:
    """Make all that was restored durable."""
    try:
        site.flush()
    except OSError as error:
        raise Unavailable(
            f"What was restored to {escape_path(aim.target)} could not be written to disk: {error.strerror}.",
            code="flush_failed",
        ) from error


def _report(tally: Tally, transfer: Transfer) -> JobReport:
    """Say how it ended."""
    missed = tally.missed_count
    return JobReport(
        state=JobState.SUCCESSFUL_WITH_ERRORS if missed or tally.failed else JobState.SUCCESSFUL,
        reason=ReasonCode.COMPLETED_WITH_MISSED if missed or tally.failed else ReasonCode.COMPLETED,
        step=RestoreStep.REPORT,
        transfer=transfer,
        restore=tally.result(),
        missed_count=missed,
    )
