"""What comes along in a block is kept for later: within its room, whole or not at all, and never twice."""

import contextlib
import os
import random
import threading

import pytest

from strongroom.agent.platform import linux_place as system
from strongroom.agent.restore import fetch, spares
from strongroom.agent.restore.spares import Spares
from strongroom.agent.restore.steps import Batch
from strongroom.engine.format.block import LEAST_ROOM_BYTES, Block, BlockKind, Method, encode_block
from strongroom.engine.format.ids import chunk_id
from strongroom.model.policy import ConflictMode
from tests.unit.agent.restore.taken import KEY, TakenSnapshot

DATA = [random.Random(number).randbytes(100 + 37 * number) for number in range(40)]
CHUNKS = {chunk_id(KEY, data): memoryview(data) for data in DATA}
IDS = list(CHUNKS)


@pytest.fixture
def target(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


@pytest.fixture
def kept(target):
    some = Spares(target, KEY, 0)
    yield some
    some.close()


def some_of(*numbers):
    return {IDS[number]: CHUNKS[IDS[number]] for number in numbers}


def keep(spares, *numbers):
    """Have chunks come along with a batch; return the room there was for them."""
    with spares.turn([], keeps=True) as turn:
        turn.keep(some_of(*numbers))
    return turn.room


def keep_nothing(spares):
    with spares.turn([], keeps=True) as turn:
        return turn.room


def take(spares, ids):
    with spares.turn(ids, keeps=False) as turn:
        assert turn.room == 0
    return turn.found


def open_files(folder):
    """Return the sizes in bytes on disk of what this process has open in a folder without a name."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{number}")
            if name.startswith(f"{folder}/#") and name.endswith(" (deleted)"):
                found.append(os.fstat(int(number)).st_blocks * 512)
        except OSError:
            continue
    return found


def test_what_is_kept_is_handed_out_once(kept, tmp_path):
    assert keep(kept, 0, 1, 2, 3) == spares.CAPACITY_BYTES
    keep(kept, 10, 11)
    assert take(kept, [IDS[1], IDS[20], IDS[10], IDS[2], IDS[1]]) == some_of(1, 2, 10)
    assert take(kept, IDS) == some_of(0, 3, 11)
    assert take(kept, IDS) == {}
    assert os.listdir(tmp_path) == []


def test_the_disk_has_back_what_was_handed_out(kept, tmp_path):
    for number in range(20):
        keep(kept, number)
    assert min(open_files(tmp_path)) > 0
    half = IDS[:20:2]
    assert set(take(kept, half)) == set(half)
    for number in range(20, 40):
        keep(kept, number)
    assert take(kept, IDS) == some_of(*range(1, 20, 2), *range(20, 40))
    assert open_files(tmp_path) == [0]
    assert keep(kept) == spares.CAPACITY_BYTES


def test_only_one_has_room_at_a_time(kept):
    keep(kept)
    with kept.turn([], keeps=True) as first, kept.turn([], keeps=True) as second:
        assert (first.room > 0, second.room) == (True, 0)
    assert keep(kept) == first.room


def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("fails", [True, False])
def test_others_wait_for_the_first_and_for_whom_much_comes_along(kept, monkeypatch, fails):
    """They find what came along for it, or, if it fails, what came until then."""
    monkeypatch.setattr(spares, "_WORTH_WAITING_BYTES", 1)
    found = []
    for batch in (1, 2):
        with contextlib.suppress(InterruptedError), kept.turn([], keeps=True) as turn:
            if batch == 2:
                assert take(kept, []) == {}  # nothing has come along yet
            turn.keep(some_of(batch))
            waiting = in_thread(lambda batch=batch: found.append(take(kept, [IDS[batch]])))
            waiting.join(0.05)
            assert waiting.is_alive()
            if fails:
                raise InterruptedError
        waiting.join(10)
    assert found == [some_of(1), some_of(2)]


def test_what_was_asked_for_is_not_kept(kept):
    """It was fetched, or is being fetched; in a set with copies it comes along with each of them."""
    take(kept, IDS[:3])
    for _ in range(10):
        take(kept, [])
    keep(kept, 1, 2, 3, 4)
    assert take(kept, IDS) == some_of(3, 4)


def test_nothing_comes_along_any_more_when_too_much_came_in_vain(kept, monkeypatch):
    monkeypatch.setattr(kept, "_credit", 2 * len(DATA[0]))
    take(kept, [IDS[0], IDS[2]])
    assert keep(kept, 0) > 0
    assert keep(kept, 1, 0) > 0
    assert keep(kept, 2) > 0
    assert keep(kept, 3) == 0
    assert take(kept, IDS) == some_of(1, 3)


def test_what_exceeds_the_room_is_not_kept(kept, monkeypatch):
    monkeypatch.setattr(kept, "_room", 3 * LEAST_ROOM_BYTES)
    keep(kept, 0, 1)
    keep(kept, 2, 3)
    assert take(kept, IDS[:2]) == some_of(0, 1)
    keep(kept, 2, 3)
    assert take(kept, IDS) == some_of(2, 3)


def test_the_disk_never_holds_more_than_the_room(kept, tmp_path, monkeypatch):
    """Also when something of each block is never asked for: what is left of it holds its place on the disk."""
    monkeypatch.setattr(kept, "_room", 1 << 20)
    for number in range(40):
        large = random.Random(1000 + number).randbytes(200_000)
        one = chunk_id(KEY, large)
        with kept.turn([], keeps=True) as turn:
            turn.keep({one: memoryview(large), **some_of(number)})
        take(kept, [one])
        assert max(open_files(tmp_path)) <= 1 << 20
    assert len(take(kept, IDS)) > 1
    assert keep(kept) == 1 << 20


def test_the_room_is_what_the_restore_leaves(target):
    free = system.free_bytes(target)
    for restore_bytes, most in ((free - (40 << 20), 14 << 20), (free + (40 << 20), 0), (1 << 60, 0)):
        some = Spares(target, KEY, restore_bytes)
        assert 0 <= keep(some) <= most
        some.close()
    some = Spares(target, KEY, free * 2)
    assert keep(some, 1, 2) == 0
    assert take(some, IDS) == {}
    some.close()


def test_where_there_are_no_nameless_files_nothing_is_kept(target, monkeypatch):
    def refuse(folder):
        raise OSError(95, "not supported")

    monkeypatch.setattr(system, "open_nameless", refuse)
    some = Spares(target, KEY, 0)
    assert keep(some, 1, 2) == 0
    assert take(some, IDS) == {}
    some.close()


def test_a_disk_that_is_full_ends_it_and_has_all_back(kept, tmp_path, monkeypatch):
    keep(kept, 0, 1)

    def full(handle, data, offset):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(system, "write_at", full)
        keep(kept, 2, 3)
    assert take(kept, IDS) == {}
    assert keep(kept, 4) == 0
    assert open_files(tmp_path) == [0]


def test_what_the_disk_changed_is_not_handed_out(kept, monkeypatch):
    keep(kept, 0, 1, 2)
    honest = os.pread

    def lie(handle, size, offset):
        return bytes([honest(handle, 1, offset)[0] ^ 1]) + honest(handle, size - 1, offset + 1)

    monkeypatch.setattr(os, "pread", lie)
    assert take(kept, IDS[:3]) == some_of(1, 2)
    keep(kept, 3, 4)
    monkeypatch.setattr(os, "pread", lambda handle, size, offset: honest(handle, size, offset)[:-1])
    assert take(kept, IDS) == {}


def test_many_threads_each_get_what_they_ask_for(kept):
    wrong = []

    def take_some(numbers):
        wrong.extend(number for number in numbers if take(kept, [IDS[number]]) != some_of(number))

    keep(kept, *range(40))
    threads = [threading.Thread(target=take_some, args=(range(first, 40, 4),)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_restore_that_ends_does_not_wait_for_what_comes_along(kept):
    began, came_to_its_end = threading.Event(), []

    def work(batch, announced):
        with kept.turn([], keeps=True) as turn:
            for number in range(300_000):
                turn.keep(some_of(number % 40))
                began.set()
        came_to_its_end.append(batch)

    def planned():
        yield Batch()
        began.wait(10)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        list(fetch.fetched(planned(), lambda batch: None, work, kept.stop))
    assert not came_to_its_end
    assert keep_nothing(kept) == 0


class Days(TakenSnapshot):
    """A source of one block that lies across the whole tree, and gives of it what there is room for."""

    def __init__(self):
        super().__init__()
        self.rooms = []

    def blocks(self, ids, room=0):
        self.asked.append(list(ids))
        self.rooms.append(room)
        wanted = set(ids)
        some = {one: data for one, data in self.chunks.items() if one in wanted or room}
        yield encode_block(
            Block(BlockKind.DATA, Method.STORED, tuple(some), tuple(map(len, some.values())), b"".join(some.values()))
        )


@pytest.fixture
def days(tmp_path, monkeypatch):
    """Small files, a folder each, fetched folder by folder."""
    monkeypatch.setattr(fetch, "AHEAD", 0)
    monkeypatch.setattr("strongroom.agent.restore.plan.BATCH_BYTES", 1)
    for number, data in enumerate(DATA):
        (tmp_path / "from" / f"{number:02d}").mkdir(parents=True)
        (tmp_path / "from" / f"{number:02d}" / "file").write_bytes(data)
    return Days().take(tmp_path / "from")


def test_a_block_that_all_of_the_tree_needs_comes_once(tmp_path, restore, days):
    report, heard = restore(days, tmp_path / "to")
    assert not heard.files
    for number, data in enumerate(DATA):
        assert (tmp_path / "to" / f"{number:02d}" / "file").read_bytes() == data
    assert report.restore.files_restored == 40
    assert days.rooms.count(0) <= 2
    assert sum(map(len, days.asked)) < 5
    assert sorted(os.listdir(tmp_path / "to")) == [f"{number:02d}" for number in range(40)]


def test_small_files_need_more_of_the_disk_than_their_bytes(tmp_path, restore, days, monkeypatch):
    size_bytes = sum(map(len, DATA))
    monkeypatch.setattr(system, "free_bytes", lambda _: size_bytes + 4096 * len(DATA))
    _, heard = restore(days, tmp_path / "to")
    assert not heard.files
    assert not any(days.rooms)


def test_nothing_comes_along_where_most_is_there(tmp_path, restore, days):
    restore(days, tmp_path / "to")
    (tmp_path / "to" / "07" / "file").write_bytes(b"changed")
    (tmp_path / "to" / "31" / "file").unlink()
    days.asked.clear()
    days.rooms.clear()
    _, heard = restore(days, tmp_path / "to", conflict=ConflictMode.OVERWRITE)
    assert not heard.files
    assert (tmp_path / "to" / "07" / "file").read_bytes() == DATA[7]
    assert (tmp_path / "to" / "31" / "file").read_bytes() == DATA[31]
    assert not any(days.rooms)
