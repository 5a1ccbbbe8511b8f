"""Known listing: what the agent remembers of a set's last snapshot, so that an unchanged part is not looked at twice.

Why: a no-change backup must not open, decode or send anything (W5), without a database on the host.
Two files: `listing` has a record per folder, with the fingerprints of its parts and the ids of their nodes, and is
written anew by every backup; `nodes.N` has the nodes themselves, and is only appended to. So what did not change is
neither read nor written (ADR 0041).
Promises: the listing is replaced as a whole, and only after the snapshot it describes was committed; what an unfinished
backup has appended to the nodes lies behind the length that the listing names, and counts for nothing. It is used only
when it is whole (a digest says so) and belongs to the very snapshot that the order builds on; else it is made anew from
the server's listing of that snapshot, and then nothing is read again nor sent again either.
Same order as `listing`: folders after what is beneath them, parts in the order of their names.
"""

from __future__ import annotations

import io
import mmap
import os
import struct
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Self

import msgspec
import zstandard
from blake3 import blake3

from strongroom.agent.backup.joined import Joins
from strongroom.agent.backup.nodes import NodeFile, drop_other_nodes, next_generation
from strongroom.agent.backup.spool import Frames, SpoolWriter, bodies_of
from strongroom.engine.content.writer import Leaf
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.tree import decode_node, leaf_entries
from strongroom.errors import Damaged
from strongroom.model.entry import Entry, EntryType

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from strongroom.agent.backup.joined import Joined
    from strongroom.agent.backup.places import Places
    from strongroom.agent.backup.sink import BackupSink
    from strongroom.engine.format.tree import Node
    from strongroom.protocol.messages import BackupOrder

_MAGIC: Final = b"SRKNOWN2"
_DIGEST_BYTES: Final = 32
_ID_BYTES: Final = 32  # a snapshot's id as text
_NODES: Final = struct.Struct("<QQQ")
_TRAILER_BYTES: Final = _NODES.size + _ID_BYTES + _DIGEST_BYTES + len(_MAGIC)
_DISTRUST: Final = "distrust"
_UNFINISHED: Final = ("listing.new", "listing.again", "listing.base")
_SPARE_BYTES: Final = 16 << 20
_NO_FOLDERS: Final = zstandard.compress(bytes(4))


