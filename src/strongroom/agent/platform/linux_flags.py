"""Linux: inode flags, the marks that `chattr` sets on files and folders.

Why: a file that nobody may change, a database kept out of copy-on-write, a folder left out of dumps: losing such a mark
in a restore is losing a decision of somebody's.
Promises: of all flags only `KEPT` are told of; the others say how the file system stores a file, not what it is.
A file system without flags has none, which is no error.
Does not: look at anything but opened files and folders: links, pipes and devices have no flags.
"""

from __future__ import annotations

import enum
import errno
import fcntl
import struct
from contextlib import suppress
from typing import Final

_GET: Final = 0x80086601  # FS_IOC_GETFLAGS: declared with a long, answered with an int
_SET: Final = 0x40086602
_WORD: Final = struct.Struct("=II")
_NONE: Final = _WORD.pack(0, 0)
_WITHOUT: Final = frozenset({errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EBADF})


class Flag(enum.IntFlag):
    """A mark on an inode; the numbers are the system's and are stored (format v1)."""

    SECURE_DELETION = 0x0000_0001
    UNDELETABLE = 0x0000_0002
    COMPRESSED = 0x0000_0004
    SYNCHRONOUS = 0x0000_0008
    IMMUTABLE = 0x0000_0010
    APPEND_ONLY = 0x0000_0020
    NO_DUMP = 0x0000_0040
    NO_ACCESS_TIME = 0x0000_0080
    NOT_COMPRESSED = 0x0000_0400
    JOURNALLED = 0x0000_4000
    NO_TAIL = 0x0000_8000
    SYNCHRONOUS_FOLDER = 0x0001_0000
    TOP_FOLDER = 0x0002_0000
    NO_COPY_ON_WRITE = 0x0080_0000
    DIRECT_ACCESS = 0x0200_0000
    PROJECT_INHERITED = 0x2000_0000
    CASE_FOLDED = 0x4000_0000


KEPT: Final = sum(Flag)
"""What a snapshot keeps."""
LOCKING: Final = int(Flag.IMMUTABLE | Flag.APPEND_ONLY)
"""With these a thing can neither be renamed nor linked nor changed: they are set last."""
SHAPING: Final = int(
    Flag.COMPRESSED | Flag.NOT_COMPRESSED | Flag.NO_COPY_ON_WRITE | Flag.JOURNALLED | Flag.DIRECT_ACCESS | Flag.NO_TAIL
)
"""These say how the data is written, so they are set while a file is empty."""


def read_flags(handle: int) -> int:
    """Return the flags of an opened file or folder that a snapshot keeps."""
    try:
        return _read(handle) & KEPT
    except OSError as error:
        if error.errno in _WITHOUT:
            return 0
        raise


def set_flags(handle: int, wanted: int, among: int = KEPT) -> list[str]:
    """Give an opened thing, of the flags `among`, exactly the `wanted` ones; return what could not be, and why.

    What the file system ignores without a word is told too.
    """
    wanted &= among
    try:
        present = _read(handle)
    except OSError as error:
        return [f"flags {_names(wanted)}: {_word_of(error)}"] if wanted else []
    differ = (present ^ wanted) & among
    if not differ:
        return []
    try:
        _write(handle, present ^ differ)
        refused = "not kept here"
    except OSError as error:
        refused = _word_of(error)
        _write_each(handle, differ)
    left = (_read(handle) ^ wanted) & differ
    if left & wanted:
        return [f"flags {_names(left & wanted)}: {refused}"]
    return [f"flags {_names(left)} could not be removed: {refused}"] if left else []


def _write_each(handle: int, bits: int) -> None:
    """Change flag by flag what can be changed: some systems refuse all of them for one that they do not have."""
    for flag in Flag:
        if bits & flag:
            with suppress(OSError):
                _write(handle, _read(handle) ^ flag)


def _names(flags: int) -> str:
    """Return the names of flags, for people."""
    return ", ".join(str(flag.name).lower().replace("_", " ") for flag in Flag if flag & flags)


def _word_of(error: OSError) -> str:
    """Return the system's short word for an error."""
    return errno.errorcode.get(error.errno or 0, str(error))


def _read(handle: int) -> int:
    """Return all flags.

    Raises:
        OSError: the file system has none.
    """
    word: int = _WORD.unpack(fcntl.ioctl(handle, _GET, _NONE))[0]
    return word


def _write(handle: int, flags: int) -> None:
    """Set all flags.

    Raises:
        OSError: one of them is not to be had here, or not by us.
    """
    fcntl.ioctl(handle, _SET, _WORD.pack(flags, 0))
