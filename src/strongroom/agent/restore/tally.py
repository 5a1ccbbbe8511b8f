"""The count of a restore, and the list of what went wrong, as it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.model.missed import MissedFile, Reason
from strongroom.model.report import RestoreResult

if TYPE_CHECKING:
    from strongroom.agent.restore.aim import Aim, Parts
    from strongroom.agent.restore.ports import Events

_BATCH: Final = 500


class Tally:
    """Counts what became of each entry and tells the job's events."""

    def __init__(self, aim: Aim, events: Events) -> None:
        """Begin at nothing."""
        self._aim = aim
        self._events = events
        self._batch: list[MissedFile] = []
        self.files_total = 0
        self.bytes_total = 0
        self.restored = 0
        self.bytes_restored = 0
        self.unchanged = 0
        self.skipped = 0
        self.failed = 0
        self.missed_count = 0
        self.bytes_read = 0

    def list(self, parts: Parts, reason: Reason, detail: str) -> None:
        """Put a path below the target on the list of missed files."""
        self.list_path(self._aim.shown(parts), reason, detail)

    def list_path(self, path: bytes, reason: Reason, detail: str) -> None:
        """Put any path on the list."""
        self.missed_count += 1
        self._batch.append(MissedFile(path, reason, detail))
        if len(self._batch) >= _BATCH:
            self.tell()

    def fail(self, parts: Parts, reason: Reason, detail: str) -> None:
        """Count a file that was not restored, and list it."""
        self.failed += 1
        self.list(parts, reason, detail)

    def show(self, parts: Parts) -> None:
        """Tell how far we are, and stop here if the job was cancelled."""
        self._events.check()
        done = self.restored + self.unchanged + self.skipped + self.failed
        self._events.progress(done, self.bytes_restored, self._aim.shown(parts))

    def tell(self) -> None:
        """Hand on what was listed since the last time."""
        if self._batch:
            batch, self._batch = self._batch, []
            self._events.missed(batch)

    def result(self) -> RestoreResult:
        """Return the counts."""
        return RestoreResult(
            files_total=self.files_total,
            bytes_total=self.bytes_total,
            files_restored=self.restored,
            bytes_restored=self.bytes_restored,
            files_unchanged=self.unchanged,
            files_skipped=self.skipped,
            files_failed=self.failed,
        )
