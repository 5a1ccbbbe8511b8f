"""Belonging: which names of a folder belong to a set.

Promises: names stay packed, as the kernel gives them, unless a pattern or a name that is not UTF-8 must be looked at;
and then some thousands of them at a time. May be asked in several threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.agent.backup.exclusions import Exclusions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from strongroom.agent.backup.places import Places
    from strongroom.agent.platform.base import Source
    from strongroom.protocol.messages import BackupOrder

_SLICE_BYTES: Final = 64 << 10


class Belonging:
    """The rules of one set, and the agent's own places, which belong to none."""

    def __init__(self, order: BackupOrder, places: Places, source: Source) -> None:
        """Prepare for an order.

        `any_names` and `marks` say which folders of others a tour leaves alone, see `kernel.tour_reference`.
        """
        self._exclusions = Exclusions(order.content.exclude)
        self._own: dict[bytes, set[bytes]] = {}  # names by folder
        for path in {bytes(places.state.resolve()).strip(b"/"), *source.own_places()}:
            folder, _, name = path.rpartition(b"/")
            self._own.setdefault(folder, set()).add(name)
        self._around_own = {above for folder in self._own for above in (folder, *_all_above(folder))}
        self.any_names = order.options.raw_names
        self.marks = tuple(self._exclusions.marks)

    def is_around_own(self, path: bytes) -> bool:
        """Whether something in a folder, however deep, is the agent's own."""
        return path in self._around_own

    def is_excluded(self, folder: bytes, name: bytes) -> bool:
        """Whether a pattern excludes a name in a folder."""
        return not self._exclusions.kept(folder, [name])

    def chosen(self, folder: bytes, packed: bytes, *, is_text: bool) -> tuple[bytes, list[bytes]]:
        """Return the packed names in a folder that belong to the set, and those that would if they were UTF-8 (W11)."""
        own = self._own.get(folder)
        is_text = is_text or self.any_names
        if own is None and is_text and self._exclusions.is_empty:
            return packed, []
        chosen: list[bytes] = []
        unreadable: list[bytes] = []
        for names in _slices(packed):
            kept = self._exclusions.kept(folder, names)
            if own is not None:
                kept = [name for name in kept if name not in own]
            if not is_text:
                unreadable += [name for name in kept if not _is_text(name)]
                kept = [name for name in kept if _is_text(name)]
            chosen.append(packed_names(kept))
        return b"".join(chosen), unreadable

    def with_leading(self, folder: bytes, packed: bytes, leading: Iterable[bytes]) -> tuple[bytes, list[bytes]]:
        """Return chosen names and such as lead to include paths, which belong to the set whatever the patterns say."""
        own = self._own.get(folder, set())
        names = sorted({*packed[:-1].split(b"\0"), *leading} - own - {b""})
        unreadable = [] if self.any_names else [name for name in names if not _is_text(name)]
        return packed_names([name for name in names if name not in unreadable]), unreadable


def packed_names(names: Iterable[bytes]) -> bytes:
    """Return names as the kernel takes them, each ended by a zero byte."""
    return b"".join([name + b"\0" for name in names])


def _all_above(path: bytes) -> Iterator[bytes]:
    """Yield the folders around a folder."""
    while path:
        path = path.rpartition(b"/")[0]
        yield path


def _slices(packed: bytes) -> Iterator[list[bytes]]:
    """Yield packed names as lists, some thousands at a time."""
    start = 0
    while start < len(packed):
        end = packed.find(b"\0", min(start + _SLICE_BYTES, len(packed) - 1))
        yield packed[start:end].split(b"\0")
        start = end + 1


def _is_text(name: bytes) -> bool:
    """Whether a name is UTF-8."""
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
