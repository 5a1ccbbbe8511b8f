"""Workers: the threads in which the gateway's synchronous work is done.

Why: verbs, catalog and vault are plain synchronous code, and the event loop must never wait for a disk.
Promises: a fixed number of threads; work is done in the order in which it came; each thread closes its connection to
the catalog when it ends.
Does not: stop work that has begun; whoever waited for it may go away all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from strongroom import clock
from strongroom.server.catalog.connection import catalog_thread

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class Workers:
    """A few threads with one queue."""

    def __init__(self, name: str, count: int) -> None:
        """Start the threads."""
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do `work` in one of the threads and return what it returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Result] = loop.create_future()

        def do() -> None:
            tell: Callable[[], None]
            try:
                tell = partial(outcome.set_result, work())
            except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever waits
                tell = partial(outcome.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has stopped
                loop.call_soon_threadsafe(_unless_done, outcome, tell)

        self._queue.put(do)
        return await outcome

    def close(self, timeout_s: float) -> None:
        """Let the threads end after the work that is queued; wait for them no longer than `timeout_s`."""
        for _ in self._threads:
            self._queue.put(None)
        give_up = clock.monotonic_s() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, give_up - clock.monotonic_s()))

    def _work(self) -> None:
        """Be one of the threads."""
        with catalog_thread():
            while (work := self._queue.get()) is not None:
                work()
                del work


def _unless_done(outcome: asyncio.Future[Result], tell: Callable[[], None]) -> None:
    """Tell how work ended, unless nobody waits any more."""
    if not outcome.done():
        tell()
