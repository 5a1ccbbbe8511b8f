"""The snapshot writer: files and folders in, chunks in a sink out, and the id of every folder's root.

Why: one place decides what a file's content and a folder become, so that equal things always become the same chunks.
Promises: what is given twice is sent once; a chunk that the sink knows is not sent at all; memory stays bounded
whatever the sizes and counts; `finish` returns only when all is in the sink; an uploader's error is raised to the
caller, and its threads are gone when the `with` block ends, in every outcome.
Does not: read files, walk folders or commit; and it has one caller, in one thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import msgspec

from strongroom.engine.content.blocks import ALONE, DATA_BYTES, LARGE_BYTES, TREE_BYTES
from strongroom.engine.content.chunking import WHOLE_BYTES, Cutter, cut_bytes
from strongroom.engine.content.runs import RunBuilder
from strongroom.engine.content.uploads import Counts, Filling, Uploads
from strongroom.engine.format.block import BlockKind
from strongroom.engine.format.entries import MAX_ENTRY_IDS
from strongroom.engine.format.ids import chunk_id, chunk_ids, unpack_ids
from strongroom.engine.format.tree import MAX_NODE_BYTES, encode_inner, encode_leaf, encode_list
from strongroom.errors import Mistake
from strongroom.model.entry import ChunkId, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from strongroom.engine.content.sink import Sink
    from strongroom.engine.format.keys import ContentKeys

RECENT_IDS: Final = 131_072
LEAF_BYTES: Final = 1 << 20
"""A larger leaf is split: equal folders must give equal nodes, so this never changes."""


class Content(msgspec.Struct, frozen=True, gc=False):
    """What a file's content became: `ids` and `depth` as in `Entry`, and how many bytes it had."""

    ids: tuple[ChunkId, ...] = ()
    depth: int = 0
    size: int = 0


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """A leaf node that is in the sink, or that the sink is known to hold: a folder part that need not be made again."""

    id: ChunkId
    first_name: bytes
    node: bytes = b""


Part = Leaf | list[Entry]


