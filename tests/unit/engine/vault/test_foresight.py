"""What a session's base refers to is noted while the session puts: the commit reads it no more, and decides as ever."""

import random
import threading
from array import array

import pytest

from strongroom.engine.format.block import BlockKind
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.vault.bitmaps import decode_bitmap
from strongroom.engine.vault.foresight import Foresight
from strongroom.engine.vault.ledger import PackState
from strongroom.engine.vault.noted import NotedReferences, References
from strongroom.errors import Conflict, Damaged
from strongroom.testing.vault_driver import back_up, commit_folder, details, put_folder, read_back
from tests.unit.engine.vault.test_noted import changed, forbid_reading, some_folder


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "foresight"]


def everything(place):
    return place.vault._core.index.alive


@pytest.fixture
def later(place):
    """Give a vault without notes as a restarted server opens it, its one snapshot, and what the next is to hold."""
    rng = random.Random(4)
    folder = {b"a": some_folder(rng), b"b": some_folder(rng)}
    first = back_up(place.vault, 1, folder)
    place.storage.discard("notes/1")
    return place.reopen(), first, {**folder, b"b": changed(folder[b"b"], rng)}


def test_a_commit_reads_nothing_that_was_foreseen(later, monkeypatch):
    place, first, folder = later
    place.vault._core.walker.foresee(first.root, everything(place), lambda: False)
    with monkeypatch.context() as patched:
        forbid_reading(place, patched)
        second = back_up(place.vault, 1, folder, base=first.id)
    assert read_back(place.vault, second.id) == folder


def test_what_is_over_or_has_no_room_reads_no_further(later, monkeypatch):
    place, first, _ = later
    walker = place.vault._core.walker
    forbid_reading(place, monkeypatch)
    walker.foresee(first.root, everything(place), lambda: True)
    walker.noted = NotedReferences(limit_bytes=0)
    walker.foresee(first.root, everything(place), lambda: False)


def test_a_session_foresees_once_it_lacks_a_chunk(later, monkeypatch):
    place, first, _ = later
    walker = place.vault._core.walker
    roots, foreseen = [], threading.Event()
    monkeypatch.setattr(walker, "foresee", lambda root, *_: (roots.append(root), foreseen.set()))
    session = place.vault.open_session(set_id=1, job_id=2, base=first.id)
    assert session.missing([first.root]) == [False]
    assert not roots
    for _ in range(2):
        assert session.missing([chunk_id(bytes(32), b"new")]) == [True]
    assert foreseen.wait(60)
    session.end()
    assert roots == [first.root]


def test_nothing_is_read_any_more_when_a_session_has_ended(later, monkeypatch):
    place, first, _ = later
    walker = place.vault._core.walker

    def foresee(_, __, is_over):
        while not is_over():
            threading.Event().wait(0.001)

    monkeypatch.setattr(walker, "foresee", foresee)
    session = place.vault.open_session(set_id=1, job_id=2, base=first.id)
    assert session.missing([chunk_id(bytes(32), b"new")]) == [True]
    assert len(readers()) == 1
    session.end()
    assert readers() == []


def test_what_cannot_be_read_is_left_for_the_commit_to_meet(later, monkeypatch):
    place, first, folder = later
    with monkeypatch.context() as patched:
        forbid_reading(place, patched)
        foresight = Foresight(place.vault._core, 1, everything(place), lambda: first.root)
        foresight.begin()
        foresight.end()
        foresight.begin()
        assert readers() == []
        with pytest.raises(Damaged):
            back_up(place.vault, 1, folder, base=first.id)
    second = back_up(place.vault, 1, folder, base=first.id)
    assert read_back(place.vault, second.id) == folder


def test_a_commit_looks_up_nothing_that_was_foreseen(later, monkeypatch):
    place, first, folder = later
    core = place.vault._core
    core.walker.foresee(first.root, everything(place), lambda: False)
    session = place.vault.open_session(set_id=1, job_id=2, base=first.id)
    root = put_folder(place.vault.content_keys, session, folder)
    looked_up, find = [], core.index.find
    with monkeypatch.context() as patched:
        patched.setattr(core.index, "find", lambda packed: (looked_up.append(len(packed) // 32), find(packed))[1])
        row = session.commit(root, details(1, 1))
    reached = decode_bitmap(place.ledger.bitmap(row.id))
    assert sum(looked_up) < len(reached) * 2 // 3
    assert reached == place.reopen().vault._core.walker.reach([root], None)


def test_a_chunk_whose_pack_went_bad_after_it_was_foreseen_does_not_count(later):
    place, first, folder = later
    core = place.vault._core
    core.walker.foresee(first.root, everything(place), lambda: False)
    for row in place.ledger.packs():
        if row.kind is BlockKind.DATA:
            place.ledger.mark_pack(row.name, PackState.BAD)
            core.index.mark(row, PackState.BAD)
    session = place.vault.open_session(set_id=1, job_id=2, base=first.id)
    with pytest.raises(Conflict) as refused:
        session.commit(first.root, details(1, 1))
    assert refused.value.code == "incomplete_tree"
    healed = commit_folder(place.vault, session, folder)
    assert read_back(place.reopen().vault, healed.id) == folder


@pytest.mark.parametrize("false_place", [0, 10**9])
def test_a_place_that_is_not_the_sets_is_looked_up_after_all(later, false_place):
    place, first, folder = later
    back_up(place.vault, 2, {b"another's": b"content"})
    walker = place.vault._core.walker
    walker.foresee(first.root, everything(place), lambda: False)
    other = place.vault._core.index.find(chunk_id(place.keys.key_ids, b"content"))
    for node, references in list(walker.noted._noted.items()):
        if not isinstance(references.data, bytes):
            wrong = array("Q", [false_place or other[0]]) * len(references.data)
            walker.noted.note_read(node, References(references.tree, wrong))
    second = back_up(place.vault, 1, folder, base=first.id)
    assert other[0] not in decode_bitmap(place.ledger.bitmap(second.id))
    assert decode_bitmap(place.ledger.bitmap(second.id)) == place.reopen().vault._core.walker.reach([second.root], None)
