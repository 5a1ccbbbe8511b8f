"""The server as a process: it says when it is ready, says plainly why it cannot be, and stops in a moment."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading

import pytest
import urllib3
from cryptography import x509

pytestmark = pytest.mark.system

PROGRAM = [sys.executable, "-m", "strongroom.cli.main"]


def run(*arguments, **more):
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60, **more)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("process") / "data"
    made = run("server", "init", "--data", str(folder))
    assert made.returncode == 0, made.stderr
    return folder


class Process:
    """A running server; killed at the end if it is still there."""

    def __init__(self, data, listen="127.0.0.1:0"):
        command = [*PROGRAM, "server", "run", "--data", str(data), "--listen", listen]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.line = self.process.stdout.readline()
        self.url = self.line.split()[-1].rstrip("/") if self.line else ""
        self.port = int(self.url.rpartition(":")[2] or 0)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(10)

    def pool(self, data):
        context = ssl.create_default_context(cafile=str(data / "ca.pem"))
        return urllib3.HTTPSConnectionPool("127.0.0.1", self.port, ssl_context=context, timeout=10, retries=False)


def test_it_says_in_one_line_where_it_is_and_keeps_the_address_while_it_runs(data):
    with Process(data) as server:
        assert server.line.startswith("Strongroom is ready: https://127.0.0.1:")
        assert json.loads((data / "server.json").read_text())["url"] == server.url
        assert server.pool(data).request("GET", "/readyz").status == 200
        assert server.pool(data).request("GET", "/healthz").status == 200
        assert server.pool(data).request("GET", "/ca.pem").data == (data / "ca.pem").read_bytes()
        assert server.end() == 0
        assert not (data / "server.json").exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_a_moment_whatever_is_open(data, how):
    with Process(data) as server:
        pool = server.pool(data)
        assert pool.request("GET", "/readyz").status == 200
        idle = socket.create_connection(("127.0.0.1", server.port))
        context = ssl.create_default_context(cafile=str(data / "ca.pem"))
        half = context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)), server_hostname="127.0.0.1")
        half.sendall(b"POST /agent/v1/authenticate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        assert server.end(how) == 0
        idle.close()
        half.close()


def test_killed_it_starts_again_on_the_same_folder(data):
    with Process(data) as server:
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
    with Process(data) as server:
        assert server.pool(data).request("GET", "/readyz").status == 200


def test_a_second_one_on_the_same_folder_is_refused(data):
    with Process(data) as server:
        second = run("server", "run", "--data", str(data), "--listen", "127.0.0.1:0")
        assert second.returncode != 0
        assert "Another server is running" in second.stderr
        assert "Traceback" not in second.stderr
        assert server.pool(data).request("GET", "/readyz").status == 200


def test_a_port_that_is_taken_is_said_plainly(data):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run("server", "run", "--data", str(data), "--listen", f"127.0.0.1:{port}")
    assert refused.returncode != 0
    assert f"port {port}" in refused.stderr
    assert "--listen" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_is_not_a_servers_names_the_command_that_makes_one(tmp_path, exists):
    folder = tmp_path if exists else tmp_path / "none"
    refused = run("server", "run", "--data", str(folder), "--listen", "127.0.0.1:0")
    assert refused.returncode == 2
    assert "server init" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_new_name_to_listen_on_gets_a_certificate_of_the_same_authority(data):
    authority = (data / "ca.pem").read_bytes()
    with Process(data, "127.0.0.9:0") as server:
        context = ssl.create_default_context(cafile=str(data / "ca.pem"))
        raw = socket.create_connection(("127.0.0.9", server.port), timeout=10)
        with context.wrap_socket(raw, server_hostname="127.0.0.9") as tls:
            certificate = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert (data / "ca.pem").read_bytes() == authority


def test_a_broken_setting_is_said_plainly(data):
    settings = data / "server.toml"
    settings.write_text("colour = 'blue'\n")
    try:
        refused = run("server", "run", "--data", str(data), "--listen", "127.0.0.1:0")
    finally:
        settings.unlink()
    assert refused.returncode == 2
    assert "colour" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_many_people_at_once_are_answered(data):
    with Process(data) as server:
        outcomes = []

        def visit():
            pool = server.pool(data)
            outcomes.extend(pool.request("GET", "/readyz").status for _ in range(20))

        threads = [threading.Thread(target=visit) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == [200] * 160
        assert server.end() == 0
