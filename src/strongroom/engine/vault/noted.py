"""Noted references: what the tree nodes that went through this process lately refer to.

Why: a commit walks over nodes that were opened and verified a moment ago, when they were put; reading them back from
the packs, decrypting and decompressing them, is most of what the walk costs, and looking chunks up most of the rest.
Promises: what is noted under an id was read from a node that has this id, so it never becomes wrong. It says nothing of
whether the node is stored, nor of whether a chunk still can be read where it was found: the walk finds that out as
ever. Memory is bounded: `NOTED_BYTES`.
"""

from __future__ import annotations

import contextlib
import threading
from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

from strongroom.engine.format.block import BlockKind
from strongroom.engine.format.ids import unpack_ids
from strongroom.engine.format.tree import node_refs
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.engine.format.block import Block

NOTED_BYTES: Final = 32 << 20
"""Enough for the nodes of a million files."""
_OVERHEAD_BYTES: Final = 320
_ORDINAL_BYTES: Final = 8
_NOTHING: Final = array("Q")


class References(NamedTuple):
    """What a node refers to: packed ids of tree chunks, and data chunks as packed ids or, once found, as ordinals."""

    tree: bytes
    data: bytes | array[int]

    def size_bytes(self) -> int:
        """Return about how much memory this takes."""
        each = 1 if isinstance(self.data, bytes) else _ORDINAL_BYTES
        return len(self.tree) + len(self.data) * each + _OVERHEAD_BYTES


class NotedReferences:
    """See the module's docstring. Safe to use from several threads."""

    def __init__(self, limit_bytes: int = NOTED_BYTES) -> None:
        """Begin with nothing."""
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._noted: dict[bytes, References] = {}  # the oldest first
        self._lock = threading.Lock()

    @property
    def has_room(self) -> bool:
        """Whether `note_read` still notes."""
        return self._used_bytes < self._limit_bytes

    def find(self, node: bytes) -> References | None:
        """Return what a node refers to, if it is noted."""
        return self._noted.get(node)

    def placed_below(self, root: bytes) -> Iterator[tuple[bytes, bytes, array[int]]]:
        """Yield of a tree's nodes, those near the root first, (id, packed tree ids, ordinals), if this is noted.

        What lies only below a node that is not noted is left out.
        """
        met = {root}
        following = [root]
        for node in following:  # which grows meanwhile
            references = self._noted.get(node)
            if references is None or (references.data and isinstance(references.data, bytes)):
                continue
            tree, data = references
            yield node, tree, _NOTHING if isinstance(data, bytes) else data
            for child in unpack_ids(tree) if tree else ():
                if child not in met:
                    met.add(child)
                    following.append(child)

    def note_put(self, block: Block, plain: bytes | memoryview) -> None:
        """Note what the nodes in a verified block refer to; what is noted longest gives way."""
        if block.kind is not BlockKind.TREE:
            return
        view = memoryview(plain)
        start = 0
        for chunk, size in zip(block.ids, block.sizes, strict=True):
            with contextlib.suppress(Damaged):  # no node: should a tree refer to it, the commit says so
                self._note(chunk, References(*node_refs(view[start : start + size])))
            start += size

    def note_read(self, node: bytes, references: References) -> None:
        """Note what a node that was read refers to if there is room: a walk must not drop what it comes to later.

        What was noted of it before gives way.
        """
        with self._lock:
            before = self._noted.get(node)
            more = references.size_bytes() - (before.size_bytes() if before else 0)
            if self._used_bytes + more <= self._limit_bytes:
                self._noted[node] = references
                self._used_bytes += more

    def _note(self, node: bytes, references: References) -> None:
        with self._lock:
            if node in self._noted:
                return
            self._noted[node] = references
            self._used_bytes += references.size_bytes()
            while self._used_bytes > self._limit_bytes:
                oldest = next(iter(self._noted))
                self._used_bytes -= self._noted.pop(oldest).size_bytes()
