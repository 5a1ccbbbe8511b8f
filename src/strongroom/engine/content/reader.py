"""The snapshot reader: a root node's id and a source of chunks in, folders, entries and content out.

Why: browsing, restoring and listing follow the same references in the same way.
Promises: lazy; memory is some nodes per level of the tree, whatever its size. Nodes are followed, never trusted: a tree
that contradicts the format is `Damaged`. Folders of any depth are walked without recursion.
Does not: verify that a chunk has its id; its source does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from strongroom.engine.format.entries import MAX_DEPTH, MAX_NAME_BYTES, MAX_PATH_BYTES
from strongroom.engine.format.tree import (
    Node,
    NodeForm,
    decode_node,
    inner_children,
    leaf_entries,
    list_items,
)
from strongroom.errors import Damaged, NotFound
from strongroom.model.entry import ChunkId, Entry, EntryType
from strongroom.model.paths import escape_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

READ_AHEAD: Final = 32
"""Nodes, or chunks of content, that are asked of the source at once."""
_DEEPEST_BYTES: Final = MAX_PATH_BYTES + MAX_NAME_BYTES + 2
"""A folder that a backup did not look into any more stands, empty, in one that it did."""


class ChunkSource(Protocol):
    """Where a reader's chunks come from: the vault, or what a restore has fetched."""

    def read(self, ids: Sequence[ChunkId]) -> Iterable[bytes]:
        """Yield the plain bytes of the chunks in the order asked, each verified against its id.

        Raises:
            Damaged: a chunk is missing or not what it must be.
        """


