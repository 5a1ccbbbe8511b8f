"""Linux: where a sparse file holds data.

Why: holes need neither be read nor stored, and a restored disk image must not be larger than the one that was saved.
Promises: at most `MOST_EXTENTS` ranges; where a file has more, its smallest holes count as data.
"""

from __future__ import annotations

import errno
import itertools
import os

from strongroom.agent.platform.base import MOST_EXTENTS


def data_extents(handle: int, size: int, most: int = MOST_EXTENTS) -> tuple[tuple[int, int], ...] | None:
    """Return the ranges (offset, length) below `size` that hold data; None if that is all of it, or unknown."""
    ranges: list[tuple[int, int]] = []
    position = 0
    while position < size:
        try:
            start = os.lseek(handle, position, os.SEEK_DATA)
            position = min(os.lseek(handle, start, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                break
            return None
        if start >= size:
            break
        ranges.append((start, position - start))
        if len(ranges) >= 4 * most:
            ranges = without_small_holes(ranges, most)
    if ranges == [(0, size)]:
        return None
    return tuple(without_small_holes(ranges, most))


def without_small_holes(ranges: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Join neighbours across the smallest holes until at most `most` ranges are left."""
    if len(ranges) <= most:
        return ranges
    holes = [after[0] - before[0] - before[1] for before, after in itertools.pairwise(ranges)]
    kept = set(sorted(range(len(holes)), key=holes.__getitem__, reverse=True)[: most - 1])
    joined = [ranges[0]]
    for number, (start, length) in enumerate(ranges[1:]):
        if number in kept:
            joined.append((start, length))
        else:
            first = joined[-1][0]
            joined[-1] = (first, start + length - first)
    return joined
