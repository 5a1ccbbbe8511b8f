"""Writing to a Linux file system through opened handles: the side that a restore needs.

Why: a restore runs as root in folders that others may write to. Every step is therefore relative to an opened folder
and never follows a symbolic link, so nobody can turn a path into another one between look and write.
Promises: nothing here follows a link, replaces a name that it was not told to replace, or leaves a set-user-id bit on a
file whose owner could not be set.
Does not: decide what goes where (agent/restore does).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from strongroom.agent.platform.linux_flags import LOCKING, read_flags
from strongroom.agent.platform.linux_unlock import unlocked
from strongroom.model.entry import EntryType

if TYPE_CHECKING:
    from strongroom.model.entry import Entry

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PLAIN_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NO_REPLACE: Final = 1
_PUNCH_HOLE: Final = 0x03
"""FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from <linux/falloc.h>."""
_ACCESS_ACL: Final = "system.posix_acl_access"
_DEFAULT_ACL: Final = "system.posix_acl_default"
_NODE_TYPES: Final = {
    EntryType.FIFO: stat.S_IFIFO,
    EntryType.SOCKET: stat.S_IFSOCK,
    EntryType.CHAR_DEVICE: stat.S_IFCHR,
    EntryType.BLOCK_DEVICE: stat.S_IFBLK,
}
Identity: TypeAlias = tuple[int, int, int, int]
"""Device, inode, owner and group."""

_libc = ctypes.CDLL(None, use_errno=True)


def open_target(path: bytes) -> int:
    """Open the folder that a restore writes into; what is missing of its path is made.

    Links in this path are followed: a person named it.
    """
    os.makedirs(path, exist_ok=True)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def open_folder(parent: int, name: bytes) -> int:
    """Open a folder by its name; a link in its place is an error, never followed."""
    return os.open(name, _FOLDER, dir_fd=parent)


def make_folder(parent: int, name: bytes) -> None:
    """Make a folder that only we may enter until its own mode is set."""
    os.mkdir(name, 0o700, dir_fd=parent)


def look(parent: int, name: bytes) -> os.stat_result | None:
    """Return what is under a name, without following a link; None when there is nothing."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def identity_of(seen: os.stat_result) -> Identity:
    """Return what tells a thing from any other that may get its name, and even its number, and whose it is."""
    return seen.st_dev, seen.st_ino, seen.st_uid, seen.st_gid


def gives_on(folder: int) -> bool:
    """Whether what is made in the folder inherits an access-control list or flags."""
    try:
        if os.getxattr(folder, _DEFAULT_ACL):
            return True
    except OSError:
        pass
    return bool(read_flags(folder) & ~LOCKING)


def open_plain(parent: int, name: bytes) -> int:
    """Open what is there for reading, without following a link or waiting on a pipe."""
    return os.open(name, _PLAIN_READ, dir_fd=parent)


def read_some(handle: int, limit: int) -> bytes:
    """Return the next bytes of a file, at most `limit` of them; fewer only at its end."""
    parts = []
    while limit > 0 and (part := os.read(handle, limit)):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def new_file(parent: int, name: bytes) -> int:
    """Make a file that is not there yet and open it for writing."""
    return os.open(name, _NEW_FILE, 0o600, dir_fd=parent)


def write_all(handle: int, data: bytes | memoryview) -> None:
    """Write all of `data` at the handle's position."""
    written = os.write(handle, data)
    while written < len(data):
        written += os.write(handle, memoryview(data)[written:])


def make_special(parent: int, name: bytes, entry: Entry) -> None:
    """Make a symbolic link, FIFO, socket or device node."""
    if entry.stat.type == EntryType.SYMLINK:
        os.symlink(entry.target, name, dir_fd=parent)
    else:
        os.mknod(name, 0o600 | _NODE_TYPES[entry.stat.type], entry.stat.rdev, dir_fd=parent)


def make_link(from_parent: int, from_name: bytes, parent: int, name: bytes) -> None:
    """Give a file one more name."""
    os.link(from_name, name, src_dir_fd=from_parent, dst_dir_fd=parent, follow_symlinks=False)


def remove(parent: int, name: bytes) -> None:
    """Remove a name that is no folder, also one that flags lock; nothing happens when it is not there."""
    with suppress(FileNotFoundError):
        try:
            os.unlink(name, dir_fd=parent)
        except PermissionError:
            with unlocked(parent, name) as is_free:
                if not is_free:
                    raise
                os.unlink(name, dir_fd=parent)


def replace(parent: int, temporary: bytes, name: bytes) -> None:
    """Rename over whatever has the name, in one step; an empty folder in its place makes way, and so do flags.

    Raises:
        OSError: ENOTEMPTY when a folder that is not empty is in the way.
    """
    try:
        _replace(parent, temporary, name)
    except PermissionError:
        with unlocked(parent, name) as is_free:
            if not is_free:
                raise
            _replace(parent, temporary, name)


def _replace(parent: int, temporary: bytes, name: bytes) -> None:
    """Rename over whatever has the name, or an empty folder."""
    try:
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except IsADirectoryError:
        os.rmdir(name, dir_fd=parent)
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)


