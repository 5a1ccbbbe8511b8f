"""A file while it is written under its temporary name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from strongroom.agent.platform import linux_place as system
from strongroom.agent.platform.linux_flags import KEPT, LOCKING, SHAPING, set_flags
from strongroom.direct_io import DirectFile, Staging
from strongroom.errors import Damaged
from strongroom.kernel.place_reference import DIRECT_BYTES

if TYPE_CHECKING:
    from strongroom.agent.platform.linux_place import Identity
    from strongroom.agent.restore.folders import Folder
    from strongroom.model.entry import Entry

_ALWAYS_DIRECT_BYTES: Final = 1 << 20
"""A file of this size is written past the cache however slow the disk is; from `DIRECT_BYTES` on, on a quick one."""


class Writing:
    """An opened temporary file; `finish` closes it, `give_up` removes it too."""

    def __init__(self, folder: Folder, temporary: bytes, entry: Entry, staging: Staging) -> None:
        """Make the temporary file.

        Args:
            staging: is the file's own until it is finished.

        Raises:
            OSError: it cannot be made.
        """
        self.folder = folder
        self.temporary = temporary
        self.written = 0
        self._troubles: list[str] = []
        self._extents = list(reversed(entry.extents)) if entry.extents is not None else None
        self._handle = system.new_file(folder.handle, temporary)
        self._direct: DirectFile | None = None
        self._has_flags = bool(entry.flags) or folder.gives
        try:
            self._shape(entry)
        except OSError:
            self.give_up()
            raise
        least_bytes = _ALWAYS_DIRECT_BYTES if staging.is_slow else DIRECT_BYTES
        self.is_direct = self._extents is None and entry.stat.size >= least_bytes
        if self.is_direct:
            self._direct = DirectFile(self._handle, staging)
        self.identity: Identity = (0, 0, 0, 0)  # known once it is finished

    def _shape(self, entry: Entry) -> None:
        """Set what must be set before the content is there."""
        if self._has_flags:
            self._troubles = set_flags(self._handle, entry.flags, SHAPING)
        if self._extents is not None:
            # The whole size at once: where a file grows by each write, some file systems fill its holes in advance.
            os.ftruncate(self._handle, entry.stat.size)

    def write(self, data: memoryview) -> None:
        """Write the next bytes of the content, where they belong.

        Raises:
            OSError: they cannot be written.
            Damaged: a sparse file has more content than ranges for it.
        """
        self.written += len(data)
        if self._direct is not None:
            self._direct.write(data)
            return
        if self._extents is None:
            system.write_all(self._handle, data)
            return
        while data:
            if not self._extents:
                raise _misfit()
            offset, length = self._extents.pop()
            taken = min(length, len(data))
            os.lseek(self._handle, offset, os.SEEK_SET)
            system.write_all(self._handle, data[:taken])
            data = data[taken:]
            if taken < length:
                self._extents.append((offset + taken, length - taken))

    def finish(self, entry: Entry, now_ns: int) -> list[str]:
        """Set metadata and flags, but for those that lock it, and close the file; return what could not be set.

        Raises:
            OSError: it cannot be written to its end, or closed in order.
            Damaged: a sparse file has less content than ranges for it.
        """
        if self._extents:
            raise _misfit()
        if self._direct is not None:
            self._direct.finish()
        troubles = system.set_metadata(self._handle, entry, now_ns, shed=self.folder.gives)
        if self._has_flags:
            troubles += self._troubles + set_flags(self._handle, entry.flags, KEPT & ~SHAPING & ~LOCKING)
        self.identity = system.identity_of(os.fstat(self._handle))
        handle, self._handle = self._handle, -1
        os.close(handle)
        return troubles

    def give_up(self) -> str:
        """Close and remove the temporary file; say so if it must stay."""
        if self._direct is not None:
            self._direct.give_up()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        try:
            system.remove(self.folder.handle, self.temporary)
        except OSError as error:
            return f"; {self.temporary.decode()} beside it could not be removed: {system.reason_of(error)}"
        return ""


def _misfit() -> Damaged:
    return Damaged("The content of a sparse file does not fit the ranges that it should fill.", code="bad_extents")
