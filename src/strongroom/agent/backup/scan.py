"""Step SCAN: walk the folders of a set and write down what is there.

Promises: looks at every file, opens none. What cannot be looked at is a missed file and never ends the scan.
A folder that cannot be read, or lies too deep, stays in the listing, empty; a folder that vanished does not. Memory
grows with the depth of the tree only, and that has a limit. Names that are not UTF-8 are missed unless the set says
otherwise (W11). Ordinary folders are toured by the kernel, many in one call and by several threads (ADR 0053); what is
written down does not depend on them. A folder with anything unusual about it is looked into here, one by one.
Does not: choose; that is the fileset's. Folders that are as the last snapshot knows them are only counted (ADR 0041).
"""

from __future__ import annotations

import contextlib
import itertools
import operator
import os
from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.agent.backup.ahead import ReadAhead
from strongroom.agent.backup.belonging import Belonging
from strongroom.agent.backup.listing import Counts, Listing, ListingWriter
from strongroom.agent.backup.missed import reason_of
from strongroom.agent.backup.roots import Root, find_roots
from strongroom.agent.backup.told import ToldBegins, ToldEnds, ToldLeft, listed_parts, next_told
from strongroom.agent.backup.visit import Visit
from strongroom.engine.format.entries import MAX_PATH_BYTES
from strongroom.kernel.tour_reference import Extent
from strongroom.model.entry import EntryType
from strongroom.model.missed import Reason
from strongroom.model.paths import escape_path
from strongroom.model.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.agent.backup.events import Events
    from strongroom.agent.backup.known import Known
    from strongroom.agent.backup.missed import MissedFiles
    from strongroom.agent.backup.places import Places
    from strongroom.agent.backup.told import ListedPart
    from strongroom.agent.platform.base import Folder, Source
    from strongroom.kernel.tour_reference import Tour
    from strongroom.kernel.walk_reference import Look
    from strongroom.protocol.messages import BackupOrder

_DEEPEST_AHEAD: Final = 48
"""Folders on the way down that keep a handle of their own, so that what is in them can be read ahead."""
_MOST_AHEAD: Final = 8_192
"""A folder with more names is read when its turn comes, some at a time."""
_TOUR_ENTRIES: Final = 16_384
_TOUR_S: Final = 0.25
_TOUR_LEVELS: Final = 16
"""Handles that a thread may have open."""
_NAMES_AT_ONCE: Final = 4_096


def scan(
    source: Source, order: BackupOrder, places: Places, missed: MissedFiles, events: Events, *, against: Known
) -> Listing:
    """Return the listing of everything the set holds.

    Args:
        against: what is known of the last snapshot; what is as it was is only counted.

    Raises:
        NothingToBackUp: none of the include paths exists.
        Cancelled: the job was told to stop.
    """
    events.step(Step.SCAN)
    started = clock.monotonic_s()
    roots = find_roots(source, order.content.include, missed)
    out = ListingWriter(places.spool(), against)
    listing = _Walk(source, order, places, missed, events, out=out).down(roots)
    listing.duration_s = clock.monotonic_s() - started
    if listing.differs:
        events.differs()
    return listing


