"""Tree nodes: folders as sorted entries, cut into parts by content, and the long lists of large files.

Why: a folder is a tree of nodes whose boundaries depend on names alone, so that one change in a folder of a million
entries makes two or three new nodes, and everything else is recognised as known.
Promises: whatever the bytes, decoding raises nothing but `Damaged`. A decoded leaf has names that are sorted, unique
and safe to use as one path component; numbers fit what systems accept.
`node_refs` reads no body: what a node refers to can be followed without understanding the node.
Does not: store nodes or follow references (engine/content does).

Three forms: a leaf holds entries; an inner node lists the nodes of one folder; a list node lists the content of a file.
Columns of ids are packed: 32 bytes each, end to end.
"""

from __future__ import annotations

import enum
import operator
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from strongroom.engine.format import magic
from strongroom.engine.format.block import MAX_CHUNK_BYTES
from strongroom.engine.format.ids import ID_BYTES, pack_ids, unpack_ids
from strongroom.errors import Damaged, Mistake
from strongroom.model.entry import ChunkId, Entry, EntryType, Stat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

MAX_NODE_BYTES: Final = MAX_CHUNK_BYTES
MAX_ITEMS: Final = 1024
"""Entries in a leaf, children of an inner node, ids in a list node."""
MIN_RUN: Final = 16
MAX_ENTRY_IDS: Final = 256
"""A file with more ids than this keeps them in list nodes."""
MAX_DEPTH: Final = 8
_HEADER: Final = struct.Struct("<8sBBxxII")
_Body = TypeVar("_Body")


class NodeForm(enum.IntEnum):
    """What a node's body is."""

    LEAF = 1
    INNER = 2
    LIST = 3


@dataclass(frozen=True, slots=True)
class Node:
    """A node whose body is not decoded yet; `tree_ids` and `data_ids` are packed."""

    form: NodeForm
    tree_ids: bytes
    data_ids: bytes
    body: memoryview


def ends_part(name: bytes, count: int) -> bool:
    """Tell whether a leaf ends after the entry `name`, which is its `count`-th."""
    return zlib.crc32(name) & 0xFF == 0 or count >= MAX_ITEMS


def ends_run(last: ChunkId, count: int) -> bool:
    """Tell whether an inner or list node ends after the id `last`, which is its `count`-th.

    The least count makes sure that each level is much shorter than the one below, even when all ids are the same.
    """
    return (last[0] == 0 and count >= MIN_RUN) or count >= MAX_ITEMS


def encode_leaf(entries: Sequence[Entry]) -> bytes:
    """Return the node of a folder part.

    Raises:
        Mistake: an entry cannot be stored as it is, or names are not in order (code `bad_entry`).
    """
    tree_ids: list[ChunkId] = []
    data_ids: list[ChunkId] = []
    stored: list[_StoredEntry] = []
    try:
        _require_stats([entry.stat for entry in entries])
        for entry in entries:
            refs = _note_references(entry, tree_ids, data_ids)
            stored.append(
                _StoredEntry(
                    entry.stat, entry.user, entry.group, entry.target, entry.xattrs, entry.extents, refs, entry.depth
                )
            )
        body = _encoder.encode(stored)
    except (ValueError, OverflowError) as error:
        raise Mistake(f"A folder cannot be stored: {error}", code="bad_entry") from error
    return _encode_node(NodeForm.LEAF, tree_ids, data_ids, body)


def encode_inner(children: Sequence[tuple[bytes, ChunkId]]) -> bytes:
    """Return the node that lists nodes of one folder, given as (first name, id)."""
    body = _encoder.encode([name for name, _ in children])
    return _encode_node(NodeForm.INNER, [child for _, child in children], (), body)


def encode_list(ids: Sequence[ChunkId], sizes: Sequence[int], level: int) -> bytes:
    """Return a list node: at level 0 its ids are data chunks, above it list nodes of the level below."""
    body = _encoder.encode(sizes)
    return _encode_node(NodeForm.LIST, ids, (), body) if level else _encode_node(NodeForm.LIST, (), ids, body)


