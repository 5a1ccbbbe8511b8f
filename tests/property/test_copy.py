"""Copying to a place: what lies there afterwards, and what is refused, is the same in C as in Python."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.kernel import native, reference


@given(st.binary(max_size=300), st.integers(-5, 300), st.binary(max_size=100))
def test_both_copy_alike_and_refuse_alike(there, at, data):
    outcomes = []
    for implementation in (native, reference):
        target = bytearray(there)
        try:
            implementation.copy_to(target, at, data)
        except ValueError as error:
            assert target == there
            outcomes.append(str(error))
        else:
            assert target == there[:at] + data + there[at + len(data) :]
            outcomes.append(bytes(target))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("implementation", [native, reference])
def test_only_what_can_be_written_to_is_written_to(implementation):
    for target in (b"as it was", b"", memoryview(b"as it was")):
        with pytest.raises(TypeError, match="written to"):
            implementation.copy_to(target, 0, b"")
    with pytest.raises(ValueError, match="contiguous"):
        implementation.copy_to(memoryview(bytearray(8))[::2], 0, b"ab")


@pytest.mark.parametrize("implementation", [native, reference])
def test_any_buffer_is_taken(implementation):
    target = bytearray(8)
    implementation.copy_to(memoryview(target).cast("I"), 2, memoryview(b"..abc")[2:])
    assert target == b"\0\0abc\0\0\0"
