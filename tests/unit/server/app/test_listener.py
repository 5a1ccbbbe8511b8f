"""What we rely on of the HTTP server, whose embedded form is called experimental (ADR 0011)."""

import asyncio
import contextlib
import socket
import ssl
import threading

import pytest
import urllib3

from strongroom import clock
from strongroom.errors import Damaged, Mistake, StrongroomError, Unavailable
from strongroom.server.app import listener
from strongroom.server.app.listener import Place, bind, parse_place
from strongroom.server.config import DataFolder
from strongroom.server.setup.authority import create_authority, renew_server_certificate


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:8440", Place("127.0.0.1", 8440)),
        ("backup.example:0", Place("backup.example", 0)),
        ("[::1]:8440", Place("::1", 8440)),
    ],
)
def test_a_place_is_a_host_and_a_port(text, place):
    assert parse_place(text) == place


@pytest.mark.parametrize(
    "text", ["", "8440", ":8440", "host", "host:", "host:x", "host:65536", "::1:8440", "[host]:1", "[]:1"]
)
def test_anything_else_is_a_mistake_that_shows_how_to_write_it(text):
    with pytest.raises(Mistake) as mistake:
        parse_place(text)
    assert "HOST:PORT" in mistake.value.hint


def test_a_port_that_is_taken_is_a_clear_error():
    with bind(Place("127.0.0.1", 0)) as taken, pytest.raises(Unavailable) as refused:
        bind(Place("127.0.0.1", taken.getsockname()[1]))
    assert refused.value.code == "port_in_use"


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_this_machines_is_a_mistake(host):
    with pytest.raises(StrongroomError) as mistake:
        bind(Place(host, 0))
    assert mistake.value.code == "bad_address"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = DataFolder(tmp_path_factory.mktemp("tls"))
    create_authority(made, now=clock.now())
    renew_server_certificate(made, names=["127.0.0.1"], now=clock.now())
    return made


class Serving:
    """An application served in a thread."""

    def __init__(self, folder, app):
        self._folder = folder
        self._app = app
        self._ready = threading.Event()
        self.failure = None

    def __enter__(self):
        listening = bind(Place("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)))
        self._thread.start()
        assert self._ready.wait(10)
        context = ssl.create_default_context(cafile=str(self._folder.authority_certificate))
        self.pool = urllib3.HTTPSConnectionPool("127.0.0.1", self.port, ssl_context=context, timeout=10)
        return self

    def __exit__(self, *exc):
        if self._thread.is_alive():
            self.stop()
        self.pool.close()

    def stop(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    async def _serve(self, listening):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        files = {"certificate": self._folder.server_certificate, "key": self._folder.server_key}
        await listener.serve(listening, self._app, **files, stop=self._stop, ready=self._ready.set)


async def answer(send, body, status=200):
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


def test_requests_are_answered_over_tls_and_tell_who_asks(folder):
    async def app(scope, receive, send):
        headers = dict(scope["headers"])
        assert scope["type"] == "http"
        await answer(send, f"{scope['method']} {scope['path']} {headers[b'x']} {scope['client'][0]}".encode())

    with Serving(folder, app) as serving:
        reply = serving.pool.request("PUT", "/a%20b?c=d", headers={"X": "Y"})
        assert reply.data == b"PUT /a b b'Y' 127.0.0.1"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_tls_is_refused(folder):
    async def app(scope, receive, send):
        await answer(send, b"")

    with Serving(folder, app) as serving:
        context = ssl.create_default_context(cafile=str(folder.authority_certificate))
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", serving.port)) as raw, pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_a_large_body_comes_in_pieces_and_a_peer_that_hangs_up_is_told_of(folder):
    seen, gone = [], threading.Event()

    async def app(scope, receive, send):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                gone.set()
                return
            seen.append(len(message["body"]))
            if not message["more_body"]:
                await answer(send, str(sum(seen)).encode())
                return

    with Serving(folder, app) as serving:
        assert serving.pool.request("POST", "/", body=bytes(5 << 20)).data == str(5 << 20).encode()
        assert max(seen) < 1 << 20
        context = ssl.create_default_context(cafile=str(folder.authority_certificate))
        with socket.create_connection(("127.0.0.1", serving.port)) as raw:
            tls = context.wrap_socket(raw, server_hostname="127.0.0.1")
            tls.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
            tls.close()
        assert gone.wait(10)


def test_a_stream_that_is_not_ended_is_seen_as_broken(folder):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})

    with Serving(folder, app) as serving, pytest.raises(urllib3.exceptions.ProtocolError):
        serving.pool.request("GET", "/", retries=False)


def test_a_slow_reader_holds_the_sender_back(folder):
    sent, stalled = [], threading.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while len(sent) < 1000:
                async with asyncio.timeout(1):
                    await send({"type": "http.response.body", "body": bytes(1 << 18), "more_body": True})
                sent.append(1)
        except TimeoutError:
            stalled.set()

    with Serving(folder, app) as serving:
        reply = serving.pool.request("GET", "/", preload_content=False, retries=False)
        assert stalled.wait(20)
        assert len(sent) < 1000
        reply.close()


def test_a_stop_waits_for_what_is_under_way_but_not_for_ever(folder, monkeypatch, caplog):
    monkeypatch.setattr(listener, "STOP_S", 1)
    begun, outcome = threading.Event(), []

    async def app(scope, receive, send):
        begun.set()
        await asyncio.sleep(0.2 if scope["path"] == "/short" else 3600)
        await answer(send, b"done")

    def ask(pool, path):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            outcome.append(pool.request("GET", path, retries=False).data)

    for path, ends in (("/short", True), ("/long", False)):
        begun.clear()
        outcome.clear()
        with Serving(folder, app) as serving:
            asking = threading.Thread(target=ask, args=(serving.pool, path))
            asking.start()
            assert begun.wait(10)
            serving.stop()
            asking.join(10)
            assert (outcome == [b"done"]) == ends
    assert caplog.records == []


def test_a_certificate_that_is_none_is_a_clear_error(tmp_path):
    (tmp_path / "c.pem").write_text("no certificate")
    (tmp_path / "k.pem").write_text("no key")

    async def begin():
        with bind(Place("127.0.0.1", 0)) as listening:
            files = {"certificate": tmp_path / "c.pem", "key": tmp_path / "k.pem"}
            await listener.serve(listening, None, **files, stop=asyncio.Event(), ready=lambda: None)

    with pytest.raises(Damaged):
        asyncio.run(begin())
