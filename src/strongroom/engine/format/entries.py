"""The body of a leaf node: entries as arrays, and the rules that every stored entry keeps.

Why: it is the hottest of all conversions, once per file and backup, and the place where a hostile name must stop.
Promises: what `decode_entries` gives has names that are sorted, unique and safe to use as one component of a path, and
numbers that systems accept. It allocates in proportion to the bytes it was given.
Does not: frame nodes; tree.py does, and turns the ValueError raised here into the fitting error.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom.engine.format.ids import ID_BYTES
from strongroom.model.entry import ChunkId, Entry, EntryType, Stat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

MAX_ENTRIES: Final = 1024
"""In one leaf."""
MAX_NAME_BYTES: Final = 1024
MAX_PATH_BYTES: Final = 16_384
"""Of the path from the root of a folder that is looked into. Each such path is kept while what is below it is looked
at: without a limit, whoever may make folders could make a tree so deep that no memory holds it."""
MAX_ENTRY_IDS: Final = 256
"""A file with more ids than this keeps them in list nodes."""
MAX_DEPTH: Final = 8
"""Of list nodes below an entry, and of inner nodes in a folder."""
# Looked up per entry: an enum's member costs several times as much as a global.
_FILE: Final = EntryType.FILE
_FOLDER: Final = EntryType.FOLDER
_MODE_BITS: Final = 12
_OWNER_BITS: Final = 32
_FLAG_BITS: Final = 32
_NO_ID: Final = ChunkId(b"")


def encode_entries(entries: Sequence[Entry]) -> tuple[bytes, list[ChunkId], list[ChunkId]]:
    """Return a leaf's body, its tree ids and its data ids.

    Raises:
        ValueError: an entry breaks a rule.
    """
    tree_ids: list[ChunkId] = []
    data_ids: list[ChunkId] = []
    stored: list[_StoredEntry] = []
    _require_stats([entry.stat for entry in entries])
    for entry in entries:
        refs = _note_references(entry, tree_ids, data_ids)
        stored.append(_stored(entry, refs))
    return _encoder.encode(stored), tree_ids, data_ids


def decode_entries(body: Buffer, tree_ids: list[ChunkId], data_ids: list[ChunkId]) -> list[Entry]:
    """Return the entries of a leaf's body, each with its ids.

    Raises:
        ValueError: the body cannot be read, or breaks a rule.
        RecursionError: the body is nested beyond all measure.
    """
    stored = _decoder.decode(body)
    ids = _Supply(tree_ids, data_ids)
    _require_stats([entry.stat for entry in stored])
    entries = [_entry(one, ids) for one in stored]
    ids.require_used_up()
    return entries


def count_files(body: Buffer) -> tuple[int, int]:
    """Return how many entries of a leaf's body are no folders, and their sizes together; looks at nothing else.

    Raises:
        ValueError: the body cannot be read.
        RecursionError: the body is nested beyond all measure.
    """
    sizes = [entry.stat.size for entry in _counting.decode(body) if entry.stat.type != _FOLDER]
    return len(sizes), sum(sizes)


class _CountedStat(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a `Stat`."""

    name: msgspec.Raw
    type: int
    mode: msgspec.Raw
    uid: msgspec.Raw
    gid: msgspec.Raw
    size: int


class _CountedEntry(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a stored entry."""

    stat: _CountedStat


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


class _StoredWithFlags(_StoredEntry, frozen=True, array_like=True, gc=False):
    """The same with the fields that were added since; an entry that does not need them is stored without."""

    flags: int = 0


class _Supply:
    """The ids of a node, handed out in order to its entries."""

    def __init__(self, tree_ids: list[ChunkId], data_ids: list[ChunkId]) -> None:
        self.tree = tree_ids
        self.data = data_ids
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
            raise ValueError("its entries do not take exactly the ids that it lists")


def _stored(entry: Entry, refs: int) -> _StoredEntry:
    """Return an entry as it is stored."""
    if entry.flags:
        _require_flags(entry.flags)
        return _StoredWithFlags(
            entry.stat,
            entry.user,
            entry.group,
            entry.target,
            entry.xattrs,
            entry.extents,
            refs,
            entry.depth,
            entry.flags,
        )
    return _StoredEntry(
        entry.stat, entry.user, entry.group, entry.target, entry.xattrs, entry.extents, refs, entry.depth
    )


def _entry(stored: _StoredWithFlags, ids: _Supply) -> Entry:
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
    flags = stored.flags
    if flags:
        _require_flags(flags)
    return Entry(
        stat, stored.user, stored.group, stored.target, stored.xattrs, stored.extents, content, depth, subtree, flags
    )


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


def _require_flags(flags: int) -> None:
    if not 0 <= flags < 1 << _FLAG_BITS:
        raise ValueError("inode flags have 32 bits")


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
    if len(stats) > MAX_ENTRIES:
        raise ValueError(f"it has more than {MAX_ENTRIES} entries")
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
    if len(max(names, key=len, default=b"")) > MAX_NAME_BYTES:
        raise ValueError(f"a name is longer than {MAX_NAME_BYTES} bytes")


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[_StoredWithFlags])
_counting: Final = msgspec.msgpack.Decoder(list[_CountedEntry])
