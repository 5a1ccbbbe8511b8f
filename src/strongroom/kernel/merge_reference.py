"""The definition of moving the rows of an index, in plain Python: what the C must equal, bit for bit.

An index is columns of equal rows: ids of 32 bytes, numbers of 4 (little-endian). Merging runs and answering a batch of
look-ups move such rows by the hundred thousand.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from strongroom.kernel.arguments import octets

if TYPE_CHECKING:
    from array import array

    from typing_extensions import Buffer

NOT_THERE: Final = 0xFFFF_FFFF
NOT_FOUND: Final = (1 << 64) - 1
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


def note_found(found: array[int], answers: Buffer, numbers: Buffer, first: int) -> None:
    """Fill in what a run answers: where nothing was found yet, `first` plus the number at the answered position.

    Args:
        found: One unsigned 64-bit number for each answer, 2**64 - 1 for what was not found yet; changed in place.
        answers: What `lookup` gave: little-endian 32-bit positions, 2**32 - 1 for none.
        numbers: A little-endian 32-bit number for each position.
        first: What to add to each; less than 2**63.

    Raises:
        ValueError: The buffers do not belong together; `found` may be filled in part.

    """
    checked_found(found, answers, numbers, first)
    column = octets(numbers)
    for at, (position,) in enumerate(_U32.iter_unpack(octets(answers))):
        if position == NOT_THERE or found[at] != NOT_FOUND:
            continue
        if position >= column.nbytes // _U32.size:
            raise ValueError(NO_ROW)
        found[at] = first + _U32.unpack_from(column, position * _U32.size)[0]


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


def checked_found(found: array[int], answers: Buffer, numbers: Buffer, first: int) -> None:
    """Refuse what `note_found` cannot take."""
    if found.typecode != "Q" or not 0 <= first < 1 << 63:
        message = "Found are 64-bit numbers, and the first of them is less than 2**63."
        raise ValueError(message)
    if octets(answers).nbytes != _U32.size * len(found) or octets(numbers).nbytes % _U32.size:
        message = "There is not one answer for each place, or a number is cut short."
        raise ValueError(message)