def rename_new(parent: int, old: bytes, new: bytes) -> None:
    """Rename to a name that must be free.

    Raises:
        FileExistsError: it is taken.
    """
    if _libc.renameat2(parent, old, parent, new, _NO_REPLACE) == 0:
        return
    code = ctypes.get_errno()
    if code not in {errno.EINVAL, errno.ENOSYS}:
        raise OSError(code, os.strerror(code))
    # A file system that cannot do it in one step (NFS, some FUSE): look, then rename.
    if look(parent, new) is not None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(old, new, src_dir_fd=parent, dst_dir_fd=parent)


def set_metadata(handle: int | str, entry: Entry, now_ns: int, *, shed: bool = False) -> list[str]:
    """Set owner, mode, extended attributes and, last, times; return what could not be set, and why.

    Args:
        handle: an opened file or folder, or the path that `hold` gives.
        now_ns: the time of access that it gets; a snapshot keeps none.
        shed: also remove attributes that the entry does not have (inherited lists, or those of an older file).
    """
    seen, troubles = entry.stat, list[str]()
    mode = seen.mode
    try:
        os.chown(handle, seen.uid, seen.gid)
    except OSError as error:
        troubles.append(f"owner {seen.uid}:{seen.gid}: {reason_of(error)}")
        mode &= 0o1777
        with suppress(OSError):
            os.chown(handle, -1, seen.gid)
    if shed:
        _shed_attributes(handle, entry, troubles)
    if entry.xattrs:
        _set_attributes(handle, entry, troubles, acl=False)
    if seen.type != EntryType.SYMLINK:
        try:
            os.chmod(handle, mode)
        except OSError as error:
            troubles.append(f"mode {mode:o}: {reason_of(error)}")
    if entry.xattrs:
        # Lists come after the mode, which would change their mask.
        _set_attributes(handle, entry, troubles, acl=True)
    try:
        os.utime(handle, ns=(now_ns, seen.mtime_ns))
    except (OSError, OverflowError) as error:
        troubles.append(f"time: {reason_of(error)}")
    return troubles or _unkept(handle, entry)


def _unkept(handle: int | str, entry: Entry) -> list[str]:
    """Return what was set and is not so: some file systems round a time, or pass over the rest, and call it done."""
    wanted, now = entry.stat, os.stat(handle)
    found = []
    if now.st_mtime_ns != wanted.mtime_ns:
        found.append(f"time: kept only to within {abs(now.st_mtime_ns - wanted.mtime_ns) / 1e9:.9f} s")
    if stat.S_IMODE(now.st_mode) != wanted.mode and wanted.type != EntryType.SYMLINK:
        found.append(f"mode {wanted.mode:o}: {stat.S_IMODE(now.st_mode):o} was kept")
    if (now.st_uid, now.st_gid) != (wanted.uid, wanted.gid):
        found.append(f"owner {wanted.uid}:{wanted.gid}: {now.st_uid}:{now.st_gid} was kept")
    return found


def hold(parent: int, name: bytes) -> int:
    """Hold a thing of any type without opening it; `held_path` names it for `set_metadata`."""
    return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)


def held_path(handle: int) -> str:
    """Return a path that leads to exactly the thing held, whatever has its name by now."""
    return f"/proc/self/fd/{handle}"


def open_nameless(folder: int) -> int:
    """Open a new file that has no name, so that nobody else finds it, and it is gone when it is closed.

    Raises:
        OSError: the file system has no such files.
    """
    return os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)


def free_bytes(folder: int) -> int:
    """Return how much the file system still takes from us."""
    found = os.fstatvfs(folder)
    return found.f_bavail * found.f_frsize


def write_at(handle: int, data: bytes, offset: int) -> None:
    """Write all of the data, or raise OSError."""
    if os.pwrite(handle, data, offset) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def free(handle: int, offset: int, size: int) -> None:
    """Give a stretch of a file back to its file system, where it can take it."""
    _libc.fallocate(handle, _PUNCH_HOLE, ctypes.c_int64(offset), ctypes.c_int64(size))


def flush(target: int) -> None:
    """Wait until the file system that holds the target has written all to disk."""
    if _libc.syncfs(target) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def reason_of(error: Exception) -> str:
    """Return the system's short word for an error, for example EPERM."""
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, str(error)) if number else str(error)


def _set_attributes(handle: int | str, entry: Entry, troubles: list[str], *, acl: bool) -> None:
    """Set the entry's extended attributes: the access list, or all others."""
    for name, value in entry.xattrs:
        if (name == _ACCESS_ACL.encode()) is acl:
            try:
                os.setxattr(handle, name, value)
            except OSError as error:
                troubles.append(f"attribute {name.decode('utf-8', 'backslashreplace')}: {reason_of(error)}")


def _shed_attributes(handle: int | str, entry: Entry, troubles: list[str]) -> None:
    """Remove the extended attributes that the entry does not have; security labels stay, the system gives them."""
    wanted = {os.fsdecode(name) for name, _ in entry.xattrs}
    try:
        present = os.listxattr(handle)
    except OSError:
        return
    for name in present:
        if name not in wanted and (not name.startswith("security.") or name == "security.capability"):
            try:
                os.removexattr(handle, name)
            except OSError as error:
                troubles.append(f"attribute {name}: {reason_of(error)}")
