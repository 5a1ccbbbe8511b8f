"""The ioctls of btrfs that recovery points need (linux/btrfs.h), on open folders.

Promises: names and paths are raw bytes; a failure is an `OSError`. The numbers are those of all architectures that
encode ioctls as x86 and ARM do.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBVOLUME_INODE: Final = 256
"""The inode number of every subvolume's own root folder."""

_SNAP_DESTROY: Final = 0x5000940F
_WAIT_SYNC: Final = 0x40089416
_SNAP_CREATE_V2: Final = 0x50009417
_START_SYNC: Final = 0x80089418
_SUBVOL_GETFLAGS: Final = 0x80089419
_FS_INFO: Final = 0x8400941F
_GET_SUBVOL_INFO: Final = 0x81F8943C
_GET_SUBVOL_ROOTREF: Final = 0xD000943D
_INO_LOOKUP_USER: Final = 0xD000943E

_READ_ONLY: Final = 1 << 1
_NAME_BYTES: Final = 255


def create_snapshot(source: int, folder: int, name: bytes) -> None:
    """Make a read-only snapshot of a subvolume (the handle of its root) under a name in a folder; durable at once."""
    fcntl.ioctl(folder, _SNAP_CREATE_V2, bytearray(struct.pack("=qQQ32x4040s", source, 0, _READ_ONLY, name)))


def delete_subvolume(folder: int, name: bytes) -> None:
    """Delete the subvolume of that name; durable after `sync`."""
    fcntl.ioctl(folder, _SNAP_DESTROY, bytearray(struct.pack("=q4088s", 0, name)))


def sync(folder: int) -> None:
    """Wait until what was deleted is deleted after a power cut too."""
    transaction = bytearray(8)
    fcntl.ioctl(folder, _START_SYNC, transaction)
    fcntl.ioctl(folder, _WAIT_SYNC, transaction)


def file_system_id(handle: int) -> str:
    """Return the id of the file system."""
    answer = bytearray(1024)
    fcntl.ioctl(handle, _FS_INFO, answer)
    return answer[16:32].hex()


def is_read_only(subvolume: int) -> bool:
    """Whether a subvolume (the handle of its root) is read-only itself, however it is mounted."""
    answer = bytearray(8)
    fcntl.ioctl(subvolume, _SUBVOL_GETFLAGS, answer)
    return bool(struct.unpack("=Q", answer)[0] & _READ_ONLY)


def ids(subvolume: int) -> tuple[bytes, bytes]:
    """Return the id of a subvolume, and of the one it is a snapshot of."""
    answer = bytearray(504)
    fcntl.ioctl(subvolume, _GET_SUBVOL_INFO, answer)
    return bytes(answer[296:312]), bytes(answer[312:328])


def inner_subvolumes(subvolume: int) -> Iterator[bytes]:
    """Yield the paths of subvolumes directly inside another, from its root. Those deeper inside are theirs to tell."""
    least = 0
    while True:
        answer = bytearray(struct.pack("=Q4088x", least))
        try:
            fcntl.ioctl(subvolume, _GET_SUBVOL_ROOTREF, answer)
            is_last = True
        except OSError as error:
            if error.errno != errno.EOVERFLOW:
                raise
            is_last = False
        count = answer[8 + 255 * 16]
        for number, folder in struct.iter_unpack("=QQ", answer[8 : 8 + count * 16]):
            yield _path_of(subvolume, number, folder)
            least = number + 1
        if is_last:
            return


def _path_of(subvolume: int, number: int, folder: int) -> bytes:
    """Return the path of an inner subvolume."""
    answer = bytearray(struct.pack("=QQ4080x", folder, number))
    fcntl.ioctl(subvolume, _INO_LOOKUP_USER, answer)
    name, path = answer[16:272], answer[272:]
    return bytes(path[: path.index(0)]) + bytes(name[: name.index(0)])


def is_subvolume(handle: int) -> bool:
    """Whether a folder on btrfs is the root of a subvolume."""
    return os.fstat(handle).st_ino == SUBVOLUME_INODE
