"""The life of a session: history, commits and their repetition, aborts, restarts, many at once."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from strongroom.engine.format.block import BlockKind
from strongroom.engine.vault import packs
from strongroom.engine.vault.ledger import SessionState
from strongroom.engine.vault.vault import Vault
from strongroom.errors import Conflict, Unavailable
from strongroom.testing.faulty_storage import FaultyLedger, Fuse
from strongroom.testing.memory_ledger import MemoryLedger
from strongroom.testing.memory_storage import MemoryStorage
from strongroom.testing.vault_driver import (
    ROOT_KEY,
    back_up,
    block_of,
    commit_folder,
    details,
    ids_of,
    put_folder,
    read_back,
)


def noise(seed, size=20_000):
    return random.Random(seed).randbytes(size)


FOLDER = {b"a": noise(1), b"sub": {b"b": noise(2), b"empty": b"", b"none": {}}, b"text": b"hello " * 5000}


def test_a_backup_reads_back_exactly(place):
    row = back_up(place.vault, 7, FOLDER)
    assert read_back(place.vault, row.id) == FOLDER
    assert read_back(place.reopen().vault, row.id) == FOLDER
    assert (row.set_id, row.kind, row.files, row.base) == (7, "full", 4, "")
    assert row.new_bytes > 40_000


def test_the_same_again_stores_nothing_and_shares_the_bitmap(place):
    first = back_up(place.vault, 7, FOLDER)
    before = dict(place.storage.objects)
    second = back_up(place.vault, 7, FOLDER, base=first.id)
    assert (second.root, second.base, second.new_bytes) == (first.root, first.id, 0)
    assert place.ledger.bitmap(second.id) == place.ledger.bitmap(first.id)
    assert set(place.storage.objects) - set(before) == {f"snapshots/7/{second.id}"}


def test_the_same_from_another_host_is_sent_but_stored_once(place):
    back_up(place.vault, 7, FOLDER)
    packs_before = place.packs()
    session = place.vault.open_session(set_id=8, job_id=2)
    row = commit_folder(place.vault, session, FOLDER)
    assert place.packs() == packs_before
    assert session.stored_bytes == 0
    assert read_back(place.vault, row.id) == FOLDER


def test_a_repeated_commit_gives_the_same_snapshot(place):
    session = place.vault.open_session(set_id=7, job_id=1)
    root = put_folder(place.keys, session, FOLDER)
    row = session.commit(root, details())
    assert session.commit(root, details()) == row
    assert place.vault.session(session.id).commit(root, details()) == row
    assert place.reopen().vault.session(session.id).commit(root, details()) == row
    with pytest.raises(Conflict) as refused:
        session.commit(b"\1" * 32, details())
    assert refused.value.code == "session_ended"
    assert len(place.ledger.snapshots()) == 1


def test_a_commit_whose_answer_was_lost_is_found_when_it_is_repeated():
    ledger, fuse = MemoryLedger(), Fuse(after=True)
    vault = Vault.create(MemoryStorage(), ROOT_KEY, FaultyLedger(ledger, fuse))
    session = vault.open_session(set_id=7, job_id=1)
    root = put_folder(vault.content_keys, session, FOLDER)
    session.checkpoint()
    fuse.fail_once_after(1)  # the snapshot's row is the first step, the end of the transaction the next
    with pytest.raises(Unavailable):
        session.commit(root, details())
    assert len(ledger.snapshots()) == 1
    assert session.commit(root, details()) == ledger.snapshots()[0]
    assert len(ledger.snapshots()) == 1


def test_what_the_caller_adds_happens_in_the_same_transaction(place):
    session = place.vault.open_session(set_id=7, job_id=1)
    root = put_folder(place.keys, session, FOLDER)
    with pytest.raises(ZeroDivisionError):
        session.commit(root, details(), lambda row: 1 // 0)
    assert place.ledger.snapshots() == []
    seen = []
    row = session.commit(root, details(), seen.append)
    assert seen == [row]
    assert [found.id for found in place.ledger.snapshots()] == [row.id]


def test_an_aborted_session_saves_the_next_one_the_sending(place):
    session = place.vault.open_session(set_id=7, job_id=1)
    put_folder(place.keys, session, FOLDER)
    session.end()
    session.end()
    again = place.vault.open_session(set_id=7, job_id=2)
    assert not again.knows_nothing
    assert again.missing(ids_of(place.keys, noise(1), noise(2), noise(3))) == [False, False, True]
    row = commit_folder(place.vault, again, FOLDER)
    assert again.stored_bytes == 0
    assert read_back(place.vault, row.id) == FOLDER


def test_a_session_whose_process_died_is_ended_and_saves_what_was_durable(place):
    session = place.vault.open_session(set_id=7, job_id=1)
    session.put([block_of(place.keys, noise(1))])
    session.checkpoint()
    session.put([block_of(place.keys, noise(2))])
    after = place.reopen()
    assert after.ledger.session(session.id).state is SessionState.ENDED
    with pytest.raises(Conflict) as refused:
        after.vault.session(session.id)
    assert refused.value.code == "session_ended"
    again = after.vault.open_session(set_id=7, job_id=2)
    assert again.missing(ids_of(place.keys, noise(1), noise(2))) == [False, True]


def test_the_chunks_of_others_that_an_aborted_session_put_are_remembered_too(place):
    back_up(place.vault, 8, FOLDER)
    session = place.vault.open_session(set_id=7, job_id=1)
    put_folder(place.keys, session, FOLDER)
    session.end()
    again = place.vault.open_session(set_id=7, job_id=2)
    assert again.missing(ids_of(place.keys, noise(1), noise(2))) == [False, False]


def test_unfinished_sessions_are_forgotten_after_seven_days(place):
    session = place.vault.open_session(set_id=7, job_id=1)
    session.put([block_of(place.keys, noise(1))])
    session.end()
    row = place.ledger.session(session.id)
    for age, missing in ((timedelta(days=6, hours=23), False), (timedelta(days=7, minutes=1), True)):
        place.ledger.facts.sessions[row.id] = replace(row, opened=row.opened - timedelta(days=9), ended=row.ended - age)
        assert place.vault.open_session(set_id=7, job_id=2).missing(ids_of(place.keys, noise(1))) == [missing]


def test_what_is_built_on_through_many_aborts_is_not_forgotten_with_the_first(place):
    first = place.vault.open_session(set_id=7, job_id=1)
    first.put([block_of(place.keys, noise(1))])
    first.end()
    second = place.vault.open_session(set_id=7, job_id=2)
    assert second.missing(ids_of(place.keys, noise(1))) == [False]
    second.end()
    row = place.ledger.session(first.id)
    place.ledger.facts.sessions[row.id] = replace(row, ended=row.ended - timedelta(days=8))
    third = place.vault.open_session(set_id=7, job_id=3)
    assert third.missing(ids_of(place.keys, noise(1))) == [False]


def test_missing_answers_in_order_and_for_repeated_ids(place):
    session = place.vault.open_session(set_id=7, job_id=1)
    session.put([block_of(place.keys, b"one", b"two")])
    one, two, three = ids_of(place.keys, b"one", b"two", b"three")
    assert session.missing([three, one, three, two, one]) == [True, False, True, False, False]
    assert session.missing([]) == []
    session.checkpoint()
    assert session.missing([three, one, three, two, one]) == [True, False, True, False, False]


def test_a_block_with_some_known_chunks_is_made_anew_with_the_rest(place):
    session = place.vault.open_session(set_id=7, job_id=1)
    session.put([block_of(place.keys, noise(1), noise(2))])
    session.checkpoint()
    before = session.stored_bytes
    session.put([block_of(place.keys, noise(2), noise(3), noise(2), noise(3), noise(1))])
    session.checkpoint()
    assert 20_000 <= session.stored_bytes - before < 21_000
    read = place.vault.read(ids_of(place.keys, noise(1), noise(2), noise(3)))
    assert list(read) == [noise(1), noise(2), noise(3)]


class TestManyAtOnce:
    @pytest.fixture(autouse=True)
    def small_packs(self, monkeypatch):
        monkeypatch.setattr(packs, "PACK_BYTES", {BlockKind.DATA: 100_000, BlockKind.TREE: 20_000})

    def test_many_threads_put_into_one_session(self, place):
        session = place.vault.open_session(set_id=7, job_id=1)
        run_all(lambda part: [session.put([block_of(place.keys, noise(n))]) for n in range(part, 60, 6)], 6)
        session.checkpoint()
        assert sum(row.chunks for row in place.ledger.packs()) == 60
        ids = ids_of(place.keys, *(noise(n) for n in range(60)))
        assert [len(data) for data in place.vault.read(ids)] == [20_000] * 60
        assert place.vault.check(read_data=True).healthy

    def test_two_sessions_that_send_the_same_store_it_once(self, place):
        sessions = [place.vault.open_session(set_id=number, job_id=number) for number in range(4)]
        rows = {}

        def back_up_part(part):
            rows[part] = commit_folder(place.vault, sessions[part], {b"%d" % n: noise(n) for n in range(40)})

        run_all(back_up_part, 4)
        assert len({row.root for row in rows.values()}) == 1
        data_packs = [row for row in place.ledger.packs() if row.kind == BlockKind.DATA]
        assert sum(row.chunks for row in data_packs) == 40
        for row in rows.values():
            assert read_back(place.vault, row.id)[b"39"] == noise(39)

    def test_a_borrowed_chunk_is_brought_to_its_end_by_who_needs_it(self, place):
        lender, borrower = (place.vault.open_session(set_id=number, job_id=number) for number in (1, 2))
        lender.put([block_of(place.keys, noise(1))])
        row = commit_folder(place.vault, borrower, {b"file": noise(1)})
        assert borrower.stored_bytes < 1000
        assert read_back(place.reopen().vault, row.id) == {b"file": noise(1)}
        lender.put([block_of(place.keys, noise(2))])
        lender.end()
        assert (
            place.vault.open_session(set_id=1, job_id=3).missing(ids_of(place.keys, noise(1), noise(2))) == [False] * 2
        )

    def test_sessions_that_borrow_from_each_other_both_commit(self, place):
        left, right = (place.vault.open_session(set_id=number, job_id=number) for number in (1, 2))
        left.put([block_of(place.keys, noise(1))])
        right.put([block_of(place.keys, noise(2))])
        roots = [put_folder(place.keys, session, {b"1": noise(1), b"2": noise(2)}) for session in (left, right)]
        run_all(lambda part: (left, right)[part].commit(roots[part], details()), 2)
        assert len(place.ledger.snapshots()) == 2

    def test_commits_of_one_session_from_many_threads_make_one_snapshot(self, place):
        session = place.vault.open_session(set_id=1, job_id=1)
        root = put_folder(place.keys, session, FOLDER)
        rows = []
        run_all(lambda part: rows.append(session.commit(root, details())), 6)
        assert len({row.id for row in rows}) == 1
        assert len(place.ledger.snapshots()) == 1

    def test_an_end_in_the_middle_of_puts_leaves_a_sound_vault(self, place):
        session = place.vault.open_session(set_id=1, job_id=1)
        refused = []

        def put_until_refused(part):
            for number in range(part, 400, 4):
                if number == 120:
                    session.end()
                try:
                    session.put([block_of(place.keys, noise(number, 3000))])
                except Conflict as error:
                    refused.append(error.code)
                    return

        run_all(put_until_refused, 4)
        assert refused == ["session_ended"] * 4
        assert place.vault.check(read_data=True).healthy
        again = place.vault.open_session(set_id=1, job_id=2)
        assert again.missing(ids_of(place.keys, noise(0, 3000), noise(116, 3000))) == [False, False]

    def test_closing_the_vault_ends_its_sessions(self, place):
        session = place.vault.open_session(set_id=1, job_id=1)
        session.put([block_of(place.keys, noise(1))])
        place.vault.close()
        assert place.ledger.session(session.id).state is SessionState.ENDED
        with Vault.open(place.storage, ROOT_KEY, place.ledger) as vault:
            assert vault.open_session(set_id=1, job_id=2).missing(ids_of(place.keys, noise(1))) == [False]


def run_all(work, count):
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))
