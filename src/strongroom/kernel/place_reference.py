"""Making many small files in many folders: the definition, in plain Python.

A file is made only where its name is free, and has a temporary name until all of it is right: a final name never shows
a part of a file. Nobody may open it until its content is whole; then come owner, mode and, last, times.
A folder that is to be made too gets its name when all its files are there: it has the temporary name, and nobody else
may enter it, while they are made under their own. So they need no temporary ones, which costs a third less.
What was set is looked at: some file systems round a time, or pass over an owner or a mode, and call it done.
A file that fails is removed, and the errno of what failed stands in the answer; the others are made all the same.
When a folder cannot be made or named, nothing of it is left, and all its files have failed.
Of files of `DIRECT_BYTES` or more, all but what is left of a last unit of the disk is written past the system's cache
where that can be (ADR 74); the files are the same, and so it is not done here.
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
    NewFolder: TypeAlias = tuple[Sequence[bytes], Sequence[NewFile], bool]
    """The names that lead from the target to it, its new files, and whether it is to be made itself."""

DIRECT_BYTES: Final = 128 << 10
"""A file of this size is written past the system's cache, here and wherever else it is restored."""

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE_MOST: Final = 0o7777
_ID_MOST: Final = 0xFFFF_FFFF


def place(target: int, folders: Sequence[NewFolder], atime_ns: int, temporary: bytes) -> list[list[int]]:
    """Make files below an opened folder and return, for each folder, 0 or an errno for each of its files.

    Args:
        target: the opened folder's handle. The way down from it never goes over a symbolic link.
        folders: those that are not new must be there.
        atime_ns: the time of access that all files get.
        temporary: the name of each file, or of a new folder, until it is whole.

    Raises:
        ValueError: A name is not one, or a number is out of bounds; nothing is made.

    """
    checked(folders, temporary)
    return [_place(target, folder, atime_ns, temporary) for folder in folders]


def checked(folders: Sequence[NewFolder], temporary: bytes) -> None:
    """Refuse names that would lead elsewhere, and numbers that no system takes.

    Raises:
        ValueError: See `place`.

    """
    names = [temporary]
    modes = owners = 0
    for parts, files, is_new in folders:
        if is_new and not parts:
            message = "A folder that is to be made needs a name."
            raise ValueError(message)
        names += parts
        for name, _, mode, uid, gid, _ in files:
            names.append(name)
            modes |= mode
            owners |= uid | gid
    joined = b"".join(names)
    if b"/" in joined or b"\0" in joined or not {b"", b".", b".."}.isdisjoint(names):
        message = "A name is empty, '.', '..', or holds '/' or NUL."
        raise ValueError(message)
    if not (0 <= modes <= _MODE_MOST and 0 <= owners <= _ID_MOST):
        message = "A mode or an owner is out of bounds."
        raise ValueError(message)


def _place(target: int, folder: NewFolder, atime_ns: int, temporary: bytes) -> list[int]:
    """Make the files of one folder."""
    parts, files, is_new = folder
    try:
        handle = _walk_down(target, parts[:-1] if is_new else parts)
        try:
            if is_new:
                return _make_folder(handle, parts[-1], files, atime_ns, temporary)
            return [_make(handle, file, atime_ns, temporary) for file in files]
        finally:
            os.close(handle)
    except OSError as error:
        return [error.errno or errno.EIO] * len(files)


def _walk_down(target: int, parts: Sequence[bytes]) -> int:
    """Open the folder at a path, step by step."""
    handle = os.dup(target)
    for name in parts:
        above = handle
        try:
            handle = os.open(name, _FOLDER, dir_fd=above)
        finally:
            os.close(above)
    return handle


def _make_folder(parent: int, name: bytes, files: Sequence[NewFile], atime_ns: int, temporary: bytes) -> list[int]:
    """Make a folder and its files; it gets its name at the end."""
    os.mkdir(temporary, 0o700, dir_fd=parent)
    handle = os.open(temporary, _FOLDER, dir_fd=parent)
    try:
        outcomes = [_make(handle, file, atime_ns, b"") for file in files]
        try:
            os.mkdir(name, dir_fd=parent)  # only where the name is free; the one that is full replaces it
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except OSError as error:
            for made in os.listdir(handle):
                os.unlink(made, dir_fd=handle)
            os.rmdir(temporary, dir_fd=parent)
            return [outcome or error.errno or errno.EIO for outcome in outcomes]
    finally:
        os.close(handle)
    return outcomes


def _make(folder: int, file: NewFile, atime_ns: int, temporary: bytes) -> int:
    """Make one file, under its own name at once when no temporary one is given."""
    name = temporary or file[0]
    try:
        handle = os.open(name, _NEW, 0, dir_fd=folder)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        _fill(handle, file, atime_ns)
        if temporary:
            os.link(temporary, file[0], src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        os.unlink(name, dir_fd=folder)
        return error.errno or errno.EIO
    if temporary:
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
