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
from strongroom.engine.format.entries import MAX_ENTRIES, count_files, decode_entries, encode_entries
from strongroom.engine.format.ids import ID_BYTES, pack_ids, unpack_ids
from strongroom.engine.format.splice import splice_entries
from strongroom.errors import Damaged, Mistake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from strongroom.engine.format.splice import EncodedRun
    from strongroom.model.entry import ChunkId, Entry

MAX_NODE_BYTES: Final = MAX_CHUNK_BYTES
MAX_RUN: Final = 1024
MIN_RUN: Final = 16
"""Children of an inner node, and ids in a list node (the last of a level may have fewer)."""
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
    return zlib.crc32(name) & 0xFF == 0 or count >= MAX_ENTRIES


def ends_run(last: ChunkId, count: int) -> bool:
    """Tell whether an inner or list node ends after the id `last`, which is its `count`-th.

    The least count makes sure that each level is much shorter than the one below, even when all ids are the same.
    """
    return (last[0] == 0 and count >= MIN_RUN) or count >= MAX_RUN


def encode_leaf(entries: Sequence[Entry]) -> bytes:
    """Return the node of a folder part.

    Raises:
        Mistake: an entry cannot be stored as it is, or names are not in order (code `bad_entry`).
    """
    try:
        body, tree_ids, data_ids = encode_entries(entries)
    except (ValueError, OverflowError) as error:
        raise Mistake(f"A folder cannot be stored: {error}", code="bad_entry") from error
    return _encode_node(NodeForm.LEAF, tree_ids, data_ids, body)


def splice_leaf(pieces: Sequence[Entry | EncodedRun]) -> bytes:
    """Return the node of a folder part, some of it taken over from another node; the same as `encode_leaf` gives.

    Raises:
        Mistake: an entry cannot be stored as it is (code `bad_entry`).
    """
    try:
        body, tree_ids, data_ids = splice_entries(pieces)
    except (ValueError, OverflowError) as error:
        raise Mistake(f"A folder cannot be stored: {error}", code="bad_entry") from error
    return _framed_node(NodeForm.LEAF, tree_ids, data_ids, body)


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
    try:
        return decode_entries(node.body, unpack_ids(node.tree_ids), unpack_ids(node.data_ids))
    except (ValueError, RecursionError) as error:
        raise _bad(str(error)) from error


def leaf_totals(node: Node) -> tuple[int, int]:
    """Return how many entries of a leaf are no folders, and their sizes together; much faster than decoding them.

    Raises:
        Damaged: the node is no leaf, or cannot be read (code `bad_node`). Most rules of leaves are not checked.
    """
    _require_form(node, NodeForm.LEAF)
    try:
        return count_files(node.body)
    except (ValueError, RecursionError) as error:
        raise _bad(str(error)) from error


def inner_children(node: Node) -> list[tuple[bytes, ChunkId]]:
    """Return the children of an inner node as (first name, id).

    Raises:
        Damaged: the node is no inner node, or breaks a rule of inner nodes (code `bad_node`).
    """
    _require_form(node, NodeForm.INNER)
    names = _decode_body(_inner_decoder, node)
    children = unpack_ids(node.tree_ids)
    if node.data_ids or len(names) != len(children) or not 0 < len(names) <= MAX_RUN:
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
    if unused or len(sizes) != len(ids) or not 0 < len(ids) <= MAX_RUN or min(sizes) <= 0:
        raise _bad("it is not the list of content that it should be")
    return list(zip(ids, sizes, strict=True))


def _encode_node(form: NodeForm, tree_ids: Sequence[ChunkId], data_ids: Sequence[ChunkId], body: bytes) -> bytes:
    tree, data = pack_ids(tree_ids), pack_ids(data_ids)
    if len(tree) + len(data) != ID_BYTES * (len(tree_ids) + len(data_ids)):
        raise Mistake(f"A chunk id has {ID_BYTES} bytes.", code="bad_entry")
    return _framed_node(form, tree, data, body)


def _framed_node(form: NodeForm, tree_ids: bytes, data_ids: bytes, body: bytes) -> bytes:
    """Return a node; its ids are packed."""
    tree_count, data_count = len(tree_ids) // ID_BYTES, len(data_ids) // ID_BYTES
    return b"".join(
        (_HEADER.pack(magic.TREE, magic.TREE_VERSION, form, tree_count, data_count), tree_ids, data_ids, body)
    )


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


_FORMS: Final = frozenset(NodeForm)
_encoder: Final = msgspec.msgpack.Encoder()
_inner_decoder: Final = msgspec.msgpack.Decoder(list[bytes])
_list_decoder: Final = msgspec.msgpack.Decoder(list[int])
