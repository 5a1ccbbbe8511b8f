"""A sink in memory that is a chunk source too: for tests that write a snapshot and read it again without a vault.

It verifies every block as a vault would, and counts what it was asked and given.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from strongroom.engine.format.block import Block, decode_block, verify_block
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strongroom.model.entry import ChunkId


class MemorySink:
    """`Sink` and `ChunkSource` in a dictionary.

    `chunks` is all it holds, `blocks` every block in the order of arrival, `parcels` the sizes of the calls of `put`,
    `asked` how many ids each call of `missing` had.
    """

    def __init__(self, key_ids: bytes, *, knows_nothing: bool = False) -> None:
        """Begin empty."""
        self.knows_nothing = knows_nothing
        self.chunks: dict[ChunkId, bytes] = {}
        self.blocks: list[Block] = []
        self.parcels: list[int] = []
        self.asked: list[int] = []
        self._key = key_ids
        self._lock = threading.Lock()

    def missing(self, ids: Sequence[ChunkId]) -> list[bool]:
        """Tell which chunks are not there."""
        with self._lock:
            self.asked.append(len(ids))
            return [chunk not in self.chunks for chunk in ids]

    def put(self, blocks: Sequence[bytes]) -> int:
        """Verify the blocks and keep their chunks; return the bytes of those that were not there."""
        opened = [decode_block(one) for one in blocks]
        plains = [memoryview(verify_block(block, self._key)) for block in opened]
        with self._lock:
            self.blocks += opened
            self.parcels.append(sum(map(len, blocks)))
            return sum(self._keep(block, plain) for block, plain in zip(opened, plains, strict=True))

    def read(self, ids: Sequence[ChunkId]) -> Iterator[bytes]:
        """Yield chunks in the order asked."""
        for chunk in ids:
            if chunk not in self.chunks:
                raise Damaged(f"There is no chunk {chunk.hex()}.", code="missing_chunk")
            yield self.chunks[chunk]

    def _keep(self, block: Block, plain: memoryview) -> int:
        new_bytes = start = 0
        for chunk, size in zip(block.ids, block.sizes, strict=True):
            if chunk not in self.chunks:
                self.chunks[chunk] = bytes(plain[start : start + size])
                new_bytes += size
            start += size
        return new_bytes
