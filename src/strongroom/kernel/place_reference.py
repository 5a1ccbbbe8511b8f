"""Making many small files in one folder: the definition, in plain Python.

A file is made only where its name is free, and has a temporary name until all of it is right: a final name never shows
a part of a file. Nobody may open it until its content is whole; then come owner, mode and, last, times.
What was set is looked at: some file systems round a time, or pass over an owner or a mode, and call it done.
A file that fails is removed, and the errno of what failed stands in the answer; the others are made all the same.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    NewFile: TypeAlias = tuple[bytes, Buffer, int, int, int, int]
    """Name, content, mode, owner, group, time of modification in nanoseconds since 1970."""

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE_MOST: Final = 0o7777
_ID_MOST: Final = 0xFFFF_FFFF


def place(folder: int, files: Sequence[NewFile], atime_ns: int, temporary: bytes) -> list[int]:
    """Make files in an opened folder and return, for each, 0 or an errno.

    Args:
        folder: the folder's handle.
        atime_ns: the time of access that all of them get.
        temporary: the name of each file until it is whole.

    Raises:
        ValueError: A name is not one, or a number is out of bounds; no file is made.

    """
    checked(files, temporary)
    return [_place(folder, file, atime_ns, temporary) for file in files]


def checked(files: Sequence[NewFile], temporary: bytes) -> None:
    """Refuse names that would lead elsewhere, and numbers that no system takes.

    Raises:
        ValueError: See `place`.

    """
    names = [temporary, *(file[0] for file in files)]
    joined = b"".join(names)
    if b"/" in joined or b"\0" in joined or b"" in names or b"." in names or b".." in names:
        message = "A name is empty, '.', '..', or holds '/' or NUL."
        raise ValueError(message)
    modes = owners = 0
    for _, _, mode, uid, gid, _ in files:
        modes |= mode
        owners |= uid | gid
    if not (0 <= modes <= _MODE_MOST and 0 <= owners <= _ID_MOST):
        message = "A mode or an owner is out of bounds."
        raise ValueError(message)


def _place(folder: int, file: NewFile, atime_ns: int, temporary: bytes) -> int:
    """Make one file."""
    try:
        handle = os.open(temporary, _NEW, 0, dir_fd=folder)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        _fill(handle, file, atime_ns)
        os.link(temporary, file[0], src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        os.unlink(temporary, dir_fd=folder)
        return error.errno or errno.EIO
    os.unlink(temporary, dir_fd=folder)
    return 0


def _fill(handle: int, file: NewFile, atime_ns: int) -> None:
    """Write the content and set what else is known of a file; the order matters."""
    _, content, mode, uid, gid, mtime_ns = file
    try:
        rest = memoryview(content).cast("B") if memoryview(content).nbytes else memoryview(b"")
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fchown(handle, uid, gid)
        os.fchmod(handle, mode)
        os.utime(handle, ns=(atime_ns, mtime_ns))
        seen = os.fstat(handle)
        if (seen.st_mtime_ns, seen.st_mode & _MODE_MOST, seen.st_uid, seen.st_gid) != (mtime_ns, mode, uid, gid):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    finally:
        os.close(handle)
