"""Intake: how much the agents may make the server hold and do at once.

Why: bodies are read into memory and worked on by a bounded number of threads. A host that opens a thousand
connections, or drips a parcel into each, must not use up what the others need.
Promises: bodies of all hosts together take at most `TOTAL_BYTES`, those of one host at most `HOST_BYTES`, and one host
has at most `HOST_REQUESTS` requests (and `HOST_STREAMS` streams) at work. Who finds no room waits, and is asked to come
again if that takes too long.
Does not: read anything; room is taken before the first byte of a body is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from strongroom.errors import Unavailable
from strongroom.protocol.frames import MAX_PARCEL_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOTAL_BYTES: Final = 256 << 20
HOST_BYTES: Final = 2 * MAX_PARCEL_BYTES
HOST_REQUESTS: Final = 8
HOST_STREAMS: Final = 4
PATIENCE_S: Final = 10
"""Less than an agent waits for any answer."""


class Busy(Unavailable):
    """There is no room now; the agent comes again."""

    code = "busy"


@dataclass
class _Share:
    """What one host takes up now."""

    bytes: int = 0
    requests: int = 0
    streams: int = 0


class Intake:
    """Counts what is under way; used from the event loop only."""

    def __init__(self, *, total_bytes: int = TOTAL_BYTES, patience_s: float = PATIENCE_S) -> None:
        """Begin with all room free."""
        self._free_bytes = total_bytes
        self._patience_s = patience_s
        self._shares: dict[str, _Share] = {}
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def request(self, host: str, size_bytes: int) -> AsyncIterator[None]:
        """Hold room for one request with a body of `size_bytes`.

        Raises:
            Busy: there was no room for a while.
        """
        async with self._hold(host, _Share(bytes=size_bytes, requests=1)):
            yield

    @contextlib.asynccontextmanager
    async def stream(self, host: str) -> AsyncIterator[None]:
        """Hold room for one streamed reply.

        Raises:
            Busy: there was no room for a while.
        """
        async with self._hold(host, _Share(streams=1)):
            yield

    @contextlib.asynccontextmanager
    async def _hold(self, host: str, wanted: _Share) -> AsyncIterator[None]:
        """Wait for room, take it, and give it back."""
        async with self._changed:
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._changed.wait_for(lambda: self._fits(host, wanted))
            except TimeoutError:
                raise Busy("The server has its hands full; the request should be made again.") from None
            self._add(host, wanted, 1)
        try:
            yield
        finally:
            # Giving back takes the lock without waiting for the network: it is never held across one.
            await asyncio.shield(self._give_back(host, wanted))

    async def _give_back(self, host: str, held: _Share) -> None:
        """Free what was held and wake those who wait."""
        async with self._changed:
            self._add(host, held, -1)
            self._changed.notify_all()

    def _fits(self, host: str, wanted: _Share) -> bool:
        """Whether there is room for `wanted` now."""
        share = self._shares.get(host, _Share())
        return (
            wanted.bytes <= self._free_bytes
            and share.bytes + wanted.bytes <= HOST_BYTES
            and share.requests + wanted.requests <= HOST_REQUESTS
            and share.streams + wanted.streams <= HOST_STREAMS
        )

    def _add(self, host: str, held: _Share, sign: int) -> None:
        """Count `held` in or out; a host that holds nothing leaves nothing behind."""
        share = self._shares.setdefault(host, _Share())
        share.bytes += sign * held.bytes
        share.requests += sign * held.requests
        share.streams += sign * held.streams
        self._free_bytes -= sign * held.bytes
        if share == _Share():
            del self._shares[host]
