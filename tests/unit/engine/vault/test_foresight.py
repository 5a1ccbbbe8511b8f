"""What a session's base refers to is noted while the session puts: the commit reads it no more, and decides as ever."""

import random
import threading

import pytest

from strongroom.engine.format.ids import chunk_id
from strongroom.engine.vault.foresight import Foresight
from strongroom.engine.vault.noted import NotedReferences
from strongroom.errors import Damaged
from strongroom.testing.vault_driver import back_up, read_back
from tests.unit.engine.vault.test_noted import changed, forbid_reading, some_folder


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "foresight"]


@pytest.fixture
def later(place):
    """Give a vault as a restarted server opens it, its one snapshot, and what that holds."""
    rng = random.Random(4)
    folder = {b"a": some_folder(rng), b"b": some_folder(rng)}
    first = back_up(place.vault, 1, folder)
    return place.reopen(), first, {**folder, b"b": changed(folder[b"b"], rng)}


def test_a_commit_reads_nothing_that_was_foreseen(later, monkeypatch):
    place, first, folder = later
    place.vault._core.walker.foresee(first.root, lambda: False)
    with monkeypatch.context() as patched:
        forbid_reading(place, patched)
        second = back_up(place.vault, 1, folder, base=first.id)
    assert read_back(place.vault, second.id) == folder


def test_what_is_over_or_has_no_room_reads_no_further(later, monkeypatch):
    place, first, _ = later
    walker = place.vault._core.walker
    forbid_reading(place, monkeypatch)
    walker.foresee(first.root, lambda: True)
    walker.noted = NotedReferences(limit_bytes=0)
    walker.foresee(first.root, lambda: False)


def test_a_session_foresees_once_it_lacks_a_chunk(later, monkeypatch):
    place, first, _ = later
    walker = place.vault._core.walker
    roots, foreseen = [], threading.Event()
    monkeypatch.setattr(walker, "foresee", lambda root, _: (roots.append(root), foreseen.set()))
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

    def foresee(_, is_over):
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
        foresight = Foresight(place.vault._core.walker, lambda: first.root)
        foresight.begin()
        foresight.end()
        foresight.begin()
        assert readers() == []
        with pytest.raises(Damaged):
            back_up(place.vault, 1, folder, base=first.id)
    second = back_up(place.vault, 1, folder, base=first.id)
    assert read_back(place.vault, second.id) == folder
