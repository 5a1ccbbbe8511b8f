"""The definition of passing by records, in plain Python: what the C must equal, bit for bit.

What a tour told, see `tour_reference`, is held against what is known. A known folder is a record of the same kind, the
msgpack of [path, root, parts], a part [first, last, files, fingerprint, leaf, at, size].
Nothing is believed of the bytes: what is no whole record of the right shape is simply not the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from strongroom.kernel.tour_reference import ENDS

_LENGTH_BYTES: Final = 4
_BEGINS: Final = b"\x91\x01"
_ENDS: Final = b"\x93\x02"
_KNOWN_FIELDS: Final = 7
_TOLD_FIELDS: Final = 6


class Passed(NamedTuple):
    """Where two rows of records stand, how many folders were passed by, and how many have begun and not ended yet."""

    told: int
    known: int
    folders: int
    begun: int


def pass_known(told: bytes, told_at: int, known: bytes, known_at: int) -> Passed:
    """Pass by records of a tour as long as each folder that ends is the next known one, with the same fingerprints.

    It stops before a folder that differs, whose tree is not known, or that was begun before the place; before what was
    left alone or not gone into; and where either row has no further whole record of the right shape.
    """
    folders = begun = 0
    while fresh := _body(told, told_at):
        if begun and fresh[:2] == _ENDS:
            old = _body(known, known_at)
            if not _is_same(fresh, old):
                break
            known_at += _LENGTH_BYTES + len(old)
            begun, folders = begun - 1, folders + 1
        elif fresh == _BEGINS:
            begun += 1
        else:
            break
        told_at += _LENGTH_BYTES + len(fresh)
    return Passed(told_at, known_at, folders, begun)


def skip(records: bytes, at: int, count: int) -> tuple[int, int]:
    """Pass by up to `count` whole records; return the place after them and how many they were. An empty one ends."""
    skipped = 0
    while skipped < count and (body := _body(records, at)):
        at += _LENGTH_BYTES + len(body)
        skipped += 1
    return at, skipped


class _Malformed(Exception):
    """A record is not of the right shape."""


def _body(records: bytes, at: int) -> bytes:
    """Return the whole record at a place, else nothing."""
    body = at + _LENGTH_BYTES
    end = body + int.from_bytes(records[at:body], "little")
    return records[body:end] if body <= end <= len(records) and at >= 0 else b""


def _is_same(fresh: bytes, old: bytes) -> bool:
    """Whether a folder that has ended is as it is known."""
    try:
        path, parts = _told_folder(_Reader(fresh))
        known_path, root, known = _known_folder(_Reader(old))
    except _Malformed:
        return False
    return path == known_path and root != b"" and parts == known and b"" not in parts


def _told_folder(reader: _Reader) -> tuple[bytes, list[bytes]]:
    reader.array(3)
    reader.number(ENDS)
    path = reader.octets()
    parts = [_fingerprint(reader, tag=True) for _ in range(reader.array())]
    reader.end()
    return path, parts


def _known_folder(reader: _Reader) -> tuple[bytes, bytes, list[bytes]]:
    reader.array(3)
    path, root = reader.octets(), reader.octets()
    parts = [_fingerprint(reader, tag=False) for _ in range(reader.array())]
    reader.end()
    return path, root, parts


def _fingerprint(reader: _Reader, *, tag: bool) -> bytes:
    """Read a part, and return its fingerprint."""
    reader.array(_TOLD_FIELDS if tag else _KNOWN_FIELDS)
    if tag:
        reader.number(2)
    reader.octets()
    reader.octets()
    reader.number()
    fingerprint = reader.octets()
    reader.octets()
    if not tag:
        reader.number()
        reader.number()
    return fingerprint


class _Reader:
    """Reads the little of msgpack that records are made of."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def array(self, wanted: int | None = None) -> int:
        """Return how many elements follow."""
        mark = self._take(1)[0]
        count = mark & 0x0F if mark & 0xF0 == 0x90 else self._sized(mark, {0xDC: 2, 0xDD: 4})  # noqa: PLR2004
        return _wanted(count, wanted)

    def number(self, wanted: int | None = None) -> int:
        """Return a whole number that is not negative."""
        mark = self._take(1)[0]
        number = mark if mark < 0x80 else self._sized(mark, {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8})  # noqa: PLR2004
        return _wanted(number, wanted)

    def octets(self) -> bytes:
        """Return bytes."""
        return self._take(self._sized(self._take(1)[0], {0xC4: 1, 0xC5: 2, 0xC6: 4}))

    def end(self) -> None:
        """Require that nothing follows."""
        if self._at != len(self._body):
            raise _Malformed

    def _sized(self, mark: int, widths: dict[int, int]) -> int:
        if mark not in widths:
            raise _Malformed
        return int.from_bytes(self._take(widths[mark]), "big")

    def _take(self, count: int) -> bytes:
        if len(self._body) - self._at < count:
            raise _Malformed
        self._at += count
        return self._body[self._at - count : self._at]


def _wanted(found: int, wanted: int | None) -> int:
    if wanted is not None and found != wanted:
        raise _Malformed
    return found
