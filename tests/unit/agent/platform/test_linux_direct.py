"""A large file written past the cache is the same file, whatever the sizes and whatever the file system says."""

import errno
import fcntl
import os
import random

import pytest

from strongroom.agent.platform.linux_direct import ALIGNED_BYTES, STAGING_BYTES, DirectFile, Staging

SIZES = [
    0,
    1,
    ALIGNED_BYTES - 1,
    ALIGNED_BYTES,
    ALIGNED_BYTES + 1,
    STAGING_BYTES - 1,
    STAGING_BYTES,
    STAGING_BYTES + 1,
    2 * STAGING_BYTES + 5 * ALIGNED_BYTES + 77,
]


@pytest.fixture(scope="module")
def staging():
    """Memory that has served other files before."""
    used = Staging()
    used.memory[:] = b"\xa5" * STAGING_BYTES
    return used


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


def test_what_cannot_be_written_is_told(staging):
    """A full disk is no reason to write in another way."""
    handle = os.open("/dev/full", os.O_WRONLY)
    try:
        file = DirectFile(handle, staging)
        with pytest.raises(OSError, match="No space left"):
            file.write(memoryview(bytes(STAGING_BYTES)))
    finally:
        os.close(handle)


def _is_direct(handle):
    return bool(fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_DIRECT)
