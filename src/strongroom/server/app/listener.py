"""The listener: one address, TLS, and the HTTP server behind it (granian, embedded; ADR 0011).

Promises: a port that is taken is a clear error before anything else happens; only TLS 1.2 and later, only HTTP/1.1;
connections that say nothing are closed; a stop takes a few seconds at most.
Does not: know what is served.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server

from strongroom.errors import Damaged, Mistake, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Application = Callable[..., Awaitable[None]]

BACKLOG: Final = 1024
MAX_CONNECTIONS: Final = 4096
HEADERS_MS: Final = 30_000
STOP_S: Final = 3
_MAX_PORT: Final = 65_535
_SPARE_FILES: Final = 512


@dataclass(frozen=True)
class Place:
    """Where to listen: a host name or address, and a port (0: any free one)."""

    host: str
    port: int


def parse_place(text: str) -> Place:
    """Return the place that `HOST:PORT` names; an IPv6 address stands in brackets.

    Raises:
        Mistake: the text is something else.
    """
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not host or not port.isdecimal() or int(port) > _MAX_PORT or (":" in host) != bracketed:
        raise Mistake(
            f"{text!r} is not an address to listen on.",
            code="bad_address",
            hint="Write HOST:PORT, for example 0.0.0.0:8443 or [::]:8443.",
        )
    return Place(host, int(port))


def bind(place: Place) -> socket.socket:
    """Return a socket that listens at `place`.

    Raises:
        Unavailable: something else listens there.
        Mistake: the address is not one of this machine's.
    """
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        listening = socket.create_server((place.host, place.port), family=family, backlog=BACKLOG, dualstack_ipv6=False)
    except PermissionError as error:
        raise Mistake(
            f"Port {place.port} may not be used by this user.", code="port_forbidden", hint="Choose one above 1023."
        ) from error
    except OSError as error:
        raise _cannot_listen(place, error) from error
    listening.setblocking(False)
    return listening


async def serve(
    listening: socket.socket,
    app: Application,
    *,
    certificate: Path,
    key: Path,
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Serve until `stop` is set; then let what is under way end, and after `STOP_S` break it off.

    Args:
        ready: called once, when requests are answered.

    Raises:
        Damaged: certificate and key cannot be used.
        Unavailable: the HTTP server ended by itself.
    """
    _allow_many_files()
    at_work: set[asyncio.Task[None]] = set()
    try:
        server = _Server(listening, _counted(app, at_work), certificate, key)
    except OSError as error:  # the errors of TLS are among them
        raise Damaged(f"The certificate {certificate} cannot be used: {error}.", code="bad_certificate") from error
    server.on_startup(ready)
    serving = asyncio.ensure_future(server.serve())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        ended_by_itself = serving.done()
        server.stop()  # type: ignore[no-untyped-call]  # granian is typed in part
        await asyncio.wait((serving,), timeout=STOP_S)
        for task in at_work:
            task.cancel()
        await asyncio.wait((serving,), timeout=STOP_S)
    finally:
        stopping.cancel()
    if ended_by_itself:
        raise Unavailable("The HTTP server ended unexpectedly.", code="listener_ended")


def _counted(app: Application, at_work: set[asyncio.Task[None]]) -> Application:
    """Return the application, keeping in `at_work` the tasks that are answering."""

    async def answer(scope: object, receive: object, send: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        at_work.add(task)
        try:
            await app(scope, receive, send)
        finally:
            at_work.discard(task)

    return answer


class _Server(Server):
    """Granian's embedded server on a socket that is bound already."""

    def __init__(self, listening: socket.socket, app: Application, cert: Path, key: Path) -> None:
        """Set what we want of it."""
        host, port = listening.getsockname()[:2]
        super().__init__(
            app,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            backlog=BACKLOG,
            backpressure=MAX_CONNECTIONS,  # counts connections, and streams of orders are such
            http1_settings=HTTP1Settings(header_read_timeout=HEADERS_MS),
            ssl_cert=cert,
            ssl_key=key,
            ssl_protocol_min=SSLProtocols.tls12,
            log_enabled=False,
        )
        self.workers_kill_timeout = 3 * STOP_S  # the last resort; the embedded server's constructor does not take it
        self._listening = listening
        logging.getLogger("_granian").propagate = False

    def _init_shared_socket(self) -> None:
        """Hand over the bound socket; the server owns it from here on."""
        self._ssp: Any = None
        holder: Any = SocketHolder  # its stub does not know how it is made
        self._shd: Any = holder(self._listening.detach(), False, BACKLOG)


def _cannot_listen(place: Place, error: OSError) -> Mistake | Unavailable:
    """Say why an address cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return Unavailable(
            f"Something else already listens on {place.host} port {place.port}.",
            code="port_in_use",
            hint="Stop it, or choose another port with --listen.",
        )
    return Mistake(
        f"Cannot listen on {place.host} port {place.port}: {error.strerror or error}.",
        code="bad_address",
        hint="Name one of this machine's own addresses, or 0.0.0.0 for all of them.",
    )


def _allow_many_files() -> None:
    """Raise the limit of open files as far as this user may: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _SPARE_FILES
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
