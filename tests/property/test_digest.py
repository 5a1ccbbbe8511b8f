"""Hashing many chunks at once: the C answers as the BLAKE3 library does, whatever sizes meet in one call.

Sizes crowd around those at which the hash changes its shape: a block of 64 bytes, a piece of 1 KiB, a joint of pieces.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.kernel import digest, digest_reference

EDGES = [0, 1, 63, 64, 65, 127, 128, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 3073, 4096, 5121, 16_384, 17_409]
keys = st.binary(min_size=32, max_size=32)
size_lists = st.lists(st.one_of(st.sampled_from(EDGES), st.integers(0, 9000)), max_size=40)


@st.composite
def inputs(draw):
    sizes = draw(size_lists)
    seed = draw(st.binary(min_size=1, max_size=61))
    length = sum(sizes)
    return (seed * (length // len(seed) + 1))[:length], sizes


@settings(deadline=None)
@given(inputs(), keys)
def test_the_c_hashes_as_the_library_does(made, key):
    data, sizes = made
    assert digest.digests(data, sizes, key) == digest_reference.digests(data, sizes, key)


@given(inputs(), keys)
def test_neighbours_do_not_change_a_digest(made, key):
    data, sizes = made
    packed, start = digest.digests(data, sizes, key), 0
    for at, size in enumerate(sizes):
        assert digest.digests(data[start : start + size], [size], key) == packed[32 * at : 32 * at + 32]
        start += size


def test_one_long_input_has_a_deep_tree():
    data = bytes(range(251)) * 4177 * 4
    for size in (len(data), 1 << 20, (1 << 20) + 1, 3 << 20, (3 << 20) - 1):
        expected = digest_reference.digests(data[:size], [size], bytes(32))
        assert digest.digests(data[:size], [size], bytes(32)) == expected


def test_more_inputs_than_any_register_holds():
    sizes = [index % 1500 for index in range(5000)]
    data = bytes(sum(sizes))
    assert digest.digests(data, sizes, b"k" * 32) == digest_reference.digests(data, sizes, b"k" * 32)


@pytest.mark.parametrize("implementation", [digest, digest_reference], ids=["native", "reference"])
@pytest.mark.parametrize(
    ("data", "sizes", "key"),
    [(b"abc", [2], bytes(32)), (b"abc", [2, 2], bytes(32)), (b"", [1], bytes(32)), (b"abc", [3], bytes(31)),
     (b"abc", [-1, 4], bytes(32)), (b"abc", [1 << 32], bytes(32)), (b"abc", [], bytes(32))],
)  # fmt: skip
def test_both_refuse_the_same(implementation, data, sizes, key):
    with pytest.raises(ValueError):
        implementation.digests(data, sizes, key)


def test_any_contiguous_buffer_is_taken():
    data = bytearray(b"some bytes")
    expected = digest_reference.digests(b"some bytes", [4, 6], bytes(32))
    for buffer in (data, memoryview(data), memoryview(b"xsome bytesx")[1:11]):
        assert digest.digests(buffer, [4, 6], bytes(32)) == expected
    with pytest.raises(ValueError):
        digest.digests(memoryview(bytes(20))[::2], [10], bytes(32))
