"""The listing of a restore, kept in a file while it is worked through.

Why: a snapshot may list millions of files, and memory must not grow with them. The whole listing is taken first, so
that the totals are known before anything is written.
Promises: the file has no name, so that it is gone when the with-block ends or the agent dies.
"""

from __future__ import annotations

import struct
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from strongroom.engine.format.tree import decode_node, leaf_entries, leaf_totals
from strongroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from strongroom.agent.restore.ports import Events
    from strongroom.model.entry import Entry
    from strongroom.protocol.messages import ListedFolder

_LENGTHS: Final = struct.Struct("<II")
_MOST_TOGETHER: Final = 4096


@dataclass
class Listing:
    """A spooled listing: how much it holds, and all its folders in the order in which they came."""

    spool: IO[bytes]
    files: int = 0
    size_bytes: int = 0

    def folders(self) -> Iterator[tuple[bytes, list[Entry], bool]]:
        """Yield each folder's raw path in the snapshot with its entries, and whether these are all.

        The parts of a folder are put together as long as it has not very many entries.
        """
        path: bytes | None = None
        entries: list[Entry] = []
        is_whole = True
        for part_of, more in self._parts():
            goes_on = part_of == path
            if goes_on and len(entries) + len(more) <= _MOST_TOGETHER:
                entries += more
                continue
            if path is not None:
                yield path, entries, is_whole and not goes_on
            path, entries, is_whole = part_of, more, not goes_on
        if path is not None:
            yield path, entries, is_whole

    def _parts(self) -> Iterator[tuple[bytes, list[Entry]]]:
        """Yield the parts of folders as they came."""
        self.spool.seek(0)
        while head := self.spool.read(_LENGTHS.size):
            path_bytes, node_bytes = _LENGTHS.unpack(head)
            yield self.spool.read(path_bytes), leaf_entries(decode_node(self.spool.read(node_bytes)))

    def add(self, folder: ListedFolder) -> None:
        """Keep one folder, and count what is in it."""
        files, size_bytes = leaf_totals(decode_node(folder.node))
        self.files += files
        self.size_bytes += size_bytes
        self.spool.write(_LENGTHS.pack(len(folder.path), len(folder.node)))
        self.spool.write(folder.path)
        self.spool.write(folder.node)


@contextmanager
def spool_listing(folders: Iterable[ListedFolder], where: Path, events: Events) -> Iterator[Listing]:
    """Take in the whole listing; on the way out its file is deleted.

    Raises:
        Damaged: a node is not a leaf of a tree.
        Unavailable: the spool folder cannot be written.
    """
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        spool = tempfile.TemporaryFile(dir=where, buffering=1 << 20)  # noqa: SIM115 -- closed below
    except OSError as error:
        raise _unwritable(where, error) from error
    with spool:
        listing = Listing(spool)
        for folder in folders:
            events.check()
            try:
                listing.add(folder)
            except OSError as error:
                raise _unwritable(where, error) from error
        yield listing


def _unwritable(where: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"The listing could not be kept in {where}: {error.strerror}.",
        code="spool_unwritable",
        hint="Make room on that file system.",
    )
