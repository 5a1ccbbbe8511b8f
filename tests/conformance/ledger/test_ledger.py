"""What every ledger must keep: the contract of `engine.vault.ledger`, the same for memory and database."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.engine.vault.ledger import NewPack, PackState, SessionRow, SessionState, SnapshotRow
from strongroom.errors import Conflict, NotFound

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ROOT = b"\xff\x00" * 16


def name_of(number):
    return bytes([number]) * 31 + b"\x80"


def pack(number, chunks=10, kind=1):
    return NewPack(name_of(number), kind, chunks, 1000 + number)


def session(number, set_id=7, opened=NOW, base="", reach=b""):
    return SessionRow(f"{number:032x}", set_id, 40 + number, base, SessionState.OPEN, reach, opened)


def snapshot(number, of, minutes=0):
    return SnapshotRow(
        id=f"{number:032x}",
        set_id=of.set_id,
        job_id=of.job_id,
        time=NOW + timedelta(minutes=minutes),
        kind="full",
        base="",
        root=ROOT,
        files=123,
        size_bytes=1 << 45,
        new_bytes=1 << 40,
        missed=3,
    )


@pytest.fixture
def first(ledger):
    row = session(1)
    ledger.add_session(row)
    return row


@pytest.fixture
def second(ledger):
    row = session(2, set_id=8)
    ledger.add_session(row)
    return row


class TestPacks:
    def test_ordinals_are_contiguous_and_in_order(self, ledger, first, second):
        assert ledger.packs() == [] or list(ledger.packs()) == []
        starts = [
            ledger.add_pack(first.id, pack(9, chunks=3)),
            ledger.add_pack(second.id, pack(1, chunks=5, kind=2)),
            ledger.add_pack(first.id, pack(5, chunks=1)),
        ]
        assert starts == [0, 3, 8]
        rows = ledger.packs()
        assert [(row.name, row.kind, row.chunks, row.size_bytes, row.first_ordinal, row.state) for row in rows] == [
            (name_of(9), 1, 3, 1009, 0, PackState.LIVE),
            (name_of(1), 2, 5, 1001, 3, PackState.LIVE),
            (name_of(5), 1, 1, 1005, 8, PackState.LIVE),
        ]

    def test_a_pack_registered_twice_keeps_its_ordinals(self, ledger, first):
        assert ledger.add_pack(first.id, pack(1)) == 0
        assert ledger.add_pack(first.id, pack(1)) == 0
        assert ledger.add_pack(first.id, pack(2)) == 10
        assert len(ledger.packs()) == 2

    def test_packs_belong_to_the_session_that_registered_them(self, ledger, first, second):
        ledger.add_pack(first.id, pack(1))
        ledger.add_pack(second.id, pack(2))
        ledger.add_pack(first.id, pack(3))
        assert [row.name for row in ledger.packs_of_session(first.id)] == [name_of(1), name_of(3)]
        assert [row.name for row in ledger.packs_of_session(second.id)] == [name_of(2)]
        assert list(ledger.packs_of_session("0" * 32)) == []

    def test_a_session_that_is_over_registers_nothing(self, ledger, first):
        ledger.end_session(first.id)
        with pytest.raises(Conflict) as refused:
            ledger.add_pack(first.id, pack(1))
        assert refused.value.code == "session_ended"
        assert list(ledger.packs()) == []

    def test_states_change(self, ledger, first):
        ledger.add_pack(first.id, pack(1))
        ledger.add_pack(first.id, pack(2))
        ledger.mark_pack(name_of(1), PackState.BAD)
        assert [row.state for row in ledger.packs()] == [PackState.BAD, PackState.LIVE]
        ledger.mark_pack(name_of(1), PackState.LIVE)
        assert [row.state for row in ledger.packs()] == [PackState.LIVE, PackState.LIVE]

    def test_threads_get_ordinals_that_do_not_overlap(self, ledger, first):
        def register(part):
            for number in range(part, 64, 4):
                ledger.add_pack(first.id, pack(number, chunks=number + 1))

        run_all([threading.Thread(target=register, args=(part,)) for part in range(4)])
        end = 0
        for row in ledger.packs():
            assert row.first_ordinal == end
            end += row.chunks
        assert end == sum(range(65))


class TestSessions:
    def test_a_session_is_kept_as_it_was_given(self, ledger):
        row = session(1, base="ab" * 16, reach=bytes(range(256)))
        ledger.add_session(row)
        assert ledger.session(row.id) == row
        assert list(ledger.open_sessions()) == [row]

    def test_one_that_does_not_exist_is_not_found(self, ledger):
        with pytest.raises(NotFound):
            ledger.session("0" * 32)

    def test_reach_is_replaced_while_it_is_open(self, ledger, first):
        ledger.set_reach(first.id, b"\0first")
        ledger.set_reach(first.id, b"\0second")
        assert ledger.session(first.id).reach == b"\0second"
        ledger.end_session(first.id)
        with pytest.raises(Conflict) as refused:
            ledger.set_reach(first.id, b"third")
        assert refused.value.code == "session_ended"
        assert ledger.session(first.id).reach == b"\0second"

    def test_ending_happens_once_and_only_to_open_ones(self, ledger, first, second):
        ledger.end_session(first.id)
        ledger.end_session(first.id)
        assert ledger.session(first.id).state is SessionState.ENDED
        ledger.add_snapshot(second.id, snapshot(1, second), b"")
        ledger.end_session(second.id)
        assert ledger.session(second.id).state is SessionState.COMMITTED
        assert list(ledger.open_sessions()) == []

    def test_unfinished_are_the_ended_ones_of_the_set_since_then(self, ledger):
        rows = [session(number, opened=NOW - timedelta(days=30)) for number in range(1, 5)]
        other = session(5, set_id=8)
        still_open = session(6)
        committed = session(7)
        for row in (*rows, other, still_open, committed):
            ledger.add_session(row)
        for number, row in enumerate((*rows, other), 1):
            ledger.end_session(row.id, NOW - timedelta(days=number))
            assert ledger.session(row.id).ended == NOW - timedelta(days=number)
        ledger.add_snapshot(committed.id, snapshot(1, committed), b"")
        found = ledger.unfinished_sessions(7, NOW - timedelta(days=3))
        assert {row.id for row in found} == {row.id for row in rows[:3]}
        assert all(row.state is SessionState.ENDED for row in found)
        assert list(ledger.unfinished_sessions(9, NOW - timedelta(days=3))) == []


class TestSnapshots:
    def test_a_snapshot_is_kept_and_its_session_committed(self, ledger, first):
        row = snapshot(1, first)
        ledger.add_snapshot(first.id, row, b"\0bits\xff")
        assert ledger.snapshot(row.id) == row
        assert ledger.bitmap(row.id) == b"\0bits\xff"
        assert list(ledger.snapshots()) == [row]
        after = ledger.session(first.id)
        assert (after.state, after.snapshot) == (SessionState.COMMITTED, row.id)

    def test_a_session_makes_one_snapshot(self, ledger, first):
        ledger.add_snapshot(first.id, snapshot(1, first), b"")
        with pytest.raises(Conflict) as refused:
            ledger.add_snapshot(first.id, snapshot(2, first), b"")
        assert refused.value.code == "session_ended"
        assert [row.id for row in ledger.snapshots()] == [snapshot(1, first).id]

    def test_an_ended_session_makes_none(self, ledger, first):
        ledger.end_session(first.id)
        with pytest.raises(Conflict):
            ledger.add_snapshot(first.id, snapshot(1, first), b"")
        assert list(ledger.snapshots()) == []

    def test_they_come_oldest_first(self, ledger):
        for number, minutes in ((3, 0), (1, 10), (2, 20)):
            of = session(number)
            ledger.add_session(of)
            ledger.add_snapshot(of.id, snapshot(number, of, minutes), b"")
        assert [int(row.id, 16) for row in ledger.snapshots()] == [3, 1, 2]

    def test_one_that_does_not_exist_is_not_found(self, ledger):
        with pytest.raises(NotFound):
            ledger.snapshot("0" * 32)
        with pytest.raises(NotFound):
            ledger.bitmap("0" * 32)


class TestTransactions:
    def test_an_error_undoes_everything(self, ledger, first, second):
        ledger.add_pack(first.id, pack(1))
        with pytest.raises(ZeroDivisionError):
            self.change_everything_and_fail(ledger, first, second)
        assert [(row.name, row.state) for row in ledger.packs()] == [(name_of(1), PackState.LIVE)]
        assert ledger.session(first.id) == first
        assert ledger.session(second.id) == second
        assert list(ledger.snapshots()) == []
        with pytest.raises(NotFound):
            ledger.session(session(3).id)

    def change_everything_and_fail(self, ledger, first, second):
        with ledger.transaction():
            ledger.add_pack(first.id, pack(2))
            ledger.mark_pack(name_of(1), PackState.BAD)
            ledger.set_reach(first.id, b"changed")
            ledger.end_session(second.id)
            ledger.add_session(session(3))
            ledger.add_snapshot(first.id, snapshot(1, first), b"bits")
            raise ZeroDivisionError

    def test_ordinals_do_not_overlap_after_an_undone_transaction(self, ledger, first, second):
        ledger.add_pack(first.id, pack(1))
        with pytest.raises(ZeroDivisionError):
            self.change_everything_and_fail(ledger, first, second)
        assert ledger.add_pack(first.id, pack(3)) >= 10
        assert len({row.first_ordinal for row in ledger.packs()}) == 2

    def test_what_is_done_inside_is_seen_inside_and_stays(self, ledger, first):
        with ledger.transaction():
            ledger.add_snapshot(first.id, snapshot(1, first), b"bits")
            assert ledger.session(first.id).state is SessionState.COMMITTED
        assert ledger.bitmap(snapshot(1, first).id) == b"bits"

    def test_only_one_of_two_commits_of_a_session_succeeds(self, ledger, first):
        outcomes = []

        def commit(number):
            try:
                with ledger.transaction():
                    ledger.add_snapshot(first.id, snapshot(number, first), b"")
                outcomes.append("committed")
            except Conflict:
                outcomes.append("refused")

        run_all([threading.Thread(target=commit, args=(number,)) for number in range(1, 5)])
        assert sorted(outcomes) == ["committed", "refused", "refused", "refused"]
        assert len(ledger.snapshots()) == 1
        assert ledger.session(first.id).snapshot == ledger.snapshots()[0].id

    def test_rows_do_not_change_under_their_reader(self, ledger, first):
        before = ledger.session(first.id)
        ledger.set_reach(first.id, b"changed")
        assert before == first
        assert ledger.session(first.id) == replace(first, reach=b"changed")


def run_all(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
