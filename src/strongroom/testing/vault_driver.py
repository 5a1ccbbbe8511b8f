"""Driving a vault without an agent: folders as dictionaries in, snapshots out, and back again.

A folder is a dictionary from a raw name to the bytes of a file or to the dictionary of a folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.engine.content.blocks import make_block
from strongroom.engine.content.writer import SnapshotWriter
from strongroom.engine.format.block import BlockKind, encode_block
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.tree import ends_part
from strongroom.engine.vault.commit import SnapshotDetails
from strongroom.model.entry import ChunkId, Entry, EntryType, Stat
from strongroom.model.job import Kind
from strongroom.model.policy import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from strongroom.engine.content.sink import Sink
    from strongroom.engine.format.keys import ContentKeys
    from strongroom.engine.vault.ledger import SnapshotRow
    from strongroom.engine.vault.session import Session
    from strongroom.engine.vault.vault import Vault

    Folder = dict[bytes, bytes | "Folder"]

ROOT_KEY: Final = bytes(range(32))


def block_of(keys: ContentKeys, *datas: bytes, kind: BlockKind = BlockKind.DATA) -> bytes:
    """Return an encoded block that holds these chunks."""
    return encode_block(make_block(kind, [(chunk_id(keys.key_ids, data), data) for data in datas]))


def ids_of(keys: ContentKeys, *datas: bytes) -> list[ChunkId]:
    """Return the ids of chunks."""
    return [chunk_id(keys.key_ids, data) for data in datas]


def details(files: int = 0, size_bytes: int = 0) -> SnapshotDetails:
    """Return the particulars of some snapshot."""
    return SnapshotDetails(
        host="fs1", kind=Kind.FULL, time=clock.now(), content=Content(("/",)), files=files, size_bytes=size_bytes
    )


def put_folder(keys: ContentKeys, sink: Sink, folder: Folder) -> ChunkId:
    """Write a folder with all below it into a sink; return its root node."""
    with SnapshotWriter(keys, sink) as writer:
        root = _add_folder(writer, folder)
        writer.finish()
    return root


def back_up(
    vault: Vault, set_id: int, folder: Folder, *, base: str = "", also: Callable[[SnapshotRow], None] | None = None
) -> SnapshotRow:
    """Make a snapshot of a folder in a session of its own; the session is ended when that fails."""
    session = vault.open_session(set_id=set_id, job_id=1, base=base)
    return commit_folder(vault, session, folder, also=also)


def commit_folder(
    vault: Vault, session: Session, folder: Folder, *, also: Callable[[SnapshotRow], None] | None = None
) -> SnapshotRow:
    """Make a snapshot of a folder in an open session, which is ended when that fails."""
    try:
        root = put_folder(vault.content_keys, session, folder)
        files = list(_files(folder))
        return session.commit(root, details(len(files), sum(map(len, files))), also)
    except Exception:
        session.end()
        raise


def read_back(vault: Vault, snapshot: str, path: bytes = b"") -> Folder:
    """Return a folder of a snapshot with all below it."""
    reader = vault.reader(snapshot)
    folder: Folder = {}
    for entry in reader.folder(path):
        if entry.stat.type == EntryType.FOLDER:
            folder[entry.name] = read_back(vault, snapshot, path + b"/" + entry.name if path else entry.name)
        else:
            folder[entry.name] = b"".join(reader.content(entry))
    return folder


def _add_folder(writer: SnapshotWriter, folder: Folder) -> ChunkId:
    entries = [_entry(writer, name, folder[name]) for name in sorted(folder)]
    return writer.add_folder(_parts(entries))


def _entry(writer: SnapshotWriter, name: bytes, value: bytes | Folder) -> Entry:
    if isinstance(value, dict):
        stat = Stat(name, EntryType.FOLDER, 0o755, 0, 0, 0, 1, 1, 1)
        return Entry(stat, subtree=_add_folder(writer, value))
    content = writer.add_bytes(value)
    stat = Stat(name, EntryType.FILE, 0o644, 0, 0, len(value), 1, 1, 1)
    return Entry(stat, content=content.ids, depth=content.depth)


def _parts(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    part: list[Entry] = []
    for entry in entries:
        part.append(entry)
        if ends_part(entry.name, len(part)):
            yield part
            part = []
    if part:
        yield part


def _files(folder: Folder) -> Iterator[bytes]:
    for value in folder.values():
        if isinstance(value, dict):
            yield from _files(value)
        else:
            yield value
