"""Long replies are made in pieces, no faster than the peer takes them, and never look complete when they are not."""

import asyncio
import threading

import pytest

from strongroom.errors import Damaged, NotFound
from strongroom.protocol.frames import decode_frames
from strongroom.server.gateway import exchange as exchanges
from strongroom.server.gateway.exchange import PeerGone
from strongroom.server.gateway.streams import PIECE_BYTES, begin, send_pieces
from tests.unit.server.gateway.peer import Peer


class Written:
    """A body that is written where it goes."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def write_to(self, room):
        room[:] = self.data


class Broken(Written):
    def write_to(self, room):
        raise Damaged("It is not what it was.")


class ThreadEach:
    async def run(self, work):
        return await asyncio.to_thread(work)


def stream(peer, frames):
    async def send():
        threads = ThreadEach()
        piece, pieces = await threads.run(lambda: begin(iter(frames)))
        await send_pieces(peer.exchange(), piece, pieces, threads)

    asyncio.run(send())


def test_all_frames_arrive_in_order():
    frames = [bytes([n]) * (n * 1000) for n in range(200)]
    peer = Peer()
    stream(peer, frames)
    assert peer.status == 200
    assert [bytes(frame) for frame in decode_frames(peer.body)] == frames
    assert peer.is_complete
    assert len(peer.sent) > 4


def test_a_stream_of_one_piece_is_a_reply_of_known_length():
    peer = Peer()
    stream(peer, [b"x" * 1000, Written(b"yz")])
    assert (b"content-length", b"1010") in peer.sent[0]["headers"]
    assert [bytes(frame) for frame in decode_frames(peer.body)] == [b"x" * 1000, b"yz"]
    assert peer.is_complete


def test_a_frame_that_cannot_be_written_breaks_the_stream_off():
    peer = Peer()
    with pytest.raises(Damaged):
        stream(peer, [bytes(PIECE_BYTES), b"fine", Broken(b"x"), b"never seen"])
    assert peer.status == 200
    assert not peer.is_complete
    assert list(decode_frames(peer.body)) == [bytes(PIECE_BYTES)]


def test_an_empty_stream_is_complete():
    peer = Peer()
    stream(peer, [])
    assert (peer.status, peer.body, peer.is_complete) == (200, b"", True)


def test_an_empty_frame_does_not_end_a_stream():
    peer = Peer()
    stream(peer, [b"", b"x"])
    assert [bytes(frame) for frame in decode_frames(peer.body)] == [b"", b"x"]


def test_an_error_before_the_first_piece_can_still_be_answered():
    def failing():
        raise NotFound("There is none.")
        yield b""

    peer = Peer()
    with pytest.raises(NotFound):
        stream(peer, failing())
    assert peer.sent == []


def test_an_error_in_the_middle_breaks_the_stream_off():
    def failing():
        yield bytes(PIECE_BYTES)
        raise NotFound("It is gone.")

    peer = Peer()
    with pytest.raises(NotFound):
        stream(peer, failing())
    assert peer.status == 200
    assert not peer.is_complete


def test_a_peer_that_takes_nothing_holds_two_pieces_and_no_thread(monkeypatch):
    monkeypatch.setattr(exchanges, "SILENCE_S", 0.2)
    made = []
    closed = []

    def frames():
        try:
            while True:
                made.append(threading.current_thread())
                yield bytes(PIECE_BYTES)
        finally:
            closed.append(True)

    with pytest.raises(PeerGone):
        stream(Peer(takes=False), frames())
    assert len(made) <= 2
    assert closed == [True]
