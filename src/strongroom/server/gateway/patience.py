"""Patience with a peer whose body is awaited: so long in all, and so long in silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Patience:
    """A context that ends with `TimeoutError` when the peer takes too long, or has not been `heard` for too long.

    One timer looks at the silence from time to time: to set one anew for each piece would cost more than the piece.
    """

    def __init__(self, *, whole_s: float, silence_s: float) -> None:
        """Be made on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._silence_s = silence_s
        self._limit = asyncio.timeout(whole_s)
        self._timer: asyncio.TimerHandle | None = None
        self._heard_s = 0.0

    def heard(self) -> None:
        """Note that the peer has said something."""
        self._heard_s = self._loop.time()

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self.heard()
        self._look()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _look(self) -> None:
        """End the patience, or look again when it could next run out."""
        now_s = self._loop.time()
        left_s = self._heard_s + self._silence_s - now_s
        if left_s <= 0:
            self._limit.reschedule(now_s)
        else:
            self._timer = self._loop.call_later(left_s, self._look)
