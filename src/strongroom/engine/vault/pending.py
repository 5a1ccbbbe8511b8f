"""Pending chunks: those in packs that are still open, of all sessions together.

Why: two hosts that send the same new content at the same time must store it once. The second one borrows the pending
chunk; at its own checkpoint or commit it closes the pack that holds it, whoever's it is.
Promises: an id is either absent, pending in one pack, or known to the index; `claim` decides for a whole batch at once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from strongroom.engine.format.ids import ID_BYTES
from strongroom.engine.vault.index import ABSENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.engine.vault.index import Index
    from strongroom.engine.vault.packs import OpenPack
    from strongroom.model.entry import ChunkId


@dataclass
class Claim:
    """What became of a batch of ids.

    Args:
        new: positions in the batch of what the claimer must store now, in its own pack.
        stored: (position, ordinal) of what is in the index.
        borrowed: (position, pack) of what another open pack holds.
    """

    new: list[int] = field(default_factory=list)
    stored: list[tuple[int, int]] = field(default_factory=list)
    borrowed: list[tuple[int, OpenPack]] = field(default_factory=list)


class Pending:
    """The pending chunks of a vault. Safe to use from several threads."""

    def __init__(self, index: Index) -> None:
        """Begin with none."""
        self._index = index
        self._packs: dict[bytes, OpenPack] = {}
        self._lock = threading.Lock()

    def claim(self, ids: Sequence[ChunkId], pack: OpenPack) -> Claim:
        """Decide for each id who stores it; those that nobody has become pending in `pack`.

        The caller holds the pack's lock until they are appended or the pack has failed.
        """
        packed = b"".join(ids)
        while True:
            version = self._index.version
            ordinals = self._index.find(packed)
            with self._lock:
                # A pack that was registered since the look-up is neither in the answer nor pending any more.
                if self._index.version == version:
                    return self._divide(ids, ordinals, pack)

    def holder(self, chunk: ChunkId) -> OpenPack | None:
        """Return the open pack that holds a chunk."""
        return self._packs.get(chunk)

    def release(self, pack: OpenPack) -> None:
        """Forget the chunks of a pack that is registered or has failed."""
        ids = bytes(pack.table.ids)
        with self._lock:
            for at in range(0, len(ids), ID_BYTES):
                if self._packs.get(chunk := ids[at : at + ID_BYTES]) is pack:
                    del self._packs[chunk]

    def release_claim(self, ids: Sequence[ChunkId], pack: OpenPack) -> None:
        """Forget claimed chunks that did not get into the pack."""
        with self._lock:
            for chunk in ids:
                if self._packs.get(chunk) is pack:
                    del self._packs[chunk]

    def _divide(self, ids: Sequence[ChunkId], ordinals: Sequence[int], pack: OpenPack) -> Claim:
        claim = Claim()
        packs = self._packs
        for at, ordinal in enumerate(ordinals):
            if ordinal != ABSENT:
                claim.stored.append((at, ordinal))
                continue
            chunk = ids[at]
            holder = packs.get(chunk)
            if holder is None:
                packs[chunk] = pack
                claim.new.append(at)
            elif holder is not pack:
                claim.borrowed.append((at, holder))
        return claim
