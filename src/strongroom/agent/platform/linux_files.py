"""Linux: open folders and files, and what one `lstat` says, as the backup wants to know it.

Why: these calls are made once per file and backup, so they stand together and do nothing twice.
Promises: beneath a handle, never through a link; reading leaves access times alone where the system permits it;
a FIFO, device or socket that was swapped in for a file does not block and is not read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat as modes
from array import array
from typing import TYPE_CHECKING

import msgspec

from strongroom import clock
from strongroom.agent.platform.base import FileSystem, UnreadAttributes
from strongroom.agent.platform.linux_extents import data_extents
from strongroom.agent.platform.linux_flags import KEPT, read_flags
from strongroom.agent.platform.mounts import PSEUDO_FILE_SYSTEMS
from strongroom.kernel import list_names, look
from strongroom.kernel.gathering import gather
from strongroom.kernel.touring import tour
from strongroom.kernel.walk_reference import WHOLE_SECONDS_SETTLE_NS, is_unsettled, storable
from strongroom.model.entry import EntryType, Stat
from strongroom.model.report import HISTOGRAM_LIMITS_BYTES

if TYPE_CHECKING:
    from strongroom.agent.platform.base import Locks
    from strongroom.agent.platform.linux_quiet import QuietLinks
    from strongroom.agent.platform.locks import LockTable
    from strongroom.agent.platform.mounts import Mount, MountTable
    from strongroom.kernel.gather_reference import Gathered
    from strongroom.kernel.tour_reference import Extent, Tour
    from strongroom.kernel.walk_reference import Look, Part

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FILE = EntryType.FILE  # an enum's member costs several times as much as a global
_BLOCK = 512  # the unit of st_blocks, whatever the file system's own

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
_MOST_GATHERED = 128  # files in one call: enough to make it cheap, few enough to hear of a cancelled job in time
_NO_INODES = array("Q")
_decoder = msgspec.msgpack.Decoder(list[Stat])
_encoder = msgspec.msgpack.Encoder()


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

    def names(self, most: int = 0) -> tuple[bytes, bool] | None:
        """Return the packed names, and whether all are UTF-8."""
        try:
            return list_names(self._handle, most)
        except OSError as error:
            if error.errno == errno.EBADF:  # a handle that only leads on, see open_folder
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from error
            raise

    def look(self, names: bytes, start: int, most: int) -> Look:
        """Look at many names at once."""
        now_ns, device = self._mounts.moment(self._own_device(), clock.now_ns())
        seen = look(self._handle, names, start, most=most, now_ns=now_ns, device=device, limits=HISTOGRAM_LIMITS_BYTES)
        elsewhere = {*seen.foreign, *(name for name, crosses in seen.folders if crosses)}
        return seen._replace(parts=[self._judged(part, elsewhere) for part in seen.parts]) if elsewhere else seen

    def tour(self, path: bytes, names: bytes, extent: Extent) -> Tour:
        """Look into folders and all beneath them."""
        now_ns, device = self._mounts.moment(self._own_device(), clock.now_ns())
        return tour(self._handle, path, names, extent, now_ns=now_ns, device=device, limits=HISTOGRAM_LIMITS_BYTES)

    def _judged(self, part: Part, elsewhere: set[bytes]) -> Part:
        """Return a part in which what lies on other devices was looked at by their clocks and numbers."""
        names = {name for name in elsewhere if part.first <= name <= part.last}
        if not names:
            return part
        stats = _decoder.decode(part.stats)
        for at, stat in enumerate(stats):
            if stat.name in names:
                with contextlib.suppress(OSError):  # gone since: as it was seen
                    stats[at] = self.stat(stat.name)
        is_settled = not any(stat.unsettled for stat in stats)
        return part._replace(is_settled=is_settled, stats=_encoder.encode(stats))

    def inner(self, name: bytes) -> LinuxFolder:
        """Open a folder in it with a handle of its own."""
        return LinuxFolder(open_folder(name, self._handle), self._mounts, self._locks, self._links)

    def again(self) -> LinuxFolder:
        """Return the folder with a handle of its own."""
        return LinuxFolder(os.dup(self._handle), self._mounts, self._locks, self._links)

    def close(self) -> None:
        """Close a handle of its own."""
        os.close(self._handle)

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

    def gather(
        self, stats: bytes, start: int, buffer: memoryview, limit: int, misses: Locks
    ) -> tuple[list[Gathered], int]:
        """Read many small files at once."""
        is_frozen = self._mounts.is_frozen(self._own_device())
        avoided = _NO_INODES if is_frozen else self._locks.inodes(misses)
        found, end = gather(
            self._handle, stats, start, buffer, most=_MOST_GATHERED, limit=limit, kept=KEPT, avoided=avoided
        )
        if is_frozen or not self._locks.may_hold([row[5] for row in found if row[2] >= 0], misses):
            return found, end
        return [(row[0], row[1], -1, 0, 0, 0, 0) for row in found], end  # each to be looked at alone

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
        unsettled = is_unsettled(mtime_ns, ctime_ns, now_ns)
        mtime_ns, ctime_ns = storable(mtime_ns), storable(ctime_ns)
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
