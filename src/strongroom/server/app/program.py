"""The server as a program: open the data folder, serve, and stop cleanly.

Why: the order matters. One process a folder; the port before anything is changed; the certificate before anyone
connects; what a restart broke off is closed before the first agent can ask (W1).
Promises: whatever goes wrong before the server is ready is one clear error. A stop takes a few seconds: streams end,
what is under way gets a moment, the address file goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import connections
from django.urls import resolve

from strongroom import clock
from strongroom.memory import collect_seldom, keep_freed_memory
from strongroom.server.app import listener
from strongroom.server.app.address import names_of, told, url_of
from strongroom.server.app.doors import doors
from strongroom.server.app.only_one import only_server
from strongroom.server.app.people import People
from strongroom.server.app.workers import Workers
from strongroom.server.backup.abort import abort_after_server_start
from strongroom.server.config import DataFolder
from strongroom.server.gateway.door import Gateway
from strongroom.server.premises import close_premises, open_premises
from strongroom.server.schedule.duties import run_duties
from strongroom.server.schedule.lease import forget_leases
from strongroom.server.setup.authority import renew_server_certificate

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

FACT_THREADS: Final = 8
PEOPLE_THREADS: Final = 8
CONTENT_THREADS: Final = max(4, 2 * (os.cpu_count() or 1))
THREADS_STOP_S: Final = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenServer:
    """A data folder that is opened and a socket that listens; nobody is answered yet."""

    folder: DataFolder
    listening: socket.socket
    url: str


def run(data: Path, listen: str) -> None:
    """Serve the data folder at `listen` (HOST:PORT) until the process is told to stop.

    Raises:
        Mistake: no data folder, or an address that cannot be listened on.
        Conflict: another server runs on the folder.
        Unavailable: the port is taken.
    """
    keep_freed_memory()
    with open_server(DataFolder(data), listener.parse_place(listen)) as server:
        asyncio.run(_serve_until_told(server))


@contextlib.contextmanager
def open_server(folder: DataFolder, place: listener.Place) -> Iterator[OpenServer]:
    """Open the data folder and listen; on the way out close all of it.

    Raises:
        Mistake, Conflict, Unavailable: see `run`.
    """
    with only_server(folder), listener.bind(place) as listening:
        config = folder.config()
        renew_server_certificate(folder=folder, names=names_of(place, config), now=clock.now())
        open_premises(folder)
        try:
            resolve("/healthz")  # what is wrong with the people's paths shows now, not at their first request
            forget_leases()
            for job in abort_after_server_start(now=clock.now()):
                _log.info("Job %s was running when the server stopped; it is aborted", job.id)
            yield OpenServer(folder, listening, url_of(place, listening.getsockname()[1], config))
        finally:
            close_premises()
            connections.close_all()


async def serve(server: OpenServer, *, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    """Answer agents and people until `stop` is set.

    Args:
        ready: called with the server's address when it can be reached.
    """
    facts = Workers("facts", FACT_THREADS)
    content = Workers("content", CONTENT_THREADS)
    people = Workers("people", PEOPLE_THREADS)
    collect_seldom()
    app = doors(agents=Gateway(facts=facts, content=content, stop=stop), people=People(people))
    try:
        with told(server.folder, server.url), _duties():
            await listener.serve(
                server.listening,
                app,
                certificate=server.folder.server_certificate,
                key=server.folder.server_key,
                stop=stop,
                ready=lambda: ready(server.url),
            )
    finally:
        await asyncio.to_thread(_close, facts, content, people)


async def _serve_until_told(server: OpenServer) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(server, stop=stop, ready=_announce)


def _announce(url: str) -> None:
    """Tell the person who started the server where it is."""
    sys.stdout.write(f"Strongroom is ready: {url}/\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _duties() -> Iterator[None]:
    """Have the server's own duties done in a thread for as long as the context lasts."""
    stop = threading.Event()
    holder = f"{os.uname().nodename}:{os.getpid()}"
    thread = threading.Thread(target=run_duties, kwargs={"stop": stop, "holder": holder}, name="duties", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(THREADS_STOP_S)


def _close(*workers: Workers) -> None:
    """Let the threads end."""
    for pool in workers:
        pool.close(THREADS_STOP_S)
