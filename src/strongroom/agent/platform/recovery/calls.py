"""System calls that Python has no words for: a mount namespace of one's own, and mounts in it."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

CLONE_NEWNS: Final = 0x00020000
MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_REMOUNT: Final = 32
MS_NOATIME: Final = 1024
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_SLAVE: Final = 1 << 19
MNT_DETACH: Final = 2


def leave_namespace() -> None:
    """Give the calling thread, and it alone, its own copy of all mounts; what is unmounted outside goes here too.

    Raises:
        OSError: EPERM without the right to (CAP_SYS_ADMIN).
    """
    _call("unshare", ctypes.c_int(CLONE_NEWNS))
    mount(None, b"/", None, MS_REC | MS_SLAVE)


def mount(source: bytes | None, target: bytes, kind: bytes | None, flags: int, options: bytes | None = None) -> None:
    """Mount a file system, or change how one is mounted.

    Raises:
        OSError: what the system said.
    """
    _call("mount", source, target, kind, ctypes.c_ulong(flags), options)


def unmount(target: bytes, *, lazily: bool = False) -> None:
    """Take down a mount; see umount2(2).

    Raises:
        OSError: EBUSY while it is in use, unless lazily.
    """
    _call("umount2", target, ctypes.c_int(MNT_DETACH if lazily else 0))


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library that answers with -1 and errno."""
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except AttributeError as error:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
