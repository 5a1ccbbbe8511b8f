"""The port to the operating system: what a backup asks of the machine it runs on.

Why: the workflow reads the same on every system; what differs stands behind these few classes.
Promises: paths are raw bytes relative to the machine's root folder, without a leading slash (`b""` is the root).
Everything beneath a folder is reached through its open handle, never through a symbolic link, so that a path of
any length works and nobody can turn a backup aside. Failures are plain `OSError`s; the callers turn them into
missed files. None of these objects is thread-safe, but for what says so.
Does not: write. What a restore needs to write stands beside it, in modules of its own.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Protocol, Self

from strongroom.model.host import OsFamily

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from strongroom.kernel.gather_reference import Gathered
    from strongroom.kernel.tour_reference import Extent, Tour
    from strongroom.kernel.walk_reference import Look
    from strongroom.model.entry import Stat

__all__ = [
    "EARLIEST_NS",
    "LATEST_NS",
    "MOST_EXTENTS",
    "FileReader",
    "FileSystem",
    "Folder",
    "Locks",
    "OsFamily",
    "Platform",
    "Source",
    "UnreadAttributes",
]


EARLIEST_NS, LATEST_NS = -(2**63), 2**64 - 1
"""What a stored whole number holds, the years 1677 to 2554; a time beyond is given as the nearest of them."""
MOST_EXTENTS = 131_072
"""Data ranges of one file; where it has more, its smallest holes count as data. So many fit into one entry of a tree
(docs/format.md), whatever their numbers, beside the largest attributes that are kept."""


class UnreadAttributes(OSError):
    """Some extended attributes are there and could not be read; `found` are those that could."""

    def __init__(self, error: OSError, found: tuple[tuple[bytes, bytes], ...]) -> None:
        super().__init__(error.errno, error.strerror)
        self.found = found


class Locks(enum.Enum):
    """Which locks of other processes matter.

    A lease is no mere word among friends: opening the file would make its holder give the lease up.
    """

    ANY = enum.auto()
    LEASES = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class FileSystem:
    """The file system that a folder lies on.

    Args:
        mount: names the mount; two folders of one mount lie on one file system.
        kind: the system's word for it, for example `ext4` or `proc`.
        is_pseudo: it holds no files of anybody, only windows into the running system.
    """

    mount: int
    kind: str
    is_pseudo: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Area:
    """A part of what a backup reads: an include path, or what is mounted beneath one.

    Args:
        path: the absolute path.
        how: what froze it, for example `btrfs`; empty if it is read live.
        why: why it is read live.
    """

    path: bytes
    how: str
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class FreezeWish:
    """What a backup would like to read from recovery points.

    Args:
        include: the absolute include paths, and where each really lies.
        leaves_out: whether the set leaves out what lies at an absolute path.
        one_file_system: what is mounted beneath them does not belong to it.
    """

    job_id: int
    include: Mapping[bytes, bytes]
    leaves_out: Callable[[bytes], bool]
    one_file_system: bool = False

    @property
    def roots(self) -> frozenset[bytes]:
        """Where the include paths really lie."""
        return frozenset(self.include.values())


class FileReader(Protocol):
    """An open regular file."""

    stat: Stat
    """As it was when the file was opened."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes; fewer only at the end of the file."""
        ...

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` as far as it goes; fewer bytes only at the end of the file."""
        ...

    def extents(self) -> tuple[tuple[int, int], ...] | None:
        """Return the ranges (offset, length) that hold data; None when the file is not sparse."""
        ...

    def xattrs(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return the extended attributes, sorted by name.

        Raises:
            UnreadAttributes: not all of them can be read.
        """
        ...

    def flags(self) -> int:
        """Return the inode flags that a snapshot keeps."""
        ...

    def is_unchanged(self) -> bool:
        """Whether size and times are still those of `stat`."""
        ...

    def close(self) -> None:
        """Close the handle."""
        ...


class Folder(Protocol):
    """An open folder; valid until the next folder of the same source is opened, unless it has a handle of its own."""

    def names(self, most: int = 0) -> tuple[bytes, bool] | None:
        """Return the packed names in it and whether all are UTF-8; see `kernel.list_names`."""
        ...

    def look(self, names: bytes, start: int, most: int) -> Look:
        """Look at many names at once, without following links; see `kernel.look`."""
        ...

    def tour(self, path: bytes, names: bytes, extent: Extent) -> Tour:
        """Look into folders in it, by their packed names, and all beneath them; see `kernel.tour_reference`.

        Args:
            path: the folder's own.
            extent: how far to go.
        """
        ...

    def inner(self, name: bytes) -> Self:
        """Open a folder in it with a handle of its own, to be closed; this, `names`, `look`, `tour` in any thread."""
        ...

    def again(self) -> Self:
        """Return the folder with a handle of its own, to be closed."""
        ...

    def close(self) -> None:
        """Close a handle of its own."""
        ...

    def stat(self, name: bytes) -> Stat:
        """Look at one name."""
        ...

    def open_file(self, name: bytes) -> FileReader:
        """Open a regular file for reading, without changing its access time where that is permitted.

        Raises:
            IsADirectoryError, OSError: what stands under the name is no regular file (any more).
        """
        ...

    def gather(
        self, stats: bytes, start: int, buffer: memoryview, limit: int, misses: Locks
    ) -> tuple[list[Gathered], int]:
        """Read small files, as many at once as is good, their content end to end into a buffer.

        Args:
            stats: what the scan saw, encoded as an array of stats.
            start: where in them to go on; 0 at first.
            limit: the largest size of a small file.
            misses: files with such a lock must not be opened.

        Returns:
            For each stat that was looked at where it begins and ends, then size, uid, gid, inode and inode flags of its
            file, whose content lies in the buffer; and where to go on. The size is -1 where the file must be
            looked at alone: it is not a settled regular file of at most `limit` bytes with one name, is locked, has
            extended attributes or holes, is no longer as the scan saw it, changed meanwhile, or could not be read.
        """
        ...

    def link_target(self, name: bytes) -> bytes:
        """Return what a symbolic link points to."""
        ...

    def xattrs(self, name: bytes) -> tuple[tuple[bytes, bytes], ...]:
        """Return the extended attributes of anything in the folder, without opening or following it.

        Raises:
            UnreadAttributes: not all of them can be read.
        """
        ...

    def flags(self, name: bytes) -> int:
        """Return the inode flags of a folder in the folder; none where it may not be opened."""
        ...

    def is_locked(self, stat: Stat, by: Locks) -> bool:
        """Whether another process holds such a lock on this file; asks without disturbing anyone."""
        ...

    def file_system(self) -> FileSystem:
        """Return the file system that the folder lies on."""
        ...


class Source(Protocol):
    """Where files are read from: the live machine, or recovery points of it."""

    def own_places(self) -> frozenset[bytes]:
        """Return paths that are no files of anybody: recovery points of other jobs, as paths of this source."""
        ...

    def resolve(self, path: bytes) -> bytes:
        """Return where an absolute path really lies, as a path of this source.

        Links above its last part are followed; the last part itself is not.

        Raises:
            OSError: it does not exist.
        """
        ...

    def open_folder(self, path: bytes) -> Folder:
        """Open a folder; the one opened before is given up."""
        ...

    def refresh(self) -> None:
        """Ask anew what locks there are, before the next answer about one."""
        ...

    def user_name(self, uid: int) -> str:
        """Return the name of an owner, empty if unknown."""
        ...

    def group_name(self, gid: int) -> str:
        """Return the name of a group, empty if unknown."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all handles."""
        ...


class RecoveryPoint(Protocol):
    """What was frozen for one backup."""

    @property
    def areas(self) -> tuple[Area, ...]:
        """Every include path that is there, and all that is mounted beneath them."""
        ...

    def source(self) -> Source:
        """Open the machine's files as they were, and live where they could not be frozen."""
        ...

    def release(self) -> list[str]:
        """Delete it, once the source is closed; return what went wrong, as sentences. A second call does nothing."""
        ...


class RecoveryPoints(Protocol):
    """The recovery points of one agent; safe to use from several threads."""

    def make(self, wish: FreezeWish) -> RecoveryPoint:
        """Freeze what can be frozen, and validate it; what cannot is read live, and its area says why.

        Raises:
            Unavailable: the agent's state folder cannot be written.
        """
        ...

    def clear(self) -> list[str]:
        """Delete what a crash left behind, of this agent's own only; return what went wrong, as sentences."""
        ...


class Platform(Protocol):
    """The machine."""

    family: OsFamily

    def live_source(self) -> Source:
        """Open the machine's files as they are now."""
        ...

    def recovery_points(self, state: Path) -> RecoveryPoints:
        """Return the recovery points that are on record in a state folder; the same object for the same folder."""
        ...

    def host_name(self) -> str:
        """Return the machine's name."""
        ...

    def os_version(self) -> str:
        """Return the name and version of the operating system, for people."""
        ...

    def time_zone(self) -> str:
        """Return the IANA name of the machine's time zone."""
        ...

    def boot_id(self) -> str:
        """Return a word that changes with every start of the machine."""
        ...
