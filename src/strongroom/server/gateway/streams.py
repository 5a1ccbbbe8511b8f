"""Streamed replies: frames made by plain synchronous code, sent as fast as the peer takes them and no faster.

Why: a listing or a restore may be larger than memory, and what makes its frames (vault, trees) is synchronous.
Promises: at most two pieces are in memory for a stream; a thread is busy only while a piece is being made, so a peer
that reads slowly keeps none; an error before the first piece is a `Problem`, a later one breaks the stream off.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from strongroom.protocol.frames import encode_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.server.gateway.exchange import Exchange
    from strongroom.server.gateway.threads import Threads

PIECE_BYTES: Final = 2 << 20


async def send_frames(exchange: Exchange, frames: Iterator[bytes], threads: Threads) -> None:
    """Send all frames as the reply; the next piece is made while the last one is on its way.

    Raises:
        PeerGone: the peer hung up or takes nothing any more.
    """
    making = asyncio.ensure_future(threads.run(lambda: next_piece(frames)))
    try:
        piece = await making
        await exchange.begin_stream()
        while piece:
            making = asyncio.ensure_future(threads.run(lambda: next_piece(frames)))
            await exchange.piece(piece)
            piece = await making
        await exchange.end_stream()
    finally:
        # A generator cannot be closed while a thread is inside it.
        with contextlib.suppress(Exception):
            await asyncio.shield(making)
        close = getattr(frames, "close", None)
        if close is not None:
            close()


def next_piece(frames: Iterator[bytes]) -> bytes:
    """Return the next frames, encoded, until they make a piece; empty at the end."""
    taken: list[bytes] = []
    size = 0
    for frame in frames:
        taken.append(frame)
        size += len(frame)
        if size >= PIECE_BYTES:
            break
    return encode_frames(taken)
