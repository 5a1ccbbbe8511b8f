"""A large file written, and read, past the system's cache.

Why: a restore flushes what it wrote before it says that it is done (ADR 31). Through the cache, the processor first
copies all of it there and then waits, idle, while the disk takes it; past the cache the disk takes it meanwhile, for a
tenth of the processor's time (ADR 55).
Promises: the file gets exactly what was written, whatever the sizes. Where the file system does not want to be written
to like this, it is written in the ordinary way.
Does not: make anything durable; what the disk itself keeps back is flushed with the rest.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from typing import Final

from strongroom.kernel import copy_to

ALIGNED_BYTES: Final = 4096
"""Positions, sizes and memory are multiples of this; no disk asks for more."""
STAGING_BYTES: Final = 4 << 20


class Staging:
    """Memory from which large files are written; used again and again, by one thread."""

    def __init__(self) -> None:
        """Take it."""
        self.memory = _aligned(STAGING_BYTES)


class DirectFile:
    """An opened, empty file that is written from its beginning to its end."""

    def __init__(self, handle: int, staging: Staging) -> None:
        """Write to the handle, which stays the caller's, by way of the staging memory."""
        self._handle = handle
        self._memory = staging.memory
        self._staged = 0
        self._written = 0
        self._is_direct = ask_for_direct(handle)

    def write(self, data: memoryview) -> None:
        """Append data.

        Raises:
            OSError: it cannot be written.
        """
        while data:
            taken = min(len(data), STAGING_BYTES - self._staged)
            copy_to(self._memory, self._staged, data[:taken])
            self._staged += taken
            data = data[taken:]
            if self._staged == STAGING_BYTES:
                self._put(STAGING_BYTES)

    def finish(self) -> None:
        """Write what is left; the disk takes whole units, so the file is cut to its size afterwards.

        Raises:
            OSError: it cannot be written.
        """
        size = self._written + self._staged
        padded = -(-self._staged // ALIGNED_BYTES) * ALIGNED_BYTES
        self._memory[self._staged : padded] = bytes(padded - self._staged)
        self._put(padded)
        if padded:
            os.ftruncate(self._handle, size)

    def _put(self, size: int) -> None:
        """Write the first `size` staged bytes; none is staged then."""
        done = 0
        while done < size:
            try:
                done += os.pwrite(self._handle, self._memory[done:size], self._written + done)
            except OSError as error:
                # Also after a write that was cut short at an odd place.
                if error.errno != errno.EINVAL or not self._is_direct:
                    raise
                self._is_direct = False
                fcntl.fcntl(self._handle, fcntl.F_SETFL, fcntl.fcntl(self._handle, fcntl.F_GETFL) & ~os.O_DIRECT)
        self._written += size
        self._staged = 0


def ask_for_direct(handle: int) -> bool:
    """Ask the file system that a file be read and written past the cache, and return whether it will."""
    try:
        fcntl.fcntl(handle, fcntl.F_SETFL, fcntl.fcntl(handle, fcntl.F_GETFL) | os.O_DIRECT)
    except OSError:
        return False
    return True


def read_direct(handle: int, offset: int, size: int) -> memoryview:
    """Return bytes of a file, whether or not it is read past the cache; fewer at its end.

    Raises:
        OSError: it cannot be read.
    """
    before = offset % ALIGNED_BYTES
    whole = -(-(before + size) // ALIGNED_BYTES) * ALIGNED_BYTES
    memory = _aligned(whole)
    read = os.preadv(handle, [memory], offset - before)
    return memory[before : min(before + size, read)]


def _aligned(size: int) -> memoryview:
    """Return memory that begins at a page. It is this process's alone: what could be shared costs more to be had."""
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