class SnapshotWriter:
    """See the module's docstring. To be used in a `with` block; leaving it before `finish` drops what is not sent."""

    def __init__(self, keys: ContentKeys, sink: Sink, *, uploaders: int = 3) -> None:
        """Prepare; entering the `with` block starts the uploaders."""
        self._key = keys.key_ids
        self._keys = keys
        self._cutter = Cutter(keys)
        self._uploads = Uploads(sink, uploaders)
        self._data = Filling(BlockKind.DATA, DATA_BYTES, self._uploads)
        self._large = Filling(BlockKind.DATA, ALONE, self._uploads)
        self._nodes = Filling(BlockKind.TREE, TREE_BYTES, self._uploads)
        self._recent = _RecentIds(RECENT_IDS)

    def __enter__(self) -> Self:
        try:
            self._uploads.start()
        except BaseException:
            self._uploads.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._uploads.stop()

    @property
    def counts(self) -> Counts:
        """What was sent so far."""
        return self._uploads.counts

    def add_bytes(self, data: bytes) -> Content:
        """Take the whole content of a file; meant for small ones. Raises what an uploader raised."""
        size = len(data)
        if not size:
            return _EMPTY
        if size > WHOLE_BYTES:
            return self._add_chunks(cut_bytes(data, self._keys))
        chunk = chunk_id(self._key, data)
        if self._recent.note(chunk):
            self._data.add(chunk, data)
        return Content((chunk,), 0, size)

    def add_small(self, data: memoryview, sizes: Sequence[int]) -> bytes:
        """Take the contents of many small files, laid end to end; return the ids, packed, of all that have content.

        The data is valid only for the call. Raises what an uploader raised.

        Args:
            sizes: of the files in order, none larger than one chunk.
        """
        if 0 in sizes:
            sizes = [size for size in sizes if size]
        if not sizes:
            return b""
        packed = chunk_ids(self._key, data, sizes)
        ids = unpack_ids(packed)
        if self._recent.note_all(ids):
            self._data.extend(ids, sizes, bytes(data))
            return packed
        start = 0
        for chunk, size in zip(ids, sizes, strict=True):
            if self._recent.note(chunk):
                self._data.add(chunk, bytes(data[start : start + size]))
            start += size
        return packed

    def add_stream(self, readinto: Callable[[memoryview], int]) -> Content:
        """Take the content of a file piece by piece. Raises what an uploader or `readinto` raised.

        Args:
            readinto: fills a buffer as far as it can, like `io.RawIOBase.readinto`, and returns how many bytes it
                gave; 0 at the end.
        """
        return self._add_chunks(self._cutter.chunks(readinto))

    def add_leaves(self, entries: Sequence[Entry]) -> list[Leaf]:
        """Take a part of a folder, cut off where `ends_part` says; return its leaf, or several if it is very large.

        Raises:
            Mistake: an entry cannot be stored (code `bad_entry`, or `entry_too_large`).
        """
        node = encode_leaf(entries)
        if len(node) > LEAF_BYTES and len(entries) > 1:
            middle = len(entries) // 2
            return self.add_leaves(entries[:middle]) + self.add_leaves(entries[middle:])
        if len(node) > MAX_NODE_BYTES:
            raise Mistake(
                f"The entry {entries[0].name!r} has more attributes or data ranges than can be stored.",
                code="entry_too_large",
            )
        return [Leaf(self._keep_node(node), entries[0].name if entries else b"", node)]

    def add_node(self, node: bytes, first_name: bytes) -> Leaf:
        """Take a part of a folder as a leaf's bytes, at most `LEAF_BYTES` of them."""
        return Leaf(self._keep_node(node), first_name, node)

    def add_folder(self, parts: Iterable[Part]) -> ChunkId:
        """Take a folder as its parts in order, and return the id of its root node. Raises what an uploader raised.

        Args:
            parts: each the entries of a part, sorted, or a leaf that is known already.

        Raises:
            Mistake: parts are not in order, or an entry cannot be stored.
        """
        nodes = RunBuilder[bytes](1, self._make_inner)
        last: bytes | None = None
        for leaf in self._leaves(parts):
            if last is not None and leaf.first_name <= last:
                raise Mistake("The parts of a folder are not in order.", code="bad_entry")
            last = leaf.first_name
            nodes.add(leaf.id, leaf.first_name)
        roots, _ = nodes.finish()
        return roots[0] if roots else self.add_leaves([])[0].id

    def finish(self) -> None:
        """Wait until all is in the sink. Raises what an uploader raised. More may be added afterwards."""
        for filling in (self._data, self._large, self._nodes):
            filling.give()
        self._uploads.finish()

    def _leaves(self, parts: Iterable[Part]) -> Iterator[Leaf]:
        for part in parts:
            if isinstance(part, Leaf):
                yield part
            elif part:
                yield from self.add_leaves(part)

    def _add_chunks(self, chunks: Iterator[memoryview]) -> Content:
        """Take chunks that are valid only until the next one; few are listed in the entry, many in list nodes."""
        lists = RunBuilder[int](MAX_ENTRY_IDS, self._make_list)
        size = 0
        for view in chunks:
            chunk = chunk_id(self._key, view)
            if self._recent.note(chunk):
                (self._large if len(view) > LARGE_BYTES else self._data).add(chunk, bytes(view))
            lists.add(chunk, len(view))
            size += len(view)
        ids, depth = lists.finish()
        return Content(tuple(ids), depth, size)

    def _make_list(self, level: int, ids: list[ChunkId], sizes: list[int]) -> tuple[ChunkId, int]:
        return self._keep_node(encode_list(ids, sizes, level)), sum(sizes)

    def _make_inner(self, _level: int, ids: list[ChunkId], names: list[bytes]) -> tuple[ChunkId, bytes]:
        return self._keep_node(encode_inner(list(zip(names, ids, strict=True)))), names[0]

    def _keep_node(self, node: bytes) -> ChunkId:
        chunk = chunk_id(self._key, node)
        if self._recent.note(chunk):
            self._nodes.add(chunk, node)
        return chunk


class _RecentIds:
    """The last ids that were noted, at least `count` and little more than twice as many of them.

    Two generations cost nothing per id; one that was forgotten is only asked for, or sent, once more.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._young: set[ChunkId] = set()
        self._old: set[ChunkId] = set()

    def note(self, chunk: ChunkId) -> bool:
        """Tell whether an id is new, and remember it."""
        if chunk in self._young or chunk in self._old:
            return False
        self._young.add(chunk)
        self._age()
        return True

    def note_all(self, chunks: Sequence[ChunkId]) -> bool:
        """Remember many ids if all of them are new, and no two are the same; tell whether that was so."""
        new = set(chunks)
        if len(new) < len(chunks) or not (self._young.isdisjoint(new) and self._old.isdisjoint(new)):
            return False
        self._young |= new
        self._age()
        return True

    def _age(self) -> None:
        if len(self._young) >= self._count:
            self._old, self._young = self._young, set()


_EMPTY: Final = Content()
