"""The commit: a tree that is proven whole becomes a snapshot.

Why: this is the one moment at which a backup comes into being. Before it there is garbage at worst, after it there is a
snapshot whose every chunk is stored.
Order: proof → sealed record, durable → one transaction of the ledger (snapshot, session, and whatever the caller adds).
Each attempt has a new snapshot id, for a record's key is used once; the record of a failed attempt is garbage that no
row names. Behind it all the notes of the set (notes.py), which spare the next commit work and may be lost.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.engine.format.snapshot import SnapshotRecord, seal_snapshot
from strongroom.engine.vault.bitmaps import encode_bitmap
from strongroom.engine.vault.ledger import SnapshotRow
from strongroom.errors import Damaged, Mistake, StrongroomError
from strongroom.model.entry import ChunkId

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pyroaring import BitMap64

    from strongroom.engine.vault.core import Core
    from strongroom.model.job import Kind
    from strongroom.model.policy import Content


@dataclass(frozen=True)
class SnapshotDetails:
    """What the caller knows of a snapshot.

    Args:
        host: the host's id.
        time: when the backup began to look at the files.
        files, size_bytes: what it holds.
        missed: how many files are missing in it.
        content: the rule that chose what is in it.
    """

    host: str
    kind: Kind
    time: datetime
    content: Content
    files: int
    size_bytes: int
    missed: int = 0


@dataclass(frozen=True)
class Proposal:
    """A session's wish to commit.

    Args:
        root: id of the root node.
        base: id of the base snapshot, empty for none; `base_reach` is its bitmap.
        allowed: the ordinals that the tree may refer to.
        new_bytes: what the session stored.
    """

    session: str
    set_id: int
    job_id: int
    root: bytes
    base: str
    base_reach: BitMap64
    allowed: BitMap64
    new_bytes: int


def commit(
    core: Core, proposal: Proposal, details: SnapshotDetails, also: Callable[[SnapshotRow], None] | None
) -> SnapshotRow:
    """Prove the proposal and make it a snapshot; see `Session.commit` for what it raises."""
    is_as_base = _is_as_base(core, proposal)
    reach = proposal.base_reach if is_as_base else _proven_reach(core, proposal)
    row = _row(proposal, details)
    _write_record(core, row, details)
    with core.ledger.transaction():
        core.ledger.add_snapshot(proposal.session, row, encode_bitmap(reach))
        if also is not None:
            also(row)
    if not is_as_base:
        with contextlib.suppress(StrongroomError):
            core.notes.keep(row.set_id, row.root, reach, core.walker.noted)
    return row


def record_path(row: SnapshotRow) -> str:
    """Return where a snapshot's record lies in the storage."""
    return f"snapshots/{row.set_id}/{row.id}"


def _is_as_base(core: Core, proposal: Proposal) -> bool:
    """Whether this is the very tree that was proven when the base was committed, and all of it is alive."""
    if not proposal.base or core.ledger.snapshot(proposal.base).root != proposal.root:
        return False
    return core.index.has_all(proposal.base_reach)


def _proven_reach(core: Core, proposal: Proposal) -> BitMap64:
    try:
        return core.walker.reach([proposal.root], proposal.allowed)
    except Damaged as error:
        if error.code != "bad_node":
            raise
        # The chunk is what was put; that it is no node is the mistake of who put it.
        raise Mistake(error.text, code=error.code) from error


def _row(proposal: Proposal, details: SnapshotDetails) -> SnapshotRow:
    return SnapshotRow(
        id=secrets.token_hex(16),
        set_id=proposal.set_id,
        job_id=proposal.job_id,
        time=details.time,
        kind=details.kind,
        base=proposal.base,
        root=proposal.root,
        files=details.files,
        size_bytes=details.size_bytes,
        new_bytes=proposal.new_bytes,
        missed=details.missed,
    )


def _write_record(core: Core, row: SnapshotRow, details: SnapshotDetails) -> None:
    keyring = core.keyring
    record = SnapshotRecord(
        id=row.id,
        set_id=row.set_id,
        host=details.host,
        job_id=row.job_id,
        time_ns=_nanoseconds(row.time),
        kind=details.kind,
        base=row.base,
        root=ChunkId(row.root),
        files=row.files,
        size_bytes=row.size_bytes,
        content=details.content,
    )
    data_key = keyring.data_key(keyring.epoch)
    sealed = seal_snapshot(record, vault_id=keyring.vault_id, epoch=keyring.epoch, data_key=data_key)
    core.storage.put(record_path(row), [sealed])


def _nanoseconds(moment: datetime) -> int:
    whole_s = int(moment.replace(microsecond=0).timestamp())
    return whole_s * 1_000_000_000 + moment.microsecond * 1000
