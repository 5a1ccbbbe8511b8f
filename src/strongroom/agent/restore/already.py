"""Whether a file that is there already has the content that it should get, told by its bytes and not by its times.

Why: a restore that was broken off and is begun again, or that goes over a tree which is mostly right, must not fetch
what it would not change.
How: what is there is read, cut and hashed as a backup would, and compared with the ids in the snapshot, chunk by chunk
up to the first that differs.
Promises: "yes" only when each byte is right, and no hole stands where zeros were written; anything that cannot be read
or told is a "no", which costs a transfer.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from strongroom.agent.platform import linux_place as system
from strongroom.agent.platform.linux_extents import data_extents
from strongroom.agent.restore.content import content_of
from strongroom.engine.content.chunking import Cutter
from strongroom.engine.format.block import MAX_CHUNK_BYTES
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.keys import ContentKeys
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.agent.restore.fetch import Fetcher
    from strongroom.agent.restore.folders import Folder
    from strongroom.model.entry import Entry
    from strongroom.protocol.messages import RestoreOrder


class Already:
    """Compares files with entries; for one thread."""

    def __init__(self, order: RestoreOrder, fetcher: Fetcher, check: Callable[[], None]) -> None:
        """Compare by the keys and sizes of the order; if it has none to cut by, only files of one chunk.

        Args:
            fetcher: gets the lists of chunks of very large files.
            check: called between chunks; what it raises breaks the comparison off.
        """
        self._key_ids = order.key_ids
        self._cutter = Cutter(ContentKeys(order.key_ids, order.key_cut, order.cutting)) if order.key_cut else None
        self._fetcher = fetcher
        self._check = check

    def has_content(self, folder: Folder, entry: Entry) -> bool:
        """Whether the file of this name in the folder has exactly the entry's bytes."""
        if not entry.content:
            return entry.stat.size == 0
        try:
            handle = system.open_plain(folder.handle, entry.name)
        except OSError:
            return False
        try:
            seen = os.fstat(handle)
            return stat.S_ISREG(seen.st_mode) and not _has_holes(handle, seen) and self._is_same(handle, entry)
        except (OSError, Damaged):
            return False
        finally:
            os.close(handle)

    def _is_same(self, handle: int, entry: Entry) -> bool:
        """Compare an opened file with an entry."""
        if len(entry.content) == 1 and not entry.depth:
            return self._is_one_chunk(handle, entry)
        if self._cutter is None:
            return False
        wanted = (one for one, _ in content_of(entry, self._fetcher))
        for chunk in self._cutter.chunks(lambda buffer: os.readv(handle, [buffer])):
            self._check()
            if next(wanted, None) != chunk_id(self._key_ids, chunk):
                return False
        return next(wanted, None) is None

    def _is_one_chunk(self, handle: int, entry: Entry) -> bool:
        """Compare a small file, which is not cut."""
        data = system.read_some(handle, MAX_CHUNK_BYTES + 1)
        return chunk_id(self._key_ids, data) == entry.content[0]


def _has_holes(handle: int, seen: os.stat_result) -> bool:
    """Whether a file takes less room than its size and does so by holes (not because it is stored compressed)."""
    return seen.st_blocks * 512 < seen.st_size and data_extents(handle, seen.st_size) is not None
