"""Linux: open folders and files, and what one `lstat` says, as the backup wants to know it.

Why: these calls are made once per file and backup, so they stand together and do nothing twice.
Promises: beneath a handle, never through a link; reading leaves access times alone where the system permits it;
a FIFO, device or socket that was swapped in for a file does not block and is not read.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from typing import TYPE_CHECKING

from strongroom import clock
from strongroom.agent.platform.base import EARLIEST_NS, LATEST_NS, FileSystem, Stats, UnreadAttributes
from strongroom.agent.platform.linux_extents import data_extents
from strongroom.agent.platform.linux_flags import KEPT, read_flags
from strongroom.agent.platform.mounts import PSEUDO_FILE_SYSTEMS
from strongroom.kernel.gathering import gather
from strongroom.model.entry import EntryType, Stat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.agent.platform.base import Locks
    from strongroom.agent.platform.linux_quiet import QuietLinks
    from strongroom.agent.platform.locks import LockTable
    from strongroom.agent.platform.mounts import Mount, MountTable

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FILE = EntryType.FILE  # an enum's member costs several times as much as a global
_BLOCK = 512  # the unit of st_blocks, whatever the file system's own

SETTLE_NS = 20_000_000
"""Two ticks of the slowest clock that kernels stamp files with (100 Hz): a younger time may be given out again."""
WHOLE_SECONDS_SETTLE_NS = 2_000_000_000
"""The same where the file system keeps whole (or even) seconds only."""

_TYPES = {
    modes.S_IFREG >> 12: EntryType.FILE,
    modes.S_IFDIR >> 12: EntryType.FOLDER,
    modes.S_IFLNK >> 12: EntryType.SYMLINK,
    modes.S_IFIFO >> 12: EntryType.FIFO,
    modes.S_IFCHR >> 12: EntryType.CHAR_DEVICE,
    modes.S_IFBLK >> 12: EntryType.BLOCK_DEVICE,
    modes.S_IFSOCK >> 12: EntryType.SOCKET,
}
SECOND_NAMES = frozenset({"trusted.SGI_ACL_FILE", "trusted.SGI_ACL_DEFAULT"})
"""Under these XFS shows its access lists once more; elsewhere they would be attributes without a meaning."""
_NO_XATTRS = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.ENODATA)


class LinuxFolder:
    """An open folder; see `base.Folder`."""

    __slots__ = ("_device", "_handle", "_links", "_locks", "_mount", "_mounts")

    def __init__(self, handle: int, mounts: MountTable, locks: LockTable, links: QuietLinks) -> None:
        self._handle = handle
        self._links = links
        self._mounts = mounts
        self._locks = locks
        self._mount: Mount | None = None
        self._device = -1

    def names(self) -> list[bytes]:
        """Return the raw names, sorted."""
        try:
            names = os.listdir(self._handle)
        except OSError as error:
            if error.errno == errno.EBADF:  # a handle that only leads on, see open_folder
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from error
            raise
        if not names:
            return []
        raw = os.fsencode("\0".join(names)).split(b"\0")  # one call for all: a name holds no zero
        raw.sort()
        return raw

    def stats(self, names: Sequence[bytes]) -> Stats:
        """Look at many names at once."""
        handle, lstat, own = self._handle, os.lstat, self._own_device()
        now_ns, device = self._mounts.moment(own, clock.now_ns())
        found: list[Stat] = []
        answer = Stats(found, [], [])
        for name in names:
            try:
                raw = lstat(name, dir_fd=handle)
            except OSError as error:
                answer.failed.append((name, error))
                continue
            if raw.st_dev == own:
                found.append(stat_of(name, raw, now_ns, device))
                continue
            found.append(stat_of(name, raw, *self._mounts.moment(raw.st_dev, now_ns)))
            if modes.S_ISDIR(raw.st_mode):
                answer.crossings.append(name)
        return answer

    def stat(self, name: bytes) -> Stat:
        """Look at one name."""
        now_ns = clock.now_ns()
        raw = os.lstat(name, dir_fd=self._handle)
        return stat_of(name, raw, *self._mounts.moment(raw.st_dev, now_ns))

    def open_file(self, name: bytes) -> LinuxFile:
        """Open a regular file; ESTALE when the name is no longer one's."""
        handle = open_beneath(name, _FILE_FLAGS, self._handle)
        try:
            return LinuxFile(handle, name, self._mounts)
        except BaseException:
            os.close(handle)
            raise

    def gather(self, names: Sequence[bytes], buffer: memoryview, limit: int) -> list[tuple[Stat, int] | None]:
        """Read many small files at once."""
        now_ns = clock.now_ns()
        young_ns = now_ns - WHOLE_SECONDS_SETTLE_NS
        found: list[tuple[Stat, int] | None] = []
        for name, seen in zip(names, gather(self._handle, names, buffer, limit), strict=False):
            if seen is None:
                found.append(None)
                continue
            mode, uid, gid, size, mtime_ns, ctime_ns, inode, flags = seen
            is_young = ctime_ns > young_ns or mtime_ns > young_ns
            unsettled = is_young and _is_unsettled(mtime_ns, ctime_ns, now_ns)
            stat = Stat(name, _FILE, mode, uid, gid, size, mtime_ns, ctime_ns, inode, 1, 0, 0, unsettled)
            found.append((stat, flags & KEPT))
        return found

    def link_target(self, name: bytes) -> bytes:
        """Return what a symbolic link points to."""
        return self._links.target(self, self._handle, name)

    def xattrs(self, name: bytes) -> tuple[tuple[bytes, bytes], ...]:
        """Return extended attributes, of the link itself where it is one."""
        return _read_xattrs(b"/proc/self/fd/%d/%s" % (self._handle, name), follow=False)

    def flags(self, name: bytes) -> int:
        """Return the inode flags of a folder in the folder."""
        try:
            handle = open_beneath(name, _FOLDER_FLAGS, self._handle)
        except PermissionError:
            return 0
        try:
            return read_flags(handle)
        finally:
            os.close(handle)

    def is_locked(self, stat: Stat, by: Locks) -> bool:
        """Whether another process holds a write lock or a lease on the file; on a frozen one nobody does."""
        devices = self._locks.devices_of(stat.inode, by)
        if not devices or self._mounts.is_frozen(self._own_device()):
            return False
        return not devices.isdisjoint((self._own_mount().device, self._own_device()))

    def is_any_locked(self, stats: Sequence[Stat], by: Locks) -> bool:
        """Whether a file with one of these inode numbers is locked, on whatever device."""
        return self._locks.may_hold([stat.inode for stat in stats], by)

    def file_system(self) -> FileSystem:
        """Return the file system that the folder lies on."""
        mount = self._own_mount()
        return FileSystem(mount.id, mount.kind, is_pseudo=mount.kind in PSEUDO_FILE_SYSTEMS)

    def _own_mount(self) -> Mount:
        """Return the mount, asked for once."""
        if self._mount is None:
            self._mount = self._mounts.of_handle(self._handle)
        return self._mount

    def _own_device(self) -> int:
        """Return the device that stat names, asked for once."""
        if self._device < 0:
            self._device = os.fstat(self._handle).st_dev
        return self._device


