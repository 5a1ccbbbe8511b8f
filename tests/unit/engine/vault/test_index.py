"""The index: answers stay the same however its runs are stored, merged, lost or out of date."""

import random

import pytest

from strongroom.engine.format import index as format_index
from strongroom.engine.format.index import decode_run
from strongroom.engine.format.pack import PackTable
from strongroom.engine.vault.index import ABSENT, Index
from strongroom.engine.vault.ledger import PackRow, PackState
from strongroom.errors import Damaged, Unavailable
from strongroom.testing.faulty_storage import FaultyStorage, Fuse
from strongroom.testing.memory_storage import MemoryStorage


def chunk(number):
    return random.Random(number).randbytes(32)


class Packs:
    """Made-up packs: each a row and a table."""

    def __init__(self):
        self.rows, self.tables, self.end = [], {}, 0

    def add(self, numbers, *, gap=0, state=PackState.LIVE):
        table = PackTable()
        for number, start in enumerate(range(0, len(numbers), 3)):
            block = numbers[start : start + 3]
            table.add_block(1000 * number, 900, [chunk(n) for n in block], [100 + n % 50 for n in block])
        first = self.end + gap
        row = PackRow(random.Random(f"{first} {numbers}").randbytes(32), 1, len(numbers), 5000, first, state)
        self.rows.append(row)
        self.tables[row.name] = table
        self.end = first + len(numbers)
        return row, table

    def table_of(self, row):
        return self.tables[row.name]


@pytest.fixture
def packs():
    return Packs()


@pytest.fixture
def storage():
    return MemoryStorage()


def find(index, *numbers):
    return list(index.find(b"".join(chunk(number) for number in numbers)))


def runs(storage):
    return sorted(name for name in storage.objects if name.startswith("index/"))


def test_what_was_added_is_found_at_its_place(storage, packs):
    index = Index(storage)
    row, table = packs.add(list(range(10)))
    index.add(row, table)
    assert find(index, 3, 99, 0) == [3, ABSENT, 0]
    assert index.place(4) == (row.name, 1, 103, 104)
    with pytest.raises(Damaged):
        index.place(10)
    assert list(index.find(b"")) == []


def test_a_table_of_another_length_than_registered_is_refused(storage, packs):
    row, _ = packs.add([1, 2])
    _, other = packs.add([1, 2, 3])
    with pytest.raises(Damaged):
        Index(storage).add(row, other)


def test_settling_merges_and_changes_no_answer(storage, packs):
    index = Index(storage)
    numbers = random.Random(1).sample(range(10_000), 3000)
    for start in range(0, 3000, 100):
        index.add(*packs.add(numbers[start : start + 100]))
        if start % 700 == 0:
            index.settle()
    before = find(index, *numbers), [index.place(at) for at in range(3000)]
    index.settle()
    assert (find(index, *numbers), [index.place(at) for at in range(3000)]) == before
    assert before[0] == list(range(3000))
    sizes = [decode_run(storage.objects[name]).count for name in runs(storage)]
    assert sum(sizes) == 3000
    assert len(sizes) < 8
    assert index.plain_bytes() == sum(100 + number % 50 for number in numbers)


def test_long_runs_are_merged_in_segments_with_the_same_result(packs, monkeypatch):
    numbers = [*range(900), 5, 7]
    for start in range(0, len(numbers), 300):
        packs.add(numbers[start : start + 300])
    stored = []
    for segment_ids in (1 << 17, 64, 1):
        monkeypatch.setattr(format_index, "_SEGMENT_IDS", segment_ids)
        storage = MemoryStorage()
        index = Index(storage)
        index.load(packs.rows, packs.table_of)
        assert find(index, *numbers) == [*range(900), 5, 7]
        stored.append(storage.objects)
    assert stored[0] == stored[1] == stored[2]


def test_runs_in_memory_do_not_pile_up(storage, packs):
    index = Index(storage)
    for number in range(200):
        index.add(*packs.add([number]))
    assert len(runs(storage)) > 0
    assert len(index._held) < 40
    assert find(index, *range(200)) == list(range(200))


@pytest.mark.parametrize("lose", ["all", "one", "damage"])
def test_lost_and_damaged_runs_are_made_again_from_the_packs(storage, packs, lose):
    index = Index(storage)
    for start in (0, 500, 600):
        index.add(*packs.add(list(range(start, start + (500 if start == 0 else 100)))))
        index.settle()
    assert len(runs(storage)) >= 2
    for name in runs(storage) if lose == "all" else runs(storage)[:1]:
        if lose == "damage":
            storage.objects[name] = storage.objects[name][:-40] + b"\0" * 40
        else:
            del storage.objects[name]
    again = Index(storage)
    assert again.load(packs.rows, packs.table_of) == []
    assert find(again, *range(700)) == list(range(700))


