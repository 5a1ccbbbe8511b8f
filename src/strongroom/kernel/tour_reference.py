"""The definition of tours, in plain Python: what the C must equal, bit for bit.

A tour looks into folders and all that is beneath them, and tells of it in records, each the msgpack of an array behind
its length in four bytes, the lowest first:

    [1]                    a folder begins;
    [2, path, parts]       the folder that was begun last and has not ended yet ends; a part is [2, first, last, files,
                           fingerprint, stats], the fingerprint empty if the times of something are too young;
    [3, path]              a folder that was left alone, because something about it is unusual;
    [4, path, names]       folders in a folder that were not gone into, because there are too many.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from blake3 import blake3

from strongroom.kernel.walk_reference import MOST_LIMITS, list_names, look

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from strongroom.kernel.walk_reference import Look, Part

BEGINS: Final = 1
ENDS: Final = 2
LEFT: Final = 3
REST: Final = 4
_LENGTH_BYTES: Final = 4
_FINGERPRINT_BYTES: Final = 16
_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TOLD_FIELDS: Final = 6


class Extent(NamedTuple):
    """How far a tour goes.

    Args:
        most: entries after which no further folder is begun.
        until_ns: the monotonic time after which none is begun. The first folder always is.
        most_names: a folder with more names is left alone.
        longest_path: a folder with a longer path is left alone.
        levels: folders in folders that are gone into.
        any_names: also names that are not UTF-8; else a folder with such a name is left alone.
        marks: names that begin and end so, or are so when there is no end; a folder with one of them is left alone.
    """

    most: int
    until_ns: int
    most_names: int
    longest_path: int
    levels: int
    any_names: bool
    marks: Sequence[tuple[bytes, bytes | None]]


class Tour(NamedTuple):
    """What a tour found: its records; and of all that it told of, how many folders and files, see `walk.Look`."""

    told: bytes
    folders: int
    files: int
    size: int
    histogram: list[int]


def tour(
    handle: int, path: bytes, names: bytes, extent: Extent, *, now_ns: int, device: int, limits: Sequence[int]
) -> Tour:
    """Look into folders and all beneath them, in the order of their names.

    Left alone is what cannot be opened or listed, lies on another device, holds anything that does or that cannot be
    looked at, or that is unusual in another way, see `Extent`.

    Args:
        handle, path: the folder in which they stand.
        names: theirs, packed, see `walk_reference`.
        extent: how far to go.
        now_ns, device, limits: see `walk_reference.look`.

    Raises:
        OSError: the folder in which they stand cannot be looked at.
        ValueError: the arguments make no sense.
    """
    require_tour(names, limits)

    def look_at(inner: int, packed: bytes) -> Look:
        return look(inner, packed, 0, most=len(packed) + 1, now_ns=now_ns, device=device, limits=limits)

    work = _Work(os.fstat(handle).st_dev, extent, look_at)
    left = names.split(b"\0")[:-1]
    while left:
        if work.is_enough():
            work.tell(_record(REST, path, _packed(left)))
            break
        work.visit(handle, path, left.pop(0), extent.levels)
    histogram = [sum(counts) for counts in zip(*work.histograms, strict=True)] or [0] * (len(limits) + 1)
    return Tour(b"".join(work.told), work.folders, work.files, work.size, histogram)


def require_tour(names: bytes, limits: Sequence[int]) -> None:
    """Refuse arguments that make no sense.

    Raises:
        ValueError: they do not.
    """
    if names and (names[-1] or not names[0] or b"\0\0" in names):
        message = "Packed names are not empty and end with a zero byte each."
        raise ValueError(message)
    if len(limits) > MOST_LIMITS:
        message = f"A tour has {MOST_LIMITS} limits at most."
        raise ValueError(message)


class _Work:
    """One tour."""

    def __init__(self, device: int, extent: Extent, look_at: Callable[[int, bytes], Look]) -> None:
        self._device = device
        self._extent = extent
        self._look_at = look_at
        self._entries = 0
        self.told: list[bytes] = []
        self.folders = self.files = self.size = 0
        self.histograms: list[list[int]] = []

    def tell(self, record: bytes) -> None:
        """Add a record."""
        self.told.append(record)

    def is_enough(self) -> bool:
        """Whether no further folder is to be begun."""
        far = self._entries >= self._extent.most or time.monotonic_ns() >= self._extent.until_ns
        return bool(self.folders) and far

    def visit(self, above: int, path: bytes, name: bytes, levels: int) -> None:
        """Look into a folder and all beneath it."""
        path = path + b"/" + name if path else name
        with contextlib.ExitStack() as open_handle:
            found = self._look_into(above, path, name, open_handle)
            if found is None:
                self.tell(_record(LEFT, path))
                return
            handle, seen = found
            self._count(seen)
            self.tell(_record(BEGINS))
            left = [inner for inner, _ in seen.folders]
            while left:
                if not levels or self.is_enough():
                    self.tell(_record(REST, path, _packed(left)))
                    break
                self.visit(handle, path, left.pop(0), levels - 1)
            self.tell(_framed(_array(3) + _number(ENDS) + _bytes(path) + _parts(seen.parts)))

    def _look_into(
        self, above: int, path: bytes, name: bytes, open_handle: contextlib.ExitStack
    ) -> tuple[int, Look] | None:
        """Open a folder and look into it; None when something is unusual."""
        extent = self._extent
        if len(path) > extent.longest_path:
            return None
        try:
            handle = _opened(name, above)
            open_handle.callback(os.close, handle)
            names = list_names(handle, extent.most_names) if os.fstat(handle).st_dev == self._device else None
            if names is None or not (names[1] or extent.any_names) or _any_marked(names[0], extent.marks):
                return None
            seen = self._look_at(handle, names[0])
        except OSError:
            return None
        if seen.foreign or seen.failed or any(crosses for _, crosses in seen.folders):
            return None
        return handle, seen

    def _count(self, seen: Look) -> None:
        self._entries += seen.files + len(seen.folders)
        self.folders += 1
        self.files += seen.files
        self.size += seen.size
        self.histograms.append(seen.histogram)


def _opened(name: bytes, above: int) -> int:
    """Open without touching the access time if that is permitted."""
    try:
        return os.open(name, _FLAGS | os.O_NOATIME, dir_fd=above)
    except PermissionError:
        return os.open(name, _FLAGS, dir_fd=above)


def _any_marked(names: bytes, marks: Sequence[tuple[bytes, bytes | None]]) -> bool:
    return any(_is_marked(name, *mark) for name in names.split(b"\0")[:-1] for mark in marks)


def _is_marked(name: bytes, begin: bytes, end: bytes | None) -> bool:
    if end is None:
        return name == begin
    return len(name) >= len(begin) + len(end) and name.startswith(begin) and name.endswith(end)


def _packed(names: list[bytes]) -> bytes:
    return b"".join([name + b"\0" for name in names])


def _record(what: int, *fields: bytes) -> bytes:
    return _framed(_array(1 + len(fields)) + _number(what) + b"".join(map(_bytes, fields)))


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(_LENGTH_BYTES, "little") + body


def _parts(parts: list[Part]) -> bytes:
    return _array(len(parts)) + b"".join(map(_part, parts))


def _part(part: Part) -> bytes:
    fingerprint = blake3(part.stats).digest(_FINGERPRINT_BYTES) if part.is_settled else b""
    fields = _bytes(part.first), _bytes(part.last), _number(part.files), _bytes(fingerprint), _bytes(part.stats)
    return _array(_TOLD_FIELDS) + _number(2) + b"".join(fields)


def _array(count: int) -> bytes:
    return bytes([0x90 | count]) if count < 16 else _sized(0xDC, 2, count)  # noqa: PLR2004


def _number(value: int) -> bytes:
    return bytes([value]) if value < 128 else _sized(0xCC, 1, value)  # noqa: PLR2004


def _bytes(value: bytes) -> bytes:
    return _sized(0xC4, 1, len(value)) + value


def _sized(mark: int, width: int, value: int) -> bytes:
    """Encode a number in the fewest bytes of 1, 2, 4, 8, not fewer than `width`, behind the mark that says so."""
    least = width
    while value >> 8 * width:
        width *= 2
    return bytes([mark + (width // least).bit_length() - 1]) + value.to_bytes(width, "big")
