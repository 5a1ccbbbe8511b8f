"""One request to the server over TLS, and what its answer means.

Promises: only the pinned authority is trusted, and only for the name or address that we dialled. Every failure is one
of our errors, with `retryable` set when trying again may help. No answer takes more memory than its limit.
Does not: try again.
"""

from __future__ import annotations

import ssl
import weakref
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from strongroom.agent.link.filling_socket import FillingSocket
from strongroom.errors import (
    Conflict,
    Damaged,
    Mistake,
    NotFound,
    Refused,
    StrongroomError,
    Unauthenticated,
    Unavailable,
)
from strongroom.protocol import frames
from strongroom.protocol.endpoints import PREFIX, Endpoint
from strongroom.protocol.messages import Message, Problem
from strongroom.protocol.version import HEADER, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from urllib3 import BaseHTTPResponse

    from strongroom.agent.link.link_speed import LinkSpeed

_CONNECTIONS: Final = 32
_CONNECT_S: Final = 15
_PROBLEM_BYTES: Final = 64 << 10
_REPLY_BYTES: Final = 8 << 20
_CHECKED_BYTES: Final = 128 << 10
_OK: Final = 200
_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
_FAMILIES: Final[dict[int, type[StrongroomError]]] = {
    400: Mistake,
    401: Unauthenticated,
    403: Refused,
    404: NotFound,
    409: Conflict,
    500: Damaged,
}
Reply = TypeVar("Reply", bound=Message)


class StreamBroken(Unavailable):
    """A stream that had begun did not come to its end."""

    code = "stream_broken"


class Closed(StrongroomError):
    """The agent has closed its connections; nothing is sent any more."""

    code = "agent_stopping"


class Transport:
    """Connections to one server; safe to use from several threads."""

    def __init__(self, server_url: str, authority: str) -> None:
        """Trust one authority.

        Raises:
            Mistake: it is not a certificate.
        """
        self._url = server_url.rstrip("/") + PREFIX
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = FillingSocket
        try:
            context.load_verify_locations(cadata=authority)
        except (ssl.SSLError, ValueError) as error:
            raise Mistake("The server's certificate authority cannot be read.", code="bad_authority") from error
        self._pool = urllib3.PoolManager(maxsize=_CONNECTIONS, ssl_context=context, retries=False)
        self._answers: weakref.WeakSet[BaseHTTPResponse] = weakref.WeakSet()
        self._is_closed = False

    def post(
        self,
        endpoint: Endpoint,
        body: bytes | Sequence[bytes],
        *,
        access_token: str = "",
        silence_s: float,
        check: Callable[[], None] | None = None,
    ) -> BaseHTTPResponse:
        """Send a request; return the answer with its body still to be read.

        Args:
            body: the bytes, or pieces of them that are sent one after the other without being joined.
            silence_s: how long the server may say nothing.
            check: called before each `_CHECKED_BYTES` at the latest; what it raises breaks the request off, for a large
                one may take minutes.

        Raises:
            Unavailable: the server cannot be reached, or says that it cannot do it now.
            StrongroomError: the server's answer is a problem; the family says which sort.
        """
        size = len(body) if isinstance(body, bytes) else sum(map(len, body))
        headers = {HEADER: str(VERSION), "Content-Type": "application/msgpack", "Content-Length": str(size)}
        if access_token:
            headers["Authorization"] = f"Bearer {access_token}"
        if self._is_closed:
            raise Closed("The agent is stopping.")
        with _translated(Unavailable):
            response = self._pool.request(
                "POST",
                self._url + endpoint,
                body=body if check is None else _checked(body, check),  # type: ignore[arg-type] # a view is bytes enough
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_S, read=silence_s),
                preload_content=False,
                redirect=False,
            )
            if response.status == _OK:
                self._answers.add(response)
                return response
            problem = _read(response, _PROBLEM_BYTES)
        raise _error(response.status, problem)

    def close(self) -> None:
        """Close all connections; answers that are being read end at once."""
        self._is_closed = True
        for response in list(self._answers):
            interrupt(response)
        self._pool.clear()


def interrupt(response: BaseHTTPResponse) -> None:
    """End an answer that another thread is reading."""
    # Raised when it has come to its end meanwhile: that is what was wanted.
    with suppress(ValueError, RuntimeError, OSError):
        response.shutdown()


def read_reply(response: BaseHTTPResponse, shape: type[Reply]) -> Reply:
    """Return a reply's message.

    Raises:
        Unavailable: the connection broke.
        Damaged: it is not the message that it should be.
    """
    with _translated(Unavailable):
        body = _read(response, _REPLY_BYTES)
    try:
        return msgspec.msgpack.decode(body, type=shape)
    except msgspec.DecodeError as error:
        raise Damaged(f"The server's reply is no {shape.__name__}: {error}.", code="bad_reply") from error


def read_frames(response: BaseHTTPResponse, speed: LinkSpeed | None = None) -> Iterator[bytes]:
    """Yield the frames of a stream as they arrive.

    Args:
        speed: learns how fast they come.

    Raises:
        StreamBroken: it did not come to its end.
        Damaged: it is not a stream of frames.
    """
    is_whole = False
    try:
        with _translated(StreamBroken):
            # As it is on the wire: to look for compression that never is there costs a copy of each body.
            read = partial(response.read, decode_content=False)
            yield from frames.read_frames(read if speed is None else speed.timed(read))
        is_whole = True
    except Mistake as error:
        raise Damaged(error.text, code=error.code) from error
    finally:
        # What is left of a stream that nobody reads to its end goes with its connection.
        if is_whole:
            response.release_conn()
        else:
            response.close()


def _checked(pieces: bytes | Sequence[bytes], check: Callable[[], None]) -> Iterator[memoryview]:
    """Yield pieces, large ones bit by bit, as long as the check lets them pass."""
    for piece in [pieces] if isinstance(pieces, bytes) else pieces:
        view = memoryview(piece)
        for at in range(0, len(view), _CHECKED_BYTES):
            check()
            yield view[at : at + _CHECKED_BYTES]


def _read(response: BaseHTTPResponse, limit: int) -> bytes:
    """Return a body of limited size, and give the connection back."""
    body = response.read(limit + 1)
    if len(body) > limit:
        response.close()
        raise Damaged(f"The server's reply is larger than {limit} bytes.", code="bad_reply")
    response.release_conn()
    return body


def _error(status: int, body: bytes) -> StrongroomError:
    """Return the error that an answer other than success stands for."""
    try:
        problem = msgspec.msgpack.decode(body, type=Problem)
    except msgspec.DecodeError:  # it comes from something in between, a proxy perhaps
        problem = Problem(code=f"http_{status}", text=f"The server answered with status {status}.")
    default = Unavailable if status in _TRY_AGAIN else Mistake if status < 500 else Damaged  # noqa: PLR2004 -- HTTP
    error = _FAMILIES.get(status, default)(problem.text, code=problem.code, hint=problem.hint)
    error.retryable = problem.retryable or status in _TRY_AGAIN
    return error


@contextmanager
def _translated(family: type[Unavailable]) -> Iterator[None]:
    """Turn what the HTTP and TLS libraries raise into our own."""
    try:
        yield
    except (HTTPError, OSError) as error:
        cause = error.__cause__ or error
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise Unavailable(
                f"The server's certificate is not trusted: {error}.",
                code="server_not_trusted",
                hint="Is this the server that the agent was activated with?",
            ) from error
        raise family(f"The connection to the server failed: {cause}.") from error
