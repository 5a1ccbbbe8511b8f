"""A block made anew: some chunks of a stored one, for someone who may not have the others, or hardly wants them.

Why: one changed file among hundreds that lie together, and a grant no longer covers the whole block. Most blocks of a
set of small files come to this within a few days, so what it costs is what restoring them costs (ADR 68).
Promises: nothing of the other chunks is in it.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from strongroom.engine.content.blocks import make_block
from strongroom.engine.format.block import Method, block_head, encode_block, head_bytes, open_block
from strongroom.kernel import copy_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from strongroom.engine.vault.sealed import SealedBlock
    from strongroom.model.entry import ChunkId


class Portion:
    """Some chunks of a block, in the order in which they lie. As a frame's body it is not compressed."""

    def __init__(self, block: SealedBlock, wanted: AbstractSet[ChunkId]) -> None:
        """Take the block's chunks that are wanted, one at least."""
        self._block = block
        rows = zip(block.ids, block.sizes, accumulate(block.sizes), strict=True)
        self._rows = [(one, end - size, end) for one, size, end in rows if one in wanted]
        self.plain_size = sum(end - start for _, start, end in self._rows)

    def __len__(self) -> int:
        """Return how many bytes `write_to` needs."""
        return head_bytes(len(self._rows)) + self.plain_size

    def write_to(self, room: memoryview) -> None:
        """Write it into `room` as it travels.

        Raises:
            Damaged: the stored block is not what was written; what is in `room` is not to be used.
        """
        ids = b"".join([one for one, _, _ in self._rows])
        sizes = b"".join([(end - start).to_bytes(4, "little") for _, start, end in self._rows])
        at = 0
        for part in block_head(self._block.kind, Method.STORED, ids, sizes, self.plain_size):
            room[at : at + len(part)] = part
            at += len(part)
        plain = self._plain()
        for start, end in self._stretches():
            copy_to(room, at, plain[start:end])
            at += end - start

    def compressed(self) -> bytes:
        """Return it compressed, as it travels.

        Raises:
            Damaged: the stored block is not what was written.
        """
        plain = self._plain()
        return encode_block(make_block(self._block.kind, [(one, plain[start:end]) for one, start, end in self._rows]))

    def _plain(self) -> memoryview:
        """Return all the block's chunks, end to end."""
        return memoryview(open_block(self._block.opened()))

    def _stretches(self) -> Iterator[tuple[int, int]]:
        """Yield where wanted chunks that lie side by side begin and end."""
        begin, until = self._rows[0][1], self._rows[0][1]
        for _, start, end in self._rows:
            if start != until:
                yield begin, until
                begin = start
            until = end
        yield begin, until
