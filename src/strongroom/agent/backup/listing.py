"""Listing: everything a scan found that is not as it was, in post-order, spooled to disk.

Why: the estimate must be complete before the first byte is sent (W7), and a listing may be larger than memory.
Promises: a folder stands after all folders beneath it; folders side by side are in the order of their raw names; the
parts of a folder are cut where its tree leaves will be. Each part has a fingerprint over all that was seen of it.
Folders of which every fingerprint is the known one, and beneath which that is so too, are only counted: the listing
can be read with the known listing that it was made against, or with one that follows it, and with no other.
Memory does not grow with the number of files, nor with the size of a folder.
"""

from __future__ import annotations

import dataclasses
import tempfile
from typing import IO, TYPE_CHECKING, Final

import msgspec

from strongroom.agent.backup.known import decode_folder
from strongroom.agent.backup.places import own_files_needed
from strongroom.agent.backup.spool import SpoolReader, SpoolWriter, framed
from strongroom.agent.backup.told import ListedPart
from strongroom.model.report import HISTOGRAM_LIMITS_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from strongroom.agent.backup.known import Known, KnownFolder
    from strongroom.agent.backup.told import ToldEnds
    from strongroom.kernel.pass_reference import Passed

_WAITING_BYTES: Final = 8 << 20
_AT_HAND_BYTES: Final = 4 << 20
_COPY_BYTES: Final = 1 << 20
_LAST: Final = b"\xff" * 256  # larger than any name, which has at most 255 bytes