def test_runs_that_do_not_agree_with_the_ledger_are_dropped(storage, packs):
    index = Index(storage)
    index.add(*packs.add([1, 2, 3]))
    index.settle()
    other = Packs()
    other.add([4, 5, 6])
    again = Index(storage)
    again.load(other.rows, other.table_of)
    assert find(again, 1, 4) == [ABSENT, 0]


def test_a_crash_between_writing_a_merged_run_and_dropping_the_old_ones_is_put_right(storage, packs):
    index = Index(storage)
    index.add(*packs.add(list(range(10))))
    index.settle()
    old = dict(storage.objects)
    index.add(*packs.add(list(range(10, 30))))
    index.settle()
    storage.objects.update(old)
    assert len(runs(storage)) == 2
    again = Index(storage)
    again.load(packs.rows, packs.table_of)
    assert find(again, *range(30)) == list(range(30))
    assert len(runs(storage)) == 1


def test_packs_that_cannot_be_read_are_told_and_answered_as_absent(storage, packs):
    good, bad, last = packs.add([1, 2])[0], packs.add([3, 4])[0], packs.add([5])[0]

    def table_of(row):
        if row == bad:
            raise Damaged("It is gone.")
        return packs.table_of(row)

    index = Index(storage)
    assert index.load([good, bad, last], table_of) == [bad]
    assert find(index, 1, 3, 5) == [0, ABSENT, 4]
    assert not index.covers(2)
    assert sorted(index.alive) == [0, 1, 4]
    index.add(bad, packs.table_of(bad))
    assert find(index, 1, 3, 5) == [0, 2, 4]


def test_gaps_between_ordinals_do_no_harm(storage, packs):
    index = Index(storage)
    for number in range(20):
        index.add(*packs.add([number], gap=number % 3))
    index.settle()
    again = Index(storage)
    again.load(packs.rows, packs.table_of)
    for one in (index, again):
        assert find(one, *range(20)) == [row.first_ordinal for row in packs.rows]
        with pytest.raises(Damaged):
            one.place(packs.rows[1].first_ordinal - 1)


def test_an_id_that_is_stored_twice_is_answered_by_its_lowest_alive_ordinal(storage, packs):
    index = Index(storage)
    rows = [packs.add(numbers)[0] for numbers in ([1, 2], [2, 1, 2], [9, 1])]
    for row in rows:
        index.add(row, packs.table_of(row))
    for settle in (False, True):
        if settle:
            index.settle()
        assert find(index, 1, 2, 9) == [0, 1, 5]
        index.mark(rows[0], PackState.BAD)
        assert find(index, 1, 2, 9) == [3, 2, 5]
        index.mark(rows[1], PackState.BAD)
        assert find(index, 1, 2, 9) == [6, ABSENT, 5]
        assert sorted(index.every(chunk(1))) == [0, 3, 6]
        for row in rows:
            index.mark(row, PackState.LIVE)
    assert find(index, 1, 2, 9) == [0, 1, 5]


def test_bad_packs_are_bad_from_the_start(storage, packs):
    packs.add([1], state=PackState.BAD)
    packs.add([2, 1])
    index = Index(storage)
    index.load(packs.rows, packs.table_of)
    assert find(index, 1, 2) == [2, 1]
    assert not index.has_all(type(index.alive)([0]))


def test_a_full_disk_stops_neither_opening_nor_answering(packs):
    fuse = Fuse()
    storage = FaultyStorage(MemoryStorage(), fuse)
    packs.add([1, 2, 3])
    fuse.blown = True
    index = Index(storage)
    index.load(packs.rows, packs.table_of)
    for number in range(10, 60):
        index.add(*packs.add([number]))
    assert find(index, 2, 59) == [1, 52]
    with pytest.raises(Unavailable):
        index.settle()
    assert find(index, 2, 59) == [1, 52]


def test_ids_come_back_by_ordinal(storage, packs):
    index = Index(storage)
    for start in (0, 5, 10):
        index.add(*packs.add(list(range(start, start + 5))))
    index.settle()
    assert dict(index.ids_between(3, 12)) == {number: chunk(number) for number in range(3, 12)}
