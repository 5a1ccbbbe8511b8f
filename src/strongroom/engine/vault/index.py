"""The index: from chunk ids to ordinals, from ordinals to places in packs.

Why: every question of the vault is a batch of ids; a few sorted runs answer a batch without touching a database.

How: a run covers the packs of a contiguous range of ordinals. A new pack makes a small run in memory; `settle` merges
neighbours so that each run is more than twice as long as the next, and writes them to `index/`. Runs are never changed,
so look-ups take the current tuple of them and need no lock.
Promises: what a pack's table says is found as soon as `add` returns. A chunk in a BAD pack is answered as absent unless
another pack has it too. Losing any file in `index/` loses nothing: `load` reads the tables of packs again.
"""

from __future__ import annotations

import contextlib
import threading
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from pyroaring import BitMap64

from strongroom.engine.format.columns import U32_BYTES, decode_u32, view_u32
from strongroom.engine.format.ids import ID_BYTES
from strongroom.engine.format.index import PLACE_BYTES, IndexRun, RunPack, decode_run, merge_runs, run_of_pack
from strongroom.engine.vault.ledger import PackState
from strongroom.errors import Damaged, StrongroomError, Unavailable
from strongroom.kernel import fill_found, lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from strongroom.engine.format.pack import PackTable
    from strongroom.engine.vault.ledger import PackRow
    from strongroom.engine.vault.storage.base import Storage

ABSENT: Final = (1 << 64) - 1
_NO_POSITION: Final = 0xFFFF_FFFF
_PLACE_NUMBERS: Final = PLACE_BYTES // U32_BYTES
_MAX_MERGED: Final = 1 << 28
_MAX_SMALL_RUNS: Final = 16


class Place(NamedTuple):
    """Where a chunk lies: its pack, the block in it, and where in the plain block."""

    pack: bytes
    block: int
    offset: int
    size: int


@dataclass(frozen=True, eq=False)
class _Held:
    """A run in use; `stored` is its name in the storage, empty while it is in memory only."""

    run: IndexRun
    positions: Sequence[int]
    pack_firsts: tuple[int, ...]
    stored: str