class FolderBegins(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A folder by its path from the root.

    `gone` when it vanished before it could be looked into; `leads` when it is there only for what it leads to.
    """

    path: bytes
    gone: bool = False
    leads: bool = False


class FolderEnds(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The folder is complete."""


class SameFolders(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """`count` folders that stand one after the other in the known listing, from `first` on, are as they were."""

    first: bytes
    count: int


Listed = FolderBegins | ListedPart | FolderEnds | SameFolders


@dataclasses.dataclass(slots=True)
class Counts:
    """What was found so far; see `model.report.Estimate`."""

    files: int = 0
    folders: int = 0
    bytes: int = 0
    histogram: list[int] = dataclasses.field(default_factory=lambda: [0] * (len(HISTOGRAM_LIMITS_BYTES) + 1))


@dataclasses.dataclass(slots=True)
class Listing:
    """A finished listing; may be read any number of times, one after the other.

    `differs` when some folder surely is not as it is known.
    """

    file: IO[bytes]
    counts: Counts
    differs: bool = False
    duration_s: float = 0.0

    def records(self) -> Iterator[Listed]:
        """Yield the listing from its beginning."""
        self.file.seek(0)
        return iter(SpoolReader[Listed](self.file, Listed))


class ListingWriter:
    """Writes a listing while the walk goes down and up again.

    The parts of a folder are known before the folders beneath it are walked, but stand after them. So they wait on
    a stack of bytes, which moves to disk when it grows; only those of the folder that is looked at are at hand.
    """

    def __init__(self, spool: Path, known: Known) -> None:
        """Begin a listing, against what is known of the last snapshot."""
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=spool)  # noqa: SIM115 - the listing's from now on
        self._out = SpoolWriter(self._file)
        self._waiting = tempfile.SpooledTemporaryFile(max_size=_WAITING_BYTES, dir=str(spool))  # noqa: SIM115
        self._top = 0
        self._at_hand: list[ListedPart] = []
        self._at_hand_bytes = 0
        self._open: list[_OpenFolder] = []
        self._old = _OldFolders(known)
        self._same = SameFolders(b"", 0)
        self._differs = False

    def begin_folder(self) -> None:
        """Begin a folder, in the one that was begun last and is not closed yet."""
        self._set_aside()
        self._open.append(_OpenFolder(self._top))

    def add_part(self, part: ListedPart) -> None:
        """Add a part to the folder that was begun last, before anything beneath it is begun."""
        self._open[-1].fingerprints.append(part.fingerprint)
        self._at_hand.append(part)
        self._at_hand_bytes += len(part.stats)
        if self._at_hand_bytes > _AT_HAND_BYTES:
            self._set_aside()

    def pass_same(self, told: bytes, at: int) -> int:
        """Pass by folders of a tour that are as they were, and begin those that have begun; return the place after."""
        old = None if self._same.count else self._old.peek()
        passed = self._old.pass_known(told, at)
        if passed.folders:
            self._add_same(old.path if old is not None else b"", passed.folders, is_next=True)
        for _ in range(passed.begun):
            self.begin_folder()
        return passed.told

    def add_folder(self, folder: ToldEnds) -> None:
        """Add the parts of the folder that was begun last, after all folders beneath it, and end it."""
        for part in folder.parts:
            self.add_part(part)
        self.close_folder(folder.path)

    def close_folder(self, path: bytes, *, gone: bool = False, leads: bool = False) -> None:
        """End a folder, after all folders beneath it."""
        folder = self._open.pop()
        old, is_next = self._old.find(path)
        if (
            old is not None
            and not (folder.has_changes or gone or leads)
            and old.root
            and folder.fingerprints == [part.fingerprint for part in old.parts]
            and b"" not in folder.fingerprints
        ):
            self._add_same(path, 1, is_next=is_next)
            self._forget(folder.mark)
            return
        if not (self._differs or gone or leads):
            self._differs = _surely_differs(folder.fingerprints, old)
        if self._open:
            self._open[-1].has_changes = True
        self._end_same()
        self._out.write(FolderBegins(path, gone, leads))
        for parts in self._framed_parts(folder.mark):
            self._out.write_framed(parts)
        self._forget(folder.mark)
        self._out.write(FolderEnds())

    def finish(self, counts: Counts) -> Listing:
        """Return what was written as a listing."""
        self._end_same()
        self._waiting.close()
        self._out.finish()
        return Listing(self._file, counts, differs=self._differs)

    def _set_aside(self) -> None:
        """Let the parts at hand wait."""
        if not self._at_hand:
            return
        with own_files_needed():
            for part in self._at_hand:
                self._top += self._waiting.write(framed(part))
        self._at_hand.clear()
        self._at_hand_bytes = 0

    def _framed_parts(self, mark: int) -> Iterator[bytes]:
        """Yield the parts of the folder that began at `mark`, some at a time."""
        if self._top > mark:
            self._waiting.seek(mark)
            while waiting := self._waiting.read(_COPY_BYTES):
                yield waiting
        yield from map(framed, self._at_hand)

    def _forget(self, mark: int) -> None:
        """Drop the parts of the folder that began at `mark`."""
        self._at_hand.clear()
        self._at_hand_bytes = 0
        if self._top > mark:
            self._waiting.seek(mark)
            self._waiting.truncate()
            self._top = mark

    def _add_same(self, path: bytes, count: int, *, is_next: bool) -> None:
        """Count more folders that are as they were; `is_next` when they follow the last one in the known listing."""
        if not is_next:
            self._end_same()
        first = self._same.first if self._same.count else path
        self._same = SameFolders(first, self._same.count + count)

    def _end_same(self) -> None:
        """Write down how many folders are as they were."""
        if self._same.count:
            self._out.write(self._same)
            self._same = SameFolders(b"", 0)


@dataclasses.dataclass(slots=True)
class _OpenFolder:
    """A folder that was begun: where its waiting parts begin, and what is known of it already."""

    mark: int
    fingerprints: list[bytes] = dataclasses.field(default_factory=list)
    has_changes: bool = False


class _OldFolders:
    """The known folders, read in step with those that are closed."""

    def __init__(self, known: Known) -> None:
        self._frames = known.frames()

    def peek(self) -> KnownFolder | None:
        """Return the next folder and stay before it; None at the end."""
        body = self._frames.body()
        return decode_folder(body) if body else None

    def pass_known(self, told: bytes, at: int) -> Passed:
        """Pass by folders of a tour from a place on, and here by the same ones."""
        return self._frames.pass_known(told, at)

    def find(self, path: bytes) -> tuple[KnownFolder | None, bool]:
        """Return the known folder of a path, and whether it follows the one found last; ask in post-order."""
        is_next = True
        folder = self.peek()
        if folder is not None and folder.path != path:
            key = order_key(path)
            while folder is not None and order_key(folder.path) < key:
                self._frames.step()
                folder, is_next = self.peek(), False
        if folder is None or folder.path != path:
            return None, False
        self._frames.step()
        return folder, is_next


def _surely_differs(seen: list[bytes], known: KnownFolder | None) -> bool:
    """Whether a folder is new or some part of it another; where times prove nothing, it may be as it was."""
    if known is None or len(seen) != len(known.parts):
        return True
    return any(now and old.fingerprint not in (b"", now) for now, old in zip(seen, known.parts, strict=True))


def order_key(path: bytes) -> tuple[bytes, ...]:
    """Return a key that sorts folders in post-order: what is beneath a folder comes before it."""
    return (*path.split(b"/"), _LAST) if path else (_LAST,)
