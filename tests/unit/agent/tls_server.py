"""A small TLS server that speaks the agent protocol as a test tells it to, and misbehaves on demand."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections import defaultdict, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from strongroom.agent.identity import Identity
from strongroom.errors import StrongroomError, Unauthenticated
from strongroom.protocol.endpoints import PREFIX, Endpoint
from strongroom.protocol.frames import encode_frames
from strongroom.protocol.messages import Authenticated, Problem, Report, ReportReply

DROP, CUT, BUSY, SILENT = "drop", "cut", "busy", "silent"


def made_authority(names=("127.0.0.1",)):
    """Make an authority and a server certificate for these addresses; give both as PEM, and the server's key."""
    now = dt.datetime.now(dt.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    subjects = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("authority", "server")]

    def signed(subject, key, extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subjects[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    general = [x509.IPAddress(ipaddress.ip_address(name)) for name in names]
    authority = signed(subjects[0], keys[0], [x509.BasicConstraints(ca=True, path_length=0)])
    certificate = signed(subjects[1], keys[1], [x509.SubjectAlternativeName(general)])
    key = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return authority, certificate, key.decode()


class TlsServer:
    """Answers each endpoint by a function of the request's body that gives a message, frames (a list), or an error.

    `trouble[endpoint]` is a queue of misbehaviours, one for each of the next requests; None is none.
    """

    def __init__(self, path, names=("127.0.0.1",)):
        self.authority, certificate, key = made_authority(names)
        (path / "server.pem").write_text(certificate)
        (path / "server.key").write_text(key)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(path / "server.pem", path / "server.key")
        self.answers = {Endpoint.AUTHENTICATE: self._authenticate, Endpoint.REPORT: self._report}
        self.trouble = defaultdict(deque)
        self.asked = []
        self.reports = []
        self.tokens = 0
        self.accepted = None
        self.lifetime_s = 900
        self._release = threading.Event()
        self.port = 0

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def identity(self, **changes):
        key = Ed25519PrivateKey.generate().private_bytes_raw()
        whole = {"host_id": "h", "host_name": "host", "private_key": key, "fingerprint": "", **changes}
        return Identity(server_url=self.url, authority=whole.pop("authority", self.authority), **whole)

    def start(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = server.authority.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                server.serve(self)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                connection, address = self.socket.accept()
                return server._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, request, client_address):
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self._release.set()
        self._server.shutdown()
        self._server.server_close()

    def serve(self, handler):
        endpoint = Endpoint(handler.path.removeprefix(PREFIX))
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.asked.append(endpoint)
        trouble = self.trouble[endpoint].popleft() if self.trouble[endpoint] else None
        if trouble is DROP:
            self._hang_up(handler)
            return
        if trouble is SILENT:
            self._release.wait(60)
            self._hang_up(handler)
            return
        try:
            if trouble is BUSY:
                problem = StrongroomError("Come again.", code="busy")
                problem.http_status = 503
                raise problem
            if endpoint not in {Endpoint.ACTIVATE, Endpoint.AUTHENTICATE}:
                self._require_token(handler)
            answer = self.answers[endpoint](body)
        except StrongroomError as error:
            self._send(handler, error.http_status, msgspec.msgpack.encode(Problem(error.code, error.text)))
            return
        if isinstance(answer, msgspec.Struct):
            self._send(handler, 200, msgspec.msgpack.encode(answer), cut=trouble is CUT)
        else:
            self._stream(handler, answer, cut=trouble is CUT)

    def _send(self, handler, status, body, *, cut=False):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self._hang_up(handler)

    def _stream(self, handler, bodies, *, cut):
        """Send frames as chunks; when cut, all but the last and a half, and no end."""
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for body in bodies:
            piece = encode_frames([body])
            if cut and body is bodies[-1]:
                handler.wfile.write(b"%x\r\n%b" % (len(piece), piece[: len(piece) // 2]))
                self._hang_up(handler)
                return
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")

    def _hang_up(self, handler):
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.connection.shutdown(socket.SHUT_RDWR)

    def _require_token(self, handler):
        if handler.headers["Authorization"] != f"Bearer {self.accepted}":
            raise Unauthenticated("The access token has expired.", code="token_expired")

    def _authenticate(self, _):
        self.tokens += 1
        self.accepted = f"token-{self.tokens}"
        return Authenticated(self.accepted, self.lifetime_s)

    def _report(self, body):
        report = msgspec.msgpack.decode(body, type=Report)
        self.reports.append(report)
        return ReportReply(go_on=report.final is None)


@contextlib.contextmanager
def tls_server(path, names=("127.0.0.1",)):
    server = TlsServer(path, names)
    server.start()
    try:
        yield server
    finally:
        server.stop()
