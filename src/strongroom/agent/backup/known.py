"""Known listing: what the agent remembers of a set's last snapshot, so that an unchanged part is not looked at twice.

Why: a no-change backup must not open, decode or send anything (W5), without a database on the host.
Promises: replaced as a whole, and only after the snapshot it describes was committed. It is used only when it is whole
(a digest says so) and belongs to the very snapshot that the order builds on; else it is made anew from the server's
listing of that snapshot, and then nothing is read again nor sent again either.
Same order as `listing`: folders after what is beneath them, parts in the order of their names.
"""

from __future__ import annotations

import io
import mmap
import os
from typing import IO, TYPE_CHECKING, Final, Self

import msgspec
from blake3 import blake3

from strongroom.agent.backup.listing import FolderBegins, FolderEnds
from strongroom.agent.backup.spool import SpoolReader, SpoolWriter
from strongroom.engine.content.writer import Leaf
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.tree import decode_node, leaf_entries
from strongroom.model.entry import Entry, EntryType

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from strongroom.agent.backup.places import Places
    from strongroom.agent.backup.sink import BackupSink
    from strongroom.protocol.messages import BackupOrder

_MAGIC: Final = b"SRKNOWN\n"
_DIGEST_BYTES: Final = 32
_ID_BYTES: Final = 32  # a snapshot's id as text
_TRAILER_BYTES: Final = _ID_BYTES + _DIGEST_BYTES + len(_MAGIC)
_DISTRUST: Final = "distrust"
_UNFINISHED: Final = ("listing.new", "listing.again", "listing.base")


class KnownPart(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A part of a folder as it is in the snapshot.

    Args:
        first, last: the names at its ends.
        files: how many of its entries are no folders.
        fingerprint: that of the listed part it was made from; empty if an equal one would prove nothing, because
            something of it was missed or would not hold still.
        leaf: the id of its node.
        node: its node.
    """

    first: bytes
    last: bytes
    files: int
    fingerprint: bytes
    leaf: bytes
    node: bytes

    def entries(self) -> list[Entry]:
        """Return its entries."""
        return leaf_entries(decode_node(self.node))


Remembered = FolderBegins | KnownPart | FolderEnds


class Known:
    """The known listing of one snapshot; may be read any number of times, one after the other. May be empty."""

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self._file = file

    def records(self) -> Iterator[Remembered]:
        """Yield it from its beginning."""
        if self._file is None:
            return iter(())
        self._file.seek(0)
        return iter(SpoolReader[Remembered](self._file, Remembered))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


def find_known(order: BackupOrder, places: Places, sink: BackupSink) -> Known:
    """Return what is known of the snapshot that the order builds on."""
    folder = places.set_folder(order.set_id)
    if not order.base_snapshot or (folder / _DISTRUST).exists():
        return Known()
    file = _open_whole(folder / "listing", order.base_snapshot)
    if file is not None:
        return Known(file)
    return _read_base(sink, folder / "listing.base")


def distrust(places: Places, set_id: int) -> None:
    """Believe nothing of what is known at the next backup: the server misses some of it, and must be asked."""
    (places.set_folder(set_id) / _DISTRUST).touch()


class KnownWriter:
    """Writes the known listing of a snapshot in the making."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("w+b")
        self._out = SpoolWriter(self._file)
        self._is_finished = False

    def begin(self, path: bytes) -> None:
        """Begin a folder."""
        self._out.write(FolderBegins(path))

    def add(self, part: KnownPart) -> None:
        """Add a part that is taken over."""
        self._out.write(part)

    def add_leaf(self, leaf: Leaf, entries: list[Entry], fingerprint: bytes) -> None:
        """Add a part that was made anew of `entries`."""
        folders = sum([entry.stat.type is EntryType.FOLDER for entry in entries])
        first, last = entries[0].name, entries[-1].name
        self._out.write(KnownPart(first, last, len(entries) - folders, fingerprint, leaf.id, leaf.node))

    def add_node(self, leaf: Leaf) -> None:
        """Add a leaf that is no part of a listing: it will be compared entry by entry."""
        entries = leaf_entries(decode_node(leaf.node))
        if entries:
            self.add_leaf(leaf, entries, b"")

    def end(self, root: bytes) -> None:
        """End the folder."""
        self._out.write(FolderEnds(root))

    def finish(self) -> FreshKnown:
        """End the writing; the file stays."""
        self._out.finish()
        self._is_finished = True
        return FreshKnown(self._path)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; one that was not finished goes."""
        self._file.close()
        if not self._is_finished:
            self._path.unlink(missing_ok=True)


class FreshKnown:
    """A known listing that belongs to no snapshot yet."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Known:
        """Open it for reading; once opened it can be read even if the file is removed."""
        return Known(self._path.open("rb"))

    def keep(self, snapshot: str) -> None:
        """Put it in its place, now that the snapshot exists."""
        folder = self._path.parent
        with self._path.open("r+b") as file:
            size = file.seek(0, io.SEEK_END)
            file.write(_trailer(file, size, snapshot))
            file.flush()
            os.fsync(file.fileno())
        self._path.replace(folder / "listing")
        (folder / _DISTRUST).unlink(missing_ok=True)
        _sync_folder(folder)
        self.drop()

    def drop(self) -> None:
        """Remove this and other unfinished ones."""
        for name in _UNFINISHED:
            (self._path.parent / name).unlink(missing_ok=True)


def _read_base(sink: BackupSink, place: Path) -> Known:
    """Write down the server's listing. Without fingerprints: every part will be compared entry by entry."""
    key = sink.keys.key_ids
    at: bytes | None = None
    with KnownWriter(place) as out:
        for path, node in sink.base_listing():
            if path != at:
                if at is not None:
                    out.end(b"")
                out.begin(path)
                at = path
            out.add_node(Leaf(chunk_id(key, node), b"", node))
        if at is not None:
            out.end(b"")
        fresh = out.finish()
    known = fresh.read()
    fresh.drop()
    return known


def _open_whole(path: Path, snapshot: str) -> IO[bytes] | None:
    """Open a known listing if it is whole and belongs to `snapshot`."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    size = file.seek(0, io.SEEK_END) - _TRAILER_BYTES
    if size > 0:
        file.seek(size)
        trailer = file.read()
        if trailer == _trailer(file, size, snapshot):
            return file
    file.close()
    return None


def _trailer(file: IO[bytes], size: int, snapshot: str) -> bytes:
    """Return what binds the first `size` bytes of a file to a snapshot: its id, and a digest over both."""
    with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
        digest = blake3(content).update(snapshot.encode()).digest()
    return snapshot.encode() + digest + _MAGIC


def _sync_folder(folder: Path) -> None:
    """Make a rename durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