def decode_node(data: Buffer) -> Node:
    """Read a node without its body.

    Raises:
        Damaged: the bytes are no node (code `bad_node`).
    """
    view = memoryview(data)
    if not _HEADER.size < len(view) <= MAX_NODE_BYTES:
        raise _bad("it is cut short or too long")
    mark, version, form, tree_count, data_count = _HEADER.unpack_from(view)
    if mark != magic.TREE or version != magic.TREE_VERSION or view[10] or view[11]:
        raise _bad("it has no header of a known version")
    if form not in _FORMS:
        raise _bad("its form is unknown")
    data_at = _HEADER.size + ID_BYTES * tree_count
    body_at = data_at + ID_BYTES * data_count
    if body_at >= len(view):
        raise _bad("it has fewer ids than its header says")
    return Node(NodeForm(form), bytes(view[_HEADER.size : data_at]), bytes(view[data_at:body_at]), view[body_at:])


def node_refs(data: Buffer) -> tuple[bytes, bytes]:
    """Return what a node refers to, without decoding its body: packed ids of (tree chunks, data chunks).

    Raises:
        Damaged: the bytes are no node (code `bad_node`).
    """
    node = decode_node(data)
    return node.tree_ids, node.data_ids


def leaf_entries(node: Node) -> list[Entry]:
    """Return the entries of a leaf.

    Raises:
        Damaged: the node is no leaf, or breaks a rule of leaves (code `bad_node`).
    """
    _require_form(node, NodeForm.LEAF)
    stored = _decode_body(_leaf_decoder, node)
    ids = _Supply(node)
    try:
        _require_stats([entry.stat for entry in stored])
        entries = [_entry(one, ids) for one in stored]
    except ValueError as error:
        raise _bad(str(error)) from error
    ids.require_used_up()
    return entries


def inner_children(node: Node) -> list[tuple[bytes, ChunkId]]:
    """Return the children of an inner node as (first name, id).

    Raises:
        Damaged: the node is no inner node, or breaks a rule of inner nodes (code `bad_node`).
    """
    _require_form(node, NodeForm.INNER)
    names = _decode_body(_inner_decoder, node)
    children = unpack_ids(node.tree_ids)
    if node.data_ids or len(names) != len(children) or not 0 < len(names) <= MAX_ITEMS:
        raise _bad("its names are not as many as its children")
    if not all(map(operator.lt, names, names[1:])):
        raise _bad("its names are not in order")
    return list(zip(names, children, strict=True))


def list_items(node: Node, level: int) -> list[tuple[ChunkId, int]]:
    """Return the items of a list node of `level` as (id, plain size of the content below it).

    Raises:
        Damaged: the node is no such list node (code `bad_node`).
    """
    _require_form(node, NodeForm.LIST)
    sizes = _decode_body(_list_decoder, node)
    used, unused = (node.tree_ids, node.data_ids) if level else (node.data_ids, node.tree_ids)
    ids = unpack_ids(used)
    if unused or len(sizes) != len(ids) or not 0 < len(ids) <= MAX_ITEMS or min(sizes) <= 0:
        raise _bad("it is not the list of content that it should be")
    return list(zip(ids, sizes, strict=True))


class _StoredEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An entry as a leaf keeps it: its ids stand in the node's lists, `refs` of them."""

    stat: Stat
    user: str
    group: str
    target: bytes
    xattrs: tuple[tuple[bytes, bytes], ...]
    extents: tuple[tuple[int, int], ...] | None
    refs: int
    depth: int


class _Supply:
    """The ids of a node, handed out in order to its entries."""

    def __init__(self, node: Node) -> None:
        self.tree = unpack_ids(node.tree_ids)
        self.data = unpack_ids(node.data_ids)
        self.tree_used = 0
        self.data_used = 0

    def take_tree(self, count: int) -> tuple[ChunkId, ...]:
        taken = tuple(self.tree[self.tree_used : self.tree_used + count])
        self.tree_used += count
        return taken

    def take_data(self, count: int) -> tuple[ChunkId, ...]:
        taken = tuple(self.data[self.data_used : self.data_used + count])
        self.data_used += count
        return taken

    def require_used_up(self) -> None:
        if self.tree_used != len(self.tree) or self.data_used != len(self.data):
            raise _bad("its entries do not take exactly the ids that it lists")


def _entry(stored: _StoredEntry, ids: _Supply) -> Entry:
    """Give a stored entry its ids back; too few of them are found out at the end, by `require_used_up`."""
    stat, refs, depth = stored.stat, stored.refs, stored.depth
    content: tuple[ChunkId, ...] = ()
    subtree = _NO_ID
    if stat.type == _FILE:
        if refs:
            _require_content(refs, depth)
            content = ids.take_tree(refs) if depth else ids.take_data(refs)
        elif depth:
            raise ValueError("a file without content claims to have lists of it")
    elif stat.type == _FOLDER:
        if refs != 1 or depth:
            raise ValueError("a folder does not have exactly one node")
        subtree = (ids.take_tree(1) or (_NO_ID,))[0]
    elif refs or depth:
        raise ValueError("something that is no file has content")
    if stored.extents is not None:
        _require_extents(stat, stored.extents)
    return Entry(stat, stored.user, stored.group, stored.target, stored.xattrs, stored.extents, content, depth, subtree)


