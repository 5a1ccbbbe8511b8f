"""Content that this restore has written already: read from the target, so that it is not fetched a second time.

Why: disk images repeat each other, and so do copies of documents. A chunk that is read here costs no network, no work
of the server, and no decryption and decompression (ADR 61).
Promises: what is handed out has the id that was asked for. Whatever has become of a file since (changed, replaced,
removed, by whomever) costs a transfer and nothing else. Memory is bounded, and so is the time lost on a slow disk: it
is read only while that is at least half as fast as fetching, which keeps a network and a server busy too.
Only files that were written past the cache are read, and past the cache again: this does not disturb what is in it.
"""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from strongroom import clock
from strongroom.agent.platform import linux_place as system
from strongroom.agent.restore.fetch import MOST_BYTES, Pace
from strongroom.agent.restore.folders import Folders
from strongroom.direct_io import ask_for_direct, read_direct
from strongroom.engine.content.blocks import LARGE_BYTES
from strongroom.engine.format.ids import chunk_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.agent.restore.aim import Parts
    from strongroom.agent.restore.fetch import Chunks, Fetcher
    from strongroom.agent.restore.site import Site
    from strongroom.model.entry import ChunkId

REMEMBERED: Final = 32_768


@dataclass(slots=True)
class Written:
    """A file that this restore writes.

    Args:
        is_there: it has its final name, and nothing has been found wrong with it.
    """

    parts: Parts
    name: bytes
    is_there: bool = False


_Spot: TypeAlias = tuple[Written, int, int]
"""File, offset, size."""


class Nearby:
    """Notes where chunks were written, in one thread, and reads them, in several."""

    def __init__(self, site: Site, fetcher: Fetcher) -> None:
        """Read from the site's target, what the fetcher would have to fetch."""
        self._site = site
        self._key_ids = fetcher.key_ids
        self._fetching = fetcher.pace
        self._reading = Pace()
        self._young: dict[ChunkId, _Spot] = {}
        self._old: dict[ChunkId, _Spot] = {}
        self._own = threading.local()
        self._readers: list[_Reader] = []

    def note(self, file: Written, one: ChunkId, offset: int, size: int) -> None:
        """Remember where a chunk is being written; the oldest of many are forgotten.

        A small one shares its block with others, which comes for their sake anyway.
        """
        if size <= LARGE_BYTES:
            return
        known = self._known(one)
        self._young[one] = known if known is not None and known[0].is_there else (file, offset, size)
        if len(self._young) >= REMEMBERED:
            self._old, self._young = self._young, {}

    def chunks(self, ids: Sequence[ChunkId]) -> Chunks:
        """Return those of the chunks that are there, each verified."""
        found: Chunks = {}
        known = (self._young.keys() & ids) | (self._old.keys() & ids)
        if not known or self._reading.is_far_behind(self._fetching):
            return found
        began, room = clock.monotonic_s(), MOST_BYTES
        for one in [one for one in dict.fromkeys(ids) if one in known]:
            spot = self._known(one)
            if spot is not None and spot[0].is_there and spot[2] <= room:
                data = self._read(one, spot)
                if data is not None:
                    found[one] = data
                    room -= len(data)
        if found:
            self._reading.note(MOST_BYTES - room, clock.monotonic_s() - began)
        return found

    def close(self) -> None:
        """Close all; no thread is at work any more."""
        for reader in self._readers:
            reader.close()

    def _known(self, one: ChunkId) -> _Spot | None:
        """Return where a chunk was written, if that is remembered."""
        return self._young.get(one) or self._old.get(one)

    def _read(self, one: ChunkId, spot: _Spot) -> memoryview | None:
        """Return the chunk if it is there; if not, nothing in its file is looked for again."""
        file, offset, size = spot
        try:
            data = self._reader().read(file, offset, size)
        except OSError:
            data = None
        if data is None or chunk_id(self._key_ids, data) != one:
            file.is_there = False
            return None
        return data

    def _reader(self) -> _Reader:
        """Return this thread's own reader."""
        reader: _Reader | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = _Reader(Folders(self._site.target, self._site.into))
            self._readers.append(reader)
        return reader


class _Reader:
    """One thread's own way to the files; the last one stays open."""

    def __init__(self, way: Folders) -> None:
        self._way = way
        self._file: Written | None = None
        self._handle = -1

    def read(self, file: Written, offset: int, size: int) -> memoryview:
        """Return so many bytes of a file, fewer at its end.

        Raises:
            OSError: it is not there (any more), or cannot be read.
        """
        if file is not self._file:
            self._open(file)
        return read_direct(self._handle, offset, size)

    def close(self) -> None:
        """Close the file and the folders."""
        self._leave()
        self._way.close()

    def _open(self, file: Written) -> None:
        """Open a file, without following a link to it, in place of the last one."""
        self._leave()
        handle = system.open_plain(self._way.enter(file.parts).handle, file.name)
        self._file, self._handle = file, handle
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            self._leave()
            raise OSError("it is no file any more")
        ask_for_direct(handle)

    def _leave(self) -> None:
        """Close the file."""
        if self._handle >= 0:
            os.close(self._handle)
        self._file, self._handle = None, -1
