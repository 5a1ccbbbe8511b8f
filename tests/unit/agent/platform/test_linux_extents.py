"""Where sparse files hold data, and how very many ranges become few."""

import itertools
import os

from hypothesis import given
from hypothesis import strategies as st

from strongroom.agent.platform.linux_extents import data_extents, without_small_holes

BLOCK = 1 << 16


def extents(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        return data_extents(handle, os.fstat(handle).st_size)
    finally:
        os.close(handle)


def test_a_file_without_holes_has_no_extents(tmp_path):
    (tmp_path / "full").write_bytes(b"x" * BLOCK)
    assert extents(tmp_path / "full") is None


def test_a_file_that_is_one_hole_has_an_empty_list(tmp_path):
    (tmp_path / "hole").touch()
    os.truncate(tmp_path / "hole", 10 * BLOCK)
    assert extents(tmp_path / "hole") == ()


def test_data_between_holes_is_found(tmp_path):
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(10 * BLOCK)
        os.pwrite(file.fileno(), b"x" * BLOCK, 2 * BLOCK)
        os.pwrite(file.fileno(), b"y" * BLOCK, 7 * BLOCK)
    assert extents(tmp_path / "holes") == ((2 * BLOCK, BLOCK), (7 * BLOCK, BLOCK))


def test_the_smallest_holes_are_given_up_first():
    ranges = [(0, 10), (20, 10), (130, 10), (145, 10), (1000, 1)]
    assert without_small_holes(ranges, 3) == [(0, 30), (130, 25), (1000, 1)]
    assert without_small_holes(ranges, 1) == [(0, 1001)]
    assert without_small_holes(ranges, 5) == ranges


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=60), st.integers(1, 60))
def test_no_data_is_ever_left_out(gaps_and_lengths, most):
    ranges, at = [], 0
    for gap, length in gaps_and_lengths:
        ranges.append((at + gap, length))
        at += gap + length
    joined = without_small_holes(ranges, most)
    assert len(joined) == min(most, len(ranges))
    covered = {place for start, length in joined for place in range(start, start + length)}
    assert covered >= {place for start, length in ranges for place in range(start, start + length)}
    assert all(a + b < c for (a, b), (c, _) in itertools.pairwise(joined))


def test_a_file_of_very_many_holes_has_few_extents(tmp_path):
    path = tmp_path / "many"
    with path.open("wb") as file:
        count = 5 * 256
        file.truncate(count * 8192)
        for number in range(count):
            os.pwrite(file.fileno(), b"z", number * 8192)
    with path.open("rb") as file:
        found = data_extents(file.fileno(), count * 8192, 256)
    assert found is None or len(found) <= 256
    if found is not None:
        assert found[-1][0] + found[-1][1] > (count - 1) * 8192
