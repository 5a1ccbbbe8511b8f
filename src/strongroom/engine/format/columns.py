"""Columns of 32-bit and 64-bit numbers as they are stored: little-endian, end to end.

Why: tables of millions of rows are read and written as whole columns, never row by row.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from typing_extensions import Buffer

U32_BYTES: Final = 4
U64_BYTES: Final = 8


def u32_column(numbers: Iterable[int] = ()) -> array[int]:
    """Return a column that holds `numbers`, each below 2**32."""
    return array("I", numbers)


def encode_u32(column: array[int]) -> bytes:
    """Return a column as it is stored."""
    return _encode(column)


def encode_u64(column: array[int]) -> bytes:
    """Return a column of 64-bit numbers as it is stored."""
    return _encode(column)


def decode_u32(stored: Buffer) -> array[int]:
    """Return a stored column as numbers; its length is a multiple of four."""
    return _decode("I", stored)


def decode_u64(stored: Buffer) -> array[int]:
    """Return a stored column of 64-bit numbers; its length is a multiple of eight."""
    return _decode("Q", stored)


def view_u32(stored: Buffer) -> Sequence[int]:
    """Return a stored column for reading here and there, copied only where the machine's byte order demands it."""
    if sys.byteorder == "big":
        return decode_u32(stored)
    return memoryview(stored).cast("B").cast("I")


def _encode(column: array[int]) -> bytes:
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column.tobytes()


def _decode(typecode: Literal["I", "Q"], stored: Buffer) -> array[int]:
    column = array(typecode)
    column.frombytes(memoryview(stored).cast("B"))
    if sys.byteorder == "big":
        column.byteswap()
    return column
