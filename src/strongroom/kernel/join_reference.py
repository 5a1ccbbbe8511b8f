"""The definition of the join of a folder part as it was with the part as it is: what the C must equal, bit for bit.

Both sides are msgpack, in the form that our own encoder gives: the entries of a tree leaf (engine/format/entries.py),
each an array that begins with the array of its stat; and the stats of a listed part, as `look` gives them.
Nothing is decoded. An entry is as it was when its stat has the very same bytes and its times can be believed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from strongroom.kernel.arguments import octets

if TYPE_CHECKING:
    from typing_extensions import Buffer

STAT_FIELDS: Final = 13
ENTRY_FIELDS: Final = (8, 9)
_UNREAD_FIELDS: Final = 5  # of an entry, between its stat and the number of its ids
_NUMBERS: Final = 10  # of a stat, between its type and its last field
_FILE, _FOLDER = 1, 2
_SETTLED, _UNSETTLED = 0xC2, 0xC3
_SIZES: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_LENGTHS: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_COUNTS: Final = {0xDC: 2, 0xDD: 4}
_EMPTY_VALUES: Final = (0xC0, 0xC2, 0xC3)


class Row(NamedTuple):
    """Neighbours in a folder part that are as they were, or one entry that is not.

    Args:
        same: how many are as they were; 0 for an entry that differs, is new or is gone.
        old, old_end: where they are in the encoded entries; nowhere when new.
        tree, tree_end, data, data_end: which of the leaf's ids are theirs.
        new, new_end: where they are in the encoded stats; nowhere when gone.
    """

    same: int
    old: int
    old_end: int
    tree: int
    tree_end: int
    data: int
    data_end: int
    new: int
    new_end: int


def join(entries: Buffer, stats: Buffer) -> tuple[list[Row], int, int] | None:
    """Join encoded entries with encoded stats by their names.

    Returns:
        The rows in order of names, and how many tree ids and data ids the entries take.
        None when a side is not as our own encoder writes it, or its names are not in order.
    """
    try:
        return _joined(_Side(octets(entries)), _Side(octets(stats)))
    except _UnusualError:
        return None


class _UnusualError(Exception):
    """A side is not as our own encoder writes it."""


class _Item(NamedTuple):
    """An entry or a stat: where it is, and what the join needs of it."""

    begin: int
    end: int
    name: bytes
    stat: bytes
    tree_ids: int = 0
    data_ids: int = 0


def _joined(old: _Side, new: _Side) -> tuple[list[Row], int, int]:
    """Join both sides."""
    was, now = old.entries(), new.stats()
    rows: list[Row] = []
    tree = data = 0
    while was or now:
        before = was.pop(0) if was and (not now or was[0].name <= now[0].name) else None
        after = now.pop(0) if now and (before is None or before.name == now[0].name) else None
        row = _row(before, after, tree, data)
        if row.same and rows and rows[-1].same:
            last = rows[-1]
            rows[-1] = last._replace(
                same=last.same + 1,
                old_end=row.old_end,
                tree_end=row.tree_end,
                data_end=row.data_end,
                new_end=row.new_end,
            )
        else:
            rows.append(row)
        tree, data = row.tree_end, row.data_end
    return rows, tree, data


def _row(before: _Item | None, after: _Item | None, tree: int, data: int) -> Row:
    """Return the row of one name."""
    is_same = before is not None and after is not None and before.stat == after.stat and after.stat[-1] == _SETTLED
    old, old_end, takes_tree, takes_data = (
        (before.begin, before.end, before.tree_ids, before.data_ids) if before is not None else (0, 0, 0, 0)
    )
    new, new_end = (after.begin, after.end) if after is not None else (0, 0)
    return Row(int(is_same), old, old_end, tree, tree + takes_tree, data, data + takes_data, new, new_end)


class _Side:
    """Reads one side from its beginning."""

    def __init__(self, data: memoryview) -> None:
        self._data = bytes(data)
        self._at = 0

    def entries(self) -> list[_Item]:
        """Read an array of entries, and nothing behind it."""
        return self._in_order([self._entry() for _ in range(self._count())])

    def stats(self) -> list[_Item]:
        """Read an array of stats, and nothing behind it."""
        return self._in_order([self._stat()[0] for _ in range(self._count())])

    def _in_order(self, items: list[_Item]) -> list[_Item]:
        names = [item.name for item in items]
        if self._at != len(self._data) or any(a >= b for a, b in pairwise(names)):
            raise _UnusualError
        return items

    def _count(self) -> int:
        head = self._byte()
        if head & 0xF0 == 0x90:  # noqa: PLR2004
            return head & 0x0F
        if head != 0xDC:  # noqa: PLR2004
            raise _UnusualError
        return self._number(2)

    def _entry(self) -> _Item:
        """Read an entry: its stat, what is of no interest here, how many ids it takes, how deep they lie."""
        begin, head = self._at, self._byte()
        if head not in {0x90 | fields for fields in ENTRY_FIELDS}:
            raise _UnusualError
        stat, kind = self._stat()
        self._pass_by(_UNREAD_FIELDS)
        refs = self._byte()
        if refs in {0xCC, 0xCD}:
            refs = self._number(_SIZES[refs])
        elif refs >= 0x80:  # noqa: PLR2004
            raise _UnusualError
        depth = self._byte()
        if head == 0x90 | ENTRY_FIELDS[1]:
            self._pass_by_number()
        in_tree, in_data = _taken(kind, refs, depth)
        return _Item(begin, self._at, stat.name, stat.stat, in_tree, in_data)

    def _stat(self) -> tuple[_Item, int]:
        """Read a stat and its type."""
        begin = self._at
        if self._byte() != 0x90 | STAT_FIELDS:
            raise _UnusualError
        head = self._byte()
        if head not in {0xC4, 0xC5}:
            raise _UnusualError
        name = self._bytes(self._number(_LENGTHS[head]))
        kind = self._byte()
        if kind >= 0x80:  # noqa: PLR2004
            raise _UnusualError
        for _ in range(_NUMBERS):
            self._pass_by_number()
        if self._byte() not in {_SETTLED, _UNSETTLED}:
            raise _UnusualError
        return _Item(begin, self._at, name, self._data[begin : self._at]), kind

    def _pass_by_number(self) -> None:
        head = self._byte()
        if head in _SIZES:
            self._bytes(_SIZES[head])
        elif 0x80 <= head < 0xE0:  # noqa: PLR2004
            raise _UnusualError

    def _pass_by(self, count: int) -> None:
        """Pass by values with all that is in them: whole numbers, text, bytes, true, false, nothing, arrays."""
        while count:
            count -= 1
            head = self._byte()
            if head < 0x80 or head >= 0xE0 or head in _EMPTY_VALUES:  # noqa: PLR2004
                continue
            if head & 0xF0 == 0x90:  # noqa: PLR2004
                count += head & 0x0F
            elif head & 0xE0 == 0xA0:  # noqa: PLR2004
                self._bytes(head & 0x1F)
            elif head in _SIZES:
                self._bytes(_SIZES[head])
            elif head in _LENGTHS:
                self._bytes(self._number(_LENGTHS[head]))
            elif head in _COUNTS:
                count += self._number(_COUNTS[head])
            else:
                raise _UnusualError

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _number(self, size: int) -> int:
        return int.from_bytes(self._bytes(size), "big")

    def _bytes(self, size: int) -> bytes:
        begin = self._at
        if size > len(self._data) - begin:
            raise _UnusualError
        self._at += size
        return self._data[begin : self._at]


def _taken(kind: int, refs: int, depth: int) -> tuple[int, int]:
    """Return how many tree ids and data ids an entry takes."""
    if depth >= 0x80:  # noqa: PLR2004
        raise _UnusualError
    if kind == _FOLDER and refs == 1 and not depth:
        return 1, 0
    if kind == _FILE and (refs or not depth):
        return (refs, 0) if depth else (0, refs)
    if kind in {_FILE, _FOLDER} or refs or depth:
        raise _UnusualError
    return 0, 0
