"""A stream over the data ranges of an open file, laid end to end.

Promises: gives exactly as many bytes as the ranges have, when the file grows meanwhile no more; when a file with
holes was cut short, zeros, so that its ranges stay true. Without holes the stream then ends early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.agent.platform.base import FileReader


class FileStream:
    """Reads ranges (offset, length) of a file in order."""

    def __init__(self, reader: FileReader, ranges: Sequence[tuple[int, int]]) -> None:
        self._reader = reader
        self._ranges = iter(ranges)
        self._pads = len(ranges) != 1 or ranges[0] != (0, reader.stat.size)
        self._offset = self._left = 0

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer as far as the ranges go; 0 at the end."""
        filled = 0
        while filled < len(buffer) and self._has_more():
            wanted = min(len(buffer) - filled, self._left)
            target = buffer[filled : filled + wanted]
            count = self._reader.read_into(self._offset, target)
            if count < wanted:
                if not self._pads:
                    self._left = 0
                    return filled + count
                target[count:] = bytes(wanted - count)
            self._offset += wanted
            self._left -= wanted
            filled += wanted
        return filled

    def _has_more(self) -> bool:
        """Whether there is more to read; goes to the next range when one is used up."""
        if not self._left:
            self._offset, self._left = next(self._ranges, (0, 0))
        return self._left > 0
