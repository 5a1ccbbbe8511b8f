"""Look-up and sorting of packed ids: the C answers as the definition does, on even and on spiteful rows.

Real ids are spread evenly.
These crowd together on purpose, so that the guessing in the C goes wrong as often as it can.
"""

import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.kernel import native, reference

ABSENT = 0xFFFF_FFFF

prefixes = st.one_of(
    st.sampled_from([bytes(8), b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x80" + bytes(7), bytes(7) + b"\x01"]),
    st.binary(min_size=8, max_size=8),
)
tails = st.one_of(
    st.sampled_from([bytes(24), b"\xff" * 24, bytes(23) + b"\x01"]),
    st.binary(min_size=24, max_size=24),
)
ids = st.builds(bytes.__add__, prefixes, tails)
rows = st.lists(ids, max_size=200)


def unpack(positions):
    return list(struct.unpack(f"<{len(positions) // 4}I", positions))


@given(rows, rows)
def test_the_c_finds_what_the_definition_finds(row, others):
    packed = b"".join(sorted(row))
    probes = b"".join(others + row)
    assert native.lookup(packed, probes) == reference.lookup(packed, probes)


@given(rows, rows)
def test_positions_are_right_and_absence_is_named(row, others):
    row = sorted(row)
    for probe, position in zip(others + row, unpack(native.lookup(b"".join(row), b"".join(others + row))), strict=True):
        assert position == (row.index(probe) if probe in row else ABSENT)


@given(rows, rows)
def test_a_row_out_of_order_never_gives_a_wrong_position(row, others):
    for probe, position in zip(others + row, unpack(native.lookup(b"".join(row), b"".join(others + row))), strict=True):
        assert position == ABSENT or row[position] == probe


@given(rows)
def test_the_c_sorts_as_the_definition_does(row):
    packed = b"".join(row)
    assert native.sort_ids(packed) == reference.sort_ids(packed)


@given(rows)
def test_sorting_is_a_stable_permutation(row):
    order = unpack(native.sort_ids(b"".join(row)))
    assert order == sorted(range(len(row)), key=row.__getitem__)


@given(st.binary(max_size=100))
def test_both_refuse_what_is_no_whole_number_of_ids(odd):
    for kernel in (native, reference):
        for call in (lambda k: k.sort_ids(odd), lambda k: k.lookup(odd, b""), lambda k: k.lookup(b"", odd)):
            try:
                call(kernel)
                refused = False
            except ValueError:
                refused = True
            assert refused == bool(len(odd) % 32)


NOT_YET = (1 << 64) - 1
BOTH = (native, reference)
places = st.one_of(st.just(NOT_YET), st.integers(0, NOT_YET))
numbers_32 = st.one_of(st.integers(0, 40), st.integers(0, 0xFFFF_FFFF))


@given(rows, rows, st.integers(-1, (1 << 63) + 1), st.data())
def test_both_fill_in_the_same(row, others, first, data):
    probes = others + row
    packed = b"".join(sorted(row))
    numbers = data.draw(st.lists(numbers_32, min_size=len(row), max_size=len(row)))
    found = data.draw(st.lists(places, min_size=len(probes), max_size=len(probes)))
    results = []
    for kernel in BOTH:
        copy = array("Q", found)
        try:
            left = kernel.fill_found(copy, packed, struct.pack(f"<{len(row)}I", *numbers), first, b"".join(probes))
        except ValueError:
            left = ValueError
        results.append((left, copy))
    assert results[0] == results[1]
    if results[0][0] is not ValueError:
        assert results[0][0] == list(results[0][1]).count(NOT_YET)


@pytest.mark.parametrize("kernel", BOTH, ids=["native", "reference"])
def test_what_was_found_before_stays(kernel):
    low, high, unknown = bytes(32), b"\xff" * 32, b"\x05" * 32
    found = array("Q", [NOT_YET, 7, NOT_YET])
    assert kernel.fill_found(found, low + high, struct.pack("<2I", 5, 6), 100, high + low + unknown) == 1
    assert found.tolist() == [106, 7, NOT_YET]


@pytest.mark.parametrize("kernel", BOTH, ids=["native", "reference"])
def test_columns_that_do_not_belong_together_are_refused(kernel):
    for found, ids, numbers, probes in (
        (array("Q", [0]), b"", b"", b""),
        (array("Q", [0]), b"", b"", bytes(31)),
        (array("Q", [0]), bytes(32), b"", bytes(32)),
        (array("Q", [0]), bytes(32), bytes(3), bytes(32)),
        (array("Q", [0]), bytes(31), bytes(4), bytes(32)),
        (array("I", [0]), bytes(32), bytes(4), bytes(32)),
    ):
        with pytest.raises(ValueError):
            kernel.fill_found(found, ids, numbers, 0, probes)
