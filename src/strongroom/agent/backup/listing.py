"""Listing: everything a scan found, in post-order, spooled to disk.

Why: the estimate must be complete before the first byte is sent (W7), and a listing may be larger than memory.
Promises: a folder stands after all folders beneath it; folders side by side are in the order of their raw names; the
parts of a folder are cut where its tree leaves will be. Each part has a fingerprint over all that was seen of it.
Memory does not grow with the number of files, nor with the size of a folder.
"""

from __future__ import annotations

import dataclasses
import tempfile
from typing import IO, TYPE_CHECKING, Final

import msgspec
from blake3 import blake3

from strongroom.agent.backup.places import own_files_needed
from strongroom.agent.backup.spool import SpoolReader, SpoolWriter, framed
from strongroom.model.entry import Stat
from strongroom.model.report import HISTOGRAM_LIMITS_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAITING_BYTES: Final = 8 << 20
_COPY_BYTES: Final = 1 << 20
_FINGERPRINT_BYTES: Final = 16
_LAST: Final = b"\xff" * 256  # larger than any name, which has at most 255 bytes
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[Stat])


class FolderBegins(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A folder by its path from the root.

    `gone` when it vanished before it could be looked into; `leads` when it is there only for what it leads to.
    """

    path: bytes
    gone: bool = False
    leads: bool = False


class ListedPart(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A part of a folder: names `first` to `last`, `files` of them no folders, and their encoded stats.

    `fingerprint` is empty when equal times would prove nothing.
    """

    first: bytes
    last: bytes
    files: int
    fingerprint: bytes
    stats: bytes

    def decoded(self) -> list[Stat]:
        """Return the stats."""
        return _decoder.decode(self.stats)


class FolderEnds(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The folder is complete. `root` is the id of its tree, where it is known."""

    root: bytes = b""


Listed = FolderBegins | ListedPart | FolderEnds


@dataclasses.dataclass(slots=True)
class Counts:
    """What was found so far; see `model.report.Estimate`."""

    files: int = 0
    folders: int = 0
    bytes: int = 0
    histogram: list[int] = dataclasses.field(default_factory=lambda: [0] * (len(HISTOGRAM_LIMITS_BYTES) + 1))


@dataclasses.dataclass(slots=True)
class Listing:
    """A finished listing; may be read any number of times, one after the other."""

    file: IO[bytes]
    counts: Counts
    duration_s: float = 0.0

    def records(self) -> Iterator[Listed]:
        """Yield the listing from its beginning."""
        self.file.seek(0)
        return iter(SpoolReader[Listed](self.file, Listed))


class ListingWriter:
    """Writes a listing while the walk goes down and up again.

    The parts of a folder are known before the folders beneath it are walked, but stand after them. So they wait on
    a stack of bytes, which moves to disk when it grows.
    """

    def __init__(self, spool: Path) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=spool)  # noqa: SIM115 - the listing's from now on
        self._out = SpoolWriter(self._file)
        self._waiting = tempfile.SpooledTemporaryFile(max_size=_WAITING_BYTES, dir=str(spool))  # noqa: SIM115
        self._top = 0

    def mark(self) -> int:
        """Begin a folder; its mark goes to `close_folder`."""
        return self._top

    def add_part(self, stats: list[Stat], files: int) -> None:
        """Add a part to the folder that was begun last."""
        encoded = _encoder.encode(stats)
        settled = not any(stat.unsettled for stat in stats)
        fingerprint = blake3(encoded).digest(_FINGERPRINT_BYTES) if settled else b""
        part = ListedPart(stats[0].name, stats[-1].name, files, fingerprint, encoded)
        with own_files_needed():
            self._top += self._waiting.write(framed(part))

    def close_folder(self, path: bytes, mark: int, *, gone: bool = False, leads: bool = False) -> None:
        """End a folder, after all folders beneath it."""
        self._out.write(FolderBegins(path, gone, leads))
        if self._top > mark:
            self._waiting.seek(mark)
            while moved := self._waiting.read(_COPY_BYTES):
                self._out.write_framed(moved)
            self._waiting.seek(mark)
            self._waiting.truncate()
            self._top = mark
        self._out.write(FolderEnds())

    def finish(self, counts: Counts) -> Listing:
        """Return what was written as a listing."""
        self._waiting.close()
        self._out.finish()
        return Listing(self._file, counts)


def order_key(path: bytes) -> tuple[bytes, ...]:
    """Return a key that sorts folders in post-order: what is beneath a folder comes before it."""
    return (*path.split(b"/"), _LAST) if path else (_LAST,)
