"""A real server inside the test's process: real TLS, real catalog, real vault, and its verbs within reach.

A process holds one open data folder at a time, so a test holds one live server at a time.
"""

import asyncio
import contextlib
import threading

from django.db import connections

from strongroom import clock
from strongroom.server.app import program
from strongroom.server.app.listener import Place
from strongroom.server.config import DataFolder
from strongroom.server.setup.init import init_server
from strongroom.server.users.audit import Actor

PASSWORD = "correct horse battery staple"
ADMIN = Actor("admin")


class LiveServer:
    """A server that answers; `folder` may be used again by a later one."""

    def __init__(self, folder):
        self.folder = folder
        self.url = ""
        self._loop = None
        self._stop = None
        self._answers = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._live, name="live server")

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def start(self):
        self._thread.start()
        assert self._answers.wait(30)
        if self._failure:
            raise self._failure

    def stop(self):
        if self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _live(self):
        try:
            with program.open_server(self.folder, Place("127.0.0.1", 0)) as opened:
                asyncio.run(self._serve(opened))
        except Exception as failure:  # noqa: BLE001 - whatever it is, the test shall see it
            self._failure = failure
        finally:
            self._answers.set()

    async def _serve(self, opened):
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        await program.serve(opened, stop=self._stop, ready=self._ready)

    def _ready(self, url):
        self.url = url
        self._answers.set()


@contextlib.contextmanager
def live_server(path):
    """Run a server on the data folder at `path`, made when it is not there."""
    folder = DataFolder(path)
    if not path.exists():
        init_server(folder, now=clock.now(), password=PASSWORD)
    server = LiveServer(folder)
    server.start()
    try:
        yield server
    finally:
        connections.close_all()
        server.stop()