class LinuxFile:
    """An open regular file; see `base.FileReader`. Owns the handle."""

    __slots__ = ("_handle", "_raw", "stat")

    def __init__(self, handle: int, name: bytes, mounts: MountTable) -> None:
        now_ns = clock.now_ns()
        raw = os.fstat(handle)
        if not modes.S_ISREG(raw.st_mode):
            raise OSError(errno.ESTALE, "no longer a regular file")
        self._handle = handle
        self._raw = raw
        self.stat = stat_of(name, raw, *mounts.moment(raw.st_dev, now_ns))

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes."""
        data = os.pread(self._handle, size, offset)
        if len(data) == size or not data or offset + len(data) >= self.stat.size:
            return data
        pieces = [data]  # some file systems answer in parts; only an empty answer is the end
        got = len(data)
        while got < size and (data := os.pread(self._handle, size - got, offset + got)):
            pieces.append(data)
            got += len(data)
        return b"".join(pieces)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` as far as it goes."""
        filled = 0
        while filled < len(buffer) and (count := os.preadv(self._handle, [buffer[filled:]], offset + filled)):
            filled += count
        return filled

    def extents(self) -> tuple[tuple[int, int], ...] | None:
        """Return the data ranges, asked for only when fewer blocks are allocated than the size needs."""
        raw = self._raw
        if raw.st_blocks * _BLOCK >= raw.st_size:
            return None
        return data_extents(self._handle, raw.st_size)

    def xattrs(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return the extended attributes."""
        return _read_xattrs(self._handle, follow=True)

    def flags(self) -> int:
        """Return the inode flags."""
        return read_flags(self._handle)

    def is_unchanged(self) -> bool:
        """Whether size and times are as they were at the opening."""
        now, then = os.fstat(self._handle), self._raw
        return (now.st_mtime_ns, now.st_ctime_ns, now.st_size) == (then.st_mtime_ns, then.st_ctime_ns, then.st_size)

    def close(self) -> None:
        """Close the handle."""
        os.close(self._handle)


def open_folder(name: bytes, parent: int | None) -> int:
    """Open a folder; one that may be entered but not listed gives a handle that only leads on."""
    try:
        return open_beneath(name, _FOLDER_FLAGS, parent)
    except PermissionError:
        return os.open(name, _FOLDER_FLAGS | os.O_PATH, dir_fd=parent)


def open_beneath(name: bytes, flags: int, folder: int | None) -> int:
    """Open without touching the access time if that is permitted; only the owner and root may ask for it."""
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=folder)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
    return os.open(name, flags, dir_fd=folder)


def stat_of(name: bytes, raw: os.stat_result, now_ns: int, device: int = 0) -> Stat:
    """Return what `raw` says; `now_ns` must have been read before the answer was.

    Args:
        device: to be given out instead of the file's own; see `FrozenView`.
    """
    mode, mtime_ns, ctime_ns, nlink = raw.st_mode, raw.st_mtime_ns, raw.st_ctime_ns, raw.st_nlink
    kind = _TYPES[mode >> 12]
    unsettled = False
    if ctime_ns > now_ns - WHOLE_SECONDS_SETTLE_NS or not 0 <= mtime_ns <= now_ns - WHOLE_SECONDS_SETTLE_NS:
        unsettled = _is_unsettled(mtime_ns, ctime_ns, now_ns)
        mtime_ns, ctime_ns = _storable(mtime_ns), _storable(ctime_ns)
    size = raw.st_size if kind is EntryType.FILE else 0
    if nlink == 1 and kind is not EntryType.CHAR_DEVICE and kind is not EntryType.BLOCK_DEVICE:
        return Stat(
            name, kind, mode & 0o7777, raw.st_uid, raw.st_gid, size, mtime_ns, ctime_ns, raw.st_ino, 1, 0, 0, unsettled
        )
    if kind is EntryType.FOLDER:
        nlink = 1
    return Stat(
        name=name,
        type=kind,
        mode=mode & 0o7777,
        uid=raw.st_uid,
        gid=raw.st_gid,
        size=size,
        mtime_ns=mtime_ns,
        ctime_ns=ctime_ns,
        inode=raw.st_ino,
        nlink=nlink,
        device=(device or raw.st_dev) if nlink > 1 else 0,
        rdev=raw.st_rdev if kind in {EntryType.CHAR_DEVICE, EntryType.BLOCK_DEVICE} else 0,
        unsettled=unsettled,
    )


def _is_unsettled(mtime_ns: int, ctime_ns: int, now_ns: int) -> bool:
    """Whether a later change could leave the very same times.

    A modification time in the future was set by hand; that says nothing, and the time of the change says enough.
    """
    margin_ns = SETTLE_NS if ctime_ns % 1_000_000_000 else WHOLE_SECONDS_SETTLE_NS
    return ctime_ns > now_ns - margin_ns or now_ns - margin_ns < mtime_ns <= now_ns + margin_ns


def _storable(time_ns: int) -> int:
    """Return a time, or the nearest that can be stored: some file systems keep times of any age."""
    return max(EARLIEST_NS, min(time_ns, LATEST_NS))


def _read_xattrs(place: int | bytes, *, follow: bool) -> tuple[tuple[bytes, bytes], ...]:
    """Read all attributes; a file system without them has none."""
    try:
        names = os.listxattr(place, follow_symlinks=follow)
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return ()
        raise
    if not names:
        return ()
    found, unread = [], None
    for name in names:
        if name in SECOND_NAMES:
            continue
        try:
            found.append((os.fsencode(name), os.getxattr(place, name, follow_symlinks=follow)))
        except OSError as error:
            if error.errno != errno.ENODATA:  # that one was just removed
                unread = error
    found.sort()
    if unread is not None:
        raise UnreadAttributes(unread, tuple(found))
    return tuple(found)
