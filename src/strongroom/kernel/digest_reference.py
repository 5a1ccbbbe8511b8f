"""The definition of hashing many chunks at once, by the BLAKE3 library: what the C must equal, bit for bit."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from strongroom.kernel.arguments import octets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

KEY_BYTES: Final = 32
_EMPTY: Final = memoryview(b"\0")


def digests(data: Buffer, sizes: Sequence[int], key: bytes) -> bytes:
    """Hash inputs that lie end to end.

    Args:
        data: The inputs, nothing before, between or behind them.
        sizes: How many bytes each has, 0 to 2**32 - 1.
        key: 32 bytes.

    Returns:
        The keyed BLAKE3-256 digest of each input, 32 bytes each, end to end.

    Raises:
        ValueError: The sizes do not add up to the data, one is out of range, or the key has another length.

    """
    view, lengths, secret = checked(data, sizes, key)
    packed, start = bytearray(), 0
    for size in lengths:
        packed += blake3(view[start : start + size], key=secret).digest()
        start += size
    return bytes(packed)


def checked(data: Buffer, sizes: Sequence[int], key: bytes) -> tuple[memoryview, array[int], bytes]:
    """Return the arguments as both implementations want them; empty data stands on one byte that is not read.

    Raises:
        ValueError: See `digests`.

    """
    view = octets(data)
    try:
        lengths = array("I", sizes)
    except OverflowError as error:
        message = "A size does not fit 32 bits."
        raise ValueError(message) from error
    if sum(lengths) != view.nbytes:
        message = f"The sizes add up to {sum(lengths)} bytes, not {view.nbytes}."
        raise ValueError(message)
    if len(key) != KEY_BYTES:
        message = f"A key has {KEY_BYTES} bytes, not {len(key)}."
        raise ValueError(message)
    return view if view.nbytes else _EMPTY, lengths, key
