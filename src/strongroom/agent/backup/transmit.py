"""Step TRANSMIT: read what changed, send what the server lacks, and make the new tree, folder by folder, from below.

Promises: an unchanged part is taken over as it is; only changed files are opened. A missed file is not in the snapshot,
and its part will not be believed next time, so the next backup tries it again. Memory does not grow with the number
of files. Nothing is committed here.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom import clock
from strongroom.agent.backup.compare import UnchangedFolders
from strongroom.agent.backup.joined import NewStats
from strongroom.agent.backup.known import FreshKnown, KnownWriter, decode_folder
from strongroom.agent.backup.read import NO_ID, EntryReader, Tally
from strongroom.agent.backup.spool import bodies_of
from strongroom.engine.content.writer import LEAF_BYTES, Leaf, SnapshotWriter
from strongroom.engine.format.splice import EncodedRun
from strongroom.engine.format.tree import decode_node, leaf_entries, splice_leaf
from strongroom.model.entry import ChunkId, Entry, EntryType
from strongroom.model.report import Transfer
from strongroom.model.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from strongroom.agent.backup.compare import FolderComparison, PartComparison
    from strongroom.agent.backup.events import Events
    from strongroom.agent.backup.fileset import Fileset
    from strongroom.agent.backup.joined import Pair
    from strongroom.agent.backup.known import KnownPart
    from strongroom.agent.backup.missed import MissedFiles
    from strongroom.agent.backup.sink import BackupSink
    from strongroom.agent.backup.told import ListedPart
    from strongroom.model.entry import Stat

_GONE: Final = ChunkId(b"gone")
_encode: Final = msgspec.msgpack.Encoder().encode
_Found = tuple[EncodedRun | Entry | None, bool]
"""What becomes of a piece of a part, nothing when it is missed or gone; and whether it is just what the scan saw."""


@dataclasses.dataclass(frozen=True, slots=True)
class Transmitted:
    """What was sent: all of it is with the server, none of it committed.

    Args:
        root: the id of the tree's root.
        known: the known listing of the snapshot to be; to be kept once there is one.
        transfer: the counts.
    """

    root: ChunkId
    known: FreshKnown
    transfer: Transfer


def transmit(fileset: Fileset, set_folder: Path, sink: BackupSink, missed: MissedFiles, events: Events) -> Transmitted:
    """Send a fileset.

    Args:
        set_folder: where what is known of the set is kept.

    Raises:
        Cancelled: the job was told to stop.
        StrongroomError: what the sink raised.
    """
    events.step(Step.TRANSMIT)
    started = clock.monotonic_s()
    with SnapshotWriter(sink.keys, sink) as writer:
        reader = EntryReader(fileset.source, writer, missed, events, misses=fileset.misses)
        if fileset.tries_again:
            missed.hold()
        root, fresh = _send(fileset, set_folder / "listing.new", writer, reader, events)
        if fileset.tries_again and missed.drop_held():
            # What was missed is not believed in the listing just written: the same work over it tries just that again.
            fileset.source.refresh()
            with fresh.read() as known:
                again = dataclasses.replace(fileset, known=known)
                root, fresh = _send(again, set_folder / "listing.again", writer, reader, events)
        writer.finish()
        return Transmitted(root, fresh, _transfer(reader.tally, writer, clock.monotonic_s() - started))


def _send(
    fileset: Fileset, place: Path, writer: SnapshotWriter, reader: EntryReader, events: Events
) -> tuple[ChunkId, FreshKnown]:
    """Go over a fileset once, and write down at `place` what is known then."""
    with KnownWriter(place, fileset.known) as known:
        root = _Transmission(fileset, writer, reader, known, events).run()
        return root, known.finish()


def _transfer(tally: Tally, writer: SnapshotWriter, duration_s: float) -> Transfer:
    """Return the counts."""
    counts = writer.counts
    return Transfer(
        duration_s=duration_s,
        files_read=tally.files,
        bytes_read=tally.bytes,
        bytes_new=counts.bytes_new,
        bytes_sent=counts.bytes_sent,
    )


class _Transmission:
    """One pass over a fileset."""

    def __init__(
        self, fileset: Fileset, writer: SnapshotWriter, reader: EntryReader, known: KnownWriter, events: Events
    ) -> None:
        self._fileset = fileset
        self._writer = writer
        self._reader = reader
        self._known = known
        self._events = events
        self._changed: dict[bytes, dict[bytes, ChunkId]] = {}  # trees that are not the known ones, by parent and name
        self._leading: set[bytes] = set()

    def run(self) -> ChunkId:
        """Make the tree of every folder, and return the root's."""
        root = NO_ID
        for comparison in self._fileset.folders():
            self._events.check()
            if isinstance(comparison, UnchangedFolders):
                root = self._unchanged(comparison)
                continue
            self._known.begin(comparison.path)
            root = self._writer.add_folder(self._leaves(comparison))
            self._known.end(b"" if comparison.gone else root)  # a known tree has an entry above it
            known_root, _ = comparison.end()
            if comparison.leads:
                self._leading.add(comparison.path)
            parent, _, name = comparison.path.rpartition(b"/")
            if comparison.gone or root != known_root:
                self._changed.setdefault(parent, {})[name] = _GONE if comparison.gone else root
        return root

    def _unchanged(self, folders: UnchangedFolders) -> ChunkId:
        """Take folders over as they are, and return the id of the last one's tree."""
        frames = b""
        for frames in folders.frames:
            self._known.copy(frames)
        *_, last = bodies_of(frames)
        return ChunkId(decode_folder(last).root)

    def _leaves(self, comparison: FolderComparison) -> Iterator[Leaf]:
        """Yield the leaves of a folder: known ones, and those made anew."""
        changed = self._changed.pop(comparison.path, {})
        names = list(changed)  # in order, as the folders came
        for part in comparison.parts():
            if part.same is None:
                yield from self._made(comparison.path, part, changed)
            elif _touches(part.same, names):
                yield from self._mended(part.same, changed)
            else:
                self._known.add(part.same)
                yield Leaf(ChunkId(part.same.leaf), part.same.first)

    def _mended(self, part: KnownPart, changed: dict[bytes, ChunkId]) -> Iterator[Leaf]:
        """Take over a part in which nothing changed but what lies beneath its folders."""
        entries = [_with_tree(entry, changed) for entry in self._fileset.known.entries(part)]
        kept = [entry for entry in entries if entry is not None]
        return self._keep(kept, part.fingerprint if len(kept) == len(entries) else b"")

    def _made(self, path: bytes, part: PartComparison, changed: dict[bytes, ChunkId]) -> Iterator[Leaf]:
        """Make a part: known entries for what is unchanged, the rest read."""
        found = list(self._read(path, part, changed))
        made = [piece for piece, _ in found if piece is not None]
        fingerprint = part.listed.fingerprint if all(is_exact for _, is_exact in found) else b""
        entries = [piece for piece in made if isinstance(piece, Entry)]
        if len(entries) == len(made):
            return self._keep(entries, fingerprint)
        node = splice_leaf(made)
        if len(made) < len(found) or len(node) > LEAF_BYTES:
            return self._keep(leaf_entries(decode_node(node)), fingerprint)
        leaf = self._writer.add_node(node, part.listed.first)
        self._known.add_made(leaf, part.listed.first, part.listed.last, part.listed.files, fingerprint)
        return iter((leaf,))

    def _read(self, path: bytes, part: PartComparison, changed: dict[bytes, ChunkId]) -> Iterator[_Found]:
        """Yield what becomes of each piece of a part."""
        for is_known, pieces in groupby(part.pieces(apart=_touches(part.listed, list(changed))), _is_known):
            if not is_known:
                yield from self._read_new(path, list(pieces), changed)
                continue
            for piece in pieces:
                if isinstance(piece, EncodedRun):
                    yield piece, True
                elif not isinstance(piece, NewStats) and piece[1] is not None:
                    yield _found(_as_known(piece[0], piece[1], changed), piece[0])
        self._events.progress(self._reader.tally.entries, self._reader.tally.bytes, b"/" + path)

    def _read_new(
        self, path: bytes, pieces: Sequence[EncodedRun | NewStats | Pair], changed: dict[bytes, ChunkId]
    ) -> Iterator[_Found]:
        """Yield what becomes of neighbours that are new or have changed: the small files among them are read first."""
        pairs = {piece[0].name: piece for piece in pieces if not isinstance(piece, EncodedRun | NewStats)}
        stats = [piece.stats for piece in pieces if isinstance(piece, NewStats)]
        for encoded in stats or [_encode([stat for stat, _, _ in pairs.values()])]:
            for piece in self._reader.small_files(path, encoded):
                if isinstance(piece, EncodedRun):
                    yield piece, True
                else:
                    old = pairs[piece.name][1] if pairs else None
                    yield _found(self._entry(path, piece, old, changed), piece)

    def _entry(self, path: bytes, stat: Stat, old: Entry | None, changed: dict[bytes, ChunkId]) -> Entry | None:
        """Return the entry of a name that has changed; None when it is missed or gone."""
        tree = NO_ID
        if stat.type is EntryType.FOLDER:
            tree = changed.get(stat.name, old.subtree if old is not None else NO_ID)
            if tree == _GONE:
                return None
            if (path + b"/" + stat.name if path else stat.name) in self._leading:
                stat = _with_known_times(stat, old)
        return self._reader.entry(path, stat, tree)

    def _keep(self, entries: list[Entry], fingerprint: bytes) -> Iterator[Leaf]:
        """Hand a part to the writer, and remember it."""
        if not entries:
            return
        leaves = self._writer.add_leaves(entries)
        if len(leaves) == 1:
            self._known.add_leaf(leaves[0], entries, fingerprint)
            yield leaves[0]
            return
        for leaf in leaves:  # too large for one leaf, so it is none of the listing's parts
            self._known.add_node(leaf)
            yield leaf


