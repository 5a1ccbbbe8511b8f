"""Step ESTIMATE: how many files and bytes the backup will move, before it moves the first (W7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom import clock
from strongroom.agent.backup.compare import FolderComparison, RemovedFolder, UnchangedFolders, compare
from strongroom.agent.backup.joined import NewStats
from strongroom.engine.format.splice import EncodedRun
from strongroom.model.entry import EntryType
from strongroom.model.report import Estimate
from strongroom.model.steps import Step

if TYPE_CHECKING:
    from strongroom.agent.backup.compare import PartComparison
    from strongroom.agent.backup.events import Events
    from strongroom.agent.backup.known import Known
    from strongroom.agent.backup.listing import Listing


def estimate(listing: Listing, known: Known, events: Events) -> Estimate:
    """Compare the listing with the last snapshot's, and count. Raises Cancelled."""
    events.step(Step.ESTIMATE)
    started = clock.monotonic_s()
    tally = _Tally()
    for folder in compare(listing, known):
        events.check()
        tally.add(folder)
    counts = listing.counts
    forecast = Estimate(
        duration_s=listing.duration_s + clock.monotonic_s() - started,
        files_scanned=counts.files,
        folders_scanned=counts.folders,
        files_added=tally.added,
        files_changed=tally.changed,
        files_removed=tally.removed,
        source_bytes=counts.bytes,
        changed_bytes=tally.bytes,
        histogram=tuple(counts.histogram),
    )
    events.estimated(forecast)
    return forecast


class _Tally:
    """Counts of what differs."""

    def __init__(self) -> None:
        self.added = 0
        self.changed = 0
        self.removed = 0
        self.bytes = 0

    def add(self, folder: FolderComparison | UnchangedFolders | RemovedFolder) -> None:
        """Count a folder."""
        if isinstance(folder, UnchangedFolders):
            return
        if isinstance(folder, RemovedFolder):
            self.removed += folder.files_removed
            return
        for part in folder.parts():
            if part.same is None:
                self._add_part(part)
        self.removed += folder.end()[1]

    def _add_part(self, part: PartComparison) -> None:
        """Count what differs in a part."""
        for piece in part.pieces():
            if isinstance(piece, EncodedRun):
                continue
            if isinstance(piece, NewStats):
                self.added += part.listed.files
                self.bytes += part.listed.file_bytes()
                continue
            stat, entry, is_known = piece
            was_file = entry is not None and entry.stat.type is not EntryType.FOLDER
            if stat.type is EntryType.FOLDER:
                self.removed += was_file
                continue
            if is_known:
                continue
            if not was_file:
                self.added += 1
            else:
                self.changed += 1
            self.bytes += stat.size
