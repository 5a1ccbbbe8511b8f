"""Filling blocks: chunks in scan order, up to 1 MiB together, compressed if that makes them smaller.

Why: neighbours in a folder are alike, so they compress well together, and a small file costs no call of its own.
Promises: deterministic for the same chunks; safe in several threads at once (each keeps its own compressor).
Does not: hash, encrypt or send.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import zstandard

from strongroom.engine.format.block import MAX_CHUNKS, Block, BlockKind, Method

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from strongroom.model.entry import ChunkId

    Chunk = tuple[ChunkId, bytes]

FULL_BYTES: Final = 1 << 20
ZSTD_LEVEL: Final = 3
_thread = threading.local()


def fill_blocks(kind: BlockKind, chunks: Iterable[Chunk]) -> Iterator[Block]:
    """Yield blocks that hold `chunks` in their order, each as full as it may be."""
    waiting: list[Chunk] = []
    size = 0
    for chunk in chunks:
        if waiting and (size + len(chunk[1]) > FULL_BYTES or len(waiting) >= MAX_CHUNKS):
            yield make_block(kind, waiting)
            waiting, size = [], 0
        waiting.append(chunk)
        size += len(chunk[1])
    if waiting:
        yield make_block(kind, waiting)


def make_block(kind: BlockKind, chunks: Sequence[Chunk]) -> Block:
    """Return one block of all `chunks`, which must keep the limits of a block."""
    ids = tuple(chunk for chunk, _ in chunks)
    sizes = tuple(len(data) for _, data in chunks)
    plain = chunks[0][1] if len(chunks) == 1 else b"".join([data for _, data in chunks])
    packed = _compressor().compress(plain)
    if len(packed) < len(plain):
        return Block(kind, Method.ZSTD, ids, sizes, packed)
    return Block(kind, Method.STORED, ids, sizes, plain)


def _compressor() -> zstandard.ZstdCompressor:
    """Return this thread's compressor; making one costs more than a small block does."""
    compressor: zstandard.ZstdCompressor | None = getattr(_thread, "compressor", None)
    if compressor is None:
        compressor = _thread.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    return compressor
