"""Bitmaps of ordinals: what a snapshot reaches, what a session may refer to, what a damaged pack hits.

Why: one compressed structure answers all questions about sets of chunks without holding ids in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyroaring import BitMap64

from strongroom.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strongroom.engine.vault.ledger import PackRow


def encode_bitmap(bitmap: BitMap64) -> bytes:
    """Return a bitmap as the ledger stores it, as small as it gets."""
    bitmap.run_optimize()
    return bitmap.serialize()


def decode_bitmap(stored: bytes) -> BitMap64:
    """Read a stored bitmap; empty bytes are an empty one.

    Raises:
        Damaged: the bytes are no bitmap (code `bad_bitmap`).
    """
    if not stored:
        return BitMap64()
    try:
        return BitMap64.deserialize(stored)
    except (ValueError, MemoryError) as error:
        raise Damaged("The ledger holds a bitmap that cannot be read.", code="bad_bitmap") from error


def bitmap_of_packs(packs: Iterable[PackRow]) -> BitMap64:
    """Return the ordinals of all chunks of the packs."""
    bitmap = BitMap64()
    for pack in packs:
        bitmap.add_range(pack.first_ordinal, pack.first_ordinal + pack.chunks)
    return bitmap
