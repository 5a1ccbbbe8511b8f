"""Trust at first contact: tokens that carry the fingerprint of the server's authority, and fetching it by that.

Why: agent and command line must meet the right server without a manual step. Whoever holds a token holds the SHA-256 of
the server's certificate authority, fetches the authority's certificate unverified from `/ca.pem`, compares, and from then
on trusts that authority and no other.
Promises: a certificate whose fingerprint differs is refused before anything secret is sent.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from typing import TypeVar

import msgspec
import urllib3

from strongroom.errors import Mistake, Refused, Unavailable

ACTIVATION_PREFIX = "sra_"
API_PREFIX = "srt_"
MAX_AUTHORITY_BYTES = 64 << 10

Token = TypeVar("Token", bound=msgspec.Struct)


class ActivationToken(msgspec.Struct, frozen=True):
    """What an activation token says: the server's address, its authority's fingerprint (32 bytes), and the secret."""

    url: str = msgspec.field(name="u")
    fingerprint: bytes = msgspec.field(name="f")
    secret: bytes = msgspec.field(name="s")


class ApiToken(msgspec.Struct, frozen=True):
    """What an API token says: the authority's fingerprint (32 bytes), and the secret."""

    fingerprint: bytes = msgspec.field(name="f")
    secret: bytes = msgspec.field(name="s")


def encode_activation_token(token: ActivationToken) -> str:
    """Return the token as the text that an administrator copies."""
    return ACTIVATION_PREFIX + _encode(token)


def decode_activation_token(text: str) -> ActivationToken:
    """Return what the token says.

    Raises:
        Mistake: it is not an activation token.
    """
    return _decode(text, ACTIVATION_PREFIX, ActivationToken, "an activation token")


def encode_api_token(token: ApiToken) -> str:
    """Return the token as text."""
    return API_PREFIX + _encode(token)


def decode_api_token(text: str) -> ApiToken:
    """Return what the token says.

    Raises:
        Mistake: it is not an API token.
    """
    return _decode(text, API_PREFIX, ApiToken, "an API token")


def hash_secret(secret: bytes) -> bytes:
    """Return what the server stores of a token's secret (it is random, so a plain hash is enough)."""
    return hashlib.sha256(secret).digest()


def fingerprint_of(authority_pem: str) -> bytes:
    """Return the SHA-256 of a PEM certificate's DER form.

    Raises:
        Mistake: it is not a PEM certificate.
    """
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority_pem.strip())).digest()
    except ValueError as error:
        raise Mistake("The server's certificate authority is not a PEM certificate.", code="bad_authority") from error


def fetch_authority(url: str, fingerprint: bytes | None) -> str:
    """Fetch the authority's certificate (PEM) from the server and compare its fingerprint.

    With `fingerprint` None nothing is compared: the caller must ask a person to.

    Raises:
        Unavailable: the server does not answer.
        Refused: the fingerprint differs: this is not the server that made the token.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    pool = urllib3.PoolManager(ssl_context=context, timeout=urllib3.Timeout(connect=10, read=10), retries=False)
    try:
        reply = pool.request("GET", url.rstrip("/") + "/ca.pem", preload_content=False)
        body = reply.read(MAX_AUTHORITY_BYTES)
        reply.release_conn()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(
            f"The server at {url} does not answer: {error}.", code="server_away", hint="Is it running, and is the address right?"
        ) from error
    finally:
        pool.clear()
    if reply.status != 200:
        raise Unavailable(f"{url} answered {reply.status} instead of its certificate authority.", code="server_away")
    pem = body.decode("ascii", "replace")
    if fingerprint is not None and fingerprint_of(pem) != fingerprint:
        raise Refused(
            f"{url} is not the server that made this token: its certificate authority is another one.",
            code="wrong_authority",
            hint="Check the address; if the server was set up anew, ask for a new token.",
        )
    return pem


def _encode(token: msgspec.Struct) -> str:
    """Return the token's fields as base64url text without padding."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).decode().rstrip("=")


def _decode(text: str, prefix: str, shape: type[Token], what: str) -> Token:
    """Return the fields behind `prefix`, or refuse."""
    body = text.strip()
    if body.startswith(prefix):
        body = body[len(prefix) :]
        try:
            return msgspec.msgpack.decode(base64.b64decode(body + "=" * (-len(body) % 4), b"-_"), type=shape)
        except (msgspec.DecodeError, binascii.Error, ValueError):
            pass
    raise Mistake(f"That is not {what}.", code="bad_token", hint=f"It begins with {prefix}; copy it whole.")
