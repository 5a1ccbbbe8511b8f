"""The REST API's client: who we talk to, with what token, trusting which authority.

Why: every command needs the same three answers, found in the same order:
1. `STRONGROOM_TOKEN` with `STRONGROOM_SERVER`; the token carries the fingerprint of the server's authority.
2. `STRONGROOM_DATA`: the data folder of a server on this machine, whose local administrator we are if we can read it.
3. What `strongroom login` saved.
4. The default data folder, if it can be read.
Promises: TLS only, verified against the server's own authority and nothing else.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from strongroom import errors
from strongroom.cli.connection import Connection
from strongroom.protocol import tokens, trust
from strongroom.settings import environment, user_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_DATA = Path("/var/lib/strongroom")
FIRST_ERROR = 400
FIRST_SERVER_ERROR = 500
PAGE = 1000
_HARMLESS = frozenset({"GET", "DELETE"})


@dataclass(frozen=True)
class Access:
    """Where the server is, our token for it, and the authority (PEM) that vouches for it."""

    url: str
    token: str
    authority_pem: str


@dataclass(frozen=True)
class _Address:
    """Where a running server says that it listens: `server.json` in its data folder."""

    url: str


def credentials_file() -> Path:
    """Return the file in which `login` saves an `Access`."""
    return user_folder("config") / "credentials.json"


def data_folder() -> Path:
    """Return the server's data folder on this machine: `STRONGROOM_DATA` or the default."""
    return Path(environment("DATA", str(DEFAULT_DATA)))


def find_access() -> Access:
    """Return the access to use, found as the module's docstring says.

    Raises:
        Mistake: nothing was found; the hint says what to do.
    """
    token, url = environment("TOKEN"), environment("SERVER")
    if token:
        if not url:
            raise errors.Mistake(
                "STRONGROOM_TOKEN is set, but STRONGROOM_SERVER is not.",
                code="no_server",
                hint="Set STRONGROOM_SERVER to the server's address, such as https://backup.example.org:8440.",
            )
        require_address(url)
        fingerprint = tokens.parse_api_token(token).fingerprint
        return Access(url, token, trust.fetch_authority(url, fingerprint))
    if environment("DATA"):
        return local_access(data_folder())
    saved = _saved_access()
    if saved is not None:
        return Access(url or saved.url, saved.token, saved.authority_pem)
    if (DEFAULT_DATA / "local-admin.token").is_file():
        return local_access(DEFAULT_DATA)
    raise errors.Mistake(
        "No server is known.",
        code="no_server",
        hint="Use `strongroom login URL`, or set STRONGROOM_DATA on the server's own machine.",
    )


def require_address(url: str) -> None:
    """Refuse what is not the address of a server.

    Raises:
        Mistake: it is none.
    """
    if not url.startswith("https://"):
        raise _no_address(url)


def _no_address(url: str) -> errors.Mistake:
    """Say that something is not the address of a server."""
    return errors.Mistake(
        f"{url} is not a server's address.", code="bad_address", hint="It is like https://backup.example.org:8440."
    )


def local_access(data: Path) -> Access:
    """Return the local administrator's access to the server whose data folder is `data`.

    Raises:
        Mistake: the folder is none of a server, or may not be read by this user.
        Unavailable: the server is not running.
    """
    try:
        token = (data / "local-admin.token").read_text("utf-8").strip()
        authority = (data / "ca.pem").read_text("utf-8")
    except PermissionError as error:
        raise errors.Mistake(
            f"{data} may not be read by this user.",
            code="no_permission",
            hint="Run the command as the server's own user, or use `strongroom login URL`.",
        ) from error
    except OSError as error:
        raise errors.Mistake(
            f"{data} is not the data folder of a server.",
            code="no_data_folder",
            hint=f"Make one with `strongroom server init --data {data}`.",
        ) from error
    url = environment("SERVER")
    if not url:
        try:
            url = msgspec.json.decode((data / "server.json").read_bytes(), type=_Address).url
        except (OSError, msgspec.DecodeError) as error:
            raise errors.Unavailable(
                f"The server of {data} is not running.",
                code="server_away",
                hint=f"Start it with `strongroom server run --data {data}`.",
            ) from error
    return Access(url, token, authority)


def _saved_access() -> Access | None:
    """Return what `login` saved, or None."""
    try:
        raw = credentials_file().read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise errors.Mistake(f"{credentials_file()} cannot be read: {error.strerror}.") from error
    try:
        return msgspec.json.decode(raw, type=Access)
    except msgspec.DecodeError as error:
        raise errors.Mistake(
            f"{credentials_file()} is not what `login` wrote.", hint="Log in again: `strongroom login URL`."
        ) from error


