"""Index runs: where the chunks of a contiguous range of ordinals lie, sorted by id.

Why: finding a batch of ids in a sorted row costs no more memory than the row, which lives in a memory-mapped file.
Promises: a run is a pure function of the packs it covers, so it can be lost and made again, and merging runs gives what
making them at once would have given. Decoding raises nothing but `Damaged`.
Does not: look up (vault/index.py does), nor know which packs are alive.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from strongroom.engine.format import magic
from strongroom.engine.format.columns import U32_BYTES, encode_u32, u32_column
from strongroom.engine.format.ids import ID_BYTES
from strongroom.errors import Damaged
from strongroom.kernel import pick, shift, sort_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from typing_extensions import Buffer

    from strongroom.engine.format.pack import PackTable

_HEADER: Final = struct.Struct("<8sB7xQQI4x")
_PACK: Final = struct.Struct("<32sQIB3x")
_PLACE: Final = struct.Struct("<III")
_DIGEST_BYTES: Final = 32
_SEGMENT_IDS: Final = 1 << 17
PLACE_BYTES: Final = _PLACE.size


@dataclass(frozen=True)
class RunPack:
    """A pack as an index run knows it."""

    name: bytes
    first: int
    chunks: int
    kind: int


@dataclass(frozen=True)
class IndexRun:
    """A decoded run; its columns are views of the stored bytes.

    Args:
        first, count: the ordinals it covers: [first, first + count).
        ids: packed, ascending; of equal ids the one with the lowest ordinal comes first.
        positions: ordinal - first of each id, stored form.
        places: block number, offset and size in ordinal order, stored form.
    """

    first: int
    count: int
    packs: tuple[RunPack, ...]
    ids: memoryview
    positions: memoryview
    places: memoryview

    @property
    def end(self) -> int:
        """The first ordinal behind the run."""
        return self.first + self.count

    def place(self, ordinal: int) -> tuple[int, int, int]:
        """Return (block number, offset in the plain block, size) of a chunk in the run."""
        block, offset, size = _PLACE.unpack_from(self.places, (ordinal - self.first) * PLACE_BYTES)
        return block, offset, size


def run_of_pack(name: bytes, first: int, kind: int, table: PackTable) -> Iterator[Buffer]:
    """Yield the stored bytes of the run that covers one pack."""
    order = sort_ids(table.ids)
    yield from _encode(
        [RunPack(name, first, len(table.sizes), kind)],
        iter([pick(table.ids, order, ID_BYTES)]),
        iter([order]),
        [_encode_places(table)],
    )


def merge_runs(runs: Sequence[IndexRun]) -> Iterator[Buffer]:
    """Yield the stored bytes of the run that covers what these adjacent runs cover, in order.

    Works through the ids in segments, so that memory stays bounded however long the runs are.

    Raises:
        ValueError: the runs are not adjacent and in order.
    """
    if any(left.end != right.first for left, right in itertools.pairwise(runs)):
        raise ValueError("Only adjacent runs can be merged, in order.")
    positions: list[bytes] = []
    yield from _encode(
        [pack for run in runs for pack in run.packs],
        _merged_ids(runs, positions),
        iter(positions),
        [run.places for run in runs],
    )


def decode_run(stored: Buffer) -> IndexRun:
    """Read a run and check it whole.

    Raises:
        Damaged: the bytes are no run of a known version, or were changed (code `bad_index`).
    """
    view = memoryview(stored)
    if len(view) < _HEADER.size + _DIGEST_BYTES:
        raise Damaged("An index run is cut short.", code="bad_index")
    mark, version, first, count, pack_count = _HEADER.unpack_from(view)
    ids_at = _HEADER.size + _PACK.size * pack_count
    positions_at = ids_at + ID_BYTES * count
    places_at = positions_at + U32_BYTES * count
    digest_at = places_at + PLACE_BYTES * count
    if mark != magic.INDEX or version != magic.INDEX_VERSION or len(view) != digest_at + _DIGEST_BYTES:
        raise Damaged("An index run does not have the form of a known version.", code="bad_index")
    if blake3(view[:digest_at]).digest() != view[digest_at:]:
        raise Damaged("An index run is not what was written.", code="bad_index")
    packs = tuple(RunPack(*fields) for fields in _PACK.iter_unpack(view[_HEADER.size : ids_at]))
    return IndexRun(
        first, count, packs, view[ids_at:positions_at], view[positions_at:places_at], view[places_at:digest_at]
    )


def _encode(
    packs: Sequence[RunPack],
    ids: Iterator[bytes],
    positions: Iterator[bytes],
    places: Sequence[Buffer],
) -> Iterator[Buffer]:
    """Yield a run part by part; `positions` is read after `ids` is used up."""
    digest = blake3()
    count = sum(pack.chunks for pack in packs)
    header = _HEADER.pack(magic.INDEX, magic.INDEX_VERSION, packs[0].first, count, len(packs))
    table = b"".join(_PACK.pack(pack.name, pack.first, pack.chunks, pack.kind) for pack in packs)
    columns: tuple[Iterable[Buffer], ...] = ((header, table), ids, positions, places)
    for parts in columns:
        for part in parts:
            digest.update(part)
            yield part
    yield digest.digest()


def _encode_places(table: PackTable) -> bytes:
    places = u32_column(bytes(PLACE_BYTES * len(table.sizes)))
    places[0::3], places[1::3], places[2::3] = table.blocks, table.offsets, table.sizes
    return encode_u32(places)


def _merged_ids(runs: Sequence[IndexRun], positions: list[bytes]) -> Iterator[bytes]:
    """Yield the ids of all runs, sorted, and note their positions on the way."""
    starts = [0] * len(runs)
    for limit in _segment_limits(sum(run.count for run in runs)):
        ends = [_count_below(run, limit) for run in runs]
        spans = list(zip(runs, starts, ends, strict=True))
        ids = b"".join(run.ids[ID_BYTES * start : ID_BYTES * end] for run, start, end in spans)
        order = sort_ids(ids)
        yield pick(ids, order, ID_BYTES)
        positions.append(pick(_shifted_positions(spans, runs[0].first), order, U32_BYTES))
        starts = ends


def _segment_limits(count: int) -> list[bytes]:
    """Return upper limits that part evenly spread ids into segments; the last, empty one means: all the rest."""
    segments = min(1 + count // _SEGMENT_IDS, 1 << 16)
    return [((1 << 32) * at // segments).to_bytes(4, "big") for at in range(1, segments)] + [b""]


def _count_below(run: IndexRun, limit: bytes) -> int:
    if not limit:
        return run.count
    low, high = 0, run.count
    while low < high:
        middle = (low + high) // 2
        if bytes(run.ids[ID_BYTES * middle : ID_BYTES * middle + len(limit)]) < limit:
            low = middle + 1
        else:
            high = middle
    return low


def _shifted_positions(spans: list[tuple[IndexRun, int, int]], first: int) -> bytes:
    """Return the positions of the spans, end to end, counted from `first`."""
    return b"".join(
        shift(run.positions[U32_BYTES * start : U32_BYTES * end], run.first - first) for run, start, end in spans
    )
