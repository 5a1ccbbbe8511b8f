"""A command's connection: what may be asked twice is asked again when the line breaks, and nothing else is."""

import contextlib
import http.client
import socket
import ssl
import threading

import pytest

from strongroom.cli.connection import Connection
from tests.unit.agent.tls_server import made_authority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"


class Server:
    """Gives the answers of a list, one for each request, hanging up after each; an empty one is none."""

    def __init__(self, folder, answers):
        self.authority, certificate, key = made_authority()
        (folder / "server.pem").write_text(certificate + key)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "server.pem")
        self._answers = list(answers)
        self.asked = []
        self.hung_up = threading.Semaphore(0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}/below"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        while self._answers:
            raw, _ = self._listening.accept()
            with contextlib.suppress(OSError), self._context.wrap_socket(raw, server_side=True) as line:
                self.asked.append(line.recv(65536).split(b"\r\n")[0].decode())
                line.sendall(self._answers.pop(0))
            self.hung_up.release()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._answers.clear()
        with contextlib.suppress(OSError):
            socket.create_connection(self._listening.getsockname(), timeout=1).close()
        self._thread.join(10)
        self._listening.close()

    def connection(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.authority)
        return Connection(self.url, context)


def ask(connection, *, repeats):
    return connection.ask("GET", "/jobs", body=None, headers={"X-Test": "1"}, repeats=repeats)


@pytest.mark.parametrize("trouble", [[b""], [SHORT], [b"nonsense\r\n\r\n"], [b"", SHORT], [BUSY]])
def test_what_may_be_repeated_is_asked_again(tmp_path, trouble):
    with Server(tmp_path, [*trouble, OK]) as server:
        assert ask(server.connection(), repeats=True) == (200, b"{}")
    assert server.asked == ["GET /below/jobs HTTP/1.1"] * (len(trouble) + 1)


@pytest.mark.parametrize("trouble", [b"", SHORT])
def test_what_may_not_be_repeated_is_asked_once(tmp_path, trouble):
    with Server(tmp_path, [trouble, OK]) as server:
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(server.connection(), repeats=False)
        assert len(server.asked) == 1


def test_a_busy_server_is_not_asked_again_for_what_may_not_be_repeated(tmp_path):
    with Server(tmp_path, [BUSY]) as server:
        assert ask(server.connection(), repeats=False) == (503, b"")


def test_a_line_that_was_hung_up_between_questions_costs_nothing(tmp_path):
    with Server(tmp_path, [OK, OK]) as server:
        connection = server.connection()
        assert ask(connection, repeats=False) == (200, b"{}")
        assert server.hung_up.acquire(timeout=10)
        assert ask(connection, repeats=False) == (200, b"{}")


def test_another_authority_is_met_once(tmp_path):
    other, _, _ = made_authority()
    with Server(tmp_path, [OK, OK]) as server:
        server.authority = other
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(server.connection(), repeats=True)
        assert server.asked == []


@pytest.mark.parametrize("url", ["https://", "https://host:x", "https://host:99999", "https://[::1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError):
        Connection(url, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
