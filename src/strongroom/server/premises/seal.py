"""Signed statements: what the server says today and recognises as its own tomorrow.

Access tokens of agents and grants of restores are such statements: the server need not remember them, and nobody
else can make or change one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from strongroom.errors import Unauthenticated
from strongroom.server.premises.opened import premises


def sign(purpose: str, statement: bytes) -> str:
    """Return the statement and its signature as one word."""
    return f"{_text(statement)}.{_text(_signature(purpose, statement))}"


def require_signed(purpose: str, text: str) -> bytes:
    """Return the statement in `text`.

    Raises:
        Unauthenticated: this server did not sign it for this purpose.
    """
    statement, dot, signature = text.partition(".")
    if not dot:
        raise _not_ours()
    said = _bytes(statement)
    if not hmac.compare_digest(_bytes(signature), _signature(purpose, said)):
        raise _not_ours()
    return said


def _signature(purpose: str, statement: bytes) -> bytes:
    """Return the HMAC of a statement under the purpose's own key."""
    return hmac.digest(premises().key_for(purpose), statement, hashlib.sha256)


def _text(data: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Return the bytes that `_text` wrote."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise _not_ours() from error


def _not_ours() -> Unauthenticated:
    """Return the error for a statement that is not ours."""
    return Unauthenticated("The token was not made by this server, or is incomplete.", code="bad_signature")
