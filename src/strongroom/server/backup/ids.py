"""Packed chunk ids, as they come over the wire."""

from __future__ import annotations

from typing import Final

from strongroom.errors import Mistake
from strongroom.model.entry import ChunkId

_ID_BYTES: Final = 32
_MOST_IDS: Final = 65_536


def split_ids(packed: bytes) -> list[ChunkId]:
    """Return packed chunk ids one by one.

    Raises:
        Mistake: they are not whole ids, or too many.
    """
    if len(packed) % _ID_BYTES or len(packed) > _MOST_IDS * _ID_BYTES:
        raise Mistake(f"Chunk ids are {_ID_BYTES} bytes each, at most {_MOST_IDS} at once.", code="bad_ids")
    return [ChunkId(packed[begin : begin + _ID_BYTES]) for begin in range(0, len(packed), _ID_BYTES)]
