"""Trust at first contact: fetching the server's certificate authority by its fingerprint.

Why: agent and command line must meet the right server without a manual step. Whoever holds a token holds the SHA-256 of
the server's certificate authority (`tokens.py`), fetches its certificate unverified from `/ca.pem`, compares, and from
then on trusts that authority and no other.
Promises: a certificate whose fingerprint differs is refused before anything secret is sent.
"""

from __future__ import annotations

import hashlib
import ssl
import warnings

from strongroom.errors import Mistake, Refused, Unavailable

HTTP_OK = 200
MAX_AUTHORITY_BYTES = 64 << 10


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
    import urllib3  # noqa: PLC0415 -- slow, and most commands know their server's authority

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    pool = urllib3.PoolManager(ssl_context=context, timeout=urllib3.Timeout(connect=10, read=10), retries=False)
    try:
        with warnings.catch_warnings():
            # The certificate is what we ask for, so it cannot be verified yet; the fingerprint does that below.
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            reply = pool.request("GET", url.rstrip("/") + "/ca.pem", preload_content=False)
        body = reply.read(MAX_AUTHORITY_BYTES)
        reply.release_conn()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(
            f"The server at {url} does not answer: {cause_of(error)}.",
            code="server_away",
            hint="Is it running, and is the address right?",
        ) from error
    finally:
        pool.clear()
    if reply.status != HTTP_OK:
        raise Unavailable(f"{url} answered {reply.status} instead of its certificate authority.", code="server_away")
    pem = body.decode("ascii", "replace")
    if fingerprint is not None and fingerprint_of(pem) != fingerprint:
        raise Refused(
            f"{url} is not the server that is expected: its certificate authority is another one.",
            code="wrong_authority",
            hint="Check the address; if the server was set up anew, tokens and logins of before do not fit it.",
        )
    return pem


def cause_of(error: Exception) -> str:
    """Return in a few words why a connection failed: the innermost of what the HTTP library has wrapped around it."""
    while isinstance(getattr(error, "reason", None), Exception):
        error = error.reason  # type: ignore[attr-defined]  # urllib3 keeps there what it wraps
    cause = error.args[-1] if error.args and isinstance(error.args[-1], Exception) else error
    return str(cause).rpartition("): ")[2].rstrip(".")