def _note_references(entry: Entry, tree_ids: list[ChunkId], data_ids: list[ChunkId]) -> int:
    """Append an entry's ids to the node's lists and return how many they are."""
    refs = len(entry.content)
    if entry.extents is not None:
        _require_extents(entry.stat, entry.extents)
    if entry.stat.type == _FOLDER:
        if refs or len(entry.subtree) != ID_BYTES:
            raise ValueError("a folder does not have exactly one node")
        tree_ids.append(entry.subtree)
        return 1
    if entry.subtree or (refs and entry.stat.type != _FILE):
        raise ValueError("something that is no folder has a node, or no file has content")
    if refs:
        _require_content(refs, entry.depth)
        (tree_ids if entry.depth else data_ids).extend(entry.content)
    return refs


def _require_content(refs: int, depth: int) -> None:
    if not (0 < refs <= MAX_ENTRY_IDS and 0 <= depth <= MAX_DEPTH):
        raise ValueError("a file has more ids or deeper lists than it may have")


def _require_extents(stat: Stat, extents: tuple[tuple[int, int], ...]) -> None:
    if stat.type != _FILE:
        raise ValueError("something that is no file is sparse")
    end = 0
    for offset, length in extents:
        if offset < end or length <= 0:
            raise ValueError("the data ranges of a sparse file overlap or are out of order")
        end = offset + length
    if end > stat.size:
        raise ValueError("the data ranges of a sparse file lie behind its end")


def _require_stats(stats: list[Stat]) -> None:
    """Refuse a leaf whose names are unsafe or out of order, or whose numbers no system accepts."""
    if len(stats) > MAX_ITEMS:
        raise ValueError(f"it has more than {MAX_ITEMS} entries")
    _require_names([stat.name for stat in stats])
    modes = owners = counts = 0
    for stat in stats:
        modes |= stat.mode
        owners |= stat.uid | stat.gid
        counts |= stat.size | stat.inode | stat.nlink | stat.device | stat.rdev
    if modes >> _MODE_BITS or owners >> _OWNER_BITS or counts < 0:
        raise ValueError("a mode, owner, size or other number is out of bounds")


def _require_names(names: list[bytes]) -> None:
    """Refuse names that are not sorted, not unique, or not one component of a path each."""
    if not all(map(operator.lt, names, names[1:])):
        raise ValueError("names are not in order, or occur twice")
    joined = b"".join(names)
    if b"/" in joined or b"\0" in joined or b"" in names or b"." in names or b".." in names:
        raise ValueError("a name is empty, '.', '..', or holds '/' or NUL")


def _encode_node(form: NodeForm, tree_ids: Sequence[ChunkId], data_ids: Sequence[ChunkId], body: bytes) -> bytes:
    header = _HEADER.pack(magic.TREE, magic.TREE_VERSION, form, len(tree_ids), len(data_ids))
    return b"".join((header, pack_ids(tree_ids), pack_ids(data_ids), body))


def _decode_body(decoder: msgspec.msgpack.Decoder[_Body], node: Node) -> _Body:
    try:
        return decoder.decode(node.body)
    except (ValueError, RecursionError) as error:
        raise _bad(f"its body cannot be read ({error})") from error


def _require_form(node: Node, form: NodeForm) -> None:
    if node.form != form:
        raise _bad(f"it is of form {node.form.name}, not {form.name}")


def _bad(why: str) -> Damaged:
    return Damaged(f"This is not a valid tree node: {why}.", code="bad_node")


# Looked up per entry: an enum's member costs several times as much as a global.
_FILE: Final = EntryType.FILE
_FOLDER: Final = EntryType.FOLDER
_MODE_BITS: Final = 12
_OWNER_BITS: Final = 32
_NO_ID: Final = ChunkId(b"")
_FORMS: Final = frozenset(NodeForm)
_encoder: Final = msgspec.msgpack.Encoder()
_leaf_decoder: Final = msgspec.msgpack.Decoder(list[_StoredEntry])
_inner_decoder: Final = msgspec.msgpack.Decoder(list[bytes])
_list_decoder: Final = msgspec.msgpack.Decoder(list[int])
