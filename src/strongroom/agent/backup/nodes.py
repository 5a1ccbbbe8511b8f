"""The nodes of a known listing: a file that is only appended to, each node compressed by itself.

Why: nearly all of what a set's listing would weigh is the nodes of parts that did not change, and those are needed
only when something in them does. So they stay where they are, and a listing says where.
Promises: what was added is read again, or `Damaged` is raised; each node has a checksum of its own. What lies behind
the length that a listing names is of no use to anyone, and is written over.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Self

import zstandard

from strongroom.agent.backup.places import own_files_needed
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from pathlib import Path

_PREFIX: Final = "nodes."
_LEVEL: Final = -1
"""Nodes come out as small as at level 1, for two thirds of the work: half of their bytes are ids."""
_BUFFER_BYTES: Final = 1 << 20


class NodeFile:
    """One file of nodes, for reading its first bytes, or for adding behind them."""

    def __init__(self, folder: Path, generation: int, size: int, *, reads: bool = False) -> None:
        """Open the file; for adding, it is made if need be, and cut off at `size`.

        Raises:
            FileNotFoundError: there is none to read.
            Damaged: it is shorter than it should be (code `damaged_spool`).
        """
        self.generation = generation
        self.size = self._start = size
        self._path = folder / f"{_PREFIX}{generation}"
        self._buffer = bytearray()
        flags = os.O_RDONLY if reads else os.O_RDWR | os.O_CREAT
        self._handle = os.open(self._path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(self._handle).st_size < size:
            self.close()
            raise _damaged()
        if not reads:
            os.ftruncate(self._handle, size)
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._decompressor = zstandard.ZstdDecompressor()

    def add(self, node: bytes) -> tuple[int, int]:
        """Add a node, and return where it lies."""
        return self.add_stored(self._compressor.compress(node))

    def add_stored(self, stored: bytes) -> tuple[int, int]:
        """Add a node as it lay in another such file, and return where it lies in this one."""
        at = self.size
        self._buffer += stored
        self.size += len(stored)
        if len(self._buffer) >= _BUFFER_BYTES:
            self.flush()
        return at, len(stored)

    def flush(self) -> None:
        """Write out what was added."""
        at = self.size - len(self._buffer)
        with own_files_needed(), memoryview(self._buffer) as left:
            done = 0
            while done < len(left):
                done += os.pwrite(self._handle, left[done:], at + done)
        self._buffer.clear()

    def stored(self, at: int, size: int) -> bytes:
        """Return the node at a place as it lies there.

        Raises:
            Damaged: the file ends before it (code `damaged_spool`).
        """
        with own_files_needed():
            stored = os.pread(self._handle, size, at)
        if len(stored) != size:
            raise _damaged()
        return stored

    def read(self, at: int, size: int) -> bytes:
        """Return the node at a place.

        Raises:
            Damaged: it is not what was written (code `damaged_spool`).
        """
        try:
            return self._decompressor.decompress(self.stored(at, size))
        except zstandard.ZstdError as error:
            raise _damaged() from error

    def undo(self) -> None:
        """Give up what was added."""
        self._buffer.clear()
        if self._start:
            os.ftruncate(self._handle, self._start)
        else:
            self._path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove the file: whoever needs it next makes it anew."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    @classmethod
    def sync(cls, folder: Path, generation: int) -> None:
        """Make what was added durable."""
        handle = os.open(folder / f"{_PREFIX}{generation}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()


def next_generation(folder: Path) -> int:
    """Return a generation that no file in a folder has."""
    return max(_generations(folder), default=0) + 1


def drop_other_nodes(folder: Path, generation: int) -> None:
    """Remove all files of nodes but one."""
    for other in _generations(folder):
        if other != generation:
            (folder / f"{_PREFIX}{other}").unlink(missing_ok=True)


def _generations(folder: Path) -> list[int]:
    """Return the generations that there are."""
    suffixes = [path.name.removeprefix(_PREFIX) for path in folder.glob(_PREFIX + "*")]
    return [int(suffix) for suffix in suffixes if suffix.isdecimal()]


def _damaged() -> Damaged:
    """Say that nodes cannot be read."""
    return Damaged("The nodes of a known listing are cut short or altered.", code="damaged_spool")
