"""Columns of 32-bit numbers as they are stored: little-endian, end to end.

Why: tables of millions of rows are read and written as whole columns, never row by row.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from typing_extensions import Buffer

U32_BYTES: Final = 4


def u32_column(numbers: Iterable[int] = ()) -> array[int]:
    """Return a column that holds `numbers`, each below 2**32."""
    return array("I", numbers)


def encode_u32(column: array[int]) -> bytes:
    """Return a column as it is stored."""
    if sys.byteorder == "big":
        column = array("I", column)
        column.byteswap()
    return column.tobytes()


def decode_u32(stored: Buffer) -> array[int]:
    """Return a stored column as numbers; its length is a multiple of four."""
    column = array("I")
    column.frombytes(memoryview(stored).cast("B"))
    if sys.byteorder == "big":
        column.byteswap()
    return column


def view_u32(stored: Buffer) -> Sequence[int]:
    """Return a stored column for reading here and there, copied only where the machine's byte order demands it."""
    if sys.byteorder == "big":
        return decode_u32(stored)
    return memoryview(stored).cast("B").cast("I")
