"""Joined: a folder part as it is with the same part as it was, of which only what differs is decoded.

Why: a part has some hundred entries, and mostly one of them has changed. Making objects of all of them, to compare and
then to encode them again, was most of what a backup with few changes cost (ADR 54).
Promises: an entry is in a run only if its stat is the very same, byte for byte, and can be believed. Everything else is
decoded and judged as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from strongroom.engine.format.entries import decode_entries
from strongroom.engine.format.ids import ID_BYTES, unpack_ids
from strongroom.engine.format.splice import EncodedRun
from strongroom.kernel import join
from strongroom.model.entry import Entry, EntryType, Stat

if TYPE_CHECKING:
    from strongroom.engine.format.tree import Node
    from strongroom.kernel.join_reference import Row

Pair = tuple[Stat, Entry | None, bool]
"""A stat, the known entry of that name, and whether it is as it was."""
Joined = tuple[list[EncodedRun | Pair], int]
_KEPT_BYTES: Final = 32 << 20


class NewStats(NamedTuple):
    """Stats of which nothing is known: an encoded array of them."""

    stats: bytes


_stat_decoder: Final = msgspec.msgpack.Decoder(Stat)
_ONE: Final = b"\x91"  # the head of a leaf's body with one entry


def is_unchanged(old: Stat, new: Stat) -> bool:
    """Whether a file need not be read again."""
    return (
        old.mtime_ns == new.mtime_ns
        and old.ctime_ns == new.ctime_ns
        and old.size == new.size
        and old.inode == new.inode
        and old.type == new.type
        and old.mode == new.mode
        and old.uid == new.uid
        and old.gid == new.gid
        and old.rdev == new.rdev
        and old.nlink == new.nlink
        and not old.unsettled
    )


class Joins:
    """Joins parts, and keeps some of the answers: the estimate asks first, the transmission asks the same again."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[bytes, Joined, int]] = {}
        self._kept_bytes = 0

    def make(self, at: int, stats: bytes, node: Node) -> Joined | None:
        """Join the known leaf that lies at a place with encoded stats.

        Returns:
            What became of the stats, in order; and how many known entries that are no folders have none.
            None when the leaf must be looked at in full: it is damaged, or not as our own encoder writes it.
        """
        joined = _join_part(node, stats)
        size = len(stats) + len(node.body) + len(node.tree_ids) + len(node.data_ids)
        if joined is not None and self._kept_bytes + size <= _KEPT_BYTES:
            self._kept[at] = (stats, joined, size)
            self._kept_bytes += size
        return joined

    def take(self, at: int, stats: bytes) -> Joined | None:
        """Return the answer that `make` gave, if it was kept; it is kept no longer."""
        kept = self._kept.pop(at, None)
        if kept is None:
            return None
        asked, joined, size = kept
        self._kept_bytes -= size
        return joined if asked == stats else None


def _join_part(node: Node, stats: bytes) -> Joined | None:
    joined = join(node.body, stats)
    if joined is None:
        return None
    rows, tree_ids, data_ids = joined
    if (ID_BYTES * tree_ids, ID_BYTES * data_ids) != (len(node.tree_ids), len(node.data_ids)):
        return None
    pieces: list[EncodedRun | Pair] = []
    gone = 0
    try:
        for row in rows:
            if row.same:
                pieces.append(_run(node, row))
                continue
            entry = _entry(node, row) if row.old_end else None
            if row.new_end:
                stat = _stat_decoder.decode(stats[row.new : row.new_end])
                pieces.append((stat, entry, entry is not None and is_unchanged(entry.stat, stat)))
            elif entry is not None:
                gone += entry.stat.type is not EntryType.FOLDER
    except (ValueError, RecursionError):
        return None
    return pieces, gone


def _run(node: Node, row: Row) -> EncodedRun:
    """Return the entries of a row as they are."""
    return EncodedRun(row.same, node.body[row.old : row.old_end], *_ids(node, row))


def _entry(node: Node, row: Row) -> Entry:
    """Decode the entry of a row."""
    tree_ids, data_ids = _ids(node, row)
    body = _ONE + bytes(node.body[row.old : row.old_end])
    return decode_entries(body, unpack_ids(tree_ids), unpack_ids(data_ids))[0]


def _ids(node: Node, row: Row) -> tuple[bytes, bytes]:
    """Return the packed ids of a row."""
    return (
        node.tree_ids[ID_BYTES * row.tree : ID_BYTES * row.tree_end],
        node.data_ids[ID_BYTES * row.data : ID_BYTES * row.data_end],
    )
