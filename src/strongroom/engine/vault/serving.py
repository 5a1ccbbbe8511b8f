"""Reading: chunks for the server's own use, and blocks for a restore under a grant.

Why: a restore gets blocks as they are stored, compressed, so that the server neither compresses nor hashes for it.
Promises: what leaves here is what was put, or `Damaged` is raised. Under a grant nothing leaves that it does not cover.
A pack that was found BAD is still tried when no other has the chunk: most of it may be whole, and its seals tell.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from pyroaring import BitMap64

from strongroom.engine.format.block import LEAST_ROOM_BYTES
from strongroom.engine.vault.index import ABSENT
from strongroom.engine.vault.portion import Portion
from strongroom.errors import Damaged, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

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
        self, ids: Sequence[ChunkId], allowed: BitMap64, *, compress: bool = True, room: int = 0
    ) -> Iterator[SealedBlock | Portion | bytes]:
        """Yield blocks that together hold the wanted chunks, each block once: encoded, or to be written where it goes.

        A block goes out as it is stored when all its chunks are allowed and not too little of it is wanted; else it is
        made anew with just the wanted ones, and, if little of it is wanted, with all others that are allowed, as long
        as there is room: then it need not be opened again for each of them (ADR 70).
        Nothing is yielded before all ids are found to be allowed.

        Args:
            compress: whether what is made anew is compressed; that takes longer than all else together.
            room: how many bytes may come along with what is wanted; each chunk counts as `LEAST_ROOM_BYTES` at least.

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
                going, taken = self._going(block, chunks, allowed, room)
                room -= taken
                if len(going) == len(block.ids):
                    yield block
                else:
                    portion = Portion(block, going)
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

    def _going(
        self, block: SealedBlock, wanted: AbstractSet[ChunkId], allowed: BitMap64, room: int
    ) -> tuple[AbstractSet[ChunkId], int]:
        """Return which chunks of a block go out, and how much of the room those take that come along."""
        if len(wanted) == len(block.ids):
            return wanted, 0
        wants_much = _MADE_ANEW * sum(_sizes_of(block, wanted)) >= block.plain_size
        if not wants_much and room <= 0:
            return wanted, 0
        found = self._core.index.find(b"".join(block.ids))
        granted = {one for one, ordinal in zip(block.ids, found, strict=True) if ordinal in allowed} | wanted
        if wants_much:
            return (granted if len(granted) == len(block.ids) else wanted), 0
        taken = sum([max(size, LEAST_ROOM_BYTES) for size in _sizes_of(block, granted - wanted)])
        return (granted, taken) if taken <= room else (wanted, 0)


def _sizes_of(block: SealedBlock, chunks: AbstractSet[ChunkId]) -> list[int]:
    """Return how large these chunks of a block are."""
    return [size for one, size in zip(block.ids, block.sizes, strict=True) if one in chunks]
