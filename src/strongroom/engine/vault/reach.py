"""Reach: the walk over a tree that gives the bitmap of what it refers to, and with it the proof of a commit.

Why: a snapshot may exist only if each chunk below its root is stored, alive and its set's to refer to; the same walk
that finds this out yields the bitmap for everything that comes later (ADR 3).
How: breadth first, level by level, in the order in which the nodes lie in packs, with look-ups in large batches. What a
node refers to is read from it, or was noted when it was put (noted.py). Where its references lie is looked up, or was
noted when the walk was foreseen; a chunk noted at a place that does not count any more is looked up after all.
Promises: data and tree references are walked apart, so a node that is also somebody's data is still walked as a node.
A tree that is proven can be listed in bounded time: nodes that are shared are counted as often as a listing meets them.
"""

from __future__ import annotations

import itertools
import math
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Final

from pyroaring import BitMap64

from strongroom.engine.format.ids import ID_BYTES, chunk_id, unpack_ids
from strongroom.engine.format.tree import node_refs
from strongroom.engine.vault.index import ABSENT
from strongroom.engine.vault.noted import NotedReferences, References
from strongroom.errors import Conflict, Damaged, Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from strongroom.engine.vault.index import Index
    from strongroom.engine.vault.packfiles import PackFiles

MOST_LISTED: Final = 1 << 28
"""Nodes of a tree when each is counted as often as it is listed: what an honest tree of 10^10 files would have."""
_BATCH_BYTES: Final = ID_BYTES << 16


