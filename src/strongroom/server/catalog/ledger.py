"""The vault's ledger in the catalog's database: `engine/vault/ledger.py` says what it promises.

Peculiar to this one: `transaction()` is the catalog's own transaction, so whatever else a verb changes inside it
(the job that a commit closes) happens together with it. Transactions take SQLite's write lock at their start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Max, Q

from strongroom import clock
from strongroom.engine.vault.ledger import NewPack, PackRow, PackState, SessionRow, SessionState, SnapshotRow
from strongroom.errors import Conflict, NotFound
from strongroom.server.catalog import models

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime


class CatalogLedger:
    """A `Ledger` over the catalog's tables; it keeps nothing itself."""

    def transaction(self) -> AbstractContextManager[None]:
        """Return the catalog's transaction; inside another one, a part of it that can be undone alone."""
        return transaction.atomic()

    def add_pack(self, session: str, pack: NewPack) -> int:
        """Register a durable pack; return its first ordinal."""
        with transaction.atomic():
            known = models.Pack.objects.filter(name=pack.name).first()
            if known is not None:
                return known.first_ordinal
            _require_open(session)
            first = models.NextOrdinal.objects.get(id=1).value
            models.NextOrdinal.objects.filter(id=1).update(value=F("value") + pack.chunks)
            models.Pack.objects.create(
                name=pack.name,
                kind=pack.kind,
                chunks=pack.chunks,
                size_bytes=pack.size_bytes,
                first_ordinal=first,
                state=PackState.LIVE,
                session=session,
            )
            return first

    def packs(self) -> Sequence[PackRow]:
        """Return all packs, by first ordinal."""
        return [_pack_row(pack) for pack in models.Pack.objects.order_by("first_ordinal")]

    def mark_pack(self, name: bytes, state: PackState) -> None:
        """Set a pack's state."""
        models.Pack.objects.filter(name=name).update(state=state)

    def add_session(self, row: SessionRow) -> None:
        """Record an open session."""
        models.VaultSession.objects.create(
            id=row.id,
            set_id=row.set_id,
            job_id=row.job_id,
            base=row.base,
            state=row.state,
            opened=row.opened,
            snapshot=row.snapshot,
            reach=row.reach,
            ended=row.ended,
        )

    def session(self, session: str) -> SessionRow:
        """Return a session."""
        found = models.VaultSession.objects.filter(id=session).first()
        if found is None:
            raise NotFound(f"There is no session {session}.", code="no_such_session")
        return _session_row(found)

    def packs_of_session(self, session: str) -> Sequence[PackRow]:
        """Return the packs that a session registered."""
        return [_pack_row(pack) for pack in models.Pack.objects.filter(session=session).order_by("first_ordinal")]

    def set_reach(self, session: str, reach: bytes) -> None:
        """Replace the session's bitmap."""
        with transaction.atomic():
            _require_open(session)
            models.VaultSession.objects.filter(id=session).update(reach=reach)

    def end_session(self, session: str, ended: datetime | None = None) -> None:
        """Mark an open session ended."""
        open_one = models.VaultSession.objects.filter(id=session, state=SessionState.OPEN)
        open_one.update(state=SessionState.ENDED, ended=ended or clock.now())

    def unfinished_sessions(self, set_id: int, since: datetime) -> Sequence[SessionRow]:
        """Return the set's sessions that ended at or after `since`."""
        late = Q(ended__gte=since) | Q(ended=None, opened__gte=since)  # ended before their end was recorded
        ended = models.VaultSession.objects.filter(late, set_id=set_id, state=SessionState.ENDED)
        return [_session_row(row) for row in ended.order_by("opened", "id")]

    def open_sessions(self) -> Sequence[SessionRow]:
        """Return all open sessions."""
        return [_session_row(row) for row in models.VaultSession.objects.filter(state=SessionState.OPEN)]

    def add_snapshot(self, session: str, row: SnapshotRow, bitmap: bytes) -> None:
        """Record the snapshot and mark the session committed."""
        with transaction.atomic():
            _require_open(session)
            newest = models.Snapshot.objects.aggregate(number=Max("number"))["number"] or 0
            models.Snapshot.objects.create(
                id=row.id,
                number=newest + 1,
                set_id=row.set_id,
                job_id=row.job_id,
                time=row.time,
                kind=row.kind,
                base=row.base,
                root=row.root,
                files=row.files,
                size_bytes=row.size_bytes,
                new_bytes=row.new_bytes,
                missed=row.missed,
                bitmap=bitmap,
            )
            models.VaultSession.objects.filter(id=session).update(state=SessionState.COMMITTED, snapshot=row.id)

    def snapshots(self) -> Sequence[SnapshotRow]:
        """Return all snapshots, oldest first."""
        return [_snapshot_row(found) for found in models.Snapshot.objects.defer("bitmap").order_by("number")]

    def snapshot(self, snapshot: str) -> SnapshotRow:
        """Return a snapshot by its full id."""
        found = models.Snapshot.objects.defer("bitmap").filter(id=snapshot).first()
        if found is None:
            raise _no_such_snapshot(snapshot)
        return _snapshot_row(found)

    def bitmap(self, snapshot: str) -> bytes:
        """Return a snapshot's bitmap."""
        found = models.Snapshot.objects.only("bitmap").filter(id=snapshot).first()
        if found is None:
            raise _no_such_snapshot(snapshot)
        return bytes(found.bitmap)


def _require_open(session: str) -> None:
    """Refuse to write for a session that is not open."""
    if not models.VaultSession.objects.filter(id=session, state=SessionState.OPEN).exists():
        raise Conflict(f"The session {session} has ended.", code="session_ended")


def _no_such_snapshot(snapshot: str) -> NotFound:
    """Return the error for an unknown snapshot."""
    return NotFound(f"There is no snapshot {snapshot}.", code="no_such_snapshot")


def _pack_row(pack: models.Pack) -> PackRow:
    """Return a row as the vault knows it."""
    return PackRow(
        name=bytes(pack.name),
        kind=pack.kind,
        chunks=pack.chunks,
        size_bytes=pack.size_bytes,
        first_ordinal=pack.first_ordinal,
        state=PackState(pack.state),
    )


def _session_row(row: models.VaultSession) -> SessionRow:
    """Return a row as the vault knows it."""
    return SessionRow(
        id=row.id,
        set_id=row.set_id,
        job_id=row.job_id,
        base=row.base,
        state=SessionState(row.state),
        reach=bytes(row.reach),
        opened=row.opened,
        snapshot=row.snapshot,
        ended=row.ended,
    )


def _snapshot_row(found: models.Snapshot) -> SnapshotRow:
    """Return a row as the vault knows it."""
    return SnapshotRow(
        id=found.id,
        set_id=found.set_id,
        job_id=found.job_id,
        time=found.time,
        kind=found.kind,
        base=found.base,
        root=bytes(found.root),
        files=found.files,
        size_bytes=found.size_bytes,
        new_bytes=found.new_bytes,
        missed=found.missed,
    )
