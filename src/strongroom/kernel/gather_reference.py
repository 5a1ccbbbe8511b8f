"""The definition of `gather`: reading many small files of one folder, in plain Python.

Why: a small file costs an interpreter several times what it costs the system, so its system calls are made in a batch.
A file is *plain* when it is a regular file with one name, no holes and no extended attributes, not larger than the
limit, its times between 1970 and 2242, and it held still while it was read.
Promises: nothing is opened through a link; what is opened does not block and is no one's terminal; access times are
left alone where the system permits it. Whatever is not plain, or goes wrong, is None: the caller looks itself.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from strongroom.kernel.arguments import octets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

Gathered = tuple[int, int, int, int, int, int, int, int]
"""Of a plain file: mode (permission bits), uid, gid, size, mtime_ns, ctime_ns, inode, inode flags (all of them)."""

LIMIT: Final = 1 << 30
_OPENED: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NO_XATTRS: Final = frozenset({errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.ENODATA})
_NO_FLAGS: Final = frozenset({errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EBADF})
_FLAGS_CALL: Final = 0x80086601
_LATEST_NS: Final = (1 << 33) * 1_000_000_000
_BLOCK: Final = 512


def gather(folder: int, names: Sequence[bytes], buffer: Buffer, limit: int) -> list[Gathered | None]:
    """Read the plain ones of many files, their content end to end into a buffer.

    Args:
        folder: the handle of the opened folder.
        names: the raw names in it.
        buffer: writable; as many files are read as have room.
        limit: the largest size of a plain file.

    Returns:
        For each name that was looked at what was seen of it, or None if it is not plain; the content of the plain
        ones lies in the buffer in this order. Fewer than `names` when there was no room for the next.

    Raises:
        ValueError: a name is no name, or the limit is out of bounds.
    """
    checked(names, limit)
    room = octets(buffer)
    seen: list[Gathered | None] = []
    for name in names:
        found: Gathered | None = None
        with suppress(OSError):
            handle = _open(folder, name)
            try:
                content, found = _read(handle, limit, len(room))
            finally:
                os.close(handle)
            if found is not None:
                if len(content) < found[3]:
                    return seen
                if content:
                    room[: len(content)] = content
                    room = room[len(content) :]
        seen.append(found)
    return seen


def checked(names: Sequence[bytes], limit: int) -> None:
    """Refuse what is no name in a folder.

    Raises:
        ValueError: it is none.
    """
    joined = b"".join(names)
    if b"/" in joined or b"\0" in joined or b"" in names:
        message = "A name in a folder is not empty, and has neither slash nor zero."
        raise ValueError(message)
    if not 0 <= limit <= LIMIT:
        message = f"Small files have at most {LIMIT} bytes."
        raise ValueError(message)


def _open(folder: int, name: bytes) -> int:
    """Open without touching the access time where that is permitted."""
    try:
        return os.open(name, _OPENED | os.O_NOATIME, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
    return os.open(name, _OPENED, dir_fd=folder)


def _read(handle: int, limit: int, room: int) -> tuple[bytes, Gathered | None]:
    """Read a file if it is plain; without its content when there is no room for it."""
    then = os.fstat(handle)
    if not _is_usual(then, handle) or then.st_size > limit:
        return b"", None
    told = (
        stat.S_IMODE(then.st_mode), then.st_uid, then.st_gid, then.st_size, then.st_mtime_ns, then.st_ctime_ns,
        then.st_ino,
    )  # fmt: skip
    if then.st_size > room:
        return b"", (*told, 0)
    flags = None if _has_xattrs(handle) else _flags(handle)
    content = b"" if flags is None else _content(handle, then.st_size)
    now = os.fstat(handle)
    is_steady = (now.st_size, now.st_mtime_ns, now.st_ctime_ns) == (then.st_size, then.st_mtime_ns, then.st_ctime_ns)
    if flags is None or len(content) != then.st_size or not is_steady:
        return b"", None
    return content, (*told, flags)


def _is_usual(seen: os.stat_result, handle: int) -> bool:
    """Whether it is a regular file with one name, times that fit, and no holes."""
    return (
        stat.S_ISREG(seen.st_mode)
        and seen.st_nlink == 1
        and 0 <= seen.st_mtime_ns < _LATEST_NS
        and 0 <= seen.st_ctime_ns < _LATEST_NS
        and (seen.st_blocks * _BLOCK >= seen.st_size or os.lseek(handle, 0, os.SEEK_HOLE) >= seen.st_size)
    )


def _has_xattrs(handle: int) -> bool:
    """Whether a file has extended attributes; a file system without them has none."""
    try:
        return bool(os.listxattr(handle))
    except OSError as error:
        return error.errno not in _NO_XATTRS


def _flags(handle: int) -> int | None:
    """Return all inode flags; a file system without them has none."""
    word = bytes(8)
    try:
        flags: int = struct.unpack("=II", fcntl.ioctl(handle, _FLAGS_CALL, word))[0]
    except OSError as error:
        return 0 if error.errno in _NO_FLAGS else None
    return flags


def _content(handle: int, size: int) -> bytes:
    """Read up to `size` bytes."""
    content = b""
    while len(content) < size and (piece := os.pread(handle, size - len(content), len(content))):
        content += piece
    return content
