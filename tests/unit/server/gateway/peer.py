"""A peer for an exchange, without a network: says what it is told to, and keeps what it is told."""

import asyncio

import msgspec

from strongroom.protocol.messages import Problem
from strongroom.server.gateway.exchange import Exchange


class Peer:
    def __init__(self, *pieces, declared=None, path="/agent/v1/report", method="POST", then_silent=False, takes=True):
        headers = [(b"strongroom-protocol", b"1")]
        if declared is not None:
            headers.append((b"content-length", str(declared).encode()))
        self.scope = {"type": "http", "path": path, "method": method, "headers": headers, "client": ("192.0.2.1", "9")}
        self.sent = []
        self.asked = 0
        self.takes = takes
        self._pieces = list(pieces)
        self._then_silent = then_silent

    def exchange(self):
        return Exchange(self.scope, self.receive, self.send)

    async def receive(self):
        self.asked += 1
        if self._pieces:
            piece = self._pieces.pop(0)
            more = bool(self._pieces) or self._then_silent
            return {"type": "http.request", "body": piece, "more_body": more}
        if self._then_silent:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if not self.takes:
            await asyncio.Event().wait()
        self.sent.append(message)

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def body(self):
        return b"".join(message["body"] for message in self.sent if message["type"] == "http.response.body")

    @property
    def problem(self):
        return msgspec.msgpack.decode(self.body, type=Problem)

    @property
    def is_complete(self):
        return self.sent[-1]["type"] == "http.response.body" and not self.sent[-1].get("more_body", False)