class _Walk:
    """One walk through the folders of a set."""

    def __init__(
        self,
        source: Source,
        order: BackupOrder,
        places: Places,
        missed: MissedFiles,
        events: Events,
        *,
        out: ListingWriter,
    ) -> None:
        self._source = source
        self._missed = missed
        self._events = events
        self._belonging = Belonging(order, places, source)
        self._one_file_system = order.content.one_file_system
        self._out = out
        self._counts = Counts()
        self._way: list[Visit] = []
        self._ahead = ReadAhead(self._tour)

    def down(self, roots: Root) -> Listing:
        """Visit all folders, without recursion: a tree may be deeper than Python's stack."""
        way = self._way
        try:
            with self._ahead:
                self._visit(Visit(b"", roots, whole=roots.whole), None)
                while way:
                    inner = next(way[-1].inner, None)
                    if inner is None:
                        self._leave(way.pop())
                    else:
                        self._go_in(inner, way[-1])
        finally:
            for visit in way:
                visit.close()
        return self._out.finish(self._counts)

    def _go_in(self, visit: Visit, before: Visit) -> None:
        """Visit a folder; `before` was the last that we stayed in, which may lie further above."""
        above = before if before.path == visit.path.rpartition(b"/")[0] else None
        if visit.is_rest:
            self._stay(visit, None)
        else:
            self._visit(visit, above)

    def _inner_visit(self, above: Visit, name: bytes) -> Visit:
        """Return the visit of a folder in another."""
        root = above.root.below.get(name) if above.root else None
        is_chosen = above.whole and (root is None or not self._belonging.is_excluded(above.path, name))
        path = above.path + b"/" + name if above.path else name
        return Visit(path, root, whole=is_chosen or (root is not None and root.whole))

    def _visit(self, visit: Visit, above: Visit | None) -> None:
        """Look into a folder and write down its parts; stay in it if there are folders in it."""
        self._events.check()
        self._counts.folders += 1
        self._out.begin_folder()
        try:
            if len(visit.path) > MAX_PATH_BYTES:
                self._missed.add(visit.path, Reason.UNSUPPORTED, "it lies too deep to look into")
            else:
                self._look_into(visit, above)
        except OSError as error:
            self._missed.add_error(visit.path, error)
            visit.gone = bool(visit.path) and reason_of(error) is Reason.VANISHED
            visit.names.clear()
        self._events.progress(self._counts.files, self._counts.bytes, b"/" + visit.path)
        if visit.names:
            self._stay(visit, above)
        else:
            self._leave(visit)

    def _leave(self, visit: Visit) -> None:
        """Write down a folder after all that is in it."""
        visit.close()
        if not visit.is_rest:
            self._out.close_folder(visit.path, gone=visit.gone, leads=not visit.whole)

    def _stay(self, visit: Visit, above: Visit | None) -> None:
        """Go on with the folders in a folder, through a handle of its own if it does not lie too deep for that."""
        if len(self._way) >= _DEEPEST_AHEAD:
            visit.close()
        elif visit.folder is None:
            with contextlib.suppress(OSError):  # it changes as we look: each folder in it will say so
                visit.folder = self._opened(visit, above)
        visit.inner = self._inner(visit, len(self._way))
        self._way.append(visit)

    def _inner(self, visit: Visit, depth: int) -> Iterator[Visit]:
        """Yield the folders in a folder that are to be visited; those of which nothing is to be known are toured."""
        apart = visit.crossings | (visit.root.below.keys() if visit.root else set())
        for is_apart, names in itertools.groupby(visit.names, lambda name: self._is_apart(visit, name, apart)):
            if is_apart or visit.folder is None or not visit.whole:
                yield from (self._inner_visit(visit, name) for name in names)
            else:
                for tour in self._ahead.each(visit.folder, visit.path, list(names), depth):
                    yield from self._follow(tour, visit.path)

    def _is_apart(self, visit: Visit, name: bytes, apart: set[bytes]) -> bool:
        """Whether a folder in a folder must be visited by itself."""
        return name in apart or self._belonging.is_around_own(visit.path + b"/" + name if visit.path else name)

    def _tour(self, folder: Folder, path: bytes, names: bytes) -> Tour:
        """Look into folders that wholly belong to the set, in any thread."""
        extent = Extent(
            most=_TOUR_ENTRIES,
            until_ns=int((clock.monotonic_s() + _TOUR_S) * 1e9),
            most_names=_MOST_AHEAD,
            longest_path=MAX_PATH_BYTES,
            levels=_TOUR_LEVELS,
            any_names=self._belonging.any_names,
            marks=self._belonging.marks,
        )
        return folder.tour(path, names, extent)

    def _follow(self, tour: Tour, path: bytes) -> Iterator[Visit]:
        """Write down what a tour found, and yield what it left, to be visited before the next is asked for."""
        self._count(tour)
        self._counts.folders += tour.folders
        told = tour.told
        at = self._out.pass_same(told, 0)
        while at < len(told):
            self._events.check()
            record, at = next_told(told, at)
            if isinstance(record, ToldBegins):
                self._out.begin_folder()
            elif isinstance(record, ToldEnds):
                self._out.add_folder(record)
            elif isinstance(record, ToldLeft):
                yield Visit(record.path, None, whole=True)
            else:
                yield Visit(record.path, None, whole=True, names=record.names[:-1].split(b"\0"), is_rest=True)
            at = self._out.pass_same(told, at)
        self._events.check()
        self._events.progress(self._counts.files, self._counts.bytes, b"/" + path)

    def _opened(self, visit: Visit, above: Visit | None) -> Folder:
        """Open the folder of a visit, to be closed again."""
        if above is None or above.folder is None:
            return self._source.open_folder(visit.path).again()
        return above.folder.inner(visit.path.rpartition(b"/")[2])

    def _look_into(self, visit: Visit, above: Visit | None) -> None:
        """Look into a folder, some names at a time."""
        folder = visit.folder = self._opened(visit, above)
        if above is not None and self._stays_out(visit, folder, above):
            return
        leading = visit.root.below if visit.root else {}
        names = b""
        unreadable: list[bytes] = []
        if visit.whole and (found := folder.names()) is not None:
            names, unreadable = self._belonging.chosen(visit.path, found[0], is_text=found[1])
        if leading:
            names, others = self._belonging.with_leading(visit.path, names, leading)
            unreadable = sorted({*unreadable, *others})
        for name in unreadable:
            self._missed.add(visit.path + b"/" + name if visit.path else name, Reason.NAME_NOT_UTF8)
        for look, parts in _looks(folder, names):
            self._write_down(visit, look, parts)

    def _stays_out(self, visit: Visit, folder: Folder, above: Visit) -> bool:
        """Whether a folder on another device is left empty: no file system of anybody's, or not to be entered."""
        if visit.root is not None or visit.path.rpartition(b"/")[2] not in above.crossings:
            return False
        system = folder.file_system()
        if system.is_pseudo or not self._one_file_system:
            return system.is_pseudo
        outer = above.folder if above.folder is not None else self._source.open_folder(above.path)
        return system.mount != outer.file_system().mount

    def _write_down(self, visit: Visit, look: Look, parts: list[ListedPart]) -> None:
        """Write down what was seen of a folder; keep the names of the folders in it."""
        for name, number in look.failed:
            path = visit.path + b"/" + name if visit.path else name
            self._missed.add_error(path, OSError(number, os.strerror(number)))
        for part in parts:
            self._out.add_part(part)
        self._count(look)
        if visit.root is not None:
            self._note_links(visit, visit.root, parts)
        visit.names += [name for name, _ in look.folders]
        visit.crossings.update([name for name, crosses in look.folders if crosses])

    def _note_links(self, visit: Visit, root: Root, parts: list[ListedPart]) -> None:
        """Say it when an include path is a link, for what it points to is not backed up with it."""
        for stat in [stat for part in parts for stat in part.decoded()]:
            if stat.type is EntryType.SYMLINK and stat.name in root.below:
                path = escape_path(b"/".join((b"", visit.path, stat.name)) if visit.path else b"/" + stat.name)
                self._missed.notes.append(
                    f"The include path {path} is a symbolic link: the link was backed up, not what it points to."
                )

    def _count(self, look: Look | Tour) -> None:
        """Count what is no folder."""
        counts = self._counts
        counts.files += look.files
        counts.bytes += look.size
        if look.files:
            counts.histogram = list(map(operator.add, counts.histogram, look.histogram))


def _looks(folder: Folder, names: bytes) -> Iterator[tuple[Look, list[ListedPart]]]:
    """Look at packed names in a folder, some thousands at a time."""
    at = 0
    while at < len(names):
        look = folder.look(names, at, _NAMES_AT_ONCE)
        at = look.next
        yield look, listed_parts(look)