class Client:
    """A connection to the REST API. Every method raises the error that the server's reply names."""

    def __init__(self, access: Access) -> None:
        """Prepare; nothing is sent before the first call.

        Raises:
            Mistake: the address, the token or the authority cannot be.
        """
        require_address(access.url)
        if access.token:
            tokens.parse_api_token(access.token)
        self.url = access.url.rstrip("/")
        self._token = access.token.strip()
        try:
            self._connection = Connection(self.url, _context(access.authority_pem))
        except ValueError as error:
            raise _no_address(access.url) from error

    def fetch(self, *path: str | int, **query: str | float | None) -> Any:  # noqa: ANN401  (JSON)
        """GET the JSON at the path whose parts are given."""
        return self._call("GET", path, query=query)

    def send(self, *path: str | int, body: dict[str, Any] | None = None, key: str = "") -> Any:  # noqa: ANN401  (JSON)
        """POST `body` as JSON; `key` makes a repeat harmless, so a call that has one is repeated when need be."""
        return self._call("POST", path, body=body or {}, key=key)

    def delete(self, *path: str | int) -> Any:  # noqa: ANN401  (JSON)
        """DELETE the thing at the path."""
        return self._call("DELETE", path)

    def fetch_each(self, *path: str | int, **query: str | int | None) -> Iterator[dict[str, Any]]:
        """GET a list page by page and yield its items."""
        cursor: str | None = None
        while True:
            page = self.fetch(*path, **{"limit": PAGE, **query}, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if not cursor:
                return

    def fetch_all(self, *path: str | int, **query: str | int | None) -> list[dict[str, Any]]:
        """GET a list page by page and return all its items."""
        return list(self.fetch_each(*path, **query))

    def _call(
        self,
        method: str,
        path: tuple[str | int, ...],
        *,
        query: dict[str, str | float | None] | None = None,
        body: dict[str, Any] | None = None,
        key: str = "",
    ) -> Any:  # noqa: ANN401  (JSON)
        """Send one request and return its JSON."""
        wanted = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if key:
            headers["Idempotency-Key"] = key
        try:
            place = "/api/v1/" + "/".join(quote(str(part), safe="") for part in path)
            place += "?" + urlencode(wanted) if wanted else ""
            sent = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise errors.Mistake(
                "An argument is not valid UTF-8.", code="not_utf8", hint=r"In paths, write such a byte as \xNN."
            ) from error
        if body is not None:
            headers["Content-Type"] = "application/json"
        repeats = bool(key) or method in _HARMLESS
        try:
            status, reply = self._connection.ask(method, place, body=sent, headers=headers, repeats=repeats)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise _unreachable(self.url, error) from error
        return _value(status, reply)


def _context(authority_pem: str) -> ssl.SSLContext:
    """Return what trusts this authority and nothing else.

    Raises:
        Mistake: it is not a PEM certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=authority_pem)
    except (ssl.SSLError, ValueError) as error:
        raise errors.Mistake("The server's certificate authority is not a PEM certificate.") from error
    return context


def _unreachable(url: str, error: Exception) -> errors.StrongroomError:
    """Return the error for a server that could not be talked to."""
    cause = trust.cause_of(error)
    if "CERTIFICATE_VERIFY_FAILED" in cause:
        return errors.Refused(
            f"{url} is not the server that is trusted here: {cause}.",
            code="wrong_authority",
            hint="If the server was set up anew, log in again: strongroom login URL",
        )
    return errors.Unavailable(
        f"The server at {url} does not answer: {cause}.",
        code="server_away",
        hint="Is it running, and is the address right?",
    )


_FAMILIES: dict[int, type[errors.StrongroomError]] = {
    401: errors.Unauthenticated,
    403: errors.Refused,
    404: errors.NotFound,
    409: errors.Conflict,
    429: errors.Refused,
    503: errors.Unavailable,
}


def _value(status: int, body: bytes) -> Any:  # noqa: ANN401  (JSON)
    """Return the JSON of a reply, or raise the error that its problem document tells of."""
    try:
        value = json.loads(body) if body else None
    except ValueError:
        value = None
        status = max(status, FIRST_SERVER_ERROR)
    if status < FIRST_ERROR:
        return value
    family = _FAMILIES.get(status) or (errors.Mistake if status < FIRST_SERVER_ERROR else errors.StrongroomError)
    if not isinstance(value, dict) or not {"detail", "code"} <= value.keys():
        raise family(
            f"What answers there is not a Strongroom server, or a newer one (status {status}).", code="bad_reply"
        )
    raise family(str(value["detail"]), code=str(value["code"]), hint=str(value.get("hint", "")))
