"""Read-ahead: folders are toured by several threads, before the walk comes to them.

Why: most of a scan is waiting for the system's answers, one folder at a time; all cores can wait side by side.
Promises: what it gives does not depend on who was faster: the tours come in the order of their folders, and what
nobody has begun yet the caller does himself; while he waits for what another has begun, he tours what comes after it.
The folders needed soonest are toured first. What was found and not yet taken is bounded, in bytes and in folders.
Nothing is opened but beneath the handle given, which must stay open until all is taken or the threads have ended.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from strongroom.agent.backup.belonging import packed_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from strongroom.agent.platform.base import Folder
    from strongroom.kernel.tour_reference import Tour

_MOST_THREADS: Final = 4
_MOST_HELD_BYTES: Final = 16 << 20
_MOST_BATCHES: Final = 16
_BATCH: Final = 32


class ReadAhead:
    """Threads that read folders. To be used in a with-block, which ends them."""

    def __init__(self, tour: Callable[[Folder, bytes, bytes], Tour]) -> None:
        """Prepare.

        Args:
            tour: called in any thread with an open folder, its path and the packed names of folders in it.
        """
        self._tour = tour
        self._wake = threading.Condition()
        self._ready: list[tuple[int, int, _Batch]] = []
        self._numbers = itertools.count()
        self._held = 0
        self._is_over = False
        count = min(_MOST_THREADS, (os.cpu_count() or 1) - 1)  # the caller reads too
        self._threads = [threading.Thread(target=self._work, name=f"scan-{at}", daemon=True) for at in range(count)]

    def each(self, folder: Folder, path: bytes, names: list[bytes], depth: int) -> Iterator[Tour]:
        """Yield tours of folders, in the order of their names. Ask for them in turn.

        Args:
            folder, path: where they stand.
            depth: those of the deeper folder are needed sooner.
        """
        size = min(_BATCH, max(1, len(names) // _MOST_BATCHES))
        starts = iter(range(0, len(names), size))
        ahead: deque[_Batch] = deque()
        while True:
            fresh = [
                _Batch(folder, path, packed_names(names[at : at + size]))
                for at in itertools.islice(starts, _MOST_BATCHES - len(ahead))
            ]
            self._offer(fresh, depth)
            ahead.extend(fresh)
            if not ahead:
                return
            yield self._take(ahead.popleft())

    def _offer(self, batches: list[_Batch], depth: int) -> None:
        """Let the threads have batches."""
        if not batches:
            return
        with self._wake:
            for batch in batches:
                heapq.heappush(self._ready, (-depth, next(self._numbers), batch))
            self._wake.notify_all()

    def _take(self, batch: _Batch) -> Tour:
        """Return the tour of a batch; if no thread has begun it, none will."""
        if batch.is_mine():
            return self._tour(batch.folder, batch.path, batch.names)
        while not batch.done.acquire(blocking=False):
            with self._wake:
                other = self._next_ready()
            if other is None:
                batch.done.acquire()
                break
            if other.is_mine():
                self._fill(other)
        if batch.error is not None:
            raise batch.error
        assert batch.tour is not None
        with self._wake:
            self._held -= len(batch.tour.told)
            self._wake.notify_all()
        return batch.tour

    def _work(self) -> None:
        """Tour what is needed soonest, until the end."""
        while (batch := self._wait_for_ready()) is not None:
            if batch.is_mine():
                self._fill(batch)

    def _wait_for_ready(self) -> _Batch | None:
        """Return the batch needed soonest once there is one; None at the end."""
        with self._wake:
            while not self._is_over:
                if (batch := self._next_ready()) is not None:
                    return batch
                self._wake.wait()
        return None

    def _next_ready(self) -> _Batch | None:
        """Take the batch needed soonest from those on offer; None if there is none, or too much is held. Locked."""
        if not self._ready or self._held > _MOST_HELD_BYTES:
            return None
        return heapq.heappop(self._ready)[2]

    def _fill(self, batch: _Batch) -> None:
        """Tour a batch."""
        try:
            batch.tour = self._tour(batch.folder, batch.path, batch.names)
            with self._wake:
                self._held += len(batch.tour.told)
        except BaseException as error:  # noqa: BLE001 - raised where the batch is taken
            batch.error = error
        finally:
            batch.done.release()

    def __enter__(self) -> Self:
        """Start the threads."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads."""
        with self._wake:
            self._is_over = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()


class _Batch:
    """Some folders that stand side by side; toured by whoever comes first."""

    __slots__ = ("_free", "done", "error", "folder", "names", "path", "tour")

    def __init__(self, folder: Folder, path: bytes, names: bytes) -> None:
        self.folder = folder
        self.path = path
        self.names = names
        self.tour: Tour | None = None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()
        self._free = threading.Lock()

    def is_mine(self) -> bool:
        """Tell whoever asks first that the batch is his."""
        return self._free.acquire(blocking=False)
