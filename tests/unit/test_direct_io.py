"""A large file written past the cache is the same file, whatever the sizes and whatever the file system says."""

import errno
import fcntl
import os
import random
import threading
from contextlib import closing

import pytest

from strongroom.direct_io import ALIGNED_BYTES, STAGING_BYTES, DirectFile, Staging

SIZES = [
    0,
    1,
    ALIGNED_BYTES - 1,
    ALIGNED_BYTES,
    ALIGNED_BYTES + 1,
    STAGING_BYTES - 1,
    STAGING_BYTES,
    STAGING_BYTES + 1,
    2 * STAGING_BYTES,
    2 * STAGING_BYTES + 5 * ALIGNED_BYTES + 77,
    5 * STAGING_BYTES + 1,
]


@pytest.fixture(scope="module")
def staging():
    """Memory that has served other files before."""
    with closing(Staging()) as used:
        for half in used.halves:
            half[:] = b"\xa5" * STAGING_BYTES
        yield used


def written(place, staging, data, pieces):
    """Write data in pieces of the sizes that come; give back what is there then."""
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        file, left = DirectFile(handle, staging), memoryview(data)
        while left:
            size = next(pieces)
            file.write(left[:size])
            left = left[size:]
        file.finish()
    finally:
        os.close(handle)
    return place.read_bytes()


@pytest.mark.parametrize("size", SIZES)
def test_every_size_is_written_exactly(tmp_path, staging, size):
    """Sizes around the disk's units and around the staging memory."""
    data = random.Random(size).randbytes(size)
    assert written(tmp_path / "file", staging, data, iter(lambda: 1_000_003, None)) == data


def test_odd_pieces_are_joined(tmp_path, staging):
    """Pieces of any size, one after the other."""
    rng = random.Random(7)
    data = rng.randbytes(STAGING_BYTES + 12_345)
    assert written(tmp_path / "file", staging, data, iter(lambda: rng.randrange(1, 70_000), None)) == data


@pytest.mark.parametrize("refused_after", [0, 1])
def test_a_file_system_that_refuses_is_written_to_in_the_ordinary_way(tmp_path, staging, monkeypatch, refused_after):
    """The refusal may come with the first write, or later, where a write ended at an odd place."""
    real, calls = os.pwrite, []

    def refusing(handle, data, offset):
        if len(calls) >= refused_after and _is_direct(handle):
            raise OSError(errno.EINVAL, "Invalid argument")
        calls.append(len(data))
        return real(handle, data[: len(data) // 2] if len(calls) == 1 else data, offset)

    monkeypatch.setattr(os, "pwrite", refusing)
    data = random.Random(3).randbytes(STAGING_BYTES + 99)
    assert written(tmp_path / "file", staging, data, iter(lambda: 500_000, None)) == data


@pytest.fixture
def full():
    """A handle to a full disk."""
    handle = os.open("/dev/full", os.O_WRONLY)
    yield handle
    os.close(handle)


@pytest.mark.parametrize("size", [1, STAGING_BYTES, STAGING_BYTES + 1, 2 * STAGING_BYTES])
def test_what_cannot_be_written_is_told_at_the_end_at_the_latest(staging, full, size):
    """A full disk is no reason to write in another way."""
    with pytest.raises(OSError, match="No space left"):
        write_all(DirectFile(full, staging), size)


def write_all(file, size):
    file.write(memoryview(bytes(size)))
    file.finish()


def test_a_failure_is_told_of_its_own_file_only(tmp_path, staging, full):
    """The next file is written with the same memory, in the same thread."""
    failed = DirectFile(full, staging)
    failed.write(memoryview(bytes(STAGING_BYTES)))
    failed.give_up()
    data = random.Random(4).randbytes(STAGING_BYTES + 9)
    assert written(tmp_path / "file", staging, data, iter(lambda: 500_000, None)) == data


def test_nothing_is_written_any_more_when_a_file_was_given_up(tmp_path, staging, monkeypatch):
    """Its handle is closed then, and the next file gets the same number."""
    real, begun, may_go_on, done = os.pwrite, threading.Event(), threading.Event(), []

    def slow(handle, data, offset):
        begun.set()
        may_go_on.wait(30)
        done.append(real(handle, data, offset))
        return done[-1]

    monkeypatch.setattr(os, "pwrite", slow)
    with (tmp_path / "file").open("wb") as opened:
        file = DirectFile(opened.fileno(), staging)
        file.write(memoryview(bytes(STAGING_BYTES)))
        assert begun.wait(30)
        threading.Timer(0.05, may_go_on.set).start()
        file.give_up()
        assert done == [STAGING_BYTES]


def test_a_disk_that_keeps_the_writer_waiting_is_slow_until_it_has_caught_up(tmp_path, monkeypatch):
    """It is better left to put off, and to join, what small files bring."""
    real, time_s, takes_s = os.pwrite, [0.0], [0.2]

    def waiting(handle, data, offset):
        time_s[0] += takes_s[0]
        return real(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", waiting)
    monkeypatch.setattr("strongroom.clock.monotonic_s", lambda: time_s[0])
    with closing(Staging()) as staging:
        written(tmp_path / "first", staging, bytes(ALIGNED_BYTES), iter([ALIGNED_BYTES]))
        assert staging.is_slow
        takes_s[0] = 0.0
        written(tmp_path / "second", staging, bytes(2 * STAGING_BYTES), iter([2 * STAGING_BYTES]))
        assert not staging.is_slow


def _is_direct(handle):
    return bool(fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_DIRECT)
