"""Cutting content into chunks: the sizes of format v1, and a cutter that reads a stream through one buffer.

Why: equal content must give equal chunks wherever and however it is read, in this release and the next.
Promises: the chunks depend on the bytes and the key alone, not on how a source splits its reads; laid end to end they
are the content. Memory is one buffer, whatever the size of the stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.kernel import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINIMUM: Final = 256 << 10
AVERAGE: Final = 1 << 20
MAXIMUM: Final = 4 << 20
BUFFER_BYTES: Final = 8 << 20


class Cutter:
    """Cuts one stream after the other through a buffer of its own; not for several threads at once."""

    def __init__(self, gear: bytes) -> None:
        """Keep the gear table; the buffer is made when a stream comes."""
        self._gear = gear
        self._buffer = memoryview(b"")

    def chunks(self, readinto: Callable[[memoryview], int]) -> Iterator[memoryview]:
        """Yield the chunks of a stream; each is valid only until the next is asked for.

        Args:
            readinto: fills a buffer as far as it can, like `io.RawIOBase.readinto`, and returns how many bytes it
                gave; 0 at the end.
        """
        buffer = self._ready_buffer()
        filled = 0
        final = False
        while not final:
            count = readinto(buffer[filled:])
            filled += count
            final = count == 0
            if filled < BUFFER_BYTES and not final:
                continue
            start = 0
            for end in _ends(buffer[:filled], self._gear, final=final):
                yield buffer[start:end]
                start = end
            buffer[: filled - start] = buffer[start:filled]
            filled -= start

    def _ready_buffer(self) -> memoryview:
        if not self._buffer:
            self._buffer = memoryview(bytearray(BUFFER_BYTES))
        return self._buffer


def cut_bytes(data: bytes, gear: bytes) -> Iterator[memoryview]:
    """Yield the chunks of `data`: the same as a `Cutter` finds in a stream of it."""
    view = memoryview(data)
    start = 0
    for end in _ends(view, gear, final=True):
        yield view[start:end]
        start = end


def _ends(data: memoryview, gear: bytes, *, final: bool) -> list[int]:
    return cut(data, gear, minimum=MINIMUM, average=AVERAGE, maximum=MAXIMUM, final=final)
