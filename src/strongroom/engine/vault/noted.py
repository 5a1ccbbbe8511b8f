"""Noted references: what the tree nodes that went through this process lately refer to.

Why: a commit walks over nodes that were opened and verified a moment ago, when they were put; reading them back from
the packs, decrypting and decompressing them, is most of what the walk costs.
Promises: what is noted under an id was read from a node that has this id, so it never becomes wrong. It says nothing of
whether the node is stored: the walk finds that out as ever. Memory is bounded: `NOTED_BYTES`.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from strongroom.engine.format.block import BlockKind
from strongroom.engine.format.tree import node_refs
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from strongroom.engine.format.block import Block

NOTED_BYTES: Final = 32 << 20
"""Enough for the nodes of a million files."""
_OVERHEAD_BYTES: Final = 320
References = tuple[bytes, bytes]
"""Packed ids of tree chunks and of data chunks."""


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

    def note_put(self, block: Block, plain: bytes | memoryview) -> None:
        """Note what the nodes in a verified block refer to; what is noted longest gives way."""
        if block.kind is not BlockKind.TREE:
            return
        view = memoryview(plain)
        start = 0
        for chunk, size in zip(block.ids, block.sizes, strict=True):
            with contextlib.suppress(Damaged):  # no node: should a tree refer to it, the commit says so
                self._note(chunk, node_refs(view[start : start + size]))
            start += size

    def note_read(self, node: bytes, references: References) -> None:
        """Note what a node that was read refers to if there is room: a walk must not drop what it comes to later."""
        if self._used_bytes + _size(references) <= self._limit_bytes:
            self._note(node, references)

    def _note(self, node: bytes, references: References) -> None:
        with self._lock:
            if node in self._noted:
                return
            self._noted[node] = references
            self._used_bytes += _size(references)
            while self._used_bytes > self._limit_bytes:
                oldest = next(iter(self._noted))
                self._used_bytes -= _size(self._noted.pop(oldest))


def _size(references: References) -> int:
    """Return about how much memory references take."""
    return len(references[0]) + len(references[1]) + _OVERHEAD_BYTES
