"""Moving the rows of an index: the C does what the definition does, and both refuse what does not belong together."""

import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.kernel import merge, merge_reference

BOTH = (merge, merge_reference)
u32 = st.one_of(st.integers(0, 40), st.sampled_from([0xFFFF_FFFF, 0xFFFF_FFFE, 1 << 31]), st.integers(0, 0xFFFF_FFFF))
columns = st.lists(u32, max_size=60)


def packed(numbers):
    return struct.pack(f"<{len(numbers)}I", *numbers)


def outcome(call):
    try:
        return call()
    except ValueError:
        return ValueError


@given(st.binary(max_size=300), columns, st.integers(-1, 40))
def test_both_pick_the_same_rows(rows, order, width):
    first, second = (outcome(lambda one=one: one.pick(rows, packed(order), width)) for one in BOTH)
    assert first == second


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=50), st.data())
def test_picked_rows_are_those_of_the_order(rows, data):
    order = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=80))
    assert merge.pick(b"".join(rows), packed(order), 32) == b"".join(rows[at] for at in order)


@given(columns, st.one_of(u32, st.sampled_from([-1, 1 << 32])))
def test_both_shift_the_same(numbers, by):
    first, second = (outcome(lambda one=one: one.shift(packed(numbers), by)) for one in BOTH)
    assert first == second
    if first is not ValueError:
        assert first == packed([number + by for number in numbers])


@given(columns, columns, st.integers(-1, (1 << 63) + 1), st.data())
def test_both_note_the_same_as_found(answers, numbers, first, data):
    places = st.one_of(st.just((1 << 64) - 1), st.integers(0, (1 << 64) - 1))
    found = data.draw(st.lists(places, min_size=len(answers), max_size=len(answers)))
    results = []
    for one in BOTH:
        copy = array("Q", found)
        kind = outcome(lambda one=one, copy=copy: one.note_found(copy, packed(answers), packed(numbers), first))
        results.append((kind, copy))
    assert results[0] == results[1]


@pytest.mark.parametrize("implementation", BOTH, ids=["native", "reference"])
def test_what_was_found_before_stays(implementation):
    found = array("Q", [(1 << 64) - 1, 7, (1 << 64) - 1])
    implementation.note_found(found, packed([1, 1, 0xFFFF_FFFF]), packed([5, 6]), 100)
    assert found.tolist() == [106, 7, (1 << 64) - 1]


@pytest.mark.parametrize("implementation", BOTH, ids=["native", "reference"])
def test_columns_that_do_not_belong_together_are_refused(implementation):
    for found, answers, numbers in (
        (array("Q", [0]), b"", b""),
        (array("Q", [0]), b"\0\0\0", b""),
        (array("Q", [0]), bytes(4), bytes(3)),
        (array("I", [0]), bytes(4), bytes(4)),
    ):
        with pytest.raises(ValueError):
            implementation.note_found(found, answers, numbers, 0)
