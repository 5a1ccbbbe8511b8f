"""What a restore is going to do, one step a value, in the order in which it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from strongroom.agent.restore.aim import Parts
    from strongroom.agent.restore.judge import Verdict
    from strongroom.model.entry import ChunkId, Entry

HardLinkGroup: TypeAlias = tuple[int, int, int]
"""Device, inode and a hash of the content: the names that share them are one file."""


@dataclass(slots=True)
class Piece:
    """Write a file, or a part of one that is too large for one batch.

    Args:
        parts: the folder it lies in, below the target.
        ids: the chunks of this piece, in order.
        first, last: whether the file begins and ends with it.
        lost: why the file's list of chunks could not be read to its end; empty when it could.
    """

    parts: Parts
    entry: Entry
    verdict: Verdict
    ids: tuple[ChunkId, ...]
    first: bool = True
    last: bool = True
    lost: str = ""


@dataclass(slots=True)
class Files:
    """Make ordinary small files of one folder (see `bulk`) whose names were free.

    Args:
        is_own: this restore has made the folder, nobody else can be in it yet, and it gives nothing on.
        is_new: the folder, which will be so too, is still to be made; these are all its ordinary files.
        failed: what could not be made ahead; the careful writer has still to do it.
    """

    parts: Parts
    entries: list[Entry]
    is_own: bool = False
    is_new: bool = False
    failed: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Special:
    """Make a symbolic link, FIFO, socket or device node."""

    parts: Parts
    entry: Entry
    verdict: Verdict


@dataclass(slots=True)
class HardLink:
    """Give one more name to a file that an earlier step has written."""

    parts: Parts
    entry: Entry
    verdict: Verdict


@dataclass(slots=True)
class Refresh:
    """Set the metadata of a file whose content is right already; flags that lock it go only if it `unlocks`."""

    parts: Parts
    entry: Entry
    unlocks: bool = True


@dataclass(slots=True)
class Finish:
    """Set the metadata of a folder; all that is in it is done."""

    parts: Parts
    entry: Entry


@dataclass(slots=True)
class Relock:
    """Give a folder back the mode and the flags that it was opened up from to write into it."""

    parts: Parts
    mode: int | None
    locks: int = 0


OneStep: TypeAlias = Piece | Special | HardLink | Refresh | Finish | Relock
Step: TypeAlias = Files | OneStep


@dataclass(slots=True)
class Batch:
    """Steps whose content is fetched at once.

    Args:
        size: how many ordinary small files they are for.
        passed_over: how many files among these are left as they are, or get their metadata only.
    """

    steps: list[Step] = field(default_factory=list)
    ids: list[ChunkId] = field(default_factory=list)
    bytes: int = 0
    size: int = 0
    passed_over: int = 0

    @property
    def is_of_small_files(self) -> bool:
        """Whether it is for small files, and for more of them than are left as they are."""
        return self.size > self.passed_over

    def add_file(self, parts: Parts, entry: Entry, *, is_own: bool = False) -> None:
        """Add an ordinary small file whose name is free; it joins the ones of its folder before it."""
        last = self.steps[-1] if self.steps else None
        if isinstance(last, Files) and last.parts is parts:
            last.entries.append(entry)
        else:
            self.steps.append(Files(parts, [entry], is_own))
        self.ids += entry.content
        self.bytes += entry.stat.size
        self.size += 1

    def add_folder(self, parts: Parts, entries: list[Entry]) -> None:
        """Add a folder that is to be made, with all its ordinary small files."""
        self.steps.append(Files(parts, entries, is_own=True, is_new=True))
        for entry in entries:
            self.ids += entry.content
            self.bytes += entry.stat.size
        self.size += len(entries)


def group_of(entry: Entry) -> HardLinkGroup | None:
    """Return the entry's hard-link group; None when it has but one name.

    The content counts too: while a backup runs, a file can go and its inode be given to another one.
    """
    seen = entry.stat
    if seen.nlink <= 1:
        return None
    content = hash((seen.type, seen.size, seen.rdev, entry.target, entry.extents, entry.depth, entry.content))
    return seen.device, seen.inode, content
