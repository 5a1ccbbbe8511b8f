"""The intake of one session: verified blocks become sealed packs, each chunk stored once in the whole vault.

Why: what must be locked while chunks are kept is small and delicate; it stands here, apart from the session's life.
Promises: nothing is decompressed or hashed under a lock but the pack's own bytes on their way to the disk. A write that
failed is remembered: `require_whole` raises from then on.

Locks, in the order in which they are taken: a pack's → `Core.registering` → `Pending`'s or `_lock`. No thread holds two
packs at once, so sessions that close each other's packs cannot block each other for ever.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from pyroaring import BitMap64

from strongroom.engine.content.blocks import make_block
from strongroom.engine.format.block import open_block
from strongroom.engine.vault.index import ABSENT
from strongroom.engine.vault.ledger import PackRow, PackState
from strongroom.engine.vault.packs import OpenPack
from strongroom.errors import Conflict, StrongroomError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.engine.format.block import Block, BlockKind
    from strongroom.engine.format.pack import PackTable
    from strongroom.engine.vault.core import Core
    from strongroom.engine.vault.ledger import NewPack
    from strongroom.engine.vault.pending import Claim
    from strongroom.model.entry import ChunkId

MAX_BORROWED: Final = 1 << 16


class Intake:
    """Stores what one session puts. `reach` are the ordinals of what it put and what is registered."""

    def __init__(self, core: Core, session: str) -> None:
        """Begin with nothing put."""
        self.reach = BitMap64()
        self.stored_bytes = 0
        self._core = core
        self._session = session
        self._borrowed: dict[ChunkId, OpenPack] = {}
        self._current: dict[BlockKind, OpenPack] = {}
        self._unclosed: set[OpenPack] = set()
        self._failure: BaseException | None = None
        self._lock = threading.Lock()

    def keep(self, kind: BlockKind, blocks: Sequence[Block], allowed: BitMap64) -> int:
        """Store verified blocks of one kind; return how many of their bytes were new to the set.

        Args:
            allowed: what the set had before.

        Raises:
            Unavailable: the storage or the ledger failed.
        """
        new_bytes = done = 0
        while done < len(blocks):
            pack = self._open_pack(kind)
            with pack.lock:
                while done < len(blocks) and pack.takes_more:
                    new_bytes += self._keep_block(pack, blocks[done], allowed)
                    done += 1
            if pack.full:
                pack.close()
        if len(self._borrowed) > MAX_BORROWED:
            self._settle_borrowed()
        return new_bytes

    def has_pending(self, chunk: ChunkId) -> bool:
        """Tell whether a chunk that the session put lies in a pack that is still open, its own or another's."""
        borrowed_from = self._borrowed.get(chunk)
        if borrowed_from is not None:
            return borrowed_from.failure is None
        return self._core.pending.holder(chunk) in self._unclosed

    def seal(self) -> None:
        """Make everything that was put durable and part of `reach`.

        Raises:
            Unavailable: a pack, this session's or one that it relies on, could not be made durable.
        """
        for pack in list(self._unclosed):
            pack.close()
        self._settle_borrowed()
        self.require_whole()

    def add_reach(self, ordinals: BitMap64) -> None:
        """Count chunks as put by this session."""
        with self._lock:
            self.reach |= ordinals

    def drop(self) -> None:
        """Give up what is not sealed: the session is over."""
        for pack in list(self._unclosed):
            pack.drop(Unavailable("The session ended before this pack was complete.", code="session_ended"))

    def require_whole(self) -> None:
        """Refuse to go on after a failed write.

        Raises:
            Conflict: something that was put is lost (code `session_broken`); only a new session can go on.
        """
        if self._failure is not None:
            raise Conflict(
                f"What was sent could not be stored: {self._failure}",
                code="session_broken",
                hint=getattr(self._failure, "hint", ""),
            ) from self._failure

    def _open_pack(self, kind: BlockKind) -> OpenPack:
        self.require_whole()
        with self._lock:
            pack = self._current.get(kind)
            if pack is None or not pack.takes_more:
                seal = self._core.keyring.seal_new_pack(kind)
                pack = OpenPack(self._core.storage, seal, register=self._register, settled=self._settled)
                self._current[kind] = pack
                self._unclosed.add(pack)
            return pack

    def _keep_block(self, pack: OpenPack, block: Block, allowed: BitMap64) -> int:
        claim = self._core.pending.claim(block.ids, pack)
        new_bytes = self._new_to_set(block, claim, allowed)
        try:
            if claim.new:
                part = block if len(claim.new) == len(block.ids) else _only(block, claim.new)
                self.stored_bytes += pack.append(part.method, part.payload, part.ids, part.sizes)
        except BaseException:
            self._core.pending.release_claim([block.ids[at] for at in claim.new], pack)
            raise
        if claim.stored or claim.borrowed:
            with self._lock:
                self.reach.update(ordinal for _, ordinal in claim.stored)
                self._borrowed.update((block.ids[at], holder) for at, holder in claim.borrowed)
        return new_bytes

    def _new_to_set(self, block: Block, claim: Claim, allowed: BitMap64) -> int:
        """Return how much of a block the set did not have.

        Chunks that others stored count as new, or the answer would tell what others have.
        """
        if len(claim.new) == len(block.ids):
            return len(block.payload)
        sizes = block.sizes
        plain = sum(sizes[at] for at in claim.new)
        plain += sum(sizes[at] for at, ordinal in claim.stored if ordinal not in allowed and ordinal not in self.reach)
        plain += sum(
            sizes[at]
            for at, holder in claim.borrowed
            if holder not in self._unclosed and block.ids[at] not in self._borrowed
        )
        return len(block.payload) * plain // block.plain_size

    def _register(self, new: NewPack, table: PackTable) -> None:
        with self._core.registering:
            first = self._core.ledger.add_pack(self._session, new)
            row = PackRow(new.name, new.kind, new.chunks, new.size_bytes, first, PackState.LIVE)
            self._core.index.add(row, table)
        with self._lock:
            self.reach.add_range(first, first + new.chunks)

    def _settled(self, pack: OpenPack) -> None:
        self._core.pending.release(pack)
        with self._lock:
            self._unclosed.discard(pack)
            self._failure = self._failure or pack.failure

    def _settle_borrowed(self) -> None:
        """Bring the packs to their end that hold chunks which this session put too, and take over the ordinals."""
        with self._lock:
            borrowed = dict(self._borrowed)
        for pack in set(borrowed.values()):
            try:
                pack.close()
            except StrongroomError as error:
                self._failure = error
        self.require_whole()
        ordinals = BitMap64(self._core.index.find(b"".join(borrowed)))
        ordinals.discard(ABSENT)
        with self._lock:
            self.reach |= ordinals
            for chunk in borrowed:
                self._borrowed.pop(chunk, None)


def _only(block: Block, positions: Sequence[int]) -> Block:
    """Return a block with just some of its chunks."""
    plain = memoryview(open_block(block))
    starts, start = [], 0
    for size in block.sizes:
        starts.append(start)
        start += size
    chunks = [(block.ids[at], bytes(plain[starts[at] : starts[at] + block.sizes[at]])) for at in positions]
    return make_block(block.kind, chunks)
