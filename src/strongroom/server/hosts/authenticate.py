"""How an agent proves which host it is: a signed assertion for a short-lived access token, a token for each request.

Promises: an assertion is accepted within `ASSERTION_S` seconds around its time, and once, also across a restart.
The host is looked up at every request, so a revocation works at the next one. Requests that move data come by the
hundred: for them that look-up is one plain question (30 us; making an object of a row costs 20 times as much).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import IntegrityError, connection, transaction

from strongroom import clock
from strongroom.errors import Refused, Unauthenticated
from strongroom.protocol.messages import Authenticate, Authenticated, assertion_bytes
from strongroom.server.catalog import models
from strongroom.server.hosts import presence
from strongroom.server.premises import premises, seal

if TYPE_CHECKING:
    from collections.abc import Iterator

ASSERTION_S: Final = 120
_NONCE_BYTES: Final = range(16, 65)
ASKED_EVERY_S: Final = 1.0
Frame = TypeVar("Frame")
_PURPOSE: Final = "access token"
_REVOKED: Final = "SELECT name, revoked IS NOT NULL FROM host WHERE id = %s"


@dataclass(frozen=True)
class Caller:
    """The host that makes a request, by the access token that came with it: its id, and nothing read but that."""

    id: str


class _Access(msgspec.Struct, frozen=True, array_like=True):
    """What an access token says: whose it is, and until when (seconds since 1970)."""

    host_id: str
    expires_s: int


def authenticate(*, message: Authenticate, now: datetime) -> Authenticated:
    """Return an access token for the host that signed the assertion.

    Raises:
        Unauthenticated: the assertion does not hold.
        Refused: the host was revoked.
    """
    issued = _time(message.issued_at_s)
    if abs(now - issued) > timedelta(seconds=ASSERTION_S):
        raise Unauthenticated(
            "The assertion's time is too far from the server's.",
            code="clock_differs",
            hint="Set the clocks of host and server.",
        )
    if len(message.nonce) not in _NONCE_BYTES:
        raise Unauthenticated("The assertion's nonce has a wrong length.", code="bad_assertion")
    host = models.Host.objects.filter(id=message.host_id).first()
    if host is None:
        raise Unauthenticated("The host is not known here.", code="host_unknown", hint="Activate the agent again.")
    _require_signature(host, message)
    _require_not_revoked(host)
    _use_nonce(host, message.nonce, issued, now)
    lifetime_s = premises().config.access_token_s
    access = _Access(host_id=host.id, expires_s=int(now.timestamp()) + lifetime_s)
    return Authenticated(token=seal.sign(_PURPOSE, msgspec.msgpack.encode(access)), expires_s=lifetime_s)


def require_agent(*, access_token: str, now: datetime) -> models.Host:
    """Return the host that an access token was made for, and note that it was heard from.

    Raises:
        Unauthenticated: the token is not ours, or has run out.
        Refused: the host was revoked.
    """
    host = models.Host.objects.filter(id=_named_in(access_token, now)).first()
    if host is None:
        raise _unknown()
    _require_not_revoked(host)
    presence.heard_from(host.id)
    return host


def require_caller(*, access_token: str, now: datetime) -> Caller:
    """Return who an access token was made for, and note that it was heard from: `require_agent` for what is frequent.

    Raises:
        Unauthenticated: the token is not ours, or has run out.
        Refused: the host was revoked.
    """
    host_id = _named_in(access_token, now)
    _require_welcome(host_id)
    presence.heard_from(host_id)
    return Caller(host_id)


def while_welcome(host_id: str, frames: Iterator[Frame], *, every_s: float = ASKED_EVERY_S) -> Iterator[Frame]:
    """Pass on a stream's frames, for as long as its host is not revoked: a long one must not outlive that.

    Args:
        every_s: how often the catalog is asked.

    Raises:
        Refused: the host was revoked meanwhile.
    """
    ask_again_s = clock.monotonic_s() + every_s
    for frame in frames:
        if clock.monotonic_s() >= ask_again_s:
            _require_welcome(host_id)
            ask_again_s = clock.monotonic_s() + every_s
        yield frame


def _require_welcome(host_id: str) -> None:
    """Refuse a host that is not known or was shut out, by one plain question."""
    with connection.cursor() as cursor:
        cursor.execute(_REVOKED, [host_id])
        found = cursor.fetchone()
    if found is None:
        raise _unknown()
    name, revoked = found
    if revoked:
        raise _revoked(name)


def _named_in(access_token: str, now: datetime) -> str:
    """Return the id of the host that an access token names."""
    access = _decoder.decode(seal.require_signed(_PURPOSE, access_token))
    if access.expires_s <= now.timestamp():
        raise Unauthenticated("The access token has expired.", code="token_expired")
    return access.host_id


def _unknown() -> Unauthenticated:
    """Return the error for a token whose host is not here any more."""
    return Unauthenticated("The host is not known here.", code="host_unknown")


def _revoked(name: str) -> Refused:
    """Return the error for a host that was shut out."""
    return Refused(f"The access of host {name} was revoked.", code="host_revoked")


def _time(seconds: int) -> datetime:
    """Return a moment; one that no calendar holds is as wrong as one long past."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _require_signature(host: models.Host, message: Authenticate) -> None:
    """Refuse an assertion that the host's key did not sign."""
    signed = assertion_bytes(message.host_id, message.issued_at_s, message.nonce)
    try:
        Ed25519PublicKey.from_public_bytes(bytes(host.public_key)).verify(message.signature, signed)
    except InvalidSignature as error:
        raise Unauthenticated("The assertion's signature is wrong.", code="bad_assertion") from error


def _require_not_revoked(host: models.Host) -> None:
    """Refuse a host that was shut out."""
    if host.revoked is not None:
        raise _revoked(host.name)


def _use_nonce(host: models.Host, nonce: bytes, issued: datetime, now: datetime) -> None:
    """Accept the nonce of this host once; forget those too old to be accepted again."""
    try:
        with transaction.atomic():
            models.UsedNonce.objects.filter(expires__lt=now).delete()
            expires = issued + timedelta(seconds=ASSERTION_S + 1)
            models.UsedNonce.objects.create(host=host, nonce=nonce, expires=expires)
    except IntegrityError as error:
        raise Unauthenticated("The assertion was used before.", code="assertion_used") from error


_decoder: Final = msgspec.msgpack.Decoder(_Access)
