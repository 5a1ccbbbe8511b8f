"""Reading: one file, link or folder of the source becomes an entry, its content goes to the writer.

Promises: whatever the system says about one file ends in a missed file, never in an error of the job; what a file
held at no single moment is either read again or listed as changed while read. A locked file is not touched (W9).
The stat in an entry is the one of the opened file, not the scan's, so that the next backup compares with what was read.
Does not: decide what is to be read.
"""

from __future__ import annotations

import dataclasses
import errno
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom.agent.backup.missed import reason_of
from strongroom.agent.backup.small import SmallFiles
from strongroom.agent.backup.stream import FileStream
from strongroom.agent.platform.base import EARLIEST_NS, LATEST_NS, MOST_EXTENTS, UnreadAttributes
from strongroom.engine.content.chunking import WHOLE_BYTES
from strongroom.model.entry import ChunkId, Entry, EntryType, Stat
from strongroom.model.missed import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.agent.backup.events import Events
    from strongroom.agent.backup.missed import MissedFiles
    from strongroom.agent.platform.base import FileReader, Folder, Locks, Source
    from strongroom.engine.content.writer import Content, SnapshotWriter
    from strongroom.engine.format.splice import EncodedRun

    Xattrs = tuple[tuple[bytes, bytes], ...]
    Extents = tuple[tuple[int, int], ...] | None

TRIES: Final = 4
"""How often a file is read until it holds still."""
_SWAPS: Final = 3
_SWAPPED: Final = frozenset({errno.ESTALE, errno.ELOOP, errno.ENXIO, errno.EINVAL})
"""What the system says when something else stands under the name than a moment ago."""
_decode: Final = msgspec.msgpack.Decoder(list[Stat]).decode
NO_ID: Final = ChunkId(b"")
_MOST_XATTR_BYTES: Final = 1 << 20
_MOST_LINKED: Final = 16_384
_MOST_LINKED_IDS: Final = 131_072


@dataclasses.dataclass(slots=True)
class Tally:
    """What was read so far: all entries made anew, the files opened for it, and their bytes."""

    entries: int = 0
    files: int = 0
    bytes: int = 0


