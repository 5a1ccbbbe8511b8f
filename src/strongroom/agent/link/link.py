"""The agent's verbs, each as a method. A method makes one attempt, unless it is given patience."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom import clock
from strongroom.agent.link.link_speed import LinkSpeed
from strongroom.agent.link.transport import Reply, Transport, interrupt, read_frames, read_reply
from strongroom.errors import Unauthenticated
from strongroom.protocol.endpoints import Endpoint
from strongroom.protocol.messages import (
    Activate,
    Activated,
    Authenticate,
    Authenticated,
    Hello,
    Message,
    OpenSession,
    Report,
    ReportReply,
    SessionOpened,
    assertion_bytes,
)

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from strongroom.agent.identity import Identity
    from strongroom.agent.link.patience import Patience

ORDERS_SILENCE_S: Final = 20
_SILENCE_S: Final = 60
_REPORT_SILENCE_S: Final = 15
_NONCE_BYTES: Final = 24
_RENEW_AT: Final = 0.75
_encode: Final = msgspec.msgpack.Encoder().encode


def activate(transport: Transport, message: Activate) -> Activated:
    """Register this host with the server."""
    body = _encode(message)
    return read_reply(transport.post(Endpoint.ACTIVATE, body, silence_s=_SILENCE_S), Activated)


class Link:
    """A host's authenticated access to its server; safe to use from several threads."""

    def __init__(self, identity: Identity) -> None:
        """Speak for an activated host.

        Raises:
            Mistake: the identity's authority cannot be read.
        """
        self.speed = LinkSpeed()
        self._identity = identity
        self._transport = Transport(identity.server_url, identity.authority)
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    def orders(self, hello: Hello) -> OrderStream:
        """Open the stream of orders."""
        return OrderStream(self.post(Endpoint.ORDERS, _encode(hello), silence_s=ORDERS_SILENCE_S))

    def report(self, report: Report) -> ReportReply:
        """Say how things stand."""
        return self.call(Endpoint.REPORT, report, ReportReply, silence_s=_REPORT_SILENCE_S)

    def open_session(self, job_id: int, patience: Patience) -> SessionOpened:
        """Begin to send for a job."""
        return patience.insist(lambda: self.call(Endpoint.OPEN_SESSION, OpenSession(job_id), SessionOpened))

    def call(self, endpoint: Endpoint, message: Message, shape: type[Reply], *, silence_s: float = _SILENCE_S) -> Reply:
        """Send a message and return the reply."""
        return read_reply(self.post(endpoint, _encode(message), silence_s=silence_s), shape)

    def stream(self, endpoint: Endpoint, message: Message) -> Iterator[bytes]:
        """Send a message and yield the frames of the stream that answers it."""
        return read_frames(self.post(endpoint, _encode(message), silence_s=_SILENCE_S), self.speed)

    def post(
        self,
        endpoint: Endpoint,
        body: bytes | Sequence[bytes],
        *,
        silence_s: float,
        check: Callable[[], None] | None = None,
    ) -> BaseHTTPResponse:
        """Send a body with an access token; a token that the server does not accept is renewed once.

        Raises:
            StrongroomError: see `Transport.post`.
        """
        token = self._access_token()
        try:
            return self._transport.post(endpoint, body, access_token=token, silence_s=silence_s, check=check)
        except Unauthenticated:
            token = self._access_token(instead_of=token)
            return self._transport.post(endpoint, body, access_token=token, silence_s=silence_s, check=check)

    def close(self) -> None:
        """Close all connections; nothing is sent any more."""
        self._transport.close()

    def _access_token(self, *, instead_of: str = "") -> str:
        """Return a token that is good for a while; one thread renews it for all."""
        with self._lock:
            if not self._token or self._token == instead_of or clock.monotonic_s() >= self._renew_at:
                asked_at = clock.monotonic_s()
                answer = self._authenticate()
                self._token = answer.token
                self._renew_at = asked_at + answer.expires_s * _RENEW_AT
            return self._token

    def _authenticate(self) -> Authenticated:
        """Prove who we are."""
        host_id, issued_at_s, nonce = self._identity.host_id, clock.now_ns() // 10**9, secrets.token_bytes(_NONCE_BYTES)
        signature = self._identity.key.sign(assertion_bytes(host_id, issued_at_s, nonce))
        body = _encode(Authenticate(host_id, issued_at_s, nonce, signature))
        response = self._transport.post(Endpoint.AUTHENTICATE, body, silence_s=_REPORT_SILENCE_S)
        return read_reply(response, Authenticated)


class OrderStream:
    """The open stream of orders; yields their encoded bodies."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        """Listen to an answer."""
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Yield each order as it comes, and each heartbeat.

        Raises:
            StreamBroken: the connection broke, or the server was silent for too long.
        """
        return read_frames(self._response)

    def stop(self) -> None:
        """End the stream from another thread, at once."""
        interrupt(self._response)
