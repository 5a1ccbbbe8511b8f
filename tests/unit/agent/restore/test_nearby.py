"""Content that a restore has written is read from the target, not fetched again, whatever became of it there."""

import os
import random
import shutil

import pytest

from strongroom.agent.restore import fetch, nearby
from strongroom.agent.restore.fetch import Fetcher, Pace
from strongroom.agent.restore.nearby import Nearby, Written
from strongroom.agent.restore.site import Site
from strongroom.agent.restore.unfinished import Unfinished
from strongroom.engine.format.ids import chunk_id
from tests.unit.agent.restore import taken
from tests.unit.agent.restore.taken import KEY, TakenSnapshot

CHUNK = 256 << 10
SOME = [random.Random(number).randbytes(CHUNK) for number in range(8)]
FIRST = b"".join(SOME[:6])
SECOND = b"".join([SOME[7], *SOME[1:5], b"tail"])


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch):
    """Cut as here, and fetch a batch only when the one before is written, a file each."""
    monkeypatch.setattr(taken, "CHUNK", CHUNK)
    monkeypatch.setattr(fetch, "AHEAD", 0)
    monkeypatch.setattr("strongroom.agent.restore.plan.BATCH_BYTES", 1)


@pytest.fixture
def snapshot(tmp_path):
    (tmp_path / "from" / "a").mkdir(parents=True)
    (tmp_path / "from" / "b").mkdir()
    (tmp_path / "from" / "a" / "first").write_bytes(FIRST)
    (tmp_path / "from" / "b" / "second").write_bytes(SECOND)
    return TakenSnapshot().take(tmp_path / "from")


def asked_for(snapshot, number):
    one = chunk_id(KEY, SOME[number])
    return sum(ids.count(one) for ids in snapshot.asked)


def test_a_chunk_in_two_files_is_fetched_once(tmp_path, restore, snapshot):
    report, heard = restore(snapshot, tmp_path / "to")
    assert not heard.files
    assert (tmp_path / "to" / "a" / "first").read_bytes() == FIRST
    assert (tmp_path / "to" / "b" / "second").read_bytes() == SECOND
    assert [asked_for(snapshot, number) for number in range(8)] == [1, 1, 1, 1, 1, 1, 0, 1]
    assert report.restore.bytes_restored == len(FIRST) + len(SECOND)
    assert len(FIRST) + CHUNK < report.transfer.bytes_sent < len(FIRST) + 2 * CHUNK


def _change(path):
    path.write_bytes(FIRST[::-1])


def _cut_short(path):
    os.truncate(path, CHUNK + 5)


def _link(path):
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")


def _fifo(path):
    path.unlink()
    os.mkfifo(path)


def _folder(path):
    path.unlink()
    path.mkdir()


def _remove_all(path):
    shutil.rmtree(path.parent)


def _lead_away(path):
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to("elsewhere")


CHANGES = [_change, _cut_short, _link, _fifo, _folder, os.unlink, _remove_all, _lead_away]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_whatever_becomes_of_the_first_file_the_second_is_right(tmp_path, restore, snapshot, monkeypatch, change):
    chunks = Nearby.chunks

    def after_the_change(self, ids):
        if chunk_id(KEY, SOME[7]) in ids:
            change(tmp_path / "to" / "a" / "first")
        return chunks(self, ids)

    monkeypatch.setattr(Nearby, "chunks", after_the_change)
    restore(snapshot, tmp_path / "to")
    assert (tmp_path / "to" / "b" / "second").read_bytes() == SECOND
    assert [asked_for(snapshot, number) for number in (1, 4)] == [2, 2]


def test_what_cannot_be_read_is_fetched(tmp_path, restore, snapshot, monkeypatch):
    def fails(*_):
        raise OSError(5, "damaged")

    monkeypatch.setattr(nearby, "read_direct", fails)
    _, heard = restore(snapshot, tmp_path / "to")
    assert not heard.files
    assert (tmp_path / "to" / "b" / "second").read_bytes() == SECOND
    assert asked_for(snapshot, 1) == 2


def test_what_is_not_finished_is_not_looked_for(tmp_path, restore, snapshot):
    snapshot.spoiled.add(chunk_id(KEY, SOME[5]))
    _, heard = restore(snapshot, tmp_path / "to")
    assert heard.reasons() == {os.fsencode(tmp_path / "to" / "a" / "first"): "read_error"}
    assert (tmp_path / "to" / "b" / "second").read_bytes() == SECOND
    assert asked_for(snapshot, 1) == 2


@pytest.fixture
def near(tmp_path):
    (tmp_path / "to").mkdir()
    handle = os.open(tmp_path / "to", os.O_RDONLY)
    with Site(handle, Unfinished(tmp_path / "spool", os.fsencode(tmp_path / "to"), 7)) as site:
        near = Nearby(site, Fetcher(None, KEY))
        yield near
        near.close()
    os.close(handle)


def test_only_the_last_chunks_are_remembered(near, monkeypatch):
    monkeypatch.setattr(nearby, "REMEMBERED", 100)
    file = Written((), b"file")
    for number in range(1000):
        near.note(file, b"%032d" % number, number, CHUNK)
        assert len(near._young) + len(near._old) <= 200
    assert near._known(b"%032d" % 900) == (file, 900, CHUNK)
    assert near._known(b"%032d" % 700) is None


def test_no_more_is_read_at_once_than_memory_may_hold(tmp_path, near, monkeypatch):
    monkeypatch.setattr(nearby, "MOST_BYTES", 3 * CHUNK)
    (tmp_path / "to" / "file").write_bytes(FIRST)
    file = Written((), b"file", is_there=True)
    ids = [chunk_id(KEY, data) for data in SOME[:6]]
    for number, one in enumerate(ids):
        near.note(file, one, number * CHUNK, CHUNK)
    assert list(near.chunks(ids)) == ids[:3]
    assert near.chunks(ids[4:]) == dict(zip(ids[4:], map(memoryview, SOME[4:6]), strict=True))


def test_a_chunk_is_found_where_it_lies_at_any_offset(tmp_path, near):
    (tmp_path / "to" / "file").write_bytes(b"odd" + SOME[0] + b"x" + SOME[1])
    file = Written((), b"file", is_there=True)
    ids = [chunk_id(KEY, data) for data in SOME[:2]]
    near.note(file, ids[0], 3, CHUNK)
    near.note(file, ids[1], CHUNK + 4, CHUNK)
    assert near.chunks(ids) == dict(zip(ids, map(memoryview, SOME), strict=False))


def test_a_disk_far_slower_than_the_network_is_left_alone(tmp_path, near):
    (tmp_path / "to" / "file").write_bytes(FIRST)
    one = chunk_id(KEY, SOME[0])
    near.note(Written((), b"file", is_there=True), one, 0, CHUNK)
    near._fetching.note(100 << 20, 1.0)
    near._reading.note(100 << 20, 1.9)
    assert one in near.chunks([one])
    near._reading.note(100 << 20, 2.9)
    assert not near.chunks([one])


def test_a_little_tells_nothing_of_the_pace():
    one, other = Pace(), Pace()
    other.note(100 << 20, 1.0)
    one.note(1 << 20, 60.0)
    assert not one.is_far_behind(other)
    assert not other.is_far_behind(Pace())
