"""The text of tokens: what a person copies from the server to a host or to another machine.

Why: whoever holds a token must find the right server and know it by its certificate authority, without a manual step.
`sra_…` registers hosts and carries address, fingerprint and secret; `srt_…` is for the API and carries fingerprint and
secret. The holder fetches `/ca.pem` unverified, compares the SHA-256 of its DER form with the fingerprint, and pins it.
Promises: `parse_*` accepts exactly what `render_*` makes; anything else is a `Mistake`.
Does not: know which tokens are valid; the server keeps hashes of the secrets (`secret_hash`).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TypeVar

import msgspec

from strongroom.errors import Mistake

ACTIVATION_PREFIX = "sra_"
API_PREFIX = "srt_"
FINGERPRINT_BYTES = 32


class ActivationToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an activation token says: server's URL, fingerprint of its authority, and the secret (`Activate.secret`)."""

    url: str = msgspec.field(name="u")
    fingerprint: bytes = msgspec.field(name="f")
    secret: str = msgspec.field(name="s")


class ApiToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an API token says: fingerprint of the server's authority, and the secret."""

    fingerprint: bytes = msgspec.field(name="f")
    secret: str = msgspec.field(name="s")


Token = TypeVar("Token", ActivationToken, ApiToken)


def new_secret() -> str:
    """Return a fresh secret: 32 random bytes as text."""
    return secrets.token_urlsafe(32)


def secret_hash(secret: str) -> bytes:
    """Return what the server keeps of a secret. It is random and long, so one plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


def render_activation_token(token: ActivationToken) -> str:
    """Return the token as one word."""
    return ACTIVATION_PREFIX + _render(token)


def parse_activation_token(text: str) -> ActivationToken:
    """Return what an activation token says.

    Raises:
        Mistake: it is none, or it was cut short.
    """
    return _parse(text, ACTIVATION_PREFIX, ActivationToken)


def render_api_token(token: ApiToken) -> str:
    """Return the token as one word."""
    return API_PREFIX + _render(token)


def parse_api_token(text: str) -> ApiToken:
    """Return what an API token says.

    Raises:
        Mistake: it is none, or it was cut short.
    """
    return _parse(text, API_PREFIX, ApiToken)


def _render(token: ActivationToken | ApiToken) -> str:
    """Return the fields as base64url without padding."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).rstrip(b"=").decode()


def _parse(text: str, prefix: str, shape: type[Token]) -> Token:
    """Take the fields out of the text again."""
    bad = Mistake(
        f"This is not a token that begins with {prefix}, or a part of it is missing.",
        code="bad_token",
        hint="Copy the whole token; it is one word.",
    )
    text = text.strip()
    if not text.startswith(prefix):
        raise bad
    body = text[len(prefix) :]
    try:
        packed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        token = msgspec.msgpack.decode(packed, type=shape)
    except (ValueError, msgspec.DecodeError) as error:
        raise bad from error
    if len(token.fingerprint) != FINGERPRINT_BYTES or not token.secret:
        raise bad
    return token
