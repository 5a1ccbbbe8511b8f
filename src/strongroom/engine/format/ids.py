"""Chunk ids: what a chunk is called, and many of them laid end to end.

Why: the id is the chunk's identity everywhere, and columns of ids travel and are looked up as one byte string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from blake3 import blake3

from strongroom.kernel import digests
from strongroom.model.entry import ChunkId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from typing_extensions import Buffer

ID_BYTES: Final = 32
_LARGE_BYTES: Final = 64 << 10


def chunk_id(key_ids: bytes, data: Buffer) -> ChunkId:
    """Return the id of a chunk: keyed BLAKE3-256 of its plain bytes."""
    return ChunkId(blake3(data, key=key_ids).digest())


def chunk_ids(key_ids: bytes, data: Buffer, sizes: Sequence[int]) -> bytes:
    """Return the ids, end to end, of chunks that lie end to end in `data`.

    Many small chunks are hashed side by side; a large one keeps the processor's registers full by itself.

    Raises:
        ValueError: the sizes do not add up to the data.
    """
    view = memoryview(data)
    if len(view) < _LARGE_BYTES * len(sizes) and len(sizes) > 1:
        return digests(view, sizes, key_ids)
    ids, start = [], 0
    for size in sizes:
        ids.append(blake3(view[start : start + size], key=key_ids).digest())
        start += size
    if start != len(view):
        raise ValueError(f"The sizes add up to {start} bytes, not {len(view)}.")
    return b"".join(ids)


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
    return cast("list[ChunkId]", [packed[at : at + ID_BYTES] for at in range(0, len(packed), ID_BYTES)])
