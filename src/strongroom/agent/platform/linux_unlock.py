"""Linux: taking the flags that lock a thing off it for a moment.

Why: nothing immutable or append-only can be replaced, renamed or filled, not even by root, unless the flag goes first.
Promises: what is not gone afterwards has its flags back. Links, pipes and devices are not opened.
Does not: decide whether that may be; the restore's conflict mode does.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from strongroom.agent.platform.linux_flags import LOCKING, read_flags, set_flags

if TYPE_CHECKING:
    from collections.abc import Iterator

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def unlock(handle: int) -> int:
    """Remove the locking flags of an opened file or folder; return those that it had and has no more."""
    locks = read_flags(handle) & LOCKING
    return locks if locks and not set_flags(handle, 0, LOCKING) else 0


@contextmanager
def unlocked(parent: int, name: bytes) -> Iterator[bool]:
    """Keep what has this name unlocked; tell whether it had been locked and no longer is."""
    handle = _opened(parent, name)
    if handle is None:
        yield False
        return
    try:
        locks = unlock(handle)
        try:
            yield bool(locks)
        finally:
            if locks and os.fstat(handle).st_nlink:  # still there, or under another name
                set_flags(handle, locks, LOCKING)
    finally:
        os.close(handle)


def _opened(parent: int, name: bytes) -> int | None:
    """Open a file or folder; None for all else, and for what may not be opened."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return None
        return os.open(name, _READ, dir_fd=parent)
    except OSError:
        return None
