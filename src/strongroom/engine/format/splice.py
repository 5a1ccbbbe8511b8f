"""Splicing: the body of a leaf made from pieces of another leaf's body, and of entries encoded anew between them.

Why: of a folder part of some hundred entries mostly one has changed; the others need not be decoded to be written.
Promises: the same bytes as if all entries were encoded; equal folders must give equal nodes, however they were made.
Does not: check runs; they stand in a leaf that was checked when it was made, or when it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from strongroom.engine.format.entries import MAX_ENTRIES, encode_entries
from strongroom.engine.format.ids import ID_BYTES, pack_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.model.entry import ChunkId, Entry

_LONG_ARRAY: Final = 16
_PLAIN, _FLAGGED = b"\x98", b"\x99"  # the heads of entries with 8 and 9 fields
_encoder: Final = msgspec.msgpack.Encoder()
_TAILS: Final = tuple(
    b"".join(map(_encoder.encode, (b"", (), None, refs, 0)))  # target, attributes, holes, chunks, depth of their lists
    for refs in (0, 1)
)
_ONE: Final = 1  # byte before the only entry of a body


class EncodedRun(NamedTuple):
    """Neighbours in a leaf as they stand in its body, and their ids, packed."""

    entries: int
    body: bytes | memoryview
    tree_ids: bytes
    data_ids: bytes


def splice_entries(pieces: Sequence[Entry | EncodedRun]) -> tuple[bytes, bytes, bytes]:
    """Return a leaf's body, its tree ids and its data ids, packed.

    Args:
        pieces: entries, and runs of them from another leaf; in the order of their names, which is not checked.

    Raises:
        ValueError: an entry breaks a rule, or there are too many.
    """
    runs = [piece if isinstance(piece, EncodedRun) else _encoded(piece) for piece in pieces]
    count = sum([run.entries for run in runs])
    if count > MAX_ENTRIES:
        raise ValueError(f"it has more than {MAX_ENTRIES} entries")
    body = b"".join((_head(count), *[run.body for run in runs]))
    return body, b"".join([run.tree_ids for run in runs]), b"".join([run.data_ids for run in runs])


def encode_owner(user: str, group: str) -> bytes:
    """Return the names of a file's owners as they stand in an entry."""
    return _encoder.encode(user) + _encoder.encode(group)


def encode_file(stat: bytes | memoryview, owner: bytes, flags: int, refs: int) -> bytes:
    """Return the entry of a file that has no attributes and no holes: the same as if it was encoded.

    Args:
        stat: an encoded stat.
        owner: as `encode_owner` gives it.
        flags: inode flags.
        refs: the number of its chunks, 0 or 1.
    """
    if flags:
        return b"".join((_FLAGGED, stat, owner, _TAILS[refs], _encoder.encode(flags)))
    return b"".join((_PLAIN, stat, owner, _TAILS[refs]))


def _encoded(entry: Entry) -> EncodedRun:
    """Encode one entry."""
    body, tree_ids, data_ids = encode_entries([entry])
    return EncodedRun(1, body[_ONE:], _packed(tree_ids), _packed(data_ids))


def _packed(ids: list[ChunkId]) -> bytes:
    packed = pack_ids(ids)
    if len(packed) != ID_BYTES * len(ids):
        raise ValueError(f"a chunk id has {ID_BYTES} bytes")
    return packed


def _head(count: int) -> bytes:
    """Return what stands before so many entries."""
    return bytes([0x90 | count]) if count < _LONG_ARRAY else b"\xdc" + count.to_bytes(2, "big")