class SnapshotReader:
    """Reads the snapshot below the node `root`. Paths are raw bytes from the root, with no slash at either end."""

    def __init__(self, source: ChunkSource, root: ChunkId) -> None:
        """Keep the source; nothing is read yet."""
        self._source = source
        self._root = root

    def folder(self, path: bytes = b"") -> Iterator[Entry]:
        """Yield the entries of a folder by name.

        Raises:
            NotFound: there is no folder of this path.
            Damaged: the tree is not what it must be.
        """
        last = b""
        for leaf in self._leaves(self._node(self._folder_root(path, _names(path)))):
            for entry in leaf_entries(leaf.node):
                if entry.name <= last:
                    raise _bad("the parts of a folder are not in order")
                last = entry.name
                yield entry

    def entry(self, path: bytes) -> Entry:
        """Return the entry of a path; the root folder itself has none.

        Raises:
            NotFound: there is no entry of this path.
            Damaged: the tree is not what it must be.
        """
        *above, name = path.split(b"/")
        entry = self._find(self._folder_root(path, above), name)
        if entry is None:
            raise NotFound(f"There is no {escape_path(path)} in this snapshot.")
        return entry

    def walk(self, path: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (folder path, leaf node) of a folder and all below it.

        A folder's leaves come in order, after those of all folders in it.

        Raises:
            NotFound: there is no folder of this path.
            Damaged: the tree is not what it must be.
        """
        names = _names(path)
        start = self._node(self._folder_root(path, names))
        stack = [(start, self._subfolders(start))]
        path_bytes = len(path)
        while stack:
            root, subfolders = stack[-1]
            below = next(subfolders, None)
            if below is not None:
                name, root = below
                names.append(name)
                path_bytes += 1 + len(name)
                if path_bytes > _DEEPEST_BYTES:
                    raise _bad("a folder lies deeper than any may")
                stack.append((root, self._subfolders(root)))
                continue
            here = b"/".join(names)
            for leaf in self._leaves(root):
                yield here, leaf.data
            stack.pop()
            if names:
                path_bytes -= 1 + len(names.pop())

    def content_ids(self, entry: Entry) -> Iterator[ChunkId]:
        """Yield the ids of a file's data chunks in order.

        Raises:
            Damaged: the tree is not what it must be.
        """
        return self._data_ids(entry.content, entry.depth)

    def content(self, entry: Entry) -> Iterator[bytes]:
        """Yield a file's content piece by piece; of a sparse file its data ranges, end to end.

        Raises:
            Damaged: the tree or a chunk is not what it must be.
        """
        for ids in _batches(self.content_ids(entry), READ_AHEAD):
            yield from self._read(ids)

    def _folder_root(self, path: bytes, names: Sequence[bytes]) -> ChunkId:
        """Follow `names` through folders; `path` is what a person asked for."""
        root = self._root
        for name in names:
            entry = self._find(root, name)
            if entry is None or entry.stat.type != EntryType.FOLDER:
                raise NotFound(f"{escape_path(path)} does not lead through folders of this snapshot.")
            root = entry.subtree
        return root

    def _find(self, root: ChunkId, name: bytes) -> Entry | None:
        """Find a name in a folder by reading one node a level."""
        node = self._node(root).node
        for _ in range(MAX_DEPTH):
            if node.form != NodeForm.INNER:
                break
            children = inner_children(node)
            position = max(bisect_right(children, name, key=lambda child: child[0]), 1)
            node = self._node(children[position - 1][1]).node
        entries = leaf_entries(node)
        position = bisect_left(entries, name, key=lambda entry: entry.name)
        return entries[position] if position < len(entries) and entries[position].name == name else None

    def _leaves(self, root: _Read) -> Iterator[_Read]:
        """Yield the leaves of one folder in order.

        Their first names must grow, by what the nodes above say: else a few nodes that list each other again and again
        would be a folder without end, even if no leaf held an entry.
        """
        if root.node.form == NodeForm.LEAF:
            yield root
            return
        levels = [self._children(root.node)]
        last: bytes | None = None
        while levels:
            first, read = next(levels[-1], (b"", None))
            if read is None:
                levels.pop()
            elif read.node.form == NodeForm.LEAF:
                if last is not None and first <= last:
                    raise _bad("the parts of a folder are not in order")
                last = first
                yield read
            elif len(levels) >= MAX_DEPTH:
                raise _bad("a folder has more levels of nodes than it may have")
            else:
                levels.append(self._children(read.node))

    def _children(self, inner: Node) -> Iterator[tuple[bytes, _Read]]:
        """Yield (first name, node) below an inner node."""
        children = inner_children(inner)
        return zip([first for first, _ in children], self._nodes([child for _, child in children]), strict=True)

    def _subfolders(self, root: _Read) -> Iterator[tuple[bytes, _Read]]:
        """Yield (name, root node) of the folders in one folder."""
        for leaf in self._leaves(root):
            if not leaf.node.tree_ids:
                continue
            folders = [one for one in leaf_entries(leaf.node) if one.stat.type == EntryType.FOLDER]
            roots = self._nodes([folder.subtree for folder in folders])
            yield from zip([folder.name for folder in folders], roots, strict=True)

    def _data_ids(self, ids: Sequence[ChunkId], depth: int) -> Iterator[ChunkId]:
        if depth == 0:
            yield from ids
            return
        for read in self._nodes(ids):
            yield from self._data_ids([chunk for chunk, _ in list_items(read.node, depth - 1)], depth - 1)

    def _node(self, root: ChunkId) -> _Read:
        return next(self._nodes([root]))

    def _nodes(self, ids: Sequence[ChunkId]) -> Iterator[_Read]:
        for some in _batches(ids, READ_AHEAD):
            for data in self._read(some):
                yield _Read(data, decode_node(data))

    def _read(self, ids: Sequence[ChunkId]) -> Iterator[bytes]:
        count = 0
        for data in self._source.read(ids):
            count += 1
            yield data
        if count != len(ids):
            raise _bad(f"{len(ids) - count} chunks were not given")


@dataclass(frozen=True, slots=True)
class _Read:
    """A node, and the bytes it was decoded from."""

    data: bytes
    node: Node


def _names(path: bytes) -> list[bytes]:
    return path.split(b"/") if path else []


def _batches(ids: Iterable[ChunkId], size: int) -> Iterator[list[ChunkId]]:
    batch: list[ChunkId] = []
    for chunk in ids:
        batch.append(chunk)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _bad(why: str) -> Damaged:
    return Damaged(f"A snapshot's tree is not valid: {why}.", code="bad_tree")