class KnownPart(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A part of a folder as it is in the snapshot.

    Args:
        first, last: the names at its ends.
        files: how many of its entries are no folders.
        fingerprint: that of the listed part it was made from; empty if an equal one would prove nothing, because
            something of it was missed or would not hold still.
        leaf: the id of its node.
        at, size: where its node lies in the file of nodes.
    """

    first: bytes
    last: bytes
    files: int
    fingerprint: bytes
    leaf: bytes
    at: int
    size: int


class KnownFolder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A folder as it is in the snapshot: its path from the root, the id of its tree (empty if unknown), its parts."""

    path: bytes
    root: bytes
    parts: list[KnownPart]


class NodesMeant(NamedTuple):
    """The file of nodes that a listing speaks of: which, how long it is, and how long when it was written anew."""

    generation: int
    size: int
    packed_size: int


class Known:
    """The known listing of one snapshot; may be read any number of times, one after the other. May be empty."""

    def __init__(self, file: IO[bytes] | None = None, nodes: NodeFile | None = None, meant: NodesMeant | None = None):
        self._file = file
        self._nodes = nodes
        self._joins = Joins()
        self.meant = meant

    def folders(self) -> Iterator[KnownFolder]:
        """Yield the folders from the beginning."""
        frames = self.frames()
        while body := frames.body():
            yield decode_folder(body)
            frames.step()

    def frames(self) -> Frames:
        """Return the folders from the beginning as they are kept, for `decode_folder` or `KnownWriter.copy`."""
        if self._file is None:
            return Frames(io.BytesIO(_NO_FOLDERS))
        self._file.seek(0)
        return Frames(self._file)

    def entries(self, part: KnownPart) -> list[Entry]:
        """Return the entries of a part.

        Raises:
            Damaged: its node cannot be read (code `damaged_spool`); this listing will not be used again.
        """
        assert self._nodes is not None
        try:
            entries = leaf_entries(self._node(part))
        except Damaged:
            entries = []
        if not entries or (entries[0].name, entries[-1].name) != (part.first, part.last):
            self._nodes.forget()
            raise Damaged(
                "What the agent remembers of the last backup is damaged.",
                code="damaged_spool",
                hint="Start the backup again: it is made anew from what the server has.",
            )
        return entries

    def join(self, part: KnownPart, stats: bytes) -> Joined | None:
        """Join a part with encoded stats; see `joined.py`. None also when it is damaged, for `entries` to tell."""
        try:
            return self._joins.take(part.at, stats) or self._joins.make(part.at, stats, self._node(part))
        except Damaged:
            return None

    def _node(self, part: KnownPart) -> Node:
        """Return the node of a part."""
        assert self._nodes is not None
        return decode_node(self._nodes.read(part.at, part.size))

    def stored(self, part: KnownPart) -> bytes:
        """Return a part's node as it lies in the file of nodes."""
        assert self._nodes is not None
        return self._nodes.stored(part.at, part.size)

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            self._file.close()
        if self._nodes is not None:
            self._nodes.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self.close()


_folder_decoder: Final = msgspec.msgpack.Decoder(KnownFolder)


def decode_folder(encoded: bytes) -> KnownFolder:
    """Return a folder.

    Raises:
        Damaged: it is none (code `damaged_spool`).
    """
    try:
        return _folder_decoder.decode(encoded)
    except msgspec.DecodeError as error:
        raise Damaged("The known listing of the agent is altered.", code="damaged_spool") from error


def find_known(order: BackupOrder, places: Places, sink: BackupSink) -> Known:
    """Return what is known of the snapshot that the order builds on."""
    folder = places.set_folder(order.set_id)
    is_wanted = order.base_snapshot and not (folder / _DISTRUST).exists()
    known = _open_whole(folder / "listing", order.base_snapshot) if is_wanted else None
    drop_other_nodes(folder, known.meant.generation if known is not None and known.meant is not None else 0)
    if known is not None:
        return known
    return _read_base(sink, folder / "listing.base") if is_wanted else Known()


def distrust(places: Places, set_id: int) -> None:
    """Believe nothing of what is known at the next backup: the server misses some of it, and must be asked."""
    (places.set_folder(set_id) / _DISTRUST).touch()


class KnownWriter:
    """Writes the known listing of a snapshot in the making."""

    def __init__(self, path: Path, base: Known) -> None:
        """Begin a listing that follows `base`: its nodes are kept, unless too many of them are out of use by now."""
        self._path = path
        self._base = base
        meant = base.meant
        self._packs = meant is None or meant.size > 2 * meant.packed_size + _SPARE_BYTES
        generation = next_generation(path.parent) if meant is None or self._packs else meant.generation
        start = 0 if meant is None or self._packs else meant.size
        self._packed_size = 0 if meant is None else meant.packed_size
        self._nodes = NodeFile(path.parent, generation, start)
        self._file: IO[bytes] = path.open("w+b")
        self._out = SpoolWriter(self._file)
        self._is_finished = False
        self._at = b""
        self._parts: list[KnownPart] = []

    def copy(self, frames: bytes) -> None:
        """Add whole folders of the base as they are."""
        if not self._packs:
            self._out.write_framed(frames)
            return
        for folder in map(decode_folder, bodies_of(frames)):
            self.begin(folder.path)
            for part in folder.parts:
                self.add(part)
            self.end(folder.root)

    def begin(self, path: bytes) -> None:
        """Begin a folder."""
        self._at = path
        self._parts = []

    def add(self, part: KnownPart) -> None:
        """Add a part of the base that is taken over."""
        if self._packs:
            at, size = self._nodes.add_stored(self._base.stored(part))
            part = msgspec.structs.replace(part, at=at, size=size)
        self._parts.append(part)

    def add_leaf(self, leaf: Leaf, entries: list[Entry], fingerprint: bytes) -> None:
        """Add a part that was made anew of `entries`."""
        folders = sum([entry.stat.type is EntryType.FOLDER for entry in entries])
        self.add_made(leaf, entries[0].name, entries[-1].name, len(entries) - folders, fingerprint)

    def add_made(self, leaf: Leaf, first: bytes, last: bytes, files: int, fingerprint: bytes) -> None:
        """Add a part that was made anew; see `KnownPart`."""
        at, size = self._nodes.add(leaf.node)
        self._parts.append(KnownPart(first, last, files, fingerprint, leaf.id, at, size))

    def add_node(self, leaf: Leaf) -> None:
        """Add a leaf that is no part of a listing: it will be compared entry by entry."""
        entries = leaf_entries(decode_node(leaf.node))
        if entries:
            self.add_leaf(leaf, entries, b"")

    def end(self, root: bytes) -> None:
        """End the folder."""
        self._out.write(KnownFolder(self._at, root, self._parts))

    def finish(self) -> FreshKnown:
        """End the writing; the files stay."""
        self._out.finish()
        self._nodes.flush()
        self._is_finished = True
        size = self._nodes.size
        return FreshKnown(
            self._path, NodesMeant(self._nodes.generation, size, size if self._packs else self._packed_size)
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files; a listing that was not finished goes, and so does what its nodes took of the disk."""
        self._file.close()
        if not self._is_finished:
            self._path.unlink(missing_ok=True)
            self._nodes.undo()
        self._nodes.close()


class FreshKnown:
    """A known listing that belongs to no snapshot yet."""

    def __init__(self, path: Path, meant: NodesMeant) -> None:
        self._path = path
        self._meant = meant

    def read(self) -> Known:
        """Open it for reading; once opened it can be read even if the files are removed."""
        nodes = NodeFile(self._path.parent, self._meant.generation, self._meant.size, reads=True)
        return Known(self._path.open("rb"), nodes, self._meant)

    def keep(self, snapshot: str) -> None:
        """Put it in its place, now that the snapshot exists."""
        folder = self._path.parent
        NodeFile.sync(folder, self._meant.generation)
        with self._path.open("r+b") as file:
            file.seek(0, io.SEEK_END)
            file.write(_NODES.pack(*self._meant))
            size = file.tell()
            file.flush()
            file.write(_trailer(file, size, snapshot))
            file.flush()
            os.fsync(file.fileno())
        self._path.replace(folder / "listing")
        (folder / _DISTRUST).unlink(missing_ok=True)
        _sync_folder(folder)
        self.drop()
        drop_other_nodes(folder, self._meant.generation)

    def drop(self) -> None:
        """Remove this and other unfinished ones."""
        for name in _UNFINISHED:
            (self._path.parent / name).unlink(missing_ok=True)


def _read_base(sink: BackupSink, place: Path) -> Known:
    """Write down the server's listing. Without fingerprints: every part will be compared entry by entry."""
    key = sink.keys.key_ids
    at: bytes | None = None
    with KnownWriter(place, Known()) as out:
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


def _open_whole(path: Path, snapshot: str) -> Known | None:
    """Open a known listing if it is whole and belongs to `snapshot`."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    size = file.seek(0, io.SEEK_END) - _TRAILER_BYTES + _NODES.size
    if size > _NODES.size:
        file.seek(size)
        if file.read() == _trailer(file, size, snapshot):
            file.seek(size - _NODES.size)
            meant = NodesMeant(*_NODES.unpack(file.read(_NODES.size)))
            try:
                return Known(file, NodeFile(path.parent, meant.generation, meant.size, reads=True), meant)
            except (FileNotFoundError, Damaged):
                pass
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
