"""Reading ahead: whoever reads, what is given comes once, in order, and no more of it waits than is allowed."""

import threading

import pytest

from strongroom.agent.backup import ahead
from strongroom.agent.backup.ahead import ReadAhead, Seen

NAMES = [b"%04d" % number for number in range(500)]


def test_all_folders_come_once_and_in_order_however_they_are_nested():
    def read(_folder, path, name):
        return Seen([path + b"/" + name], ()), 10

    with ReadAhead(read) as readers:
        for name, seen in readers.each(None, b"top", NAMES, 1):
            assert seen is None or seen.unreadable == [b"top/" + name]
            inner = list(readers.each(None, name, NAMES[:20], 2))
            assert [one for one, _ in inner] == NAMES[:20]
            assert all(found is None or found.unreadable == [name + b"/" + one] for one, found in inner)


def test_what_was_not_read_ahead_is_left_to_the_caller(monkeypatch):
    monkeypatch.setattr(ahead, "_MOST_THREADS", 0)
    with ReadAhead(lambda *_: pytest.fail("nobody reads")) as readers:
        assert list(readers.each(None, b"", NAMES, 1)) == [(name, None) for name in NAMES]


def test_no_more_waits_than_is_allowed(monkeypatch):
    monkeypatch.setattr(ahead, "_MOST_HELD_BYTES", 100)
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 4)
    lock, held, most = threading.Lock(), 0, 0

    def read(*_):
        nonlocal held, most
        with lock:
            held += 30
            most = max(most, held)
        return Seen([], ()), 30

    with ReadAhead(read) as readers:
        for _, seen in readers.each(None, b"", NAMES, 1):
            with lock:
                held -= 30 if seen is not None else 0
    assert most <= 100 + 4 * ahead._BATCH * 30


def test_an_error_of_a_thread_is_raised_where_its_folder_is_due(monkeypatch):
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 3)
    begun = threading.Event()

    def read(*_):
        begun.set()
        raise MemoryError("none left")

    def take_slowly(readers):
        for _ in readers.each(None, b"", NAMES, 1):
            begun.wait(10)

    with ReadAhead(read) as readers, pytest.raises(MemoryError):
        take_slowly(readers)


def test_the_threads_end_with_the_block():
    before = threading.active_count()
    with ReadAhead(lambda *_: (Seen([], ()), 1)) as readers:
        next(readers.each(None, b"", NAMES, 1))
    assert threading.active_count() == before
