"""The check: is everything that the ledger knows still what was written?

Why: a disk that lost a byte must be found out by us, not by a restore. A pack's name is the hash of its bytes, so whole
packs are checked without opening a single block.
Promises: names every damaged or missing pack and every snapshot that relies on it. A damaged pack is marked BAD: its
chunks are answered as missing, so that the next backup heals them. With `read_data` any changed byte of any pack is
found, and a BAD pack that is whole again is trusted again.
Does not: repair. It runs beside backups and restores and stops nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from strongroom.engine.format.snapshot import open_snapshot
from strongroom.engine.vault.bitmaps import bitmap_of_packs, decode_bitmap
from strongroom.engine.vault.commit import record_path
from strongroom.engine.vault.index import ABSENT
from strongroom.engine.vault.ledger import PackRow, PackState
from strongroom.engine.vault.packs import pack_path
from strongroom.errors import Damaged, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyroaring import BitMap64

    from strongroom.engine.vault.core import Core
    from strongroom.engine.vault.ledger import SnapshotRow

_READ_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be.

    Args:
        subject: `pack` or `snapshot`.
        name: the pack's name in hex, or the snapshot's id.
        problem: a sentence.
        snapshots: ids of the snapshots that cannot be restored whole because of it, oldest first.
    """

    subject: str
    name: str
    problem: str
    snapshots: tuple[str, ...]


@dataclass(frozen=True)
class CheckReport:
    """What a check looked at and found."""

    packs: int
    size_bytes: int
    snapshots: int
    read_data: bool
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def affected(self) -> tuple[str, ...]:
        """The snapshots that any finding hits, each once."""
        return tuple(dict.fromkeys(snapshot for finding in self.findings for snapshot in finding.snapshots))


def check_vault(core: Core, *, read_data: bool, progress: Callable[[int, int], None]) -> CheckReport:
    """Check all packs and snapshot records.

    Args:
        read_data: read every byte; else only that packs are there, and their tables.
        progress: told the bytes that are done and those of the whole vault.
    """
    packs = core.ledger.packs()
    total, done = sum(pack.size_bytes for pack in packs), 0
    problems: list[tuple[PackRow, str]] = []
    for pack in packs:
        problem = _problem_of(core, pack, read_data=read_data)
        _note_state(core, pack, problem, read_data=read_data)
        if problem:
            problems.append((pack, problem))
        done += pack.size_bytes
        progress(done, total)
    core.files.forget()  # what was opened before must not hide damage from the reads to come
    snapshots = core.ledger.snapshots()
    findings = _pack_findings(core, problems, snapshots) + _snapshot_findings(core, snapshots)
    return CheckReport(len(packs), total, len(snapshots), read_data, tuple(findings))


def _problem_of(core: Core, pack: PackRow, *, read_data: bool) -> str:
    """Return what is wrong with a pack, empty if nothing is."""
    try:
        size = core.storage.size(pack_path(pack.name))
        file = core.files.read_file(pack.name)
        digest = _digest_of(core, pack, size) if read_data else pack.name
    except NotFound:
        return "The file is missing."
    except Damaged as error:
        return error.text
    if digest != pack.name:
        return "Its bytes were changed."
    if (size, len(file.table.sizes), file.seal.header.kind) != (pack.size_bytes, pack.chunks, pack.kind):
        return "It does not hold what was registered."
    if pack.state is PackState.BAD and not read_data:
        return "It was found damaged by an earlier check."
    return ""


def _digest_of(core: Core, pack: PackRow, size: int) -> bytes:
    digest = blake3()
    path = pack_path(pack.name)
    for start in range(0, size, _READ_BYTES):
        digest.update(core.storage.read(path, start, min(_READ_BYTES, size - start)))
    return digest.digest()


def _note_state(core: Core, pack: PackRow, problem: str, *, read_data: bool) -> None:
    if problem and pack.state is PackState.LIVE:
        state = PackState.BAD
    elif read_data and not problem and pack.state is PackState.BAD:
        state = PackState.LIVE
    else:
        return
    core.ledger.mark_pack(pack.name, state)
    core.index.mark(pack, state)
    if state is PackState.LIVE:
        core.take_in(pack)


def _pack_findings(
    core: Core, problems: Sequence[tuple[PackRow, str]], snapshots: Sequence[SnapshotRow]
) -> list[Finding]:
    hit: dict[bytes, list[str]] = {pack.name: [] for pack, _ in problems}
    lost = {pack.name: _lost_chunks(core, pack) for pack, _ in problems}
    for snapshot in snapshots if problems else ():
        reach = decode_bitmap(core.ledger.bitmap(snapshot.id))
        for name, chunks in lost.items():
            if reach.intersect(chunks):
                hit[name].append(snapshot.id)
    return [Finding("pack", pack.name.hex(), problem, tuple(hit[pack.name])) for pack, problem in problems]


def _lost_chunks(core: Core, pack: PackRow) -> BitMap64:
    """Return the ordinals of a damaged pack's chunks that no other pack has."""
    lost = bitmap_of_packs([pack])
    rows = list(core.index.ids_between(pack.first_ordinal, pack.first_ordinal + pack.chunks))
    copies = core.index.find(b"".join(chunk for _, chunk in rows))
    lost -= type(lost)(ordinal for (ordinal, _), copy in zip(rows, copies, strict=True) if copy != ABSENT)
    return lost


def _snapshot_findings(core: Core, snapshots: Sequence[SnapshotRow]) -> list[Finding]:
    """Find records that cannot be opened, and snapshots that reach for chunks which the ledger does not know."""
    registered = bitmap_of_packs(core.ledger.packs())
    findings = []
    for snapshot in snapshots:
        problem = _record_problem(core, snapshot)
        if not problem and not decode_bitmap(core.ledger.bitmap(snapshot.id)).issubset(registered):
            problem = "It refers to chunks that no pack holds."
        if problem:
            findings.append(Finding("snapshot", snapshot.id, problem, (snapshot.id,)))
    return findings


def _record_problem(core: Core, snapshot: SnapshotRow) -> str:
    path = record_path(snapshot)
    keyring = core.keyring
    try:
        stored = core.storage.read(path, 0, core.storage.size(path))
        record = open_snapshot(stored, snapshot=snapshot.id, vault_id=keyring.vault_id, data_key=keyring.data_key)
    except NotFound:
        return "Its record is missing."
    except Damaged as error:
        return error.text
    if (record.set_id, record.root) != (snapshot.set_id, snapshot.root):
        return "Its record says something else than the ledger."
    return ""
