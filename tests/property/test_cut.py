"""The cutter: what its boundaries promise, and that the C answers as the definition does.

Small chunk sizes are used throughout, so that a few kilobytes hold many boundaries of every kind.
"""

import random

from hypothesis import given
from hypothesis import strategies as st

from strongroom.kernel import gear_table, native, reference

SMALL = {"minimum": 16, "average": 64, "maximum": 256}

keys = st.binary(min_size=32, max_size=32)
tables = st.one_of(
    keys.map(gear_table),
    st.sampled_from([bytes(2048), b"\xff" * 2048, bytes(range(256)) * 8]),
)
noise = st.builds(lambda seed, size: random.Random(seed).randbytes(size), st.integers(), st.integers(0, 5000))
runs = st.builds(lambda value, count: bytes([value]) * count, st.integers(0, 255), st.integers(0, 1500))
data = st.lists(st.one_of(st.binary(max_size=300), noise, runs), max_size=6).map(b"".join)


@st.composite
def sizes(draw):
    average = 1 << draw(st.integers(3, 12))
    minimum = draw(st.integers(1, average - 1))
    maximum = draw(st.integers(average + 1, 8 * average))
    return {"minimum": minimum, "average": average, "maximum": maximum}


def cut_in_parts(parts, table, limits):
    """Cut as a caller does: feed a part, keep what lies behind the last end, put it before the next part."""
    ends, tail, begun = [], b"", 0
    for number, part in enumerate(parts, start=1):
        held = tail + part
        found = native.cut(held, table, **limits, final=number == len(parts))
        ends += [begun + end for end in found]
        used = found[-1] if found else 0
        tail, begun = held[used:], begun + used
    return ends


@given(data, tables, sizes(), st.booleans())
def test_the_c_cuts_as_the_definition_does(content, table, limits, final):
    expected = reference.cut(content, table, **limits, final=final)
    assert native.cut(content, table, **limits, final=final) == expected


@given(st.lists(data, min_size=1, max_size=8), tables, sizes())
def test_any_split_gives_the_same_chunks(parts, table, limits):
    whole = native.cut(b"".join(parts), table, **limits, final=True)
    assert cut_in_parts(parts, table, limits) == whole


@given(data, keys.map(gear_table))
def test_feeding_byte_by_byte_gives_the_same_chunks(content, table):
    parts = [content[at : at + 1] for at in range(min(len(content), 600))] or [b""]
    whole = native.cut(content[:600], table, **SMALL, final=True)
    assert cut_in_parts(parts, table, SMALL) == whole


@given(data, tables, sizes())
def test_chunks_join_to_the_data_and_keep_their_sizes(content, table, limits):
    ends = native.cut(content, table, **limits, final=True)
    starts = [0, *ends[:-1]]
    lengths = [end - start for start, end in zip(starts, ends, strict=bool(ends))]
    assert (ends[-1] if ends else 0) == len(content)
    assert all(limits["minimum"] < length <= limits["maximum"] for length in lengths[:-1])
    assert all(0 < length <= limits["maximum"] for length in lengths[-1:])


@given(data, tables, sizes(), st.data())
def test_an_end_once_given_is_never_moved(content, table, limits, choice):
    seen = choice.draw(st.integers(0, len(content)))
    early = native.cut(content[:seen], table, **limits, final=False)
    late = native.cut(content, table, **limits, final=False)
    assert late[: len(early)] == early


@given(data, data, noise, keys.map(gear_table))
def test_boundaries_meet_again_after_different_beginnings(one, other, shared, table):
    limits = {"minimum": 16, "average": 64, "maximum": 4096}

    def ends_in_shared(beginning):
        return {end - len(beginning) for end in native.cut(beginning + shared, table, **limits, final=True)}

    common = ends_in_shared(one) & ends_in_shared(other)
    after = sorted(ends_in_shared(one))
    met = [end for end in after if end > 0 and end in common]
    if met:
        assert [end for end in after if end >= met[0]] == [
            end for end in sorted(ends_in_shared(other)) if end >= met[0]
        ]


@given(st.integers(-3, 300), st.integers(-3, 300), st.integers(-3, 300))
def test_both_refuse_the_same_sizes(minimum, average, maximum):
    limits = {"minimum": minimum, "average": average, "maximum": maximum}
    answers = []
    for kernel in (native, reference):
        try:
            answers.append(kernel.cut(b"content", bytes(2048), **limits, final=True))
        except ValueError as error:
            answers.append(str(error))
    assert answers[0] == answers[1]
