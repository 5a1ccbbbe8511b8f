"""Whatever happens behind the door, the peer gets one answer in one form, and never a traceback."""

import asyncio

import msgspec
import pytest
from django.db import OperationalError

from strongroom.protocol.messages import Authenticate
from strongroom.server.gateway import verbs
from strongroom.server.gateway.door import Gateway
from strongroom.server.gateway.verbs import Verb
from tests.unit.server.gateway.peer import Peer

ASSERTION = msgspec.msgpack.encode(Authenticate("h", 0, b"n", b"s"))


class ThreadEach:
    async def run(self, work):
        return await asyncio.to_thread(work)


def visit(peer, cancel_after_s=None):
    async def scene():
        gateway = Gateway(facts=ThreadEach(), content=ThreadEach(), stop=asyncio.Event())
        visiting = asyncio.ensure_future(gateway(peer.scope, peer.receive, peer.send))
        if cancel_after_s is not None:
            await asyncio.sleep(cancel_after_s)
            visiting.cancel()
        await visiting

    asyncio.run(scene())
    return peer


def test_what_fails_unexpectedly_is_logged_and_told_without_particulars(monkeypatch, caplog):
    def surprise(**_):
        raise RuntimeError("a secret particular")

    monkeypatch.setitem(verbs.STRANGERS, "/authenticate", Verb(Authenticate, surprise))
    peer = visit(Peer(ASSERTION, path="/agent/v1/authenticate"))
    assert (peer.status, peer.problem.code) == (500, "internal")
    assert b"particular" not in peer.body
    assert "a secret particular" in caplog.text


def test_a_catalog_that_is_locked_or_full_is_to_be_asked_again(monkeypatch):
    def locked(**_):
        raise OperationalError("database is locked")

    monkeypatch.setitem(verbs.STRANGERS, "/authenticate", Verb(Authenticate, locked))
    peer = visit(Peer(ASSERTION, path="/agent/v1/authenticate"))
    assert (peer.status, peer.problem.code, peer.problem.retryable) == (503, "catalog_unavailable", True)


def test_a_request_that_the_stop_breaks_off_is_to_be_made_again():
    peer = visit(Peer(b"x", path="/agent/v1/authenticate", then_silent=True), cancel_after_s=0.05)
    assert (peer.status, peer.problem.code, peer.problem.retryable) == (503, "stopping", True)


@pytest.mark.parametrize("path", ["/agent/v1/", "/agent/v1/destroy", "/agent/v1/activate/"])
def test_an_unknown_verb_is_not_found(path):
    assert visit(Peer(b"", path=path)).problem.code == "no_such_verb"


def test_a_peer_that_hangs_up_while_it_is_refused_is_no_error(caplog):
    class HangsUp(Peer):
        async def receive(self):
            return {"type": "http.disconnect"}

    peer = visit(HangsUp(path="/agent/v1/report", declared=10))
    assert peer.sent == []
    assert caplog.records == []
