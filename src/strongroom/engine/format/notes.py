"""Notes of a set: what the nodes of its last snapshot's tree refer to, and where that lies.

Why: the next commit walks over nearly the same tree. To read its nodes again, decrypt, decompress and look up all they
refer to is most of what a backup of few changes costs a server that does not have it in memory any more (ADR 71).
Promises: notes are made from packs and can be lost at any time. Only who has the root key can make them; decoding
raises nothing but `Damaged`.
Does not: know whether the packs still lie where the notes say; vault/notes.py asks the index.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import zstandard
from blake3 import blake3

from strongroom.engine.format import magic
from strongroom.engine.format.columns import (
    U32_BYTES,
    U64_BYTES,
    decode_u32,
    decode_u64,
    encode_u32,
    encode_u64,
    u32_column,
)
from strongroom.engine.format.ids import ID_BYTES, unpack_ids
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Buffer

_HEADER: Final = struct.Struct("<8sB7xIIQ")
_DIGEST_BYTES: Final = 32
_LEVEL: Final = 1
_MOST_PLAIN_BYTES: Final = 64 << 20
MOST_STORED_BYTES: Final = 65 << 20
"""No notes are larger, even of what does not compress."""


class NodeNote(NamedTuple):
    """What one tree node refers to: packed ids of tree chunks, and the ordinals of data chunks."""

    node: bytes
    tree: bytes
    data: array[int]


@dataclass(frozen=True)
class PackNote:
    """That a pack's chunks have the ordinals from `first` on."""

    name: bytes
    first: int


def encode_notes(packs: Iterable[PackNote], nodes: Iterable[NodeNote], key: bytes) -> bytes:
    """Return notes as they are stored.

    Args:
        packs: all packs that the nodes refer to.
        key: K_notes.
    """
    names, firsts = bytearray(), array("Q")
    for pack in packs:
        names += pack.name
        firsts.append(pack.first)
    ids, tree_counts, data_counts = bytearray(), u32_column(), u32_column()
    tree, data = bytearray(), array("Q")
    for note in nodes:
        ids += note.node
        tree_counts.append(len(note.tree) // ID_BYTES)
        data_counts.append(len(note.data))
        tree += note.tree
        data += note.data
    columns: list[Buffer] = [
        names,
        encode_u64(firsts),
        ids,
        encode_u32(tree_counts),
        encode_u32(data_counts),
        tree,
        encode_u64(data),
    ]
    plain = b"".join(columns)
    header = _HEADER.pack(magic.NOTES, magic.NOTES_VERSION, len(firsts), len(tree_counts), len(plain))
    stored = header + zstandard.ZstdCompressor(level=_LEVEL).compress(plain)
    return stored + blake3(stored, key=key).digest()


def decode_notes(stored: Buffer, key: bytes) -> tuple[list[PackNote], Iterator[NodeNote]]:
    """Return the packs that notes speak of, and each node's note.

    Raises:
        Damaged: the bytes are no notes of a known version, or not those that were written (code `bad_notes`).
    """
    view = memoryview(stored)
    payload = view[_HEADER.size : -_DIGEST_BYTES]
    if not payload or blake3(view[:-_DIGEST_BYTES], key=key).digest() != view[-_DIGEST_BYTES:]:
        raise Damaged("The notes of a set are not what was written.", code="bad_notes")
    mark, version, pack_count, node_count, plain_bytes = _HEADER.unpack_from(view)
    if mark != magic.NOTES or version != magic.NOTES_VERSION or plain_bytes > _MOST_PLAIN_BYTES:
        raise Damaged("The notes of a set do not have the form of a known version.", code="bad_notes")
    try:
        plain = memoryview(zstandard.ZstdDecompressor().decompress(payload, max_output_size=plain_bytes))
    except zstandard.ZstdError as error:
        raise Damaged("The notes of a set cannot be decompressed.", code="bad_notes") from error
    if len(plain) != plain_bytes:
        raise Damaged("The notes of a set are cut short.", code="bad_notes")
    at = 0

    def column(count: int, each: int) -> memoryview:
        nonlocal at
        at += count * each
        return plain[at - count * each : at]

    names, firsts = column(pack_count, ID_BYTES), decode_u64(column(pack_count, U64_BYTES))
    ids = column(node_count, ID_BYTES)
    tree_counts, data_counts = decode_u32(column(node_count, U32_BYTES)), decode_u32(column(node_count, U32_BYTES))
    tree, data = column(sum(tree_counts), ID_BYTES), decode_u64(column(sum(data_counts), U64_BYTES))
    packs = [PackNote(name, first) for name, first in zip(unpack_ids(bytes(names)), firsts, strict=True)]
    return packs, _nodes(bytes(ids), tree_counts, data_counts, bytes(tree), data)


def _nodes(
    ids: bytes, tree_counts: array[int], data_counts: array[int], tree: bytes, data: array[int]
) -> Iterator[NodeNote]:
    """Yield the nodes of decoded columns."""
    tree_at = data_at = 0
    for node, tree_count, data_count in zip(unpack_ids(ids), tree_counts, data_counts, strict=True):
        tree_end, data_end = tree_at + ID_BYTES * tree_count, data_at + data_count
        yield NodeNote(node, tree[tree_at:tree_end], data[data_at:data_end])
        tree_at, data_at = tree_end, data_end
