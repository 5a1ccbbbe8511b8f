"""Reading ahead: whoever reads, what is given comes once, in order, and no more of it waits than is allowed."""

import threading

import pytest

from strongroom.agent.backup import ahead
from strongroom.agent.backup.ahead import ReadAhead
from strongroom.kernel.tour_reference import Tour

NAMES = [b"%04d" % number for number in range(500)]


def tour_of(told):
    return Tour(told, 0, 0, 0, [])


def test_all_folders_come_once_and_in_order_however_they_are_nested():
    def read(_folder, path, names):
        return tour_of(path + b"/" + names)

    def told(tours, path):
        for tour in tours:
            assert tour.told.startswith(path + b"/")
            yield from tour.told.removeprefix(path + b"/").split(b"\0")[:-1]

    with ReadAhead(read) as readers:
        for at, name in enumerate(told(readers.each(None, b"top", NAMES, 1), b"top")):
            assert name == NAMES[at]
            assert list(told(readers.each(None, name, NAMES[:20], 2), name)) == NAMES[:20]
        assert at == len(NAMES) - 1


def test_what_nobody_has_begun_is_done_by_the_caller(monkeypatch):
    monkeypatch.setattr(ahead, "_MOST_THREADS", 0)
    with ReadAhead(lambda _folder, _path, names: tour_of(names)) as readers:
        assert b"".join(tour.told for tour in readers.each(None, b"", NAMES, 1)) == b"".join(
            name + b"\0" for name in NAMES
        )


def test_no_more_waits_than_is_allowed(monkeypatch):
    monkeypatch.setattr(ahead, "_MOST_HELD_BYTES", 100)
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 4)
    lock, held, most = threading.Lock(), 0, 0

    def read(*_):
        nonlocal held, most
        with lock:
            held += 30
            most = max(most, held)
        return tour_of(bytes(30))

    with ReadAhead(read) as readers:
        for _ in readers.each(None, b"", NAMES, 1):
            with lock:
                held -= 30
    assert most <= 100 + 5 * 30


def test_an_error_of_a_thread_is_raised_where_its_folder_is_due(monkeypatch):
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 3)
    begun = threading.Event()
    here = threading.get_ident()

    def read(*_):
        if threading.get_ident() == here:
            begun.wait(10)
            return tour_of(b"")
        begun.set()
        raise MemoryError("none left")

    with ReadAhead(read) as readers, pytest.raises(MemoryError):
        list(readers.each(None, b"", NAMES, 1))


def test_the_threads_end_with_the_block():
    before = threading.active_count()
    with ReadAhead(lambda *_: tour_of(b"")) as readers:
        next(readers.each(None, b"", NAMES, 1))
    assert threading.active_count() == before


def test_who_waits_for_another_tours_what_comes_after(monkeypatch):
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 2)
    first, helping, begun = NAMES[0], threading.Event(), threading.Event()

    def read(_folder, _path, names):
        if threading.current_thread() is not threading.main_thread() and not begun.is_set():
            begun.set()
            assert helping.wait(60)
        elif begun.is_set():
            helping.set()
        return tour_of(names)

    with ReadAhead(read) as readers:
        tours = readers.each(None, b"", NAMES, 1)
        told = [next(tours).told]
        assert begun.wait(60)
        told += [tour.told for tour in tours]
    assert b"".join(told).startswith(first)
    assert b"".join(told) == b"".join(name + b"\0" for name in NAMES)