class Walker:
    """What a walk needs: the index, the packs, and the key of chunk ids."""

    def __init__(self, index: Index, files: PackFiles, key_ids: bytes) -> None:
        """Take what `reach` reads from."""
        self._index = index
        self._files = files
        self._key_ids = key_ids
        self.noted = NotedReferences()

    def reach(self, roots: Iterable[bytes], allowed: BitMap64 | None) -> BitMap64:
        """Return the ordinals of the root nodes and of everything below them.

        Args:
            roots: ids of tree nodes.
            allowed: what the tree may refer to. None asks for no proof but for what there is: chunks in BAD packs are
                taken along, and what cannot be followed is left out.

        Raises:
            Conflict: a chunk is not stored or not allowed (code `incomplete_tree`); it does not say which of the two.
            Damaged: a stored node cannot be read, or is no node.
            Mistake: listed out, the tree has more than `MOST_LISTED` nodes (code `tree_too_large`).
        """
        top = b"".join(roots)
        reached, places = self._walk(top, allowed, uses_places=allowed is not None)
        if allowed is not None and not (places.issubset(allowed) and self._index.has_all(places)):
            # A pack is BAD since, or another set was the last to look: the exact answer, as if nothing were foreseen.
            reached, places = self._walk(top, allowed, uses_places=False)
        return reached | places

    def foresee(self, root: bytes, allowed: BitMap64, is_over: Callable[[], bool]) -> None:
        """Note what the nodes below a root refer to, and where it lies, for a walk to come.

        Ends early when it is over, or when notes are full. Raises what `reach` does.
        """
        self._walk(root, allowed, uses_places=True, stops=lambda: is_over() or not self.noted.has_room)

    def _walk(
        self,
        top: bytes,
        allowed: BitMap64 | None,
        *,
        uses_places: bool,
        stops: Callable[[], bool] = lambda: False,
    ) -> tuple[BitMap64, BitMap64]:
        """Return the ordinals that were looked up, and those that were noted and are not proven to count; see `reach`.

        Args:
            top: packed ids of the root nodes.
            stops: asked at each node; True ends the walk before its time.
        """
        nodes, data, places = BitMap64(), BitMap64(), array("Q")
        below: dict[int, array[int]] = {}
        tops, _ = self._ordinals(top, allowed)
        level = _new_nodes(tops, top, nodes)
        while level and not stops():
            found: dict[int, bytes] = {}
            tree_ids, parents, unplaced = bytearray(), [], _Unplaced()
            for ordinal in sorted(level):
                if stops():
                    break
                tree, content = self._references(ordinal, level[ordinal], allowed, uses_places=uses_places)
                parents.append((ordinal, len(tree) // ID_BYTES))
                tree_ids += tree
                if isinstance(content, bytes):
                    unplaced.add(level[ordinal], tree, content)
                else:
                    places += content
                if len(unplaced.ids) >= _BATCH_BYTES:
                    data |= self._place(unplaced, allowed)
                    unplaced = _Unplaced()
                if len(tree_ids) >= _BATCH_BYTES:
                    found |= self._children(bytes(tree_ids), parents, nodes, below, allowed)
                    tree_ids, parents = bytearray(), []
            data |= self._place(unplaced, allowed)
            level = found | self._children(bytes(tree_ids), parents, nodes, below, allowed)
        if allowed is not None:
            _require_listable(tops, below, met=len(nodes))
        return nodes | data, BitMap64(places)

    def find(self, packed: bytes, allowed: BitMap64 | None) -> BitMap64:
        """Return the ordinals of packed ids; see `reach`."""
        return self._ordinals(packed, allowed)[1]

    def chunk(self, ordinal: int, chunk: bytes) -> memoryview:
        """Return a chunk's plain bytes, verified by its id.

        Raises:
            Damaged: the bytes cannot be had, or have another id.
        """
        pack, block, offset, size = self._index.place(ordinal)
        plain = memoryview(self._files.plain(pack, block))[offset : offset + size]
        if chunk_id(self._key_ids, plain) != chunk:
            raise Damaged(f"The chunk {chunk.hex()} is not where the index says.", code="bad_index")
        return plain

    def _references(self, ordinal: int, chunk: bytes, allowed: BitMap64 | None, *, uses_places: bool) -> References:
        if allowed is None:  # what can be followed is asked for, so it is looked at
            try:
                return References(*node_refs(self.chunk(ordinal, chunk)))
            except Damaged:
                return References(b"", b"")
        references = self.noted.find(chunk)
        if references is None or not (uses_places or isinstance(references.data, bytes)):
            references = References(*node_refs(self.chunk(ordinal, chunk)))
            self.noted.note_read(chunk, references)
        return references

    def _place(self, unplaced: _Unplaced, allowed: BitMap64 | None) -> BitMap64:
        """Return the ordinals of what nodes refer to as data, and note of each node where that lies."""
        ordinals, found = self._ordinals(bytes(unplaced.ids), allowed)
        if allowed is not None:
            at = 0
            for node, tree, count in unplaced.nodes:
                self.noted.note_read(node, References(tree, ordinals[at : at + count]))
                at += count
        return found

    def _children(
        self,
        packed: bytes,
        parents: Sequence[tuple[int, int]],
        nodes: BitMap64,
        below: dict[int, array[int]],
        allowed: BitMap64 | None,
    ) -> dict[int, bytes]:
        """Return what `_new_nodes` does for the packed children of some parents, and note whose they are in `below`."""
        ordinals, _ = self._ordinals(packed, allowed)
        start = 0
        for parent, count in parents:
            if count:
                below[parent] = ordinals[start : start + count]
                start += count
        return _new_nodes(ordinals, packed, nodes)

    def _ordinals(self, packed: bytes, allowed: BitMap64 | None) -> tuple[array[int], BitMap64]:
        """Return the ordinals of packed ids, in their order with `ABSENT` among them, and as a set without it."""
        ordinals = self._index.find(packed)
        found = BitMap64(ordinals)
        if ABSENT not in found and (allowed is None or found.issubset(allowed)):
            return ordinals, found
        # The exact answer, one by one: an id may be stored twice, and the set's own copy need not be the first one.
        for at, ordinal in enumerate(ordinals):
            if ordinal == ABSENT or (allowed is not None and ordinal not in allowed):
                ordinals[at] = self._other_copy(packed[ID_BYTES * at : ID_BYTES * (at + 1)], allowed)
        found = BitMap64(ordinals)
        found.discard(ABSENT)
        return ordinals, found

    def _other_copy(self, chunk: bytes, allowed: BitMap64 | None) -> int:
        copies = self._index.every(chunk)
        if allowed is None:
            return next(copies, ABSENT)
        dead = self._index.dead
        for ordinal in copies:
            if ordinal in allowed and ordinal not in dead:
                return ordinal
        raise Conflict(
            f"The tree refers to the chunk {chunk.hex()}, which this set has not stored.",
            code="incomplete_tree",
            hint="Send what is missing, or begin the backup again.",
        )


class _Unplaced:
    """Nodes whose data chunks are to be looked up: of each its id, its packed tree ids, and how many chunks it has."""

    def __init__(self) -> None:
        self.nodes: list[tuple[bytes, bytes, int]] = []
        self.ids = bytearray()

    def add(self, node: bytes, tree: bytes, data: bytes) -> None:
        """Add a node."""
        if data:
            self.nodes.append((node, tree, len(data) // ID_BYTES))
            self.ids += data


def _new_nodes(ordinals: array[int], packed: bytes, nodes: BitMap64) -> dict[int, bytes]:
    """Return ordinal → id of the packed nodes that were not met before, and note them as met."""
    new: dict[int, bytes] = dict(zip(ordinals, unpack_ids(packed), strict=True))
    new.pop(ABSENT, None)
    met = BitMap64(new)
    for ordinal in met & nodes:
        del new[ordinal]
    nodes.update(met)
    return new


def _require_listable(tops: array[int], below: dict[int, array[int]], *, met: int) -> None:
    """Refuse a tree that is small to store and without end to list: folders may share nodes, but not to any power.

    A way from the top down to a node takes one of the references to each node that it comes by. So there are at most
    as many ways as these numbers of references give multiplied, and only where that is too many each node is counted.

    Args:
        met: how many nodes there are. Where no more references lead to them, none is shared: each is listed once.

    Raises:
        Mistake: listed out, the tree has more than `MOST_LISTED` nodes (code `tree_too_large`).
    """
    is_shared = len(tops) + sum(map(len, below.values())) > met
    references = Counter(itertools.chain(tops, *below.values())) if is_shared else Counter[int]()
    may_be_listed = met * math.prod(map(float, references.values()))
    if may_be_listed > MOST_LISTED and (not is_shared or _times_listed(tops, below) > MOST_LISTED):
        raise Mistake(f"Listed out, the tree has more than {MOST_LISTED} nodes.", code="tree_too_large")


def _times_listed(tops: array[int], below: dict[int, array[int]]) -> int:
    """Return how many nodes a listing meets, each as often as it does; counts no further than past `MOST_LISTED`."""
    awaited = Counter(itertools.chain.from_iterable(below.values()))
    times = Counter(tops)
    ready = list(times)
    listed = 0
    while ready and listed <= MOST_LISTED:
        node = ready.pop()
        listed += times[node]
        for child in below.get(node, ()):
            times[child] += times[node]
            awaited[child] -= 1
            if not awaited[child]:
                ready.append(child)
    return listed