class Index:
    """See the module's docstring. Safe to use from several threads."""

    def __init__(self, storage: Storage) -> None:
        """Begin empty; `load` fills it."""
        self._storage = storage
        self._held: tuple[_Held, ...] = ()
        self._dead = BitMap64()
        self._changing = threading.Lock()
        self._settling = threading.Lock()
        self.version = 0

    def load(self, packs: Sequence[PackRow], table_of: Callable[[PackRow], PackTable]) -> list[PackRow]:
        """Take in what the ledger knows: stored runs first, then the tables of packs that no run covers.

        Returns:
            The packs whose table cannot be read; their chunks are answered as absent.
        """
        self._dead = BitMap64()
        for row in packs:
            self.mark(row, row.state)
        self._held = tuple(self._fitting_runs(packs))
        covered = {pack.name for held in self._held for pack in held.run.packs}
        unreadable = []
        for row in packs:
            if row.name in covered:
                continue
            try:
                self.add(row, table_of(row))
            except StrongroomError:
                unreadable.append(row)
        with contextlib.suppress(Unavailable):  # a full disk must not keep anyone from restoring
            self.settle()
        return unreadable

    def add(self, row: PackRow, table: PackTable) -> None:
        """Make the chunks of a registered pack known.

        Raises:
            Damaged: the table is not that of the registered pack (code `bad_pack`).
        """
        if len(table.sizes) != row.chunks:
            raise Damaged(f"Pack {row.name.hex()} does not hold what was registered.", code="bad_pack")
        new = _hold(b"".join(run_of_pack(row.name, row.first_ordinal, row.kind, table)), "")
        with self._changing:
            self._held = tuple(sorted((*self._held, new), key=lambda held: held.run.first))
            self.version += 1
        if sum(not held.stored for held in self._held) > _MAX_SMALL_RUNS:
            with contextlib.suppress(Unavailable):  # the pack is known all the same
                self.settle()

    def mark(self, row: PackRow, state: PackState) -> None:
        """Answer the chunks of a pack as absent from now on, or as there again."""
        with self._changing:
            dead = self._dead.copy()  # readers hold the old one
            change = dead.remove_range if state is PackState.LIVE else dead.add_range
            change(row.first_ordinal, row.first_ordinal + row.chunks)
            self._dead = dead
            self.version += 1

    def find(self, packed: bytes) -> array[int]:
        """Return the lowest alive ordinal of each of the packed ids, `ABSENT` for one that is not there."""
        found = array("Q", [ABSENT]) * (len(packed) // ID_BYTES)
        if not found:
            return found
        dead = self._dead
        for held in self._held:
            if not _any_dead(held, dead):
                if not fill_found(found, held.run.ids, held.run.positions, held.run.first, packed):
                    break
                continue
            for at, position in enumerate(decode_u32(lookup(held.run.ids, packed))):
                if position != _NO_POSITION and found[at] == ABSENT:
                    ordinal = held.run.first + held.positions[position]
                    found[at] = ordinal if ordinal not in dead else _next_alive(held, position, dead)
        return found

    def every(self, chunk: bytes) -> Iterator[int]:
        """Yield all ordinals of an id, those in BAD packs included."""
        for held in self._held:
            (position,) = decode_u32(lookup(held.run.ids, chunk))
            if position != _NO_POSITION:
                yield from (ordinal for _, ordinal in _same_id(held, position))

    def place(self, ordinal: int) -> Place:
        """Return where a chunk lies.

        Raises:
            Damaged: no readable pack has this ordinal (code `chunk_missing`).
        """
        held = self._covering(ordinal)
        return Place(_pack_at(held, ordinal).name, *held.run.place(ordinal))

    def pack_at(self, ordinal: int) -> RunPack:
        """Return the pack that a chunk lies in.

        Raises:
            Damaged: no readable pack has this ordinal (code `chunk_missing`).
        """
        return _pack_at(self._covering(ordinal), ordinal)

    def blocks_of(self, ordinals: Iterable[int]) -> Iterator[tuple[bytes, int]]:
        """Yield the pack and the number of the block in which each chunk lies; neighbours cost next to nothing.

        Raises:
            Damaged: no readable pack has an ordinal (code `chunk_missing`).
        """
        name, first, end, run_first, places = b"", 0, 0, 0, view_u32(b"")
        for ordinal in ordinals:
            if not first <= ordinal < end:
                held = self._covering(ordinal)
                run_first, places = held.run.first, view_u32(held.run.places)
                pack = _pack_at(held, ordinal)
                name, first, end = pack.name, pack.first, pack.first + pack.chunks
            yield name, places[_PLACE_NUMBERS * (ordinal - run_first)]

    def covers(self, ordinal: int) -> bool:
        """Tell whether a pack that can be read has this ordinal."""
        return any(held.run.first <= ordinal < held.run.end for held in self._held)

    def ids_between(self, first: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Yield (ordinal, id) of all known chunks with ordinals in [first, end); reads whole runs."""
        for held in self._held:
            run = held.run
            if run.first >= end or run.end <= first:
                continue
            low, high = first - run.first, end - run.first
            for at, position in enumerate(held.positions):
                if low <= position < high:
                    yield run.first + position, bytes(run.ids[ID_BYTES * at : ID_BYTES * (at + 1)])

    @property
    def dead(self) -> BitMap64:
        """The ordinals of all BAD packs; not to be changed."""
        return self._dead

    @property
    def alive(self) -> BitMap64:
        """The ordinals of all chunks in packs that can be read and are not BAD."""
        alive = BitMap64()
        for held in self._held:
            alive.add_range(held.run.first, held.run.end)
        return alive - self._dead

    def has_all(self, ordinals: BitMap64) -> bool:
        """Tell whether all these chunks are alive."""
        return ordinals.issubset(self.alive)

    def plain_bytes(self) -> int:
        """Return the size of all known chunks together, before compression."""
        return sum(sum(view_u32(held.run.places)[2::3]) for held in self._held)

    def settle(self) -> None:
        """Write runs that are in memory only, merged with shorter neighbours; see the module's docstring.

        Raises:
            Unavailable: the storage cannot take them; look-ups go on as before.
        """
        with self._settling:
            for group in _groups(self._held):
                if len(group) > 1 or not group[0].stored:
                    self._replace(group)

    def _replace(self, group: Sequence[_Held]) -> None:
        first, count = group[0].run.first, group[-1].run.end - group[0].run.first
        name = f"index/{first}-{count}"
        self._storage.put(name, merge_runs([held.run for held in group]), replace=True)
        merged = _hold(self._storage.view(name), name)
        with self._changing:
            kept = [held for held in self._held if held not in group]
            self._held = tuple(sorted((*kept, merged), key=lambda held: held.run.first))
        for held in group:
            if held.stored:
                self._storage.discard(held.stored)

    def _fitting_runs(self, packs: Sequence[PackRow]) -> list[_Held]:
        """Return the stored runs that agree with the ledger, and discard the rest: longest first, none twice."""
        known = {(row.name, row.first_ordinal, row.chunks, row.kind) for row in packs}
        candidates: list[_Held] = []
        for name in list(self._storage.names("index/")):
            with contextlib.suppress(Damaged):
                candidates.append(_hold(self._storage.view(name), name))
                continue
            self._storage.discard(name)
        taken: list[_Held] = []
        for held in sorted(candidates, key=lambda held: -held.run.count):
            run = held.run
            fits = all((pack.name, pack.first, pack.chunks, pack.kind) in known for pack in run.packs)
            if fits and all(run.end <= other.run.first or run.first >= other.run.end for other in taken):
                taken.append(held)
            else:
                self._storage.discard(held.stored)
        return sorted(taken, key=lambda held: held.run.first)

    def _covering(self, ordinal: int) -> _Held:
        held = self._held
        at = bisect_right(held, ordinal, key=lambda one: one.run.first) - 1
        if at < 0 or ordinal >= held[at].run.end:
            raise Damaged(f"No readable pack holds chunk number {ordinal}.", code="chunk_missing")
        return held[at]


def _hold(stored: bytes | memoryview, name: str) -> _Held:
    run = decode_run(stored)
    return _Held(run, view_u32(run.positions), tuple(pack.first for pack in run.packs), name)


def _pack_at(held: _Held, ordinal: int) -> RunPack:
    return held.run.packs[bisect_right(held.pack_firsts, ordinal) - 1]


def _groups(runs: Sequence[_Held]) -> list[list[_Held]]:
    """Group neighbours that should be one run: whatever is not more than twice as long as what follows it."""
    groups: list[list[_Held]] = []
    for held in runs:
        groups.append([held])
        while len(groups) > 1 and _belong_together(groups[-2], groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def _belong_together(left: Sequence[_Held], right: Sequence[_Held]) -> bool:
    left_count, right_count = sum(one.run.count for one in left), sum(one.run.count for one in right)
    adjacent = left[-1].run.end == right[0].run.first
    return adjacent and left_count <= 2 * right_count and left_count + right_count <= _MAX_MERGED


def _any_dead(held: _Held, dead: BitMap64) -> bool:
    return bool(dead) and dead.range_cardinality(held.run.first, held.run.end) > 0


def _next_alive(held: _Held, position: int, dead: BitMap64) -> int:
    return next((ordinal for _, ordinal in _same_id(held, position) if ordinal not in dead), ABSENT)


def _same_id(held: _Held, position: int) -> Iterator[tuple[int, int]]:
    """Yield (position, ordinal) of the id at `position` and of its equals behind it."""
    ids = held.run.ids
    wanted = ids[ID_BYTES * position : ID_BYTES * (position + 1)]
    while position < held.run.count and ids[ID_BYTES * position : ID_BYTES * (position + 1)] == wanted:
        yield position, held.run.first + held.positions[position]
        position += 1
