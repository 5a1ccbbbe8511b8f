"""Reading: chunks for the server's own use, and blocks for a restore under a grant.

Why: a restore gets blocks as they are stored, compressed, so that the server neither compresses nor hashes for it.
Promises: what leaves here is what was put, or `Damaged` is raised. Under a grant nothing leaves that it does not cover.
A pack that was found BAD is still tried when no other has the chunk: most of it may be whole, and its seals tell.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from pyroaring import BitMap64

from strongroom.engine.vault.index import ABSENT
from strongroom.engine.vault.portion import Portion
from strongroom.errors import Damaged, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strongroom.engine.vault.core import Core
    from strongroom.engine.vault.sealed import SealedBlock
    from strongroom.model.entry import ChunkId

_BATCH: Final = 4096
_MADE_ANEW: Final = 5
"""Less than one byte in so many wanted: making the block anew costs less than what both sides do with the rest."""


class Serving:
    """Gives out what a vault holds. Safe to use from several threads."""

    def __init__(self, core: Core) -> None:
        """Read from the parts of an open vault."""
        self._core = core

    def read(self, ids: Sequence[ChunkId]) -> Iterator[bytes]:
        """Yield the plain bytes of the chunks in the order asked, each verified by its id.

        Raises:
            Damaged: a chunk is not stored, lies in a damaged pack, or is not what it must be.
        """
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            for chunk, ordinal in zip(batch, self._core.index.find(b"".join(batch)), strict=True):
                yield bytes(self._core.walker.chunk(self._readable(chunk, ordinal), chunk))

    def blocks(
        self, ids: Sequence[ChunkId], allowed: BitMap64, *, compress: bool = True
    ) -> Iterator[SealedBlock | Portion | bytes]:
        """Yield blocks that together hold the wanted chunks, each block once: encoded, or to be written where it goes.

        A block goes out as it is stored when all its chunks are allowed and not too little of it is wanted; else it is
        made anew with just the wanted ones. Nothing is yielded before all ids are found to be allowed.

        Args:
            compress: whether what is made anew is compressed; that takes longer than all else together.

        Raises:
            Refused: an id is not covered (code `not_granted`), whether or not it is stored.
            Damaged: a chunk is in a damaged pack, or its block is not what was written; `write_to` tells as well.
        """
        wanted: dict[bytes, dict[int, set[ChunkId]]] = defaultdict(lambda: defaultdict(set))
        for chunk, (pack, number) in zip(ids, self._core.index.blocks_of(self._granted(ids, allowed)), strict=True):
            wanted[pack][number].add(chunk)
        for pack, blocks in wanted.items():
            for block in self._core.files.sealed(pack, sorted(blocks)):
                chunks = blocks[block.number]
                if not chunks.issubset(block.ids):
                    raise Damaged(
                        f"The index is wrong about block {block.number} of pack {pack.hex()}.", code="bad_index"
                    )
                if self._goes_as_it_is(block, chunks, allowed):
                    yield block
                else:
                    portion = Portion(block, chunks)
                    yield portion.compressed() if compress else portion

    def _granted(self, ids: Sequence[ChunkId], allowed: BitMap64) -> Sequence[int]:
        """Return the ordinals of chunks, all of which are allowed."""
        index = self._core.index
        found = index.find(b"".join(ids))
        if BitMap64(found).issubset(allowed):
            return found
        for at, (chunk, ordinal) in enumerate(zip(ids, found, strict=True)):
            # A grant may have been counted on another copy of the chunk, in a pack that was found BAD since.
            if ordinal not in allowed and not any(copy in allowed for copy in index.every(chunk)):
                raise Refused("A chunk that was asked for is not covered by the grant.", code="not_granted")
            found[at] = self._readable(chunk, ordinal)
        return found

    def _readable(self, chunk: bytes, ordinal: int) -> int:
        if ordinal == ABSENT:
            ordinal = next(self._core.index.every(chunk), ABSENT)
        if ordinal == ABSENT:
            raise Damaged(f"The chunk {chunk.hex()} is not stored in any pack that can be read.", code="chunk_missing")
        return ordinal

    def _goes_as_it_is(self, block: SealedBlock, wanted: set[ChunkId], allowed: BitMap64) -> bool:
        if len(wanted) == len(block.ids):
            return True
        wanted_bytes = sum(size for chunk, size in zip(block.ids, block.sizes, strict=True) if chunk in wanted)
        return _MADE_ANEW * wanted_bytes >= block.plain_size and self._all_allowed(block, allowed)

    def _all_allowed(self, block: SealedBlock, allowed: BitMap64) -> bool:
        return BitMap64(self._core.index.find(b"".join(block.ids))).issubset(allowed)
