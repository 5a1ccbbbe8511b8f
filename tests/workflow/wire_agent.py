"""An agent that speaks the protocol itself, well or badly, with nothing of ours between it and the server."""

import contextlib
import os
import queue
import socket
import ssl
import threading

import msgspec
import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom import clock
from strongroom.engine.format.block import Block, BlockKind, Method, encode_block
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.tree import encode_leaf
from strongroom.model.entry import Entry, EntryType, Stat
from strongroom.model.host import HostFacts, OsFamily
from strongroom.model.job import JobState, ReasonCode
from strongroom.model.report import JobReport
from strongroom.protocol.frames import FrameReader, encode_frames
from strongroom.protocol.messages import (
    Activate,
    Activated,
    Authenticate,
    Authenticated,
    Commit,
    Hello,
    Missing,
    OpenSession,
    Order,
    Problem,
    SessionOpened,
    StillThere,
    assertion_bytes,
)


class Answer:
    def __init__(self, status, body):
        self.status = status
        self.body = body

    def said(self, shape):
        assert self.status == 200, (self.status, self.problem)
        return msgspec.msgpack.decode(self.body, type=shape)

    @property
    def problem(self):
        return msgspec.msgpack.decode(self.body, type=Problem)

    @property
    def frames(self):
        assert self.status == 200, (self.status, self.problem)
        reader = FrameReader()
        frames = list(reader.feed(self.body))
        reader.require_empty()
        return frames

    @property
    def refusal(self):
        """Say how it was refused, as (status, code)."""
        return self.status, self.problem.code


class Wire:
    """Requests over TLS to a server whose authority is pinned."""

    def __init__(self, server):
        context = ssl.create_default_context(cafile=str(server.folder.authority_certificate))
        self.pool = urllib3.HTTPSConnectionPool("127.0.0.1", server.port, ssl_context=context, maxsize=8, timeout=30)

    def ask(self, path, body=b"", token="", version="1", method="POST", **more):
        headers = {"Strongroom-Protocol": version} if version else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, msgspec.Struct):
            body = msgspec.msgpack.encode(body)
        reply = self.pool.request(method, f"/agent/v1{path}", body=body, headers=headers, retries=False, **more)
        return Answer(reply.status, reply.data)


class WireAgent(Wire):
    """A host's agent by hand."""

    def __init__(self, server, name="files"):
        super().__init__(server)
        self.key = Ed25519PrivateKey.generate()
        self.name = name
        self.host_id = ""
        self.token = ""
        self.orders = queue.Queue()
        self.ended = threading.Event()
        self.keys = None
        self._stream = None
        self.instance = os.urandom(8).hex()

    # ---- who it is

    @property
    def facts(self):
        return HostFacts(self.name, OsFamily.LINUX, "Linux", "0.1", "UTC", "boot", self.instance)

    def activate(self, secret):
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        answer = self.ask("/activate", Activate(secret, public, self.facts))
        if answer.status == 200:
            self.host_id = answer.said(Activated).host_id
        return answer

    def assertion(self, *, key=None, issued_at_s=None, host_id=None, nonce=None):
        host_id = self.host_id if host_id is None else host_id
        issued = int(clock.now().timestamp()) if issued_at_s is None else issued_at_s
        nonce = nonce or os.urandom(16)
        signature = (key or self.key).sign(assertion_bytes(host_id, issued, nonce))
        return Authenticate(host_id, issued, nonce, signature)

    def authenticate(self, **wrong):
        answer = self.ask("/authenticate", self.assertion(**wrong))
        if answer.status == 200:
            self.token = answer.said(Authenticated).token
        return answer

    # ---- orders

    def listen(self):
        """Open the stream of orders; what it says goes into `orders`."""
        headers = {"Strongroom-Protocol": "1", "Authorization": f"Bearer {self.token}"}
        hello = msgspec.msgpack.encode(Hello(self.facts))
        self._stream = self.pool.request(
            "POST", "/agent/v1/orders", body=hello, headers=headers, preload_content=False, retries=False
        )
        assert self._stream.status == 200, self._stream.data
        self.ended.clear()
        threading.Thread(target=self._take_orders, args=(self._stream, self.ended), daemon=True).start()
        assert self.orders.get(timeout=10) is not None

    def hang_up(self):
        """Cut the connection of the orders, as a crash would; the thread that reads it ends."""
        with contextlib.suppress(OSError):
            self._stream.connection.sock.shutdown(socket.SHUT_RDWR)

    def next_order(self):
        while isinstance(order := self.orders.get(timeout=20), StillThere):
            pass
        return order

    def _take_orders(self, stream, ended):
        reader = FrameReader()
        try:
            for piece in stream.stream(1 << 16):
                for frame in reader.feed(piece):
                    self.orders.put(msgspec.msgpack.decode(frame, type=Order))
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError):
            pass
        ended.set()

    # ---- a backup

    def say(self, path, message=b"", **more):
        return self.ask(path, message, self.token, **more)

    def open_session(self, job_id):
        opened = self.say("/session/open", OpenSession(job_id)).said(SessionOpened)
        self.keys = opened
        return opened.session

    def put(self, session, *blocks):
        return self.say("/session/put", encode_frames([session.encode(), *blocks]))

    def missing(self, session, *ids):
        return self.say("/session/missing", Missing(session, b"".join(ids)))

    def block(self, *chunks, kind=BlockKind.DATA, ids=None):
        ids = ids or tuple(self.id_of(chunk) for chunk in chunks)
        return encode_block(Block(kind, Method.STORED, ids, tuple(map(len, chunks)), b"".join(chunks)))

    def id_of(self, chunk):
        return chunk_id(self.keys.key_ids, chunk)

    def folder(self, files):
        """Return the node of a folder with files of these names and contents: {name: chunk id}."""
        return encode_leaf(
            [
                Entry(Stat(name, EntryType.FILE, 0o644, 0, 0, 10, 0, 0, number), content=(content,))
                for number, (name, content) in enumerate(sorted(files.items()))
            ]
        )

    def commit(self, session, root):
        report = JobReport(JobState.SUCCESSFUL, ReasonCode.COMPLETED, "report")
        return self.say("/session/commit", Commit(session, root, report))

    def back_up(self, job_id, files):
        """Send a flat folder of small files and commit it; return the session."""
        session = self.open_session(job_id)
        node = self.folder({name: self.id_of(content) for name, content in files.items()})
        assert self.put(session, self.block(*files.values())).status == 200
        assert self.put(session, self.block(node, kind=BlockKind.TREE)).status == 200
        answer = self.commit(session, self.id_of(node))
        assert answer.status == 200, answer.problem
        return session
