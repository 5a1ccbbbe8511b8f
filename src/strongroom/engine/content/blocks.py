"""Filling blocks: chunks in scan order, up to 2 MiB together, compressed if that makes them smaller.

Why: neighbours in a folder are alike, so they compress well together, and a small file costs no call of its own.
A chunk of a large file gains nothing from neighbours: it is a block of its own, so that a restore need not open three
others for it.
Promises: deterministic for the same chunks; safe in several threads at once (each keeps its own compressor).
Does not: hash, encrypt or send. The figures behind the numbers here are in ADR 0044.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import zstandard

from strongroom.engine.format.block import MAX_CHUNKS, Block, BlockKind, Method

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strongroom.model.entry import ChunkId

    Piece = bytes | memoryview
    Chunk = tuple[ChunkId, Piece]

DATA_BYTES: Final = 2 << 20
TREE_BYTES: Final = 1 << 20
"""Blocks of nodes are smaller: who looks into a folder wants one node."""
ALONE: Final = 1
"""As the size of a block: one chunk in each."""
LARGE_BYTES: Final = 128 << 10
"""A larger chunk of a file that was cut stands alone."""
_thread = threading.local()
_parameters: Final = zstandard.ZstdCompressionParameters.from_level(
    2, strategy=zstandard.STRATEGY_FAST, window_log=21, hash_log=17, min_match=6
)
"""As small as level 3, and a quarter faster: level 2 with a table that spans the block."""
_parameters_alone: Final = zstandard.ZstdCompressionParameters.from_level(
    2, strategy=zstandard.STRATEGY_FAST, window_log=21, hash_log=15, min_match=6
)
"""For a chunk that stands alone, a table that stays in the cache: a larger one finds little more in it (ADR 0073)."""


class Chunks:
    """Chunks of one kind, laid end to end in pieces of one or more of them.

    Args:
        ids, sizes: of the chunks in their order.
        pieces: their bytes; no chunk lies in two of them.
        size: of all together.
    """

    __slots__ = ("ids", "pieces", "size", "sizes")

    def __init__(self) -> None:
        self.ids: list[ChunkId] = []
        self.sizes: list[int] = []
        self.pieces: list[Piece] = []
        self.size = 0

    def add(self, chunk: ChunkId, data: Piece) -> None:
        """Append a chunk."""
        self.ids.append(chunk)
        self.sizes.append(len(data))
        self.pieces.append(data)
        self.size += len(data)

    def extend(self, ids: Sequence[ChunkId], sizes: Sequence[int], piece: Piece) -> None:
        """Append many chunks that lie in one piece."""
        self.ids += ids
        self.sizes += sizes
        self.pieces.append(piece)
        self.size += len(piece)

    def append(self, other: Chunks) -> None:
        """Append what another has."""
        self.ids += other.ids
        self.sizes += other.sizes
        self.pieces += other.pieces
        self.size += other.size

    def only(self, wanted: Sequence[bool]) -> Chunks:
        """Return those that are wanted, in memory of their own."""
        if all(wanted):
            return self
        kept = Chunks()
        for chunk, view, is_wanted in zip(self.ids, self.each(), wanted, strict=True):
            if is_wanted:
                kept.add(chunk, bytes(view))
        return kept

    def each(self) -> Iterator[Piece]:
        """Yield the bytes of each chunk, without a copy."""
        sizes = iter(self.sizes)
        for piece in self.pieces:
            view, start = memoryview(piece), 0
            while start < len(view):
                size = next(sizes)
                yield view[start : start + size]
                start += size


def fill_blocks(kind: BlockKind, chunks: Chunks, full_bytes: int) -> Iterator[Block]:
    """Yield blocks that hold `chunks` in their order, each as full as it may be, and one chunk at least."""
    ends = list(accumulate(chunks.sizes))
    pieces = _Taker(chunks.pieces)
    first = start = 0
    while first < len(ends):
        last = bisect_right(ends, start + full_bytes, lo=first, hi=min(len(ends), first + MAX_CHUNKS))
        last = max(last, first + 1)
        plain = pieces.take(ends[last - 1] - start)
        yield _compressed(kind, tuple(chunks.ids[first:last]), tuple(chunks.sizes[first:last]), plain)
        first, start = last, ends[last - 1]


def make_block(kind: BlockKind, chunks: Sequence[Chunk]) -> Block:
    """Return one block of all `chunks`, which must keep the limits of a block."""
    ids = tuple(chunk for chunk, _ in chunks)
    sizes = tuple(len(data) for _, data in chunks)
    return _compressed(kind, ids, sizes, chunks[0][1] if len(chunks) == 1 else b"".join([data for _, data in chunks]))


def _compressed(kind: BlockKind, ids: tuple[ChunkId, ...], sizes: tuple[int, ...], plain: Piece) -> Block:
    packed = _compressor(is_alone=len(ids) == 1).compress(plain)
    if len(packed) < len(plain):
        return Block(kind, Method.ZSTD, ids, sizes, packed)
    return Block(kind, Method.STORED, ids, sizes, plain)


def _compressor(*, is_alone: bool) -> zstandard.ZstdCompressor:
    """Return this thread's compressor; making one costs more than a small block does."""
    name, parameters = ("alone", _parameters_alone) if is_alone else ("together", _parameters)
    compressor: zstandard.ZstdCompressor | None = getattr(_thread, name, None)
    if compressor is None:
        compressor = zstandard.ZstdCompressor(compression_params=parameters)
        setattr(_thread, name, compressor)
    return compressor


class _Taker:
    """Takes bytes from the front of a row of pieces."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = iter(pieces)
        self._rest: Piece = b""

    def take(self, size: int) -> Piece:
        """Return the next bytes; they are copied only if they lie in several pieces."""
        taken: list[Piece] = []
        while size:
            piece = self._rest or next(self._pieces)
            if len(piece) > size:
                view = memoryview(piece)
                piece, self._rest = view[:size], view[size:]
            else:
                self._rest = b""
            taken.append(piece)
            size -= len(piece)
        return taken[0] if len(taken) == 1 else b"".join(taken)
