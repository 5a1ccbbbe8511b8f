"""Step SCAN: walk the folders of a set and write down what is there.

Promises: looks at every file, opens none. What cannot be looked at is a missed file and never ends the scan.
A folder that cannot be read, or lies too deep, stays in the listing, empty; a folder that vanished does not. Memory
grows with the depth of the tree only, and that has a limit. Names that are not UTF-8 are missed unless the set says
otherwise (W11).
Does not: compare or choose; that is the estimate's and the fileset's.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.agent.backup.exclusions import Exclusions
from strongroom.agent.backup.listing import Counts, Listing, ListingWriter
from strongroom.agent.backup.missed import reason_of
from strongroom.agent.backup.roots import Root, find_roots
from strongroom.engine.format.entries import MAX_PATH_BYTES
from strongroom.engine.format.tree import ends_part
from strongroom.model.entry import EntryType
from strongroom.model.missed import Reason
from strongroom.model.paths import escape_path
from strongroom.model.report import HISTOGRAM_LIMITS_BYTES
from strongroom.model.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.agent.backup.events import Events
    from strongroom.agent.backup.missed import MissedFiles
    from strongroom.agent.backup.places import Places
    from strongroom.agent.platform.base import Folder, Source
    from strongroom.model.entry import Stat
    from strongroom.protocol.messages import BackupOrder

_FOLDER: Final = EntryType.FOLDER
Inner = tuple[bytes, int | None]
"""The name of a folder in another; with the mount of the other when the two lie on different devices."""


def scan(source: Source, order: BackupOrder, places: Places, missed: MissedFiles, events: Events) -> Listing:
    """Return the listing of everything the set holds.

    Raises:
        NothingToBackUp: none of the include paths exists.
        Cancelled: the job was told to stop.
    """
    events.step(Step.SCAN)
    started = clock.monotonic_s()
    roots = find_roots(source, order.content.include, missed)
    walk = _Walk(source, order, places, missed, events)
    walk.down(roots)
    listing = walk.out.finish(walk.counts)
    listing.duration_s = clock.monotonic_s() - started
    return listing


@dataclasses.dataclass(slots=True)
class _Visit:
    """A folder on the way down.

    Args:
        path: from the root.
        mark: where its parts begin, see `ListingWriter`.
        root: names beneath it that lead to include paths.
        whole: everything in it belongs to the set, not only what leads to include paths.
        inner: folders in it that are still to be visited, in order; see `Inner`.
        gone: it vanished before it could be looked into.
    """

    path: bytes
    mark: int
    root: Root | None
    whole: bool
    inner: Iterator[Inner] = dataclasses.field(default_factory=lambda: iter(()))
    gone: bool = False


class _Walk:
    """One walk through the folders of a set."""

    def __init__(self, source: Source, order: BackupOrder, places: Places, missed: MissedFiles, events: Events) -> None:
        self._source = source
        self._missed = missed
        self._events = events
        self._exclusions = Exclusions(order.content.exclude)
        self._one_file_system = order.content.one_file_system
        self._raw_names = order.options.raw_names
        self._own: dict[bytes, set[bytes]] = {}  # of us, and no part of any backup: names by folder
        for path in {bytes(places.state.resolve()).strip(b"/"), *source.own_places()}:
            folder, _, name = path.rpartition(b"/")
            self._own.setdefault(folder, set()).add(name)
        self.out = ListingWriter(places.spool())
        self.counts = Counts()

    def down(self, roots: Root) -> None:
        """Visit all folders, without recursion: a tree may be deeper than Python's stack."""
        way = [self._visit(b"", roots, whole=roots.whole, above=None)]
        while way:
            visit = way[-1]
            inner = next(visit.inner, None)
            if inner is None:
                self.out.close_folder(visit.path, visit.mark, gone=visit.gone, leads=not visit.whole)
                way.pop()
                continue
            name, above = inner
            root = visit.root.below.get(name) if visit.root else None
            path = visit.path + b"/" + name if visit.path else name
            whole = (root is not None and root.whole) or (visit.whole and not self._is_excluded(visit, name, root))
            way.append(self._visit(path, root, whole=whole, above=above))

    def _is_excluded(self, visit: _Visit, name: bytes, root: Root | None) -> bool:
        """Whether a name is only in the listing because it leads to an include path."""
        return root is not None and not self._exclusions.kept(visit.path, [name])

    def _visit(self, path: bytes, root: Root | None, *, whole: bool, above: int | None) -> _Visit:
        """Look into a folder and write down its parts."""
        self._events.check()
        visit = _Visit(path, self.out.mark(), root, whole)
        self.counts.folders += 1
        if len(path) > MAX_PATH_BYTES:
            self._missed.add(path, Reason.UNSUPPORTED, "it lies too deep to look into")
            return visit
        try:
            folder = self._source.open_folder(path)
            if above is not None and root is None and self._stays_out(folder, above):
                return visit
            inner = self._list(folder, visit, self._names(folder, visit))
        except OSError as error:
            self._missed.add_error(path, error)
            visit.gone = bool(path) and reason_of(error) is Reason.VANISHED
            return visit
        visit.inner = iter(inner)
        self._events.progress(self.counts.files, self.counts.bytes, b"/" + path)
        return visit

    def _stays_out(self, folder: Folder, above: int) -> bool:
        """Whether a folder on another device is left empty: no file system of anybody's, or not to be entered."""
        system = folder.file_system()
        return system.is_pseudo or (self._one_file_system and system.mount != above)

    def _names(self, folder: Folder, visit: _Visit) -> list[bytes]:
        """Return the names in a folder that belong to the set."""
        leading = visit.root.below if visit.root else {}
        if visit.whole:
            names = self._exclusions.kept(visit.path, folder.names())
            if leading:
                names = sorted({*names, *leading})
        else:
            names = sorted(leading)
        if (own := self._own.get(visit.path)) is not None:
            names = [name for name in names if name not in own]
        return names if self._raw_names else self._readable(visit.path, names)

    def _readable(self, path: bytes, names: list[bytes]) -> list[bytes]:
        """Return the names that are UTF-8; the others are missed files (W11)."""
        try:
            b"\0".join(names).decode()  # all at once: nearly always all of them are
        except UnicodeDecodeError:
            return [name for name in names if self._is_readable(path, name)]
        return names

    def _is_readable(self, path: bytes, name: bytes) -> bool:
        """Whether a name is UTF-8."""
        try:
            name.decode()
        except UnicodeDecodeError:
            self._missed.add(path + b"/" + name if path else name, Reason.NAME_NOT_UTF8)
            return False
        return True

    def _list(self, folder: Folder, visit: _Visit, names: list[bytes]) -> list[Inner]:
        """Write down a folder part by part; return the folders in it."""
        inner: list[Inner] = []
        for some in _parts(names):
            stats = folder.stats(some)
            for name, error in stats.failed:
                self._missed.add_error(visit.path + b"/" + name if visit.path else name, error)
            if not stats.found:
                continue
            folders = [stat.name for stat in stats.found if stat.type is _FOLDER]
            self.out.add_part(stats.found, len(stats.found) - len(folders))
            self._count(stats.found)
            if visit.root is not None:
                self._note_links(visit, visit.root, stats.found)
            above = folder.file_system().mount if stats.crossings else None
            inner.extend([(name, above if name in stats.crossings else None) for name in folders])
        return inner

    def _note_links(self, visit: _Visit, root: Root, stats: list[Stat]) -> None:
        """Say it when an include path is a link, for what it points to is not backed up with it."""
        for stat in stats:
            if stat.type is EntryType.SYMLINK and stat.name in root.below:
                path = escape_path(b"/".join((b"", visit.path, stat.name)) if visit.path else b"/" + stat.name)
                self._missed.notes.append(
                    f"The include path {path} is a symbolic link: the link was backed up, not what it points to."
                )

    def _count(self, stats: list[Stat]) -> None:
        """Count what is no folder."""
        counts = self.counts
        histogram = counts.histogram
        for stat in stats:
            if stat.type is not _FOLDER:
                size = stat.size
                counts.files += 1
                counts.bytes += size
                histogram[bisect_left(HISTOGRAM_LIMITS_BYTES, size)] += 1


def _parts(names: list[bytes]) -> Iterator[list[bytes]]:
    """Cut sorted names where the leaves of the tree will be cut."""
    start = 0
    for end, name in enumerate(names, 1):
        if ends_part(name, end - start):
            yield names[start:end]
            start = end
    if start < len(names):
        yield names[start:]
