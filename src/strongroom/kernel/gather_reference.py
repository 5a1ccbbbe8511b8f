"""The definition of `gather`: reading many small files of one folder, in plain Python.

Why: a small file costs an interpreter several times what it costs the system, so its system calls are made in a batch.
What to read is told by stats as `look` encodes them (msgpack), so that nothing of them needs to be decoded.
A file is *plain* when it is a regular file with one name, no holes and no extended attributes, not larger than the
limit, its times between 1970 and 2242; when its stat could be believed and is still the very same; when it held still
while it was read; and when its inode number is not one to be avoided.
Promises: nothing is opened through a link; what is opened does not block and is no one's terminal; access times are
left alone where the system permits it. What the stats call no plain file is not even opened. Whatever turns out not to
be plain, or goes wrong, is told as such: the caller looks itself.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from strongroom.kernel.arguments import octets

if TYPE_CHECKING:
    from typing_extensions import Buffer

Gathered = tuple[int, int, int, int, int, int, int]
"""Of a stat: where it begins and ends; and of a plain file size, uid, gid, inode, inode flags.
The size of what is not plain is -1, and the rest 0."""

LIMIT: Final = 1 << 30
MOST: Final = 1 << 16
UNREADABLE: Final = "These are not stats as the kernel encodes them."
_OPENED: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NO_XATTRS: Final = frozenset({errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.ENODATA})
_NO_FLAGS: Final = frozenset({errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EBADF})
_FLAGS_CALL: Final = 0x80086601
_LATEST_NS: Final = (1 << 33) * 1_000_000_000
_BLOCK: Final = 512
_NAME_MAX: Final = 255
_FILE: Final = 1
_STAT_HEAD: Final = 0x9D
_NUMBERS: Final = 11  # of a stat, between its name and its last field
_SETTLED, _UNSETTLED = 0xC2, 0xC3


def gather(
    folder: int, stats: Buffer, start: int, buffer: Buffer, *, most: int, limit: int, kept: int, avoided: Buffer
) -> tuple[list[Gathered], int]:
    """Read the plain ones of many files, their content end to end into a buffer.

    Args:
        folder: the handle of the opened folder.
        stats: an array of stats of what lies in it.
        start: where the first that is looked at begins; 0 for the first of all.
        buffer: writable; as many files are read as have room.
        most: look at no more stats than these.
        limit: the largest size of a plain file.
        kept: of the inode flags, those that are told.
        avoided: inode numbers of files that must not be opened, in order, 64 bits each.

    Returns:
        What was found of each stat that was looked at, the content of the plain ones lies in the buffer in this order;
        and where to go on: the end of the stats, or the next one if it was one too many or its file has no room.

    Raises:
        ValueError: the stats cannot be read, or an argument is out of bounds.
    """
    inodes = frozenset(checked(start, memoryview(stats).nbytes, most, limit, avoided))
    side, room = _Stats(octets(stats), start), octets(buffer)
    rows: list[Gathered] = []
    while side.at < side.size and len(rows) < most:
        begin, file = side.at, side.read()
        told = None
        if file.is_wanted(limit) and file.inode not in inodes:
            if file.size > len(room):
                return rows, begin
            with suppress(OSError):
                told = _gather(folder, file, kept, room)
        if told is None:
            rows.append((begin, side.at, -1, 0, 0, 0, 0))
        else:
            rows.append((begin, side.at, *told))
            room = room[told[0] :]
    return rows, side.at


def checked(start: int, size: int, most: int, limit: int, avoided: Buffer) -> memoryview:
    """Refuse what is out of bounds; return the inode numbers to be avoided.

    Raises:
        ValueError: something is.
    """
    if not 0 <= start <= size:
        message = "A stat begins within the stats."
        raise ValueError(message)
    if not 0 < most <= MOST:
        message = f"At least one stat is looked at, and at most {MOST}."
        raise ValueError(message)
    if not 0 <= limit <= LIMIT:
        message = f"Small files have at most {LIMIT} bytes."
        raise ValueError(message)
    inodes = octets(avoided)
    if inodes.nbytes % 8:
        message = "Inode numbers have 64 bits each."
        raise ValueError(message)
    return inodes.cast("Q")


class _File(NamedTuple):
    """What a stat says of a file.

    Args:
        numbers: type, mode, uid, gid, size, mtime_ns, ctime_ns, inode, nlink, device, rdev.
        is_usual: no number is negative, and the times can be believed.
    """

    name: bytes
    numbers: list[int]
    is_usual: bool

    @property
    def size(self) -> int:
        return self.numbers[4]

    @property
    def inode(self) -> int:
        return self.numbers[7]

    def is_wanted(self, limit: int) -> bool:
        """Whether it may be opened."""
        is_small = self.numbers[0] == _FILE and self.numbers[8] == 1 and self.size <= limit
        is_name = 0 < len(self.name) <= _NAME_MAX and b"/" not in self.name and b"\0" not in self.name
        return self.is_usual and is_small and is_name

    def is_seen(self, seen: os.stat_result) -> bool:
        """Whether the system still says the same."""
        return self.numbers[1:8] == [
            stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns,
            seen.st_ino,
        ]  # fmt: skip


class _Stats:
    """Reads an array of stats from a place in it."""

    def __init__(self, data: memoryview, start: int) -> None:
        self._data = bytes(data)
        self.size = len(data)
        self.at = start
        if not start and (head := self._number(1)) & 0xF0 != 0x90:  # noqa: PLR2004 -- msgpack
            if head != 0xDC:  # noqa: PLR2004 -- msgpack
                raise ValueError(UNREADABLE)
            self._number(2)

    def read(self) -> _File:
        """Read the next one."""
        head, name_head = self._number(1), self._number(1)
        if head != _STAT_HEAD or name_head not in {0xC4, 0xC5}:
            raise ValueError(UNREADABLE)
        name = self._take(self._number(name_head - 0xC3))
        numbers = [self._signed() for _ in range(_NUMBERS)]
        last = self._number(1)
        if last not in {_SETTLED, _UNSETTLED}:
            raise ValueError(UNREADABLE)
        return _File(name, numbers, last == _SETTLED and min(numbers) >= 0)

    def _signed(self) -> int:
        """Read a number; all negative ones are -1."""
        head = self._number(1)
        if head < 0x80:  # noqa: PLR2004 -- msgpack
            return head
        if 0xCC <= head <= 0xD3:  # noqa: PLR2004 -- msgpack
            number = self._number(1 << (head & 3))
            return number if head < 0xD0 else -1  # noqa: PLR2004 -- msgpack
        if head < 0xE0:  # noqa: PLR2004 -- msgpack
            raise ValueError(UNREADABLE)
        return -1

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _take(self, size: int) -> bytes:
        if size > self.size - self.at:
            raise ValueError(UNREADABLE)
        self.at += size
        return self._data[self.at - size : self.at]


def _gather(folder: int, file: _File, kept: int, room: memoryview) -> tuple[int, int, int, int, int] | None:
    """Read a file into the room if it is plain, and say what was found."""
    handle = _open(folder, file.name)
    try:
        then = os.fstat(handle)
        flags = None
        if _is_usual(then, handle) and file.is_seen(then) and not _has_xattrs(handle):
            flags = _flags(handle)
        if flags is None:
            return None
        content = _content(handle, then.st_size)
        now = os.fstat(handle)
    finally:
        os.close(handle)
    is_steady = (now.st_size, now.st_mtime_ns, now.st_ctime_ns) == (then.st_size, then.st_mtime_ns, then.st_ctime_ns)
    if len(content) != then.st_size or not is_steady:
        return None
    if content:
        room[: len(content)] = content
    return then.st_size, then.st_uid, then.st_gid, then.st_ino, flags & kept


def _open(folder: int, name: bytes) -> int:
    """Open without touching the access time where that is permitted."""
    try:
        return os.open(name, _OPENED | os.O_NOATIME, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
    return os.open(name, _OPENED, dir_fd=folder)


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
