"""A large buffer is filled over many TLS records; a small one gets what there is, as every socket gives it."""

import random
import socket
import ssl
import threading

import pytest

from strongroom.agent.link.filling_socket import LARGE_BYTES, FillingSocket
from tests.unit.agent.tls_server import made_authority

BODY = random.Random(3).randbytes(5 * LARGE_BYTES + 77)


@pytest.fixture
def ends(tmp_path):
    """Give a client's end, whose class is ours, and a plain server's end."""
    authority, certificate, key = made_authority()
    (tmp_path / "both.pem").write_text(certificate + key)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "both.pem")
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.load_verify_locations(cadata=authority)
    asking.sslsocket_class = FillingSocket
    near, far = socket.socketpair()
    served = []
    thread = threading.Thread(target=lambda: served.append(serving.wrap_socket(far, server_side=True)))
    thread.start()
    client = asking.wrap_socket(near, server_hostname="127.0.0.1")
    thread.join()
    with client, served[0]:
        yield client, served[0]


def send(end, *pieces, and_close=False):
    """Send pieces, each in records of its own, from another thread."""

    def work():
        for piece in pieces:
            end.sendall(piece)
        if and_close:
            end.close()

    threading.Thread(target=work, daemon=True).start()


def test_a_large_buffer_is_filled_to_its_end(ends):
    client, server = ends
    send(server, BODY[:100], BODY[100:40_000], BODY[40_000:])
    buffer = bytearray(len(BODY) - 7)
    assert client.recv_into(buffer) == len(buffer)
    assert buffer == BODY[:-7]
    assert client.recv(100) == BODY[-7:]


def test_at_the_end_it_gives_what_there_was(ends):
    client, server = ends
    send(server, BODY, and_close=True)
    buffer = bytearray(len(BODY) + LARGE_BYTES)
    assert client.recv_into(buffer) == len(BODY)
    assert buffer[: len(BODY)] == BODY
    assert client.recv_into(buffer) == 0


def test_a_small_buffer_does_not_wait_for_more(ends):
    client, server = ends
    send(server, b"only this")
    assert client.recv_into(bytearray(LARGE_BYTES - 1)) == len(b"only this")
    send(server, b"and this")
    assert client.recv_into(bytearray(LARGE_BYTES), 3) == 3


def test_silence_in_the_middle_is_told(ends):
    client, server = ends
    client.settimeout(0.2)
    send(server, BODY[:100])
    with pytest.raises(TimeoutError):
        client.recv_into(bytearray(LARGE_BYTES))
