"""A request is read within its limits, and answered in one form."""

import asyncio

import pytest

from strongroom.errors import Conflict
from strongroom.protocol.messages import ReportReply
from strongroom.server.gateway import exchange as exchanges
from strongroom.server.gateway.exchange import PeerGone, TooLarge, TooSlow
from tests.unit.server.gateway.peer import Peer


def test_a_body_in_pieces_is_joined():
    peer = Peer(b"one ", b"", b"two", declared=7)
    assert asyncio.run(peer.exchange().body(7)) == b"one two"


def test_a_large_body_that_arrives_in_small_pieces_gathers_before_it_is_asked_for_again():
    size = 1 << 20

    class Arriving(Peer):
        arrived = given = 0

        async def arrive(self):
            while self.arrived < size:
                self.arrived += 1 << 10
                await asyncio.sleep(0)

        async def receive(self):
            self.asked += 1
            await asyncio.sleep(0)  # at least one more piece arrives
            piece, self.given = bytes(self.arrived - self.given), self.arrived
            return {"type": "http.request", "body": piece, "more_body": self.given < size}

    async def read(peer):
        arriving = asyncio.ensure_future(peer.arrive())
        body = await peer.exchange().body(size)
        await arriving
        return body

    peer = Arriving(declared=size)
    assert asyncio.run(read(peer)) == bytes(size)
    assert peer.asked < size // (1 << 10) // 2


def test_a_body_without_a_declared_size_is_read_up_to_the_limit():
    assert asyncio.run(Peer(b"one", b"two").exchange().body(6)) == b"onetwo"


def test_a_body_that_says_it_is_too_large_is_not_read():
    peer = Peer(b"x" * 11, declared=11)
    with pytest.raises(TooLarge):
        asyncio.run(peer.exchange().body(10))
    assert peer.asked == 0


def test_a_body_that_turns_out_too_large_is_read_no_further():
    peer = Peer(*[b"x" * 5] * 100)
    with pytest.raises(TooLarge):
        asyncio.run(peer.exchange().body(10))
    assert peer.asked == 3


def test_a_size_that_is_no_number_counts_as_not_declared():
    assert Peer(declared="-5").exchange().require_size(10) == 10


def test_a_peer_that_falls_silent_is_let_go(monkeypatch):
    monkeypatch.setattr(exchanges, "SILENCE_S", 0.05)
    with pytest.raises(TooSlow):
        asyncio.run(Peer(b"x", declared=10, then_silent=True).exchange().body(10))


def test_a_body_that_drips_for_ever_is_given_up(monkeypatch):
    monkeypatch.setattr(exchanges, "WHOLE_BODY_S", 0.05)

    class Dripping(Peer):
        async def receive(self):
            await asyncio.sleep(0.001)
            return {"type": "http.request", "body": b"", "more_body": True}

    with pytest.raises(TooSlow):
        asyncio.run(Dripping().exchange().body(10))


def test_a_peer_that_hangs_up_in_the_middle_is_gone():
    class HangsUp(Peer):
        async def receive(self):
            return {"type": "http.disconnect"}

    with pytest.raises(PeerGone):
        asyncio.run(HangsUp().exchange().body(10))


def test_a_peer_that_takes_nothing_is_let_go(monkeypatch):
    monkeypatch.setattr(exchanges, "SILENCE_S", 0.05)
    with pytest.raises(PeerGone):
        asyncio.run(Peer(takes=False).exchange().reply(ReportReply(go_on=True)))


def test_an_error_is_answered_with_its_family_and_in_words():
    peer = Peer(b"")
    asyncio.run(peer.exchange().reply_problem(Conflict("It has ended.", code="session_ended", hint="Begin anew.")))
    assert peer.status == 409
    problem = peer.problem
    assert (problem.code, problem.text, problem.hint) == ("session_ended", "It has ended.", "Begin anew.")
    assert not problem.retryable


def test_the_rest_of_a_body_is_read_before_a_refusal_so_that_the_peer_sees_it():
    peer = Peer(b"a", b"b", b"c", declared=3)
    asyncio.run(peer.exchange().reply_problem(Conflict("No.")))
    assert peer.asked == 3
    assert peer.status == 409


def test_the_rest_of_an_endless_body_is_not():
    class Endless(Peer):
        async def receive(self):
            self.asked += 1
            return {"type": "http.request", "body": bytes(1 << 20), "more_body": True}

    peer = Endless()
    asyncio.run(peer.exchange().reply_problem(Conflict("No.")))
    assert peer.asked <= 34
    assert peer.status == 409
