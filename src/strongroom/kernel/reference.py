"""The definition of the kernel, in plain Python: what the C must equal, bit for bit.

Read this file to know what a kernel function means; read the C to know how it is made fast.
It runs when STRONGROOM_KERNEL=reference is set, and as the oracle of the property tests.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from strongroom.kernel.arguments import (
    ABSENT,
    ID_BYTES,
    checked_found,
    cut_limits,
    gear,
    octets,
    packed_ids,
    room_at,
)

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from typing_extensions import Buffer

MASK_64: Final = (1 << 64) - 1


def cut(data: Buffer, table: Buffer, *, minimum: int, average: int, maximum: int, final: bool) -> list[int]:
    """Find where the chunks in `data` end, by content.

    This is FastCDC (Xia et al., USENIX ATC 2016) over a gear hash of 64 bits: hash = 2 * hash + table[byte], so that a
    byte has left the hash 64 bytes later. A chunk ends after the byte which brings the hash below a limit; comparing
    with a limit asks whether the topmost bits are all zero, and those are the bits which the most bytes have reached.
    The first `minimum` bytes of a chunk are not hashed at all, the limit is strict up to `average` and loose after it
    (normalised chunking, level 2), and at `maximum` bytes the chunk ends whatever the hash is.
    At each boundary everything starts anew, so boundaries depend on nothing but the bytes since the last one.

    Without `final`, only ends that more data cannot move are given; the caller keeps what is behind the last one and
    puts it before the data that comes next. With `final`, the rest is the last chunk. Either way, data gives the same
    chunks however it is split.

    Args:
        data: Bytes that begin at the beginning of a chunk.
        table: 256 little-endian 64-bit numbers, see `gear_table`.
        minimum: Bytes before hashing starts; every chunk but the last is longer.
        average: Bytes at which the strict limit gives way to the loose one; a power of two.
        maximum: Bytes in the longest chunk.
        final: Whether the data ends here.

    Returns:
        Offsets in `data`, ascending, each one past the last byte of a chunk; none for empty data.

    Raises:
        ValueError: The sizes are not in order, or the table has another length.

    """
    strict, loose = cut_limits(minimum, average, maximum)
    numbers = struct.unpack("<256Q", gear(table))
    view = octets(data)
    ends: list[int] = []
    start = 0
    while start < len(view):
        longest = view[start : start + maximum]
        size = _first_boundary(longest, numbers, (minimum, average), (strict, loose))
        if size is None:
            if len(longest) < maximum and not final:
                break
            size = len(longest)
        start += size
        ends.append(start)
    return ends


def _first_boundary(
    data: memoryview,
    numbers: Sequence[int],
    sizes: tuple[int, int],
    limits: tuple[int, int],
) -> int | None:
    minimum, average = sizes
    strict, loose = limits
    digest = 0
    for position in range(minimum, len(data)):
        digest = (2 * digest + numbers[data[position]]) & MASK_64
        if digest < (strict if position < average else loose):
            return position + 1
    return None


def copy_to(target: Buffer, at: int, data: Buffer) -> None:
    """Copy bytes to a place in others, which they do not overlap, while other threads work.

    The interpreter would keep its lock over such a copy, and all who receive meanwhile would wait for it.

    Args:
        at: where in `target` the first byte goes.

    Raises:
        ValueError: They do not fit there, or a buffer has gaps.
        TypeError: The target cannot be written to.

    """
    view = octets(data)
    room_at(target, at, view.nbytes)[:] = view


def lookup(ids: Buffer, probes: Buffer) -> bytes:
    """Find the positions of many ids in a sorted row of them.

    Args:
        ids: n ids of 32 bytes, laid end to end, ascending. Of equal ones the first is found.
        probes: m ids of 32 bytes, laid end to end, in any order; ascending is fastest.

    Returns:
        m little-endian 32-bit positions in the order of the probes, 0xFFFFFFFF for an id that is not there.
        Were `ids` not ascending, an id that is there may be missed; a position that is given is always right.

    Raises:
        ValueError: A buffer is no whole number of ids, or holds 2**32 - 1 of them or more.

    """
    row, sought = packed_ids(ids), packed_ids(probes)
    count = len(row) // ID_BYTES

    def position(probe: bytes) -> int:
        found = bisect_left(range(count), probe, key=lambda at: _id(row, at))
        return found if found < count and _id(row, found) == probe else ABSENT

    asked = len(sought) // ID_BYTES
    return struct.pack(f"<{asked}I", *(position(_id(sought, at)) for at in range(asked)))


def fill_found(found: array[int], ids: Buffer, numbers: Buffer, first: int, probes: Buffer) -> int:
    """Look up the ids of which nothing was found yet in one more row.

    Args:
        found: One unsigned 64-bit number for each probe, 2**64 - 1 where nothing was found yet; what is found now is
            filled in: `first` plus the number of its row.
        ids: What `lookup` searches.
        numbers: A little-endian 32-bit number for each of the ids.
        first: What to add to each; less than 2**63.
        probes: What `lookup` is asked for.

    Returns:
        Of how many probes nothing was found yet.

    Raises:
        ValueError: The buffers do not belong together.

    """
    checked_found(found, ids, numbers, first, probes)
    column = struct.unpack(f"<{len(octets(numbers)) // 4}I", octets(numbers))
    for at, (position,) in enumerate(struct.iter_unpack("<I", lookup(ids, probes))):
        if found[at] == MASK_64 and position != ABSENT:
            found[at] = first + column[position]
    return found.count(MASK_64)


def sort_ids(ids: Buffer) -> bytes:
    """Find the order that sorts ids, for building a row that `lookup` can search.

    Args:
        ids: n ids of 32 bytes, laid end to end.

    Returns:
        n little-endian 32-bit positions: where the smallest id is, then the next. Equal ids keep their order.

    Raises:
        ValueError: The buffer is no whole number of ids, or holds 2**32 - 1 of them or more.

    """
    row = packed_ids(ids)
    count = len(row) // ID_BYTES
    return struct.pack(f"<{count}I", *sorted(range(count), key=lambda at: _id(row, at)))


def _id(row: memoryview, position: int) -> bytes:
    return bytes(row[position * ID_BYTES : (position + 1) * ID_BYTES])
