"""What the kernel accepts: the checks both implementations share, so that they refuse the same things.

Everything is checked here, once per batch; the C loops behind trust what they are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.kernel.gear import TABLE_BYTES

if TYPE_CHECKING:
    from array import array

    from typing_extensions import Buffer

ID_BYTES: Final = 32
NUMBER_BYTES: Final = 4
ABSENT: Final = 0xFFFF_FFFF
LARGEST_CHUNK: Final = 1 << 30
SMALLEST_AVERAGE: Final = 8
NORMALISATION: Final = 2


def octets(data: Buffer) -> memoryview:
    """See a buffer as a row of bytes, without copying it.

    Raises:
        ValueError: The buffer has gaps.

    """
    view = memoryview(data)
    if not view.c_contiguous:
        message = "The kernel reads contiguous buffers only."
        raise ValueError(message)
    return view.cast("B") if view.nbytes else memoryview(b"")


def room_at(target: Buffer, at: int, size: int) -> memoryview:
    """See so many bytes of a buffer that can be written to, from `at` on.

    Raises:
        ValueError: They do not lie in the buffer, or it has gaps.
        TypeError: It cannot be written to.

    """
    view = octets(target) or memoryview(bytearray())
    if memoryview(target).readonly:
        message = "Bytes can only be copied to a buffer that can be written to."
        raise TypeError(message)
    if not 0 <= at <= at + size <= view.nbytes:
        message = f"{size} bytes from {at} on do not lie in a buffer of {view.nbytes}."
        raise ValueError(message)
    return view[at : at + size]


def packed_ids(ids: Buffer) -> memoryview:
    """See a buffer as ids laid end to end.

    Raises:
        ValueError: It is no whole number of ids, or holds more than a 32-bit position can count.

    """
    view = octets(ids)
    if view.nbytes % ID_BYTES:
        message = f"Packed ids have {ID_BYTES} bytes each; {view.nbytes} bytes are no whole number of them."
        raise ValueError(message)
    if view.nbytes // ID_BYTES >= ABSENT:
        message = f"More than {ABSENT - 1} ids do not fit one call."
        raise ValueError(message)
    return view


def checked_found(found: array[int], ids: Buffer, numbers: Buffer, first: int, probes: Buffer) -> None:
    """Refuse what `fill_found` cannot take.

    Raises:
        ValueError: The buffers do not belong together.

    """
    if found.typecode != "Q" or not 0 <= first < 1 << 63:
        message = "Found are 64-bit numbers, and the first of them is less than 2**63."
        raise ValueError(message)
    if packed_ids(probes).nbytes != ID_BYTES * len(found):
        message = "There is not one id for each place."
        raise ValueError(message)
    if NUMBER_BYTES * (packed_ids(ids).nbytes // ID_BYTES) != octets(numbers).nbytes:
        message = "There is not one number for each id."
        raise ValueError(message)


def gear(table: Buffer) -> memoryview:
    """See a buffer as a gear table.

    Raises:
        ValueError: It has another length.

    """
    view = octets(table)
    if view.nbytes != TABLE_BYTES:
        message = f"A gear table has {TABLE_BYTES} bytes, not {view.nbytes}."
        raise ValueError(message)
    return view


def cut_limits(minimum: int, average: int, maximum: int) -> tuple[int, int]:
    """Turn an average size into the two limits of normalised chunking: strict before it, loose after it.

    A boundary is where the 64-bit hash is below the limit, so one byte in `average` ends a chunk when the limit is
    2**64 / average. Level 2 of normalisation moves that by two bits either way, which draws sizes towards the average.

    Raises:
        ValueError: The sizes (in bytes) are not in order, too large, or the average is no power of two.

    """
    if not 0 < minimum < average < maximum <= LARGEST_CHUNK:
        message = f"Chunk sizes must satisfy 0 < minimum < average < maximum <= {LARGEST_CHUNK}."
        raise ValueError(message)
    if average < SMALLEST_AVERAGE or average & (average - 1):
        message = f"The average chunk size must be a power of two from {SMALLEST_AVERAGE}, not {average}."
        raise ValueError(message)
    bits = average.bit_length() - 1
    return 1 << (64 - bits - NORMALISATION), 1 << (64 - bits + NORMALISATION)