def _is_known(piece: EncodedRun | NewStats | Pair) -> bool:
    """Whether a piece is as it was."""
    return isinstance(piece, EncodedRun) or (not isinstance(piece, NewStats) and piece[2])


def _found(entry: Entry | None, stat: Stat) -> _Found:
    """Return an entry, and whether it is just what the scan saw."""
    return entry, entry is not None and entry.stat == stat


def _touches(part: KnownPart | ListedPart, names: list[bytes]) -> bool:
    """Whether one of the names, which are in order, lies within a part."""
    at = bisect_left(names, part.first)
    return at < len(names) and names[at] <= part.last


def _as_known(stat: Stat, old: Entry, changed: dict[bytes, ChunkId]) -> Entry | None:
    """Return the entry of a name that has not changed; None when its folder is gone."""
    if stat.nlink > 1 and old.stat.device != stat.device:  # devices are numbered anew with each start
        old = msgspec.structs.replace(old, stat=stat)
    return _with_tree(old, changed)


def _with_tree(entry: Entry, changed: dict[bytes, ChunkId]) -> Entry | None:
    """Return an entry with its new tree if it has one; None when it is gone."""
    tree = changed.get(entry.stat.name)
    if tree is None or entry.stat.type is not EntryType.FOLDER:
        return entry
    return None if tree == _GONE else msgspec.structs.replace(entry, subtree=tree)


def _with_known_times(stat: Stat, old: Entry | None) -> Stat:
    """Return the stat of a folder that only leads to the set, with the times that are known of it.

    What comes and goes beside the set changes them, and would make every backup of an unchanged set send something.
    """
    at = old.stat if old is not None else stat
    return msgspec.structs.replace(stat, mtime_ns=at.mtime_ns, ctime_ns=at.ctime_ns, unsettled=False)
