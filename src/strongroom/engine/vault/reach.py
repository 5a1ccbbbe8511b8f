"""Reach: the walk over a tree that gives the bitmap of what it refers to, and with it the proof of a commit.

Why: a snapshot may exist only if each chunk below its root is stored, alive and its set's to refer to; the same walk
that finds this out yields the bitmap for everything that comes later (ADR 3).
How: breadth first, level by level, in the order in which the nodes lie in packs, with look-ups in large batches. What a
node refers to is read from it, or was noted when it was put (noted.py); where its references lie is always looked up.
Promises: data and tree references are walked apart, so a node that is also somebody's data is still walked as a node.
A tree that is proven can be listed in bounded time: nodes that are shared are counted as often as a listing meets them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Final

from pyroaring import BitMap64

from strongroom.engine.format.ids import ID_BYTES, chunk_id
from strongroom.engine.format.tree import node_refs
from strongroom.engine.vault.index import ABSENT
from strongroom.engine.vault.noted import NotedReferences
from strongroom.errors import Conflict, Damaged, Mistake

if TYPE_CHECKING:
    from array import array
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
        nodes, data = BitMap64(), BitMap64()
        below: dict[int, array[int]] = {}
        tops = self._ordinals(b"".join(roots), allowed)
        level = _new_nodes(tops, b"".join(roots), nodes)
        while level:
            found: dict[int, bytes] = {}
            data_ids, tree_ids, parents = bytearray(), bytearray(), []
            for ordinal in sorted(level):
                tree, content = self._references(ordinal, level[ordinal], must_be_whole=allowed is not None)
                parents.append((ordinal, len(tree) // ID_BYTES))
                tree_ids += tree
                data_ids += content
                if len(data_ids) >= _BATCH_BYTES:
                    data |= self.find(bytes(data_ids), allowed)
                    data_ids.clear()
                if len(tree_ids) >= _BATCH_BYTES:
                    found |= self._children(bytes(tree_ids), parents, nodes, below, allowed)
                    tree_ids, parents = bytearray(), []
            data |= self.find(bytes(data_ids), allowed)
            level = found | self._children(bytes(tree_ids), parents, nodes, below, allowed)
        if allowed is not None:
            _require_listable(tops, below, met=len(nodes))
        return nodes | data

    def foresee(self, root: bytes, is_over: Callable[[], bool]) -> None:
        """Note what the nodes below a root refer to, for a walk to come; ends early when it is over, or notes are full.

        Raises:
            Damaged: a node cannot be read.
            Unavailable: the storage failed.
        """
        nodes = BitMap64()
        level = _new_nodes(self._index.find(root), root, nodes)
        while level:
            below = bytearray()
            for ordinal in sorted(level):
                if is_over() or not self.noted.has_room:
                    return
                below += self._references(ordinal, level[ordinal], must_be_whole=True)[0]
            level = _new_nodes(self._index.find(bytes(below)), bytes(below), nodes)

    def find(self, packed: bytes, allowed: BitMap64 | None) -> BitMap64:
        """Return the ordinals of packed ids; see `reach`."""
        found = BitMap64(self._ordinals(packed, allowed))
        found.discard(ABSENT)
        return found

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

    def _references(self, ordinal: int, chunk: bytes, *, must_be_whole: bool) -> tuple[bytes, bytes]:
        if not must_be_whole:  # what can be followed is asked for, so it is looked at
            try:
                return node_refs(self.chunk(ordinal, chunk))
            except Damaged:
                return b"", b""
        references = self.noted.find(chunk)
        if references is None:
            references = node_refs(self.chunk(ordinal, chunk))
            self.noted.note_read(chunk, references)
        return references

    def _children(
        self,
        packed: bytes,
        parents: Sequence[tuple[int, int]],
        nodes: BitMap64,
        below: dict[int, array[int]],
        allowed: BitMap64 | None,
    ) -> dict[int, bytes]:
        """Return what `_new_nodes` does for the packed children of some parents, and note whose they are in `below`."""
        ordinals = self._ordinals(packed, allowed)
        start = 0
        for parent, count in parents:
            if count:
                below[parent] = ordinals[start : start + count]
                start += count
        return _new_nodes(ordinals, packed, nodes)

    def _ordinals(self, packed: bytes, allowed: BitMap64 | None) -> array[int]:
        ordinals = self._index.find(packed)
        found = BitMap64(ordinals)
        if ABSENT not in found and (allowed is None or found.issubset(allowed)):
            return ordinals
        # The exact answer, one by one: an id may be stored twice, and the set's own copy need not be the first one.
        for at, ordinal in enumerate(ordinals):
            if ordinal == ABSENT or (allowed is not None and ordinal not in allowed):
                ordinals[at] = self._other_copy(packed[ID_BYTES * at : ID_BYTES * (at + 1)], allowed)
        return ordinals

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


def _new_nodes(ordinals: array[int], packed: bytes, nodes: BitMap64) -> dict[int, bytes]:
    """Return ordinal → id of the packed nodes that were not met before, and note them as met."""
    new: dict[int, bytes] = {}
    for at, ordinal in enumerate(ordinals):
        if ordinal != ABSENT and ordinal not in nodes:
            nodes.add(ordinal)
            new[ordinal] = packed[ID_BYTES * at : ID_BYTES * (at + 1)]
    return new


def _require_listable(tops: array[int], below: dict[int, array[int]], *, met: int) -> None:
    """Refuse a tree that is small to store and without end to list: folders may share nodes, but not to any power.

    Args:
        met: how many nodes there are. Where no more references lead to them, none is shared: each is listed once.

    Raises:
        Mistake: listed out, the tree has more than `MOST_LISTED` nodes (code `tree_too_large`).
    """
    is_shared = len(tops) + sum(map(len, below.values())) > met
    if (_times_listed(tops, below) if is_shared else met) > MOST_LISTED:
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
