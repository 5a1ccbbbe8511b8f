"""Spares: what came along in a block and is wanted later, kept in a file until then.

Why: the files that changed on one day lie together in a few blocks, however far apart they are in the tree. In a set
that has lived for a year, each stretch of the tree wants a little of hundreds of blocks. The server opens such a block
once, all of it that the restore may have comes along, and what is not wanted yet waits here (ADR 70).
Promises: what is handed out has the id that was asked for. Whatever goes wrong here costs a transfer, and nothing else.
The file has no name, lies where the restored files will lie, and takes only room that these leave; memory is bounded.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeAlias

from strongroom.agent.platform import linux_place as system
from strongroom.agent.restore.fetch import MOST_BYTES
from strongroom.engine.format.block import LEAST_ROOM_BYTES, MAX_PLAIN_BYTES
from strongroom.engine.format.ids import chunk_ids, unpack_ids
from strongroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from strongroom.agent.restore.fetch import Chunks
    from strongroom.model.entry import ChunkId

CAPACITY_BYTES: Final = 512 << 20
"""And so many chunks at most as each counts `LEAST_ROOM_BYTES` at least: 131 072, some 25 MiB of memory."""
_WORTH_WAITING_BYTES: Final = 8 << 20
_LEFT_FREE: Final = 4
"""One part in so many of the room that the restore leaves may be taken."""
_IN_VAIN_BYTES: Final = 16 << 20
"""When so much more came that was of no use than that was of some, nothing comes along any more."""
_ASKED_BITS: Final = 24

_Place: TypeAlias = tuple[int, int]
"""Offset, size."""


@dataclass(slots=True)
class Turn:
    """One batch's dealings with what is kept.

    Args:
        found: what it wants and was kept, each verified.
        room: how many bytes may come along with what it fetches; 0 for all but one at a time, or the same would come
            for each.
        keep: keeps chunks that came along with one block, as far as there is room.
    """

    found: Chunks
    room: int
    keep: Callable[[Chunks], None]


@dataclass(slots=True)
class _Slot:
    """What came with one block: how many chunks of it are left, and the room that it takes till none is."""

    left: int
    charge: int


class _Seen:
    """Ids that were asked for, in 2 MiB however many: now and then another one is taken for one of them.

    What was asked for once is hardly asked for again, and in a set with copies it comes along with each of them.
    """

    def __init__(self) -> None:
        self._bits = bytearray(1 << _ASKED_BITS - 3)

    def add(self, ids: Iterable[ChunkId]) -> None:
        for one in ids:
            at = _bit_of(one)
            self._bits[at >> 3] |= 1 << (at & 7)

    def __contains__(self, one: ChunkId) -> bool:
        at = _bit_of(one)
        return bool(self._bits[at >> 3] >> (at & 7) & 1)


class Spares:
    """Keeps chunks for batches that are fetched later, in several threads.

    What came with one block has a slot of the file to itself. When all of it was handed out, the file system gets it
    back, and only then its room is there again: else the file would grow by what nobody asks for.
    """

    def __init__(self, target: int, key_ids: bytes, restore_bytes: int) -> None:
        """Keep beside what is restored below the opened target, which will take so many bytes of the disk."""
        self._key_ids = key_ids
        self._changing = threading.Condition()
        self._asked = _Seen()
        self._places: dict[ChunkId, _Place] = {}
        self._slots: list[_Slot] = []
        self._free_slots: list[int] = []
        self._is_claimed = False
        self._is_over = False
        self._credit = _IN_VAIN_BYTES
        self._came_bytes = _WORTH_WAITING_BYTES  # nobody knows what comes with the first batch
        self._handle = -1
        self._room = 0
        with suppress(OSError):  # a file system that has no such files
            self._handle = system.open_nameless(target)
            self._room = min(CAPACITY_BYTES, max(0, system.free_bytes(target) - restore_bytes) // _LEFT_FREE)

    @contextmanager
    def turn(self, ids: Sequence[ChunkId], *, keeps: bool) -> Iterator[Turn]:
        """Yield what of a batch is kept, which it is not any longer, and the room there is when it `keeps` more.

        While much is coming along for another batch, this waits: it may be what this one wants.
        """
        with self._changing:
            self._changing.wait_for(lambda: not self._is_claimed or self._came_bytes < _WORTH_WAITING_BYTES)
            has_room = self._room > 0 and self._credit > 0
            if has_room:
                self._asked.add(ids)
            taken = sorted((self._places.pop(one), one) for one in self._places.keys() & ids)
            claims = keeps and has_room and not self._is_claimed
            self._is_claimed |= claims
        try:
            yield Turn(self._read_all(taken), self._room if claims else 0, self._keep)
        finally:
            if claims:
                with self._changing:
                    self._is_claimed = False
                    self._came_bytes = 0
                    self._changing.notify_all()

    def stop(self) -> None:
        """Keep nothing any more: whoever is waiting for more to come along is made to fail."""
        self._is_over = True
        self._give_up()

    def close(self) -> None:
        """Let go of the file; no thread is at work any more."""
        if self._handle >= 0:
            os.close(self._handle)

    def _keep(self, chunks: Chunks) -> None:
        """Keep chunks that came with one block; one thread at a time does so.

        Raises:
            Unavailable: the restore has ended; hundreds of megabytes may still be coming, which nobody wants.
        """
        if self._is_over:
            raise Unavailable("The restore has ended.")
        new = {one: data for one, data in chunks.items() if one not in self._places and one not in self._asked}
        self._credit += 2 * sum(map(len, new.values())) - sum(map(len, chunks.values()))
        charge = sum([max(len(data), LEAST_ROOM_BYTES) for data in new.values()])
        if not new or charge > self._room:
            return
        with self._changing:
            slot = self._free_slots.pop() if self._free_slots else len(self._slots)
            self._slots[slot : slot + 1] = [_Slot(len(new), charge)]
            self._room -= charge
            self._came_bytes += charge
        start = slot * MAX_PLAIN_BYTES
        try:
            system.write_at(self._handle, b"".join(new.values()), start)
        except OSError:
            self._give_up()
            return
        places = accumulate(map(len, new.values()), initial=start)
        with self._changing:
            self._places.update((one, (at, len(new[one]))) for one, at in zip(new, places, strict=False))

    def _read_all(self, taken: list[tuple[_Place, ChunkId]]) -> Chunks:
        """Read chunks that were kept, and let go of them."""
        found: Chunks = {}
        room = MOST_BYTES
        for run in _runs(taken):
            room -= sum(size for (_, size), _ in run)
            if room >= 0:
                found |= self._read(run)
        self._let_go([place for place, _ in taken])
        return found

    def _read(self, run: list[tuple[_Place, ChunkId]]) -> Chunks:
        """Read chunks that lie end to end; what is not as it was kept is left out."""
        (start, _), _ = run[0]
        sizes = [size for (_, size), _ in run]
        try:
            data = memoryview(os.pread(self._handle, sum(sizes), start))
            true_ids = unpack_ids(chunk_ids(self._key_ids, data, sizes))
        except (OSError, ValueError):
            return {}
        ends = accumulate(sizes)
        return {
            one: data[end - size : end]
            for (_, one), true, size, end in zip(run, true_ids, sizes, ends, strict=True)
            if one == true
        }

    def _let_go(self, places: list[_Place]) -> None:
        """Give back the slots of which nothing is left, and their room."""
        with self._changing:
            emptied = []
            for slot, count in Counter(at // MAX_PLAIN_BYTES for at, _ in places).items():
                self._slots[slot].left -= count
                if not self._slots[slot].left:
                    emptied.append(slot)
        for slot in emptied:
            system.free(self._handle, slot * MAX_PLAIN_BYTES, MAX_PLAIN_BYTES)
        with self._changing:
            self._room += sum([self._slots[slot].charge for slot in emptied])
            self._free_slots += emptied

    def _give_up(self) -> None:
        """Keep nothing any more: the disk does not take it, and has it all back."""
        with self._changing:
            self._places.clear()
            self._room = -CAPACITY_BYTES
        with suppress(OSError):
            os.ftruncate(self._handle, 0)


def _bit_of(one: ChunkId) -> int:
    """Return which of the bits is an id's."""
    return int.from_bytes(one[: _ASKED_BITS // 8], "little")


def _runs(taken: list[tuple[_Place, ChunkId]]) -> Iterator[list[tuple[_Place, ChunkId]]]:
    """Yield chunks that lie end to end together."""
    run: list[tuple[_Place, ChunkId]] = []
    until = -1
    for (at, size), one in taken:
        if at != until and run:
            yield run
            run = []
        run.append(((at, size), one))
        until = at + size
    if run:
        yield run
