"""Small files, read many at once: what is plain among them in one call, hashed and sent together.

Why: a file of a few hundred bytes costs an interpreter ten times what it costs the system.
Promises: only what is as the scan saw it, held still, is not locked and has nothing unusual about it becomes an entry
here, encoded at once (ADR 57). Everything else is left for the reading one by one (read.py), where all that can go
wrong is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from strongroom.engine.content.chunking import WHOLE_BYTES
from strongroom.engine.format.ids import ID_BYTES
from strongroom.engine.format.splice import EncodedRun, encode_file, encode_owner
from strongroom.model.entry import Stat

if TYPE_CHECKING:
    from strongroom.agent.backup.events import Events
    from strongroom.agent.platform.base import Folder, Locks, Source
    from strongroom.engine.content.writer import SnapshotWriter
    from strongroom.kernel.gather_reference import Gathered

_BUFFER_BYTES: Final = 1 << 20
_decode: Final = msgspec.msgpack.Decoder(Stat).decode


class SmallFiles:
    """Reads the small files of folders; `files` and `bytes` are how much that was so far."""

    def __init__(self, source: Source, writer: SnapshotWriter, events: Events, *, misses: Locks) -> None:
        self._source = source
        self._writer = writer
        self._events = events
        self._misses = misses
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._owners: dict[tuple[int, int], bytes] = {}
        self.files = 0
        self.bytes = 0

    def read(self, folder: Folder, stats: bytes) -> list[EncodedRun | Stat]:
        """Return, in order, runs of entries of those that could be read here, and the stats of all others.

        Args:
            stats: an encoded array of them.
        """
        made: list[EncodedRun | Stat] = []
        at = 0
        while at < len(stats):
            self._events.check()
            rows, at = folder.gather(stats, at, self._buffer, WHOLE_BYTES, self._misses)
            sizes = [row[2] for row in rows if row[2] >= 0]
            ids = self._writer.add_small(self._buffer[: sum(sizes)], sizes) if sizes else b""
            made += self._entries(stats, rows, ids)
            self.files += len(sizes)
            self.bytes += sum(sizes)
        return made

    def _entries(self, stats: bytes, rows: list[Gathered], ids: bytes) -> list[EncodedRun | Stat]:
        """Return what became of the stats that were looked at."""
        made: list[EncodedRun | Stat] = []
        run: list[bytes] = []
        first = last = 0  # places in the ids
        for begin, end, size, uid, gid, _, flags in rows:
            if size < 0:
                if run:
                    made.append(EncodedRun(len(run), b"".join(run), b"", ids[first:last]))
                    run, first = [], last
                made.append(_decode(stats[begin:end]))
                continue
            owner = self._owners.get((uid, gid)) or self._owner(uid, gid)
            run.append(encode_file(stats[begin:end], owner, flags, 1 if size else 0))
            last += ID_BYTES if size else 0
        if run:
            made.append(EncodedRun(len(run), b"".join(run), b"", ids[first:last]))
        return made

    def _owner(self, uid: int, gid: int) -> bytes:
        """Return the encoded names of a file's owners, to be asked for once."""
        owner = encode_owner(self._source.user_name(uid), self._source.group_name(gid))
        self._owners[uid, gid] = owner
        return owner
