"""Moving the rows of an index: the C does what the definition does, and both refuse what does not belong together."""

import struct

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