class EntryReader:
    """Makes entries of what stands in the source's folders."""

    def __init__(
        self, source: Source, writer: SnapshotWriter, missed: MissedFiles, events: Events, *, misses: Locks
    ) -> None:
        self._source = source
        self._writer = writer
        self._missed = missed
        self._events = events
        self._misses = misses
        self._small = SmallFiles(source, writer, events, misses=misses)
        self._linked = _Linked()
        self._open: tuple[bytes, Folder] | None = None
        self.tally = Tally()

    def small_files(self, parent: bytes, stats: bytes) -> list[EncodedRun | Stat]:
        """Return, in order, the entries of small files in a folder, and the stats of what must be asked for alone.

        Args:
            stats: what the scan saw, an encoded array of stats.
        """
        try:
            folder = self._opened(parent)
        except OSError:  # to be told of each
            return list(_decode(stats))
        files, size = self._small.files, self._small.bytes
        made = self._small.read(folder, stats)
        self.tally.entries += self._small.files - files
        self.tally.files += self._small.files - files
        self.tally.bytes += self._small.bytes - size
        return made

    def entry(self, parent: bytes, stat: Stat, tree: ChunkId) -> Entry | None:
        """Return the entry of a name in a folder, or None when it is on the list of missed files; never for a folder.

        Args:
            parent: the folder's path from the root.
            stat: as the scan saw it.
            tree: the id of its tree when it is a folder.
        """
        self._events.check()
        self.tally.entries += 1
        path = parent + b"/" + stat.name if parent else stat.name
        if stat.type is EntryType.FOLDER:
            return self._folder(parent, path, stat, tree)
        for _ in range(_SWAPS):
            try:
                folder = self._opened(parent)
                return (
                    self._file(folder, path, stat) if stat.type is EntryType.FILE else self._other(folder, path, stat)
                )
            except OSError as error:
                now = self._seen_again(parent, stat.name) if error.errno in _SWAPPED else None
                if now is None or now.type is EntryType.FOLDER:
                    self._missed.add_error(path, error)
                    return None
                stat = now
        self._missed.add(path, Reason.VANISHED, "replaced again and again")
        return None

    def _opened(self, parent: bytes) -> Folder:
        """Return a folder of the source, opened once for all that is read in it."""
        if self._open is None or self._open[0] != parent:
            self._open = None  # its handle is closed now, also if the next cannot be opened
            self._open = (parent, self._source.open_folder(parent))
        return self._open[1]

    def _seen_again(self, parent: bytes, name: bytes) -> Stat | None:
        """Look once more at a name under which something else seems to stand."""
        try:
            return self._opened(parent).stat(name)
        except OSError:
            return None

    def _folder(self, parent: bytes, path: bytes, stat: Stat, tree: ChunkId) -> Entry:
        """Return a folder's entry; it is kept even if its attributes cannot be read, for what is in it."""
        xattrs: Xattrs = ()
        flags = 0
        try:
            folder = self._opened(parent)
            stat, xattrs = self._with_xattrs(path, stat, lambda: folder.xattrs(stat.name))
            flags = folder.flags(stat.name)
        except OSError as error:
            self._missed.add(path, reason_of(error), "its attributes could not be read")
            stat = msgspec.structs.replace(stat, unsettled=True)
        return self._made(path, stat, xattrs, tree=tree, flags=flags)

    def _other(self, folder: Folder, path: bytes, stat: Stat) -> Entry:
        """Return the entry of what has no content: links, FIFOs, sockets, devices."""
        target = folder.link_target(stat.name) if stat.type is EntryType.SYMLINK else b""
        stat, xattrs = self._with_xattrs(path, stat, lambda: folder.xattrs(stat.name))
        return self._made(path, stat, xattrs, target=target)

    def _with_xattrs(self, path: bytes, stat: Stat, ask: Callable[[], Xattrs]) -> tuple[Stat, Xattrs]:
        """Return the extended attributes; when some cannot be read, the rest, listed and to be tried next time."""
        try:
            return stat, ask()
        except UnreadAttributes as error:
            self._missed.add(path, reason_of(error), f"an extended attribute could not be read: {error.strerror}")
            return msgspec.structs.replace(stat, unsettled=True), error.found

    def _file(self, folder: Folder, path: bytes, stat: Stat) -> Entry | None:
        """Return a regular file's entry, read until it holds still, but not for ever."""
        if stat.nlink > 1 and (twin := self._linked.find(stat)) is not None:
            return msgspec.structs.replace(twin, stat=msgspec.structs.replace(twin.stat, name=stat.name))
        if folder.is_locked(stat, self._misses):
            self._missed.add(path, Reason.LOCKED)
            return None
        for attempt in range(1, TRIES + 1):
            reader = folder.open_file(stat.name)
            try:
                entry, is_steady = self._read(reader, path, is_last=attempt == TRIES)
            finally:
                reader.close()
            if entry is not None:
                break
        assert entry is not None
        if folder.is_locked(entry.stat, self._misses):  # taken since: what was read may be half a change
            self._missed.add(path, Reason.LOCKED)
            return None
        if not is_steady:
            self._missed.add(path, Reason.CHANGED_WHILE_READ)
        elif entry.stat.nlink > 1:
            self._linked.keep(entry)
        return entry

    def _read(self, reader: FileReader, path: bytes, *, is_last: bool) -> tuple[Entry | None, bool]:
        """Read a file once; no entry if it changed meanwhile and may be tried again. Tell whether it held still."""
        stat = reader.stat
        extents = reader.extents()
        stat, xattrs = self._with_xattrs(path, stat, reader.xattrs)
        flags = reader.flags()
        self.tally.files += 1
        if extents is None and stat.size <= WHOLE_BYTES:
            data = reader.read_at(0, stat.size) if stat.size else b""
            self.tally.bytes += len(data)
            is_steady = reader.is_unchanged()
            if not (is_steady or is_last):
                return None, False  # before anything of it is sent
            content = self._writer.add_bytes(data)
        else:
            content = self._stream(reader, path, ((0, stat.size),) if extents is None else extents)
            is_steady = reader.is_unchanged()
            if not (is_steady or is_last):
                return None, False
        if not is_steady:
            size = content.size if extents is None else stat.size
            stat = msgspec.structs.replace(stat, size=size, unsettled=True)
        return self._made(path, stat, xattrs, extents=extents, content=content, flags=flags), is_steady

    def _stream(self, reader: FileReader, path: bytes, ranges: tuple[tuple[int, int], ...]) -> Content:
        """Send a large or sparse file piece by piece."""
        stream = FileStream(reader, ranges)

        def readinto(buffer: memoryview) -> int:
            self._events.check()
            count = stream.readinto(buffer)
            self.tally.bytes += count
            self._events.progress(self.tally.entries, self.tally.bytes, b"/" + path)
            return count

        return self._writer.add_stream(readinto)

    def _made(
        self,
        path: bytes,
        stat: Stat,
        xattrs: Xattrs,
        *,
        target: bytes = b"",
        extents: Extents = None,
        content: Content | None = None,
        tree: ChunkId = NO_ID,
        flags: int = 0,
    ) -> Entry:
        """Return an entry with the names of its owners."""
        if xattrs and sum([len(name) + len(value) for name, value in xattrs]) > _MOST_XATTR_BYTES:
            self._missed.add(path, Reason.UNSUPPORTED, "its extended attributes are too large; the rest is kept")
            stat, xattrs = msgspec.structs.replace(stat, unsettled=True), ()
        if not EARLIEST_NS < stat.mtime_ns < LATEST_NS:
            self._missed.add(path, Reason.UNSUPPORTED, "its time is not in the years 1678 to 2553; the nearest is kept")
            stat = msgspec.structs.replace(stat, unsettled=True)
        if extents is not None and len(extents) >= MOST_EXTENTS:
            self._missed.add(path, Reason.UNSUPPORTED, f"it has very many holes; the {MOST_EXTENTS} largest are kept")
        user, group = self._source.user_name(stat.uid), self._source.group_name(stat.gid)
        if content is None:
            return Entry(stat, user, group, target, xattrs, None, (), 0, tree, flags)
        return Entry(stat, user, group, target, xattrs, extents, content.ids, content.depth, NO_ID, flags)


class _Linked:
    """Files with several names that were read already, the last few of them."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[int, int], Entry] = OrderedDict()
        self._ids = 0

    def find(self, stat: Stat) -> Entry | None:
        """Return the entry of another name of the same file, if it has not changed since."""
        entry = self._entries.get((stat.device, stat.inode))
        if entry is None or (entry.stat.mtime_ns, entry.stat.ctime_ns) != (stat.mtime_ns, stat.ctime_ns):
            return None
        return entry if entry.stat.size == stat.size else None

    def keep(self, entry: Entry) -> None:
        """Remember a file; forget the oldest when there are too many."""
        key = (entry.stat.device, entry.stat.inode)
        before = self._entries.pop(key, None)
        self._entries[key] = entry
        self._ids += len(entry.content) - (len(before.content) if before is not None else 0)
        while len(self._entries) > _MOST_LINKED or self._ids > _MOST_LINKED_IDS:
            _, oldest = self._entries.popitem(last=False)
            self._ids -= len(oldest.content)
