"""Large files written, and read, past the system's cache (direct I/O).

Why: what must be on the disk before anyone is told that it is done, a restored file or a pack, gains nothing by the
cache. Through it, the processor first copies all of it to memory that has to be had page by page, and then waits, idle,
while the disk takes it; past it the disk takes it meanwhile, for a tenth of the processor's time (ADR 55, 74).
Promises: the file gets exactly what was written, whatever the sizes. Where the file system does not want to be written
to like this, it is written in the ordinary way. A failure is told by the call after it, or by `finish`.
Does not: make anything durable; what the disk itself keeps back is flushed with the rest.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.kernel import copy_to

if TYPE_CHECKING:
    from collections.abc import Callable

ALIGNED_BYTES: Final = 4096
"""Positions, sizes and memory are multiples of this; no disk asks for more."""
STAGING_BYTES: Final = 4 << 20
"""Half the memory of a staging, unless it is told otherwise: so much is written at once."""
_GRACE_S: Final = 0.05
_LEAST_BYTES_S: Final = 32 << 20


class Staging:
    """Memory from which large files are written, one after the other: the disk takes one half while one is filled."""

    def __init__(self, half_bytes: int = STAGING_BYTES) -> None:
        """Take it; `half_bytes` is a multiple of `ALIGNED_BYTES`."""
        self.halves = [_aligned(half_bytes), _aligned(half_bytes)]
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._under_way: Future[None] | None = None
        self._written = 0
        self._spent_s = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether the disk is one that should better put off and join what it can: it has taken too long so far."""
        return self._spent_s > _GRACE_S + self._written / _LEAST_BYTES_S

    def hand_over(self, write: Callable[[memoryview], None], size: int) -> None:
        """Have the first half, as far as it is filled, written in another thread; the halves change places.

        Raises:
            OSError: what was handed over before could not be written; this is not written then.
        """
        self.wait()
        self._under_way = self._pool.submit(self._timed, write, self.halves[0][:size])
        self.halves.reverse()

    def wait(self) -> None:
        """Wait until all that was handed over is written.

        Raises:
            OSError: it could not be.
        """
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def close(self) -> None:
        """Wait for what is under way, and end the thread."""
        self._pool.shutdown()

    def _timed(self, write: Callable[[memoryview], None], staged: memoryview) -> None:
        """Write, and note how long it took; called in the thread that writes."""
        began = clock.monotonic_s()
        write(staged)
        self._spent_s += clock.monotonic_s() - began
        self._written += len(staged)


class Stagings:
    """Staging memory for a few files at once: what one file has used serves the next. Safe to use from threads."""

    def __init__(self, most: int, half_bytes: int) -> None:
        """Have none yet, and never more than `most`."""
        self._left = most
        self._half_bytes = half_bytes
        self._idle: list[Staging] = []
        self._lock = threading.Lock()

    def take(self) -> Staging | None:
        """Return one that is the caller's until it is given back; None when all are in use."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if not self._left:
                return None
            self._left -= 1
        return Staging(self._half_bytes)

    def give_back(self, staging: Staging) -> None:
        """Take one back with which nothing is under way."""
        with self._lock:
            self._idle.append(staging)


class DirectFile:
    """An opened, empty file that is written from its beginning to its end; it ends with `finish` or `give_up`."""

    def __init__(self, handle: int, staging: Staging) -> None:
        """Write to the handle, which stays the caller's, by way of the staging memory."""
        self._handle = handle
        self.staging = staging
        self._staged = 0
        self._written = 0
        self._is_direct = ask_for_direct(handle)

    def write(self, data: memoryview) -> None:
        """Append data.

        Raises:
            OSError: it cannot be written, or what came before it could not.
        """
        while data:
            half = self.staging.halves[0]
            taken = min(len(data), len(half) - self._staged)
            copy_to(half, self._staged, data[:taken])
            self._staged += taken
            data = data[taken:]
            if self._staged == len(half):
                self._hand_over(len(half))

    def finish(self) -> None:
        """Write what is left; the disk takes whole units, so what is less goes the ordinary way.

        Raises:
            OSError: it cannot be written.
        """
        whole = self._staged - self._staged % ALIGNED_BYTES
        rest = self.staging.halves[0][whole : self._staged]
        if whole:
            self._hand_over(whole)
        self.staging.wait()
        self._leave_direct()
        self._put(self._written, rest)

    def give_up(self) -> None:
        """Wait until nothing is written any more; only then may the handle be closed, and its number go to another."""
        with suppress(OSError):
            self.staging.wait()

    def _hand_over(self, size: int) -> None:
        """Have the first `size` staged bytes written; the staging begins anew."""
        self.staging.hand_over(partial(self._put, self._written), size)
        self._written += size
        self._staged = 0

    def _put(self, offset: int, staged: memoryview) -> None:
        """Write what is staged to its place in the file."""
        done = 0
        while done < len(staged):
            try:
                done += os.pwrite(self._handle, staged[done:], offset + done)
            except OSError as error:
                # Also after a write that was cut short at an odd place.
                if error.errno != errno.EINVAL or not self._is_direct:
                    raise
                self._leave_direct()

    def _leave_direct(self) -> None:
        """Go on in the ordinary way."""
        self._is_direct = False
        fcntl.fcntl(self._handle, fcntl.F_SETFL, fcntl.fcntl(self._handle, fcntl.F_GETFL) & ~os.O_DIRECT)


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
