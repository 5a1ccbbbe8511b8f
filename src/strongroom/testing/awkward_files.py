"""Making single files of the awkward test tree: sparse ones, flagged ones, lists as the kernel keeps them.

It shares no code with what backs up and restores: a mistake there must not be made here too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct

IMMUTABLE, APPEND_ONLY = 0x10, 0x20
FOLDER_FLAGS = (0x1_0000, 0x2_0000)
"""Written at once, top of a hierarchy."""
OWNERS_FLAGS = (0x1, 0x2, 0x4, 0x8, 0x40, 0x80, 0x400, 0x80_0000, *FOLDER_FLAGS)
"""Secure deletion, undeletable, compressed, synchronous, no dump, no access time, not compressed, no copy on write."""
_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602


def encode_posix_acl(entries: list[tuple[int, int, int]]) -> bytes:
    """Encode (tag, permissions, id) entries as the kernel keeps them in `system.posix_acl_access` and `_default`."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def write(path: bytes, data: bytes, mode: int = 0o644) -> None:
    """Write a file and give it exactly this mode."""
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)


def set_flag(path: bytes, flag: int) -> None:
    """Add an inode flag to a file or folder.

    Raises:
        OSError: the file system does not have it, or we may not set it.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        (present,) = struct.unpack_from("=I", fcntl.ioctl(handle, _GET_FLAGS, bytes(8)))
        fcntl.ioctl(handle, _SET_FLAGS, struct.pack("=II", present | flag, 0))
        (now,) = struct.unpack_from("=I", fcntl.ioctl(handle, _GET_FLAGS, bytes(8)))
    finally:
        os.close(handle)
    if not now & flag:
        raise OSError(errno.EOPNOTSUPP, "the file system ignores this flag")


def unlock(path: bytes, folder: int | None = None) -> None:
    """Remove the flags of a file or folder that keep it from being removed; all else has none."""
    if stat.S_IFMT(os.lstat(path, dir_fd=folder).st_mode) not in {stat.S_IFREG, stat.S_IFDIR}:
        return
    handle = os.open(path, os.O_RDONLY, dir_fd=folder)
    try:
        try:
            (present,) = struct.unpack_from("=I", fcntl.ioctl(handle, _GET_FLAGS, bytes(8)))
        except OSError:  # a file system without flags
            return
        if present & (IMMUTABLE | APPEND_ONLY):
            fcntl.ioctl(handle, _SET_FLAGS, struct.pack("=II", present & ~(IMMUTABLE | APPEND_ONLY), 0))
    finally:
        os.close(handle)


def pieces(path: bytes, pieces: dict[int, bytes], size: int) -> None:
    """Write a sparse file: data at the given places, holes between them."""
    with open(path, "wb") as file:
        file.truncate(size)
        for place, data in pieces.items():
            file.seek(place)
            file.write(data)


def pattern(size: int) -> bytes:
    """Give bytes that repeat nowhere soon and are the same each time."""
    return b"".join(struct.pack("<Q", number * 0x9E3779B97F4A7C15 % 2**64) for number in range(size // 8 + 1))[:size]
