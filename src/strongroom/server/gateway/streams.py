"""Streamed replies: frames made by plain synchronous code, sent as fast as the peer takes them and no faster (ADR 65).

Why: a listing or a restore may be larger than memory, and what makes its frames (vault, trees) is synchronous.
Promises: at most two pieces are in memory for a stream; a thread is busy only while a piece is being made, so a peer
that reads slowly keeps none; an error before the first piece is a `Problem`, a later one breaks the stream off.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from strongroom.protocol.frames import lay_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.protocol.frames import Body
    from strongroom.server.gateway.exchange import Exchange
    from strongroom.server.gateway.threads import Threads

PIECE_BYTES: Final = 4 << 20


def begin(frames: Iterator[bytes | Body]) -> tuple[bytearray, Pieces]:
    """Return a stream's first piece, made in this thread, and what makes the others."""
    pieces = Pieces(frames)
    return pieces.make(), pieces


class Pieces:
    """A stream's frames, made into one piece after the other."""

    def __init__(self, frames: Iterator[bytes | Body]) -> None:
        """Make nothing yet."""
        self.is_whole = False
        self._frames = frames

    def make(self) -> bytearray:
        """Return the next piece; `is_whole` says afterwards whether it was the last, which may be empty."""
        taken: list[bytes | Body] = []
        size = 0
        for frame in self._frames:
            taken.append(frame)
            size += len(frame)
            if size >= PIECE_BYTES:
                break
        else:
            self.is_whole = True
        return lay_frames(taken)

    def close(self) -> None:
        """Let go of what the frames are made from; no thread makes a piece any more."""
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()


async def send_pieces(exchange: Exchange, piece: bytearray, pieces: Pieces, threads: Threads) -> None:
    """Send a stream whose first piece is made; the next one is made while the last one is on its way.

    A stream of one piece goes out as a reply of known length: that is one message, and the peer reads it in one go.

    Raises:
        PeerGone: the peer hung up or takes nothing any more.
    """
    making: asyncio.Future[bytearray] | None = None
    try:
        if pieces.is_whole:
            await exchange.reply_whole(piece)
            return
        await exchange.begin_stream()
        while not pieces.is_whole:
            making = asyncio.ensure_future(threads.run(pieces.make))
            await exchange.piece(piece)
            piece = await making
        await exchange.end_stream(piece)
    finally:
        if making is not None:
            # A generator cannot be closed while a thread is inside it.
            with contextlib.suppress(Exception):
                await asyncio.shield(making)
        pieces.close()
