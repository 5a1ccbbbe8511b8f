"""The gear table: 256 secret random numbers, one for each value a byte can have.

The cutter adds them up along the data, so whoever lacks the key cannot tell from sizes of chunks which file they hold.
It is made once per vault and run, so it exists in Python only.
"""

from __future__ import annotations

from typing import Final

from blake3 import blake3

TABLE_BYTES: Final = 256 * 8
KEY_BYTES: Final = 32
LABEL: Final = b"strongroom gear table 1"


def gear_table(key: bytes) -> bytes:
    """Derive the table of the cutter from a key.

    The table is the first 2048 bytes of keyed BLAKE3 of a fixed label, read as 256 little-endian 64-bit numbers.

    Raises:
        ValueError: The key is not 32 bytes long.

    """
    if len(key) != KEY_BYTES:
        message = f"A gear key has {KEY_BYTES} bytes, not {len(key)}."
        raise ValueError(message)
    return blake3(LABEL, key=key).digest(length=TABLE_BYTES)
