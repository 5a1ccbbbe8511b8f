"""The uploaders: threads that ask which chunks are missing, compress those, and put them into the sink.

Why: reading, compressing and sending must not wait for each other.
Promises: memory is bounded (see `WAITING_BYTES`); the first error of an uploader reaches the caller at its next call
and nothing more is sent; `stop` ends all threads, whatever happened; one that is in a call of the sink ends with it.
Does not: hash or remember ids; the writer does.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom import clock
from strongroom.engine.content.blocks import Chunks, fill_blocks
from strongroom.engine.format.block import BlockKind, encode_block
from strongroom.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.engine.content.sink import Sink
    from strongroom.model.entry import ChunkId

BATCH_BYTES: Final = 4 << 20
"""Chunks are given in batches of this size; `missing` is asked once a batch."""
BATCH_CHUNKS: Final = 16_384
PARCEL_BYTES: Final = 3 << 20
"""Missing chunks are collected, over several batches if need be, to at least so much before they are sent.

Less than a batch, which is seldom quite full: one of which all is missing goes at once.
"""
WAITING_BYTES: Final = 8 << 20
_STOP_S: Final = 2.0


class Counts(msgspec.Struct, frozen=True):
    """What went through a writer so far.

    Args:
        chunks: chunks that the sink did not have.
        bytes_new: their plain bytes.
        bytes_sent: the blocks they were sent in.
        bytes_stored: how much of it was new to the set, as the sink says.
    """

    chunks: int = 0
    bytes_new: int = 0
    bytes_sent: int = 0
    bytes_stored: int = 0


@dataclass
class Batch:
    """Chunks of one kind on their way to blocks of one size. `sought` once it is known that the sink lacks them all."""

    kind: BlockKind
    full_bytes: int
    chunks: Chunks = field(default_factory=Chunks)
    sought: bool = False


class Uploads:
    """The queue of batches and the threads that work it off; see the module's docstring."""

    def __init__(self, sink: Sink, threads: int) -> None:
        """Prepare; `start` begins."""
        self._sink = sink
        self._knows_nothing = sink.knows_nothing
        self._threads = [threading.Thread(target=self._work, name=f"uploader-{n}", daemon=True) for n in range(threads)]
        self._changed = threading.Condition()
        # All below is read and written under `_changed` only.
        self._waiting: deque[Batch] = deque()
        self._unsent: dict[tuple[BlockKind, int], Chunks] = {}
        self._busy = 0
        self._running = False
        self._failure: BaseException | None = None
        self._counts = Counts()

    @property
    def counts(self) -> Counts:
        """What was sent so far."""
        with self._changed:
            return self._counts

    def start(self) -> None:
        """Start the threads."""
        self._running = True
        for thread in self._threads:
            thread.start()

    def give(self, batch: Batch) -> None:
        """Hand over a batch; wait while too much is waiting already. Raises what an uploader raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_ended() or not self._is_full(batch))
            self._require_running()
            self._waiting.append(batch)
            self._changed.notify_all()

    def finish(self) -> None:
        """Wait until all that was given is put. Raises what an uploader raised."""
        with self._changed:
            self._wait_idle()
            for (kind, full_bytes), rest in self._unsent.items():
                self._waiting.append(Batch(kind, full_bytes, rest, sought=True))
            self._unsent.clear()
            self._changed.notify_all()
            self._wait_idle()

    def stop(self) -> None:
        """Drop what is waiting and end the threads.

        The answer to a parcel may take minutes on a slow line. When the work is given up nobody waits so long for it:
        else an agent that is told to stop would be killed before its recovery points are deleted.
        """
        with self._changed:
            self._running = False
            self._waiting.clear()
            self._changed.notify_all()
        until = clock.monotonic_s() + _STOP_S
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - clock.monotonic_s()))

    def _is_full(self, batch: Batch) -> bool:
        return bool(self._waiting) and sum(one.chunks.size for one in self._waiting) + batch.chunks.size > WAITING_BYTES

    def _wait_idle(self) -> None:
        self._changed.wait_for(lambda: self._has_ended() or not (self._waiting or self._busy))
        self._require_running()

    def _has_ended(self) -> bool:
        return self._failure is not None or not self._running

    def _require_running(self) -> None:
        """Raise the first failure, if there was one."""
        if self._failure is not None:
            raise self._failure
        if not self._running:
            raise Conflict("This writer is not open.", code="writer_closed")

    def _work(self) -> None:
        """Be an uploader until told to stop, or until one of them has failed."""
        while (batch := self._take()) is not None:
            failure = None
            try:
                self._carry(batch)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's to see
                failure = error
            with self._changed:
                self._busy -= 1
                if self._failure is None:
                    self._failure = failure
                self._changed.notify_all()

    def _take(self) -> Batch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._has_ended())
            if self._has_ended():
                return None
            self._busy += 1
            batch = self._waiting.popleft()
            self._changed.notify_all()
            return batch

    def _carry(self, batch: Batch) -> None:
        """Bring one batch a step further: find out what is missing of it, and send what makes a parcel."""
        if batch.sought:
            self._send(batch)
            return
        if not self._knows_nothing:
            batch.chunks = batch.chunks.only(self._sink.missing(batch.chunks.ids))
        parcel = self._collect(batch) if batch.chunks.ids else None
        if parcel is not None:
            self._send(parcel)

    def _collect(self, batch: Batch) -> Batch | None:
        """Add missing chunks to those not sent yet; return them all once they are enough for a parcel."""
        with self._changed:
            unsent = self._unsent.setdefault((batch.kind, batch.full_bytes), Chunks())
            unsent.append(batch.chunks)
            batch.chunks = Chunks()  # or its pieces would stay as long as the parcel is on its way
            if unsent.size < PARCEL_BYTES and len(unsent.ids) < BATCH_CHUNKS:
                return None
            del self._unsent[batch.kind, batch.full_bytes]
            return Batch(batch.kind, batch.full_bytes, unsent, sought=True)

    def _send(self, parcel: Batch) -> None:
        blocks = [encode_block(block) for block in fill_blocks(parcel.kind, parcel.chunks, parcel.full_bytes)]
        sent, parcel.chunks = parcel.chunks, Chunks()
        count, size = len(sent.ids), sent.size
        del sent  # what was compressed need not wait for the answer
        stored = self._sink.put(blocks)
        with self._changed:
            before = self._counts
            self._counts = Counts(
                chunks=before.chunks + count,
                bytes_new=before.bytes_new + size,
                bytes_sent=before.bytes_sent + sum(map(len, blocks)),
                bytes_stored=before.bytes_stored + stored,
            )


class Filling:
    """Chunks of one kind on their way into `uploads`: collected into a batch, which is given when it is full."""

    def __init__(self, kind: BlockKind, full_bytes: int, uploads: Uploads) -> None:
        """Begin with an empty batch."""
        self._kind = kind
        self._full_bytes = full_bytes
        self._uploads = uploads
        self._chunks = Chunks()

    def add(self, chunk: ChunkId, data: bytes) -> None:
        """Append a chunk; called once per small file, so it does as little as it can."""
        self._make_room(len(data), 1)
        self._chunks.add(chunk, data)

    def extend(self, ids: Sequence[ChunkId], sizes: Sequence[int], piece: bytes) -> None:
        """Append many chunks that lie in one piece."""
        self._make_room(len(piece), len(ids))
        self._chunks.extend(ids, sizes, piece)

    def give(self) -> None:
        """Hand over what there is."""
        chunks = self._chunks
        if chunks.ids:
            self._chunks = Chunks()
            self._uploads.give(Batch(self._kind, self._full_bytes, chunks))

    def _make_room(self, size: int, count: int) -> None:
        if self._chunks.size + size > BATCH_BYTES or len(self._chunks.ids) + count > BATCH_CHUNKS:
            self.give()
