"""Small files, read many at once: what is plain among them in one call, hashed and sent together.

Why: a file of a few hundred bytes costs an interpreter ten times what it costs the system.
Promises: only what held still, is not locked and has nothing unusual about it becomes an entry here. Everything else
is left for the reading one by one (read.py), where all that can go wrong is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.model.entry import ChunkId, Entry, EntryType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.agent.backup.events import Events
    from strongroom.agent.platform.base import Folder, Locks, Source
    from strongroom.engine.content.writer import SnapshotWriter
    from strongroom.model.entry import Stat

SMALL_BYTES: Final = 256 << 10
"""Files up to this size are read in one go and are one chunk."""
_AT_ONCE: Final = 128
"""Files in one call: enough to make the call cheap, few enough to hear of a cancelled job in time."""
_BUFFER_BYTES: Final = 1 << 20
_FILE: Final = EntryType.FILE
_NO_ID: Final = ChunkId(b"")


class SmallFiles:
    """Reads the small files of folders."""

    def __init__(self, source: Source, writer: SnapshotWriter, events: Events, *, misses: Locks) -> None:
        self._source = source
        self._writer = writer
        self._events = events
        self._misses = misses
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._owners: dict[tuple[int, int], tuple[str, str]] = {}

    def read(self, folder: Folder, stats: Sequence[Stat]) -> dict[bytes, Entry]:
        """Return the entries of those that could be read here, by name."""
        made: dict[bytes, Entry] = {}
        left = self._free(folder, [stat for stat in stats if is_small(stat)])
        while left:
            self._events.check()
            names = [stat.name for stat in left[:_AT_ONCE]]
            found = folder.gather(names, self._buffer, SMALL_BYTES)
            left = left[len(found) :]
            plain = [one for one in found if one is not None]
            sizes = [stat.size for stat, _ in plain]
            if plain and not self._is_any_locked(folder, [stat for stat, _ in plain]):
                ids = self._writer.add_small(self._buffer[: sum(sizes)], sizes)
                for (stat, flags), chunk in zip(plain, ids, strict=True):
                    made[stat.name] = self._entry(stat, flags, chunk)
        return made

    def _free(self, folder: Folder, stats: list[Stat]) -> list[Stat]:
        """Return those that no lock forbids to open."""
        if not stats or not self._is_any_locked(folder, stats):
            return stats
        return [stat for stat in stats if not self._is_any_locked(folder, [stat])]

    def _is_any_locked(self, folder: Folder, stats: list[Stat]) -> bool:
        """Whether some of the files may be locked; then each is looked at one by one."""
        return folder.is_any_locked(stats, self._misses)

    def _entry(self, stat: Stat, flags: int, chunk: ChunkId) -> Entry:
        """Return an entry with the names of its owners."""
        owners = self._owners.get((stat.uid, stat.gid))
        if owners is None:
            owners = self._source.user_name(stat.uid), self._source.group_name(stat.gid)
            self._owners[stat.uid, stat.gid] = owners
        return Entry(stat, owners[0], owners[1], b"", (), None, (chunk,) if chunk else (), 0, _NO_ID, flags)


def is_small(stat: Stat) -> bool:
    """Whether the scan saw a file that may be read together with others."""
    return stat.size <= SMALL_BYTES and stat.nlink == 1 and stat.type == _FILE
