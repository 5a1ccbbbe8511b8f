"""The definition of moving the rows of an index, in plain Python: what the C must equal, bit for bit.

An index is columns of equal rows: ids of 32 bytes, numbers of 4 (little-endian). Merging runs moves such rows by
the hundred thousand.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from strongroom.kernel.arguments import octets

if TYPE_CHECKING:
    from typing_extensions import Buffer

NOT_THERE: Final = 0xFFFF_FFFF
WIDEST: Final = 1 << 12
NO_ROW: Final = "A position names a row that is not there."
TOO_LARGE: Final = "A number does not fit 32 bits any more."
_U32: Final = struct.Struct("<I")


def pick(rows: Buffer, order: Buffer, width: int) -> bytes:
    """Copy rows of `width` bytes in the order that `order` (little-endian 32-bit positions) says.

    Raises:
        ValueError: A buffer is no whole number of rows or positions, or a position names no row.

    """
    checked_rows(rows, order, width)
    view, picked = octets(rows), bytearray()
    for (at,) in _U32.iter_unpack(octets(order)):
        if at >= view.nbytes // width:
            raise ValueError(NO_ROW)
        picked += view[at * width : (at + 1) * width]
    return bytes(picked)


def shift(numbers: Buffer, by: int) -> bytes:
    """Add `by` to little-endian 32-bit numbers.

    Raises:
        ValueError: The buffer is no whole number of them, `by` or a sum does not fit 32 bits.

    """
    checked_shift(numbers, by)
    shifted = [number + by for (number,) in _U32.iter_unpack(octets(numbers))]
    if max(shifted, default=0) > NOT_THERE:
        raise ValueError(TOO_LARGE)
    return struct.pack(f"<{len(shifted)}I", *shifted)


def checked_rows(rows: Buffer, order: Buffer, width: int) -> None:
    """Refuse what `pick` cannot take."""
    if not 0 < width <= WIDEST or octets(rows).nbytes % width or octets(order).nbytes % _U32.size:
        message = f"Rows of {width} bytes, or their order, are cut short."
        raise ValueError(message)


def checked_shift(numbers: Buffer, by: int) -> None:
    """Refuse what `shift` cannot take."""
    if not 0 <= by <= NOT_THERE or octets(numbers).nbytes % _U32.size:
        message = "Numbers have 4 bytes each, and so has what is added."
        raise ValueError(message)
