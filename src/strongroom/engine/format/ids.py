"""Chunk ids: what a chunk is called, and many of them laid end to end.

Why: the id is the chunk's identity everywhere, and columns of ids travel and are looked up as one byte string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from blake3 import blake3

from strongroom.model.entry import ChunkId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Buffer

ID_BYTES: Final = 32


def chunk_id(key_ids: bytes, data: Buffer) -> ChunkId:
    """Return the id of a chunk: keyed BLAKE3-256 of its plain bytes."""
    return ChunkId(blake3(data, key=key_ids).digest())


def pack_ids(ids: Iterable[ChunkId]) -> bytes:
    """Lay ids end to end."""
    return b"".join(ids)


def unpack_ids(packed: bytes) -> list[ChunkId]:
    """Take ids apart that were laid end to end.

    Raises:
        ValueError: `packed` is no whole number of ids.
    """
    if len(packed) % ID_BYTES:
        raise ValueError(f"{len(packed)} bytes are no whole number of ids.")
    return [ChunkId(packed[at : at + ID_BYTES]) for at in range(0, len(packed), ID_BYTES)]
