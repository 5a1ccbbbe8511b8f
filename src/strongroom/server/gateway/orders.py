"""The stream of orders: what an agent listens to. Its being open is the host's presence.

Promises: orders that are due are sent at once and again after a reconnect; a heartbeat every `HEARTBEAT_S`; a newer
stream of the same host, a revocation, the peer hanging up and the server's stop each end it within moments.
Does not: decide what is due; `strongroom.server.orders` does.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom import clock
from strongroom.protocol.frames import encode_frames
from strongroom.protocol.messages import Hello, StillThere
from strongroom.server import orders
from strongroom.server.gateway.verbs import decode
from strongroom.server.hosts import presence

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.server.gateway.exchange import Exchange
    from strongroom.server.gateway.threads import Threads

HEARTBEAT_S: Final = 5
HELLO_BYTES: Final = 64 << 10
_encode: Final = msgspec.msgpack.Encoder().encode


async def send_orders(exchange: Exchange, host: object, threads: Threads, stop: asyncio.Event) -> None:
    """Read the agent's `Hello`, then send orders until the stream ends.

    Raises:
        Mistake: the body is no `Hello`.
        PeerGone: the peer takes nothing any more.
    """
    body = await exchange.body(HELLO_BYTES)
    woken = asyncio.Event()
    welcome: Callable[..., presence.Link] = orders.welcome_agent
    wake = _waker(woken)
    link = await threads.run(lambda: welcome(host=host, hello=decode(body, Hello), wake=wake, now=clock.now()))
    try:
        await exchange.begin_stream()
        await _send_while_open(exchange, link, threads, stop, woken)
    finally:
        await asyncio.shield(threads.run(lambda: orders.farewell_agent(link=link, now=clock.now())))


async def _send_while_open(
    exchange: Exchange, link: presence.Link, threads: Threads, stop: asyncio.Event, woken: asyncio.Event
) -> None:
    """Send what is due, or a heartbeat; wait for news, or for a reason to end."""
    gone = asyncio.ensure_future(exchange.gone())
    stopped = asyncio.ensure_future(stop.wait())
    try:
        while presence.is_current(link) and not (gone.done() or stopped.done()):
            woken.clear()
            due = await threads.run(lambda: orders.orders_for(link=link, now=clock.now()))
            await exchange.piece(encode_frames(map(_encode, due or (StillThere(),))))
            news = asyncio.ensure_future(woken.wait())
            await asyncio.wait((gone, stopped, news), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
        if not gone.done():
            await exchange.end_stream()
    finally:
        gone.cancel()
        stopped.cancel()


def _waker(woken: asyncio.Event) -> Callable[[], None]:
    """Return what passes news on from any thread."""
    loop = asyncio.get_running_loop()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(woken.set)

    return wake
