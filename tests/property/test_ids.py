"""Look-up and sorting of packed ids: the C answers as the definition does, on even and on spiteful rows.

Real ids are spread evenly.
These crowd together on purpose, so that the guessing in the C goes wrong as often as it can.
"""

import struct

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
