"""Cutting content into chunks, by the key and the sizes of a vault, through one buffer.

Why: equal content must give equal chunks wherever and however it is read, in this release and the next.
Promises: the chunks depend on the bytes, the key and the sizes alone, not on how a source splits its reads; laid end to
end they are the content. Memory is one buffer, whatever the size of the stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.kernel import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from strongroom.engine.format.keys import ContentKeys

WHOLE_BYTES: Final = 256 << 10
"""Content up to this size is not cut: it is one chunk."""
BUFFER_BYTES: Final = 8 << 20


class Cutter:
    """Cuts one stream after the other through a buffer of its own; not for several threads at once."""

    def __init__(self, keys: ContentKeys) -> None:
        """Keep what to cut by; the buffer is made when a stream comes."""
        self._keys = keys
        self._buffer = memoryview(b"")

    def chunks(self, readinto: Callable[[memoryview], int]) -> Iterator[memoryview]:
        """Yield the chunks of a stream; each is valid only until the next is asked for.

        Args:
            readinto: fills a buffer as far as it can, like `io.RawIOBase.readinto`, and returns how many bytes it
                gave; 0 at the end.
        """
        buffer = self._ready_buffer()
        filled = 0
        begins, final = True, False
        while not final:
            count = readinto(buffer[filled:])
            filled += count
            final = count == 0
            if filled < BUFFER_BYTES and not final:
                continue
            start = 0
            for end in _ends(buffer[:filled], self._keys, is_whole=begins and final, final=final):
                yield buffer[start:end]
                start = end
            begins = False
            buffer[: filled - start] = buffer[start:filled]
            filled -= start

    def _ready_buffer(self) -> memoryview:
        if not self._buffer:
            self._buffer = memoryview(bytearray(BUFFER_BYTES))
        return self._buffer


def cut_bytes(data: bytes, keys: ContentKeys) -> Iterator[memoryview]:
    """Yield the chunks of `data`: the same as a `Cutter` finds in a stream of it."""
    view = memoryview(data)
    start = 0
    for end in _ends(view, keys, is_whole=True, final=True):
        yield view[start:end]
        start = end


def _ends(data: memoryview, keys: ContentKeys, *, is_whole: bool, final: bool) -> list[int]:
    if is_whole and 0 < len(data) <= WHOLE_BYTES:
        return [len(data)]
    sizes = keys.cutting
    return cut(data, keys.gear, minimum=sizes.minimum, average=sizes.average, maximum=sizes.maximum, final=final)
