"""The site of a restore: what all that write into one target share.

It opens folders, and remembers one of each file system so that all can be flushed at the end, and ahead of it: a disk
that is left to write all at the end idles before it, and the restore waits for it then.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.agent.platform import linux_place as system
from strongroom.agent.restore.folders import Folder

if TYPE_CHECKING:
    from typing import Self

    from strongroom.agent.restore.unfinished import Unfinished

_FLUSH_BYTES: Final = 64 << 20


class Site:
    """An opened target. Safe to use from several threads.

    Args:
        unfinished: the notes of what is being written.
        now_ns: the time of access that files get; a snapshot keeps none.
    """

    def __init__(self, target: int, unfinished: Unfinished) -> None:
        """Begin at the opened target, whose handle stays the caller's."""
        self.target = target
        self.unfinished = unfinished
        self.now_ns = clock.now_ns()
        self._lock = threading.Lock()
        self._flushable = {os.fstat(target).st_dev: os.dup(target)}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._ahead: Future[None] | None = None
        self._unflushed = 0

    def into(self, parent: Folder, name: bytes) -> Folder:
        """Step down into a folder.

        Raises:
            OSError: it is not there, no folder, or may not be entered.
        """
        handle = system.open_folder(parent.handle, name)
        device = os.fstat(handle).st_dev
        if device not in self._flushable:
            with self._lock:
                if device not in self._flushable:
                    self._flushable[device] = os.dup(handle)
        return Folder(name, handle, gives=system.gives_on(handle))

    def note_written(self, size_bytes: int) -> None:
        """Have the disks begin with what was written to the cache, when it is much; call it from one thread only."""
        self._unflushed += size_bytes
        if self._unflushed >= _FLUSH_BYTES and (self._ahead is None or _went_well(self._ahead)):
            self._unflushed = 0
            self._ahead = self._pool.submit(self._flush)

    def flush(self) -> None:
        """Wait until all that was written is on disk, on each file system that was entered.

        Raises:
            OSError: it could not be written.
        """
        if self._ahead is not None:
            self._ahead.result()  # the system tells of a failure once only
        self._flush()

    def _flush(self) -> None:
        """Flush each file system."""
        with self._lock:
            handles = list(self._flushable.values())
        for handle in handles:
            system.flush(handle)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all."""
        self._pool.shutdown()
        for handle in self._flushable.values():
            os.close(handle)
        self._flushable.clear()


def _went_well(ahead: Future[None]) -> bool:
    """Whether flushing ahead is done, and did not fail: a failure is kept for the end."""
    return ahead.done() and ahead.exception() is None
