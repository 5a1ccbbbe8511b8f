"""Read-ahead: folders are looked into by several threads, before the walk comes to them.

Why: most of a scan is waiting for the system's answers, one folder at a time; all cores can wait side by side.
Promises: what it gives does not depend on who was faster: every folder is given in the order asked for, and what
nobody has read yet is left to the caller, who so never waits for work that was not begun. The folders that are needed
soonest are read first. What was read and not yet taken is bounded, in bytes and in folders. Nothing is opened but
beneath the handle given, which must stay open until all is taken or the threads have ended.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from strongroom.agent.backup.listing import ListedPart
    from strongroom.agent.platform.base import Folder
    from strongroom.kernel.walk_reference import Look

_MOST_THREADS: Final = 4
_MOST_HELD_BYTES: Final = 16 << 20
_MOST_BATCHES: Final = 16
_BATCH: Final = 8


@dataclasses.dataclass(slots=True)
class Seen:
    """What was seen of a folder.

    Args:
        unreadable: names that are left out because they are not UTF-8.
        looks: what was found, with its parts as they are listed.
        error: why nothing was seen.
    """

    unreadable: list[bytes]
    looks: Iterable[tuple[Look, list[ListedPart]]]
    error: OSError | None = None


class ReadAhead:
    """Threads that read folders. To be used in a with-block, which ends them."""

    def __init__(self, read: Callable[[Folder, bytes, bytes], tuple[Seen | None, int]]) -> None:
        """Prepare.

        Args:
            read: called in any thread with an open folder, its path and the name of a folder in it; gives what was
                seen and about how many bytes that is, or nothing if the caller should read it himself.
        """
        self._read = read
        self._wake = threading.Condition()
        self._ready: list[tuple[int, int, _Batch]] = []
        self._numbers = itertools.count()
        self._held = 0
        self._is_over = False
        count = min(_MOST_THREADS, (os.cpu_count() or 1) - 1)  # the caller reads too
        self._threads = [threading.Thread(target=self._work, name=f"scan-{at}", daemon=True) for at in range(count)]

    def each(self, folder: Folder, path: bytes, names: list[bytes], depth: int) -> Iterator[tuple[bytes, Seen | None]]:
        """Yield folders by their names, and what was seen of each if it was read ahead. Ask for them in turn.

        Args:
            folder, path: where they stand.
            depth: those of the deeper folder are needed sooner.
        """
        size = min(_BATCH, max(1, len(names) // _MOST_BATCHES))
        starts = iter(range(0, len(names), size))
        ahead: deque[_Batch] = deque()
        while True:
            fresh = [
                _Batch(folder, path, names[at : at + size])
                for at in itertools.islice(starts, _MOST_BATCHES - len(ahead))
            ]
            self._offer(fresh, depth)
            ahead.extend(fresh)
            if not ahead:
                return
            yield from self._take(ahead.popleft())

    def _offer(self, batches: list[_Batch], depth: int) -> None:
        """Let the threads have batches."""
        if not batches:
            return
        with self._wake:
            for batch in batches:
                heapq.heappush(self._ready, (-depth, next(self._numbers), batch))
            self._wake.notify_all()

    def _take(self, batch: _Batch) -> Iterator[tuple[bytes, Seen | None]]:
        """Yield the folders of a batch; if no thread has begun it, none will."""
        seen: list[Seen | None] = []
        if not batch.is_mine():
            batch.done.acquire()
            if batch.error is not None:
                raise batch.error
            with self._wake:
                self._held -= batch.size
                self._wake.notify_all()
            seen = batch.seen
        return itertools.zip_longest(batch.names, seen)

    def _work(self) -> None:
        """Read what is needed soonest, until the end."""
        while True:
            with self._wake:
                while not self._is_over and (not self._ready or self._held > _MOST_HELD_BYTES):
                    self._wake.wait()
                if self._is_over:
                    return
                batch = heapq.heappop(self._ready)[2]
            if batch.is_mine():
                self._fill(batch)

    def _fill(self, batch: _Batch) -> None:
        """Read a batch, as far as there is room for it."""
        try:
            for name in batch.names:
                if self._is_over or self._held + batch.size > _MOST_HELD_BYTES:
                    break
                seen, size = self._read(batch.folder, batch.path, name)
                batch.seen.append(seen)
                batch.size += size
        except BaseException as error:  # noqa: BLE001 - raised where the batch is taken
            batch.error = error
        finally:
            with self._wake:
                self._held += batch.size
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
    """Some folders that stand side by side; read by whoever comes first."""

    __slots__ = ("_free", "done", "error", "folder", "names", "path", "seen", "size")

    def __init__(self, folder: Folder, path: bytes, names: list[bytes]) -> None:
        self.folder = folder
        self.path = path
        self.names = names
        self.seen: list[Seen | None] = []
        self.size = 0
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()
        self._free = threading.Lock()

    def is_mine(self) -> bool:
        """Tell whoever asks first that the batch is his."""
        return self._free.acquire(blocking=False)
