"""What several batches on their way want: fetched for the first of them, and handed on to the others.

Why: copies lie close together, so a copy is often wanted while its original is still being fetched. Asked for a second
time, one small chunk costs a whole block: the server has to open it, and to make another one of the little that is
wanted of it (ADR 66).
Promises: who waits, waits for batches that were planned before its own, so nobody waits in a circle. What does not come
is fetched as ever. Memory is bounded: a batch is handed no more than `MOST_BYTES`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from strongroom.agent.restore.fetch import Chunks
    from strongroom.model.entry import ChunkId

MOST_BYTES: Final = 16 << 20


class Expected:
    """What one batch fetches itself, what it leaves to batches before it, and what those after it leave to it."""

    __slots__ = ("came", "done", "own", "owners", "room", "seekers")

    def __init__(self, own: AbstractSet[ChunkId], owners: dict[ChunkId, Expected]) -> None:
        self.own = own
        self.owners = owners
        self.seekers: dict[ChunkId, list[Expected]] = {}
        self.came: Chunks = {}
        self.room = MOST_BYTES
        self.done = threading.Event()


class Sharing:
    """Knows which batch under way fetches what. Batches are announced by one thread, and fetched in several."""

    def __init__(self) -> None:
        """Begin with nothing under way."""
        self._lock = threading.Lock()
        self._under_way: list[Expected] = []

    def expect(self, ids: Sequence[ChunkId]) -> Expected:
        """Announce a batch, which is to be fetched after those announced before; what they fetch is left to them."""
        own = dict.fromkeys(ids).keys()
        with self._lock:
            owners = {one: other for other in self._under_way for one in other.own & own}
            expected = Expected(own - owners.keys() if owners else own, owners)
            for one, owner in owners.items():
                owner.seekers.setdefault(one, []).append(expected)
            self._under_way.append(expected)
        return expected

    def fetch(
        self, ids: Sequence[ChunkId], expected: Expected, get: Callable[[Sequence[ChunkId], Chunks], Chunks]
    ) -> Chunks:
        """Return the chunks of a batch that could be had.

        Args:
            get: fetches chunks; it is given others that it returns with them.
        """
        chunks: Chunks = {}
        try:
            chunks = get([one for one in ids if one not in expected.owners], chunks)
        finally:
            self._hand_on(expected, chunks)
        if not expected.owners:
            return chunks
        chunks |= _take(expected)
        left = [one for one in expected.owners if one not in chunks]
        expected.owners = {}  # else each batch would keep the one before it in memory
        return get(left, chunks) if left else chunks

    def _hand_on(self, expected: Expected, chunks: Chunks) -> None:
        """End a batch's own fetching, however it went: the others get what there is of what they left to it."""
        with self._lock:
            self._under_way.remove(expected)
            for one, seekers in expected.seekers.items():
                if one in chunks:
                    data = memoryview(bytes(chunks[one]))
                    for seeker in seekers:
                        _give(seeker, one, data)
            expected.seekers = {}
        expected.done.set()


def _give(seeker: Expected, one: ChunkId, data: memoryview) -> None:
    """Hand a chunk to a batch that has room for it."""
    if len(data) <= seeker.room:
        seeker.room -= len(data)
        seeker.came[one] = data


def _take(expected: Expected) -> Chunks:
    """Wait for those that fetch for a batch; return what came of it."""
    for owner in set(expected.owners.values()):
        owner.done.wait()
    came, expected.came = expected.came, {}
    return came
