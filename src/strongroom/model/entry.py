"""Entry: one file, folder or link as it was seen on a machine.

Why: scan, tree, browse and restore speak of the same thing.
Promises: names are raw bytes (Linux) or WTF-8 (Windows); times are nanoseconds since 1970, negative before it.
Does not: say where the entry lies; the tree that holds it does.
"""

from __future__ import annotations

import enum
from typing import NewType

import msgspec

ChunkId = NewType("ChunkId", bytes)
"""32 bytes: keyed BLAKE3 of a chunk's plain bytes; a tree node is a chunk too."""


class EntryType(enum.IntEnum):
    """What an entry is; the numbers are stored (format v1) and never change."""

    FILE = 1
    FOLDER = 2
    SYMLINK = 3
    FIFO = 4
    CHAR_DEVICE = 5
    BLOCK_DEVICE = 6
    SOCKET = 7


class Stat(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one `lstat` says of a name: enough to tell whether it changed.

    Args:
        name: the raw name in its folder, no slash.
        type: what it is.
        mode: permission bits incl. setuid, setgid, sticky (0o7777).
        uid, gid: owner numbers.
        size: bytes of a file, 0 for all else.
        mtime_ns, ctime_ns: times of content and of attributes.
        inode: the file system's number for it.
        nlink: number of names of it; 1 for folders.
        device: `st_dev`, only when `nlink` > 1 (it tells hard-link groups apart), else 0.
        rdev: device number of a device node, else 0.
        unsettled: its times are not older than the clock's tick, or it changed while being read:
            equal times prove nothing, so the next backup looks at it again.
    """

    name: bytes
    type: EntryType
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    nlink: int = 1
    device: int = 0
    rdev: int = 0
    unsettled: bool = False


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A `Stat` and what else a snapshot keeps of it.

    Args:
        stat: see `Stat`.
        user, group: owner names at the time of the backup, empty if unknown.
        target: what a symlink points to, raw bytes.
        xattrs: extended attributes as (name, value), sorted by name; POSIX ACLs are among them.
        extents: data ranges (offset, length) of a sparse file; None when the file is not sparse.
            `content` then holds the data ranges laid end to end.
        content: ids of the file's content in order. With `depth` 0 they are data chunks; with `depth` n they are
            lists of ids, n levels deep (see docs/format.md, list node).
        depth: see `content`.
        subtree: id of the folder's root node; empty for all but folders.
        flags: inode flags of a file or folder (`chattr`), those that agent/platform/linux_flags.py keeps.
    """

    stat: Stat
    user: str = ""
    group: str = ""
    target: bytes = b""
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    extents: tuple[tuple[int, int], ...] | None = None
    content: tuple[ChunkId, ...] = ()
    depth: int = 0
    subtree: ChunkId = ChunkId(b"")
    flags: int = 0

    @property
    def name(self) -> bytes:
        """The raw name in its folder."""
        return self.stat.name
