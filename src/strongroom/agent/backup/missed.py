"""Step MISSED_FILES: what could not be backed up, and why: a log for people on the host, and the list for the server.

Why: a backup that silently leaves something out is worse than one that fails.
Promises: every missed file is in the job's log (W12), one line each, and goes to the server in batches, in the same
order. The log is there when the job ends, however it ends; a job that missed nothing leaves none. Memory does not
grow with the number of files.
Does not: decide what is missed, nor raise for one file's sake.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from typing import IO, TYPE_CHECKING, Self

from strongroom.agent.backup.spool import SpoolReader, SpoolWriter
from strongroom.model.missed import SENTENCES, MissedFile, Reason
from strongroom.model.paths import escape_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from strongroom.agent.backup.events import Events
    from strongroom.agent.backup.places import Places
    from strongroom.protocol.messages import BackupOrder

_BATCH = 500
_REASONS = {
    errno.EACCES: Reason.ACCESS_DENIED,
    errno.EPERM: Reason.ACCESS_DENIED,
    errno.ENOENT: Reason.VANISHED,
    errno.ENOTDIR: Reason.VANISHED,  # something else stands there now
    errno.ELOOP: Reason.VANISHED,
    errno.ESTALE: Reason.VANISHED,
    errno.EBUSY: Reason.LOCKED,
    errno.ETXTBSY: Reason.LOCKED,
    errno.EAGAIN: Reason.LOCKED,
    errno.EWOULDBLOCK: Reason.LOCKED,
}


def reason_of(error: OSError) -> Reason:
    """Return why a file was missed whose opening or reading gave `error`."""
    return _REASONS.get(error.errno or 0, Reason.READ_ERROR)


class MissedFiles:
    """The missed files of one job. Use as a context manager: its exit writes the log.

    Those of the first reading may be held back, because the files are tried once more (W9).
    """

    def __init__(self, order: BackupOrder, places: Places, events: Events) -> None:
        self._places = places
        self._events = events
        self._order = order
        self._lines: IO[bytes] = tempfile.TemporaryFile(dir=places.spool())  # noqa: SIM115 - closed on exit
        self._batch: list[MissedFile] = []
        self._held: _Held | None = None
        self._written = False
        self.count = 0
        self.notes: list[str] = []
        """Lines for the job's log about what a list of files cannot say."""

    def add(self, path: bytes, reason: Reason, detail: str = "") -> None:
        """Add a file by its path from the root, without a leading slash."""
        file = MissedFile(b"/" + path, reason, detail)
        if self._held is None:
            self._keep(file)
        else:
            self._held.add(file)

    def add_error(self, path: bytes, error: OSError) -> None:
        """Add a file for what the system said."""
        name = errno.errorcode.get(error.errno or 0, "")
        self.add(path, reason_of(error), f"{name} {error.strerror or error}".strip())

    def hold(self) -> None:
        """Hold back what is added from now on."""
        self._held = _Held(self._places.spool())

    def drop_held(self) -> bool:
        """Forget what was held back, because those files are tried once more; tell whether there was anything."""
        held, self._held = self._held, None
        return held is not None and held.close() > 0

    def write_log(self) -> None:
        """Send the last batch and put the log in its place; a second call does nothing."""
        if self._held is not None:  # the job ended before the second try
            held, self._held = self._held, None
            for file in held.files():
                self._keep(file)
        self._send()
        if self._written or not self.count:
            return
        self._written = True
        root, fallback = self._places.log_root, self._places.state / "logs"
        try:
            self._write_log(root)
        except OSError as error:
            why = f"because {root} could not be written ({error.strerror})"
            try:
                self._write_log(fallback)
                self.notes.append(f"The log of missed files is below {fallback}, {why}.")
            except OSError as worse:  # the server has the list all the same
                self.notes.append(f"There is no log of missed files, {why}, nor {fallback} ({worse.strerror}).")

    def _keep(self, file: MissedFile) -> None:
        """Add a file to the log and to the next batch."""
        self.count += 1
        said = SENTENCES[file.reason] + (f" ({file.detail})" if file.detail else "")
        self._lines.write(f"{escape_path(file.path)}\t{file.reason}\t{said}\n".encode())
        self._batch.append(file)
        if len(self._batch) >= _BATCH:
            self._send()

    def _send(self) -> None:
        """Hand the batch to who listens."""
        if self._batch:
            batch, self._batch = self._batch, []
            self._events.missed(batch)

    def _write_log(self, root: Path) -> None:
        """Write the log below `root`: to a temporary name first, so that it is whole when it appears."""
        log = self._places.missed_log(root, self._order.set_id, self._order.job_id)
        log.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._lines.seek(0)
        unfinished = log.with_name(log.name + ".part")
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(self._lines, file)
        unfinished.replace(log)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the log, however the job ended."""
        with self._lines:
            self.write_log()


class _Held:
    """Missed files that are tried once more."""

    def __init__(self, spool: Path) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=spool)  # noqa: SIM115 - closed by files or close
        self._out = SpoolWriter(self._file)
        self._count = 0

    def add(self, file: MissedFile) -> None:
        """Hold a file back."""
        self._out.write(file)
        self._count += 1

    def files(self) -> Iterator[MissedFile]:
        """Yield all of them, and end."""
        self._out.finish()
        self._file.seek(0)
        with self._file:
            yield from SpoolReader[MissedFile](self._file, MissedFile)

    def close(self) -> int:
        """Forget them and return how many they were."""
        self._file.close()
        return self._count
