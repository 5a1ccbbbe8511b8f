"""Getting chunks: asked for in batches, ahead of the writer, verified before anyone sees them.

Promises: what is handed out has the id that was asked for. A chunk that the server does not have, or has damaged, is
simply absent from the answer, after everything else was tried: it costs the files that need it, not the job.
Memory is bounded by the batches in flight, and a batch by `MOST_BYTES`: an honest snapshot never needs as much, but one
that lies about the sizes of its files must not take the agent down. What does not fit is absent too.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

from strongroom import clock
from strongroom.engine.format.block import MAX_CHUNK_BYTES, decode_block, verify_block
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from strongroom.agent.restore.ports import Source
    from strongroom.agent.restore.steps import Batch
    from strongroom.model.entry import ChunkId

AHEAD: Final = 5
AHEAD_BYTES: Final = 96 << 20
MOST_BYTES: Final = 64 << 20
_FETCHERS: Final = 3
_TELLING_BYTES: Final = 16 << 20
_KEPT_WHOLE: Final = 0.75
"""A block of which less is wanted is not kept in memory for the sake of it (ADR 61)."""

Announced = TypeVar("Announced")
Chunks: TypeAlias = dict["ChunkId", memoryview]


class Along(Protocol):
    """What may come along with what is asked for."""

    @property
    def room(self) -> int:
        """How much of it may, in bytes."""

    def keep(self, chunks: Chunks, /) -> None:
        """Keep such chunks, of one block.

        Raises:
            Unavailable: the restore has ended.
        """


class Pace:
    """How fast content comes, in one thread of several. Only to compare: threads may count past each other."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._bytes = 0
        self._s = 0.0

    def note(self, size_bytes: int, lasted_s: float) -> None:
        """Count what came."""
        self._bytes += size_bytes
        self._s += lasted_s

    def is_far_behind(self, other: Pace) -> bool:
        """Whether it is less than half as fast as another one; not before enough has come to tell."""
        return self._bytes >= _TELLING_BYTES and self._s * other._bytes > 2 * other._s * self._bytes


class Fetcher:
    """Fetches and verifies the chunks of one restore."""

    def __init__(self, source: Source, key_ids: bytes) -> None:
        """Use a source, and the key that ids are made with."""
        self._source = source
        self.key_ids = key_ids
        self.bytes_received = 0
        self.pace = Pace()

    def fetch(self, ids: Sequence[ChunkId], found: Chunks | None = None, along: Along | None = None) -> Chunks:
        """Return the chunks that could be had.

        Args:
            found: those that need not be fetched; they are returned with the others.
            along: what may come along with them.

        Raises:
            Refused, Unavailable: nothing can be had at all, or the restore has ended.
        """
        began = clock.monotonic_s()
        wanted = dict.fromkeys(ids)
        chunks: Chunks = dict(found or {})
        found_bytes = _size_of(chunks)
        self._fetch([one for one in wanted if one not in chunks], chunks, along)
        lost = [one for one in wanted if one not in chunks]
        # The server leaves out what it cannot read. Ask once more, each for itself, before a file is given up.
        for one in lost if _room(chunks) >= MAX_CHUNK_BYTES else ():
            self._fetch([one], chunks)
        self.pace.note(_size_of(chunks) - found_bytes, clock.monotonic_s() - began)
        return chunks

    def _fetch(self, ids: Sequence[ChunkId], chunks: Chunks, along: Along | None = None) -> None:
        """Fetch into `chunks`; when the server fails over a batch, find the chunk that it fails over by halving."""
        if not ids:
            return
        try:
            self._take(ids, chunks, along)
        except Damaged:
            still = [one for one in ids if one not in chunks]
            if len(still) > 1:
                middle = len(still) // 2
                self._fetch(still[:middle], chunks)
                self._fetch(still[middle:], chunks)

    def _take(self, ids: Sequence[ChunkId], chunks: Chunks, along: Along | None) -> None:
        """Ask once, and keep what is asked for of what comes."""
        wanted = set(ids)
        room = _room(chunks)
        for encoded in self._source.blocks(ids, along.room if along else 0):
            self.bytes_received += len(encoded)
            try:
                block = decode_block(encoded)
                plain = memoryview(verify_block(block, self.key_ids))
            except Damaged:
                continue
            all_of_it = zip(block.ids, block.sizes, accumulate(block.sizes), strict=True)
            came = {one: plain[end - size : end] for one, size, end in all_of_it}
            found = {one: data for one, data in came.items() if one in wanted}
            if along and along.room and len(found) < len(came):
                along.keep({one: data for one, data in came.items() if one not in wanted})
            found_bytes = _size_of(found)
            if found_bytes > room:
                continue
            if found_bytes < _KEPT_WHOLE * len(plain):
                found = {one: memoryview(bytes(data)) for one, data in found.items()}
            chunks |= found
            room -= found_bytes


def _room(chunks: Chunks) -> int:
    """Return how many bytes may still be added."""
    return MOST_BYTES - _size_of(chunks)


def _size_of(chunks: Chunks) -> int:
    """Return how many bytes there are."""
    return sum(map(len, chunks.values()))


def fetched(
    batches: Iterable[Batch],
    announce: Callable[[Batch], Announced],
    work: Callable[[Batch, Announced], Chunks],
    stop: Callable[[], None] = lambda: None,
) -> Generator[tuple[Batch, Chunks], None, None]:
    """Yield each batch with its chunks, while the next ones are on their way.

    The writer waits for the disk now and then; so many are on their way that the fetchers need not wait with it.

    Args:
        announce: hears of each batch in its turn, before it is worked on.
        work: fetches a batch's chunks, and does with them what can be done ahead; called in several threads, with what
            the announcement gave.
        stop: called when no more is wanted, also after a failure, before the threads at work are waited for.
    """
    under_way: deque[tuple[Batch, Future[Chunks]]] = deque()
    ahead_bytes = 0
    pool = ThreadPoolExecutor(_FETCHERS, thread_name_prefix="fetch")
    try:
        for batch in batches:
            under_way.append((batch, pool.submit(work, batch, announce(batch))))
            ahead_bytes += batch.bytes
            while len(under_way) > AHEAD or ahead_bytes > AHEAD_BYTES:
                first, future = under_way.popleft()
                ahead_bytes -= first.bytes
                yield first, future.result()
        while under_way:
            first, future = under_way.popleft()
            yield first, future.result()
    finally:
        stop()
        pool.shutdown(wait=True, cancel_futures=True)
