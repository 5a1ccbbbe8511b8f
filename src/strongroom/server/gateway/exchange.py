"""One request of an agent and the reply to it, over ASGI.

Why: limits, patience and the form of replies are the same for every verb, and belong in one place.
Promises: a body never takes more memory than its limit; a peer that is silent or too slow is let go; a reply that is
not a success is a `Problem`; a stream that breaks off is seen as broken by the peer, never as complete.
Does not: know the verbs, nor who the peer is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from strongroom.errors import Mistake, StrongroomError, Unavailable
from strongroom.protocol.messages import Problem
from strongroom.server.gateway.patience import Patience

if TYPE_CHECKING:
    from strongroom.protocol.messages import Message

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SILENCE_S: Final = 60
"""A peer that sends nothing, or takes nothing, for so long is let go."""
WHOLE_BODY_S: Final = 300
"""A body that has not arrived after so long is given up, however steadily it drips."""
GATHER_S: Final = 0.002
"""So long a large body that arrives in small pieces is left alone, so that the next piece is a large one (ADR 58)."""
SMALL_PIECE_BYTES: Final = 64 << 10
DRAIN_BYTES: Final = 32 << 20
MSGPACK: Final = b"application/msgpack"
_DRAIN_S: Final = 30
_encode = msgspec.msgpack.Encoder().encode


class PeerGone(Exception):
    """The peer hung up, or takes nothing any more: there is nobody to answer."""


class TooLarge(Mistake):
    """The body is larger than this verb's may be."""

    code = "too_large"
    http_status = 413


class TooSlow(Mistake):
    """The body did not arrive in time; the connection may have been at fault."""

    code = "too_slow"
    retryable = True
    http_status = 408


class Stopping(Unavailable):
    """The server stops; the agent comes again."""

    code = "stopping"


class Exchange:
    """A request, its body, and the way back."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap what the server process hands over."""
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.address: str = (scope.get("client") or ("",))[0]
        self.replied = False
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self._body_read = False

    def header(self, name: str) -> str:
        """Return a header's value, empty when it was not sent."""
        return self._headers.get(name.lower().encode(), b"").decode("latin-1")

    def require_size(self, limit: int) -> int:
        """Return how large the body will be at most, before any of it is read.

        Raises:
            TooLarge: it says that it is larger than `limit`.
        """
        declared = self.header("Content-Length")
        if not declared.isdecimal():
            return limit
        if int(declared) > limit:
            raise _too_large(limit)
        return int(declared)

    async def body(self, limit: int) -> bytes:
        """Read the whole body; its pieces are joined once.

        Raises:
            TooLarge: it is larger than `limit`.
            TooSlow: it did not arrive in time.
            PeerGone: the peer hung up.
        """
        expected = self.require_size(limit)
        pieces: list[bytes] = []
        size = 0
        try:
            async with Patience(whole_s=WHOLE_BODY_S, silence_s=SILENCE_S) as patience:
                while not self._body_read:
                    piece = await self._piece()
                    patience.heard()
                    size += len(piece)
                    if size > limit:
                        raise _too_large(limit)
                    pieces.append(piece)
                    if len(piece) < SMALL_PIECE_BYTES < (expected - size) // 2 and not self._body_read:
                        # Each piece costs a round of the loop and two changes of thread, whatever its size.
                        await asyncio.sleep(GATHER_S)
        except TimeoutError:
            raise TooSlow("The request did not arrive in time.") from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _piece(self) -> bytes:
        """Return what arrives next of the body."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise PeerGone
        self._body_read = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece

    async def gone(self) -> None:
        """Return when the peer has hung up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def reply(self, message: Message) -> None:
        """Answer with success."""
        await self._answer(200, _encode(message))

    async def reply_problem(self, error: StrongroomError) -> None:
        """Answer that it did not work; what is left of the body is read first, or the peer might not see the answer."""
        problem = Problem(code=error.code, text=error.text, hint=error.hint, retryable=error.retryable)
        if not isinstance(error, TooLarge | TooSlow | Stopping):
            await self._drain()
        await self._answer(error.http_status, _encode(problem))

    async def begin_stream(self) -> None:
        """Answer with success; the body follows in pieces."""
        self.replied = True
        await self._take({"type": "http.response.start", "status": 200, "headers": [(b"content-type", MSGPACK)]})

    async def piece(self, body: bytes | bytearray) -> None:
        """Send a piece of the stream; wait while the peer is slow.

        Raises:
            PeerGone: the peer has taken nothing for a while.
        """
        await self._take({"type": "http.response.body", "body": body, "more_body": True})

    async def end_stream(self, body: bytes | bytearray = b"") -> None:
        """Send the last piece, and say that the stream is complete."""
        await self._take({"type": "http.response.body", "body": body, "more_body": False})

    async def reply_whole(self, body: bytes | bytearray) -> None:
        """Answer with a stream that is already complete."""
        await self._answer(200, body)

    async def _answer(self, status: int, body: bytes | bytearray) -> None:
        """Send a reply of known length."""
        self.replied = True
        headers = [(b"content-type", MSGPACK), (b"content-length", str(len(body)).encode())]
        await self._take({"type": "http.response.start", "status": status, "headers": headers})
        await self._take({"type": "http.response.body", "body": body, "more_body": False})

    async def _take(self, message: dict[str, Any]) -> None:
        """Hand a message to the peer within the time that a peer has."""
        try:
            async with asyncio.timeout(SILENCE_S):
                await self._send(message)
        except TimeoutError:
            raise PeerGone from None

    async def _drain(self) -> None:
        """Throw away the rest of the body, up to a limit."""
        size = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while not self._body_read and size <= DRAIN_BYTES:
                    size += len(await self._piece())


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request is larger than the {limit} bytes that it may have.")
