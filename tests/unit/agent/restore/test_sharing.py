"""What several batches on their way want is fetched once, whatever becomes of the one that fetches it."""

import os
import random
import threading

import pytest

from strongroom.agent.restore import sharing
from strongroom.agent.restore.sharing import Sharing
from strongroom.engine.format.ids import chunk_id
from strongroom.errors import Unavailable
from tests.unit.agent.restore.taken import KEY, TakenSnapshot

A, B, C, D = (bytes([number]) * 32 for number in range(4))


class Fetching:
    """Fetches chunks; each batch's asking can be held up, and can fail."""

    def __init__(self):
        self.asked = []
        self.missing = set()

    def get(self, ids, have):
        self.asked.append(list(ids))
        return have | {one: memoryview(one) for one in ids if one not in self.missing}


@pytest.fixture
def fetching():
    return Fetching()


def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_what_an_earlier_batch_fetches_is_left_to_it(fetching):
    sharing = Sharing()
    first, second, third = sharing.expect([A, B]), sharing.expect([B, C, B]), sharing.expect([C, A])
    got = {}
    last = in_thread(lambda: got.update(third=sharing.fetch([C, A], third, fetching.get)))
    middle = in_thread(lambda: got.update(second=sharing.fetch([B, C, B], second, fetching.get)))
    middle.join(0.05)
    assert "second" not in got
    assert "third" not in got
    got["first"] = sharing.fetch([A, B], first, fetching.get)
    middle.join(10)
    last.join(10)
    assert {name: set(chunks) for name, chunks in got.items()} == {"first": {A, B}, "second": {B, C}, "third": {A, C}}
    assert sorted(fetching.asked) == sorted([[A, B], [C], []])


def test_what_does_not_come_is_asked_for_again(fetching):
    sharing = Sharing()
    first, second = sharing.expect([A, B]), sharing.expect([B, C])
    fetching.missing = {B}
    assert set(sharing.fetch([A, B], first, fetching.get)) == {A}
    fetching.missing = set()
    assert set(sharing.fetch([B, C], second, fetching.get)) == {B, C}
    assert fetching.asked == [[A, B], [C], [B]]


def test_a_batch_that_fails_holds_nobody_up(fetching):
    sharing = Sharing()
    first, second = sharing.expect([A, B]), sharing.expect([B])

    def fails(*_):
        raise Unavailable("gone")

    with pytest.raises(Unavailable):
        sharing.fetch([A, B], first, fails)
    assert set(sharing.fetch([B], second, fetching.get)) == {B}


def test_what_was_fetched_before_is_not_waited_for(fetching):
    sharing = Sharing()
    sharing.fetch([A], sharing.expect([A]), fetching.get)
    assert set(sharing.fetch([A], sharing.expect([A]), fetching.get)) == {A}
    assert fetching.asked == [[A], [A]]


def test_a_batch_is_handed_no_more_than_memory_may_hold(fetching, monkeypatch):
    monkeypatch.setattr(sharing, "MOST_BYTES", 64)
    shared = Sharing()
    first, second = shared.expect([A, B, C]), shared.expect([A, B, C, D])
    shared.fetch([A, B, C], first, fetching.get)
    assert len(second.came) == 2
    assert set(shared.fetch([A, B, C, D], second, fetching.get)) == {A, B, C, D}
    assert not second.owners  # nobody keeps those before him


def test_a_handed_chunk_keeps_no_block_in_memory(fetching):
    sharing = Sharing()
    first, second = sharing.expect([A]), sharing.expect([A])
    block = memoryview(bytes(1 << 20))
    sharing.fetch([A], first, lambda *_: {A: block[5:37]})
    assert len(sharing.fetch([A], second, fetching.get)[A].obj) == 32


def test_a_copy_close_to_its_original_is_fetched_once(tmp_path, restore, monkeypatch):
    """The original is still on its way when the copy is planned: its fetcher is held up until then."""
    contents = [random.Random(number).randbytes(20_000) for number in range(4)]
    for number, content in enumerate([*contents, contents[0], contents[1]]):
        (tmp_path / "from" / str(number)).mkdir(parents=True)
        (tmp_path / "from" / str(number) / "file").write_bytes(content)
    snapshot = TakenSnapshot().take(tmp_path / "from")
    monkeypatch.setattr("strongroom.agent.restore.plan.BATCH_BYTES", 1)
    planned = threading.Event()
    expect, blocks, announced = Sharing.expect, snapshot.blocks, []

    def announce(self, ids):
        announced.append(list(ids))
        if len(announced) == 6:
            planned.set()
        return expect(self, ids)

    def when_planned(ids, room=0):
        assert planned.wait(20)
        yield from blocks(ids, room)

    monkeypatch.setattr("strongroom.agent.restore.fetch.AHEAD", 8)
    monkeypatch.setattr(Sharing, "expect", announce)
    monkeypatch.setattr(snapshot, "blocks", when_planned)
    _, heard = restore(snapshot, tmp_path / "to")
    assert not heard.files
    for number, content in enumerate([*contents, contents[0], contents[1]]):
        assert (tmp_path / "to" / str(number) / "file").read_bytes() == content
    for content in contents:
        assert sum(ids.count(chunk_id(KEY, content)) for ids in snapshot.asked) == 1
    assert os.listdir(tmp_path / "to")
