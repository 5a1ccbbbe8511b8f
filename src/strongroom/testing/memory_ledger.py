"""A ledger in memory: the port of `engine.vault.ledger`, kept in plain dictionaries.

Why: the vault can be tested without a database, and the tests of the port have a second implementation to judge.
What is in `facts` when a test stops is what a database would hold after a crash: copy it with `after_crash`.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from strongroom import clock
from strongroom.engine.vault.ledger import NewPack, PackRow, PackState, SessionRow, SessionState, SnapshotRow
from strongroom.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime


@dataclass
class Facts:
    """Everything the ledger knows."""

    packs: dict[bytes, PackRow] = field(default_factory=dict)
    packs_of: dict[str, list[bytes]] = field(default_factory=dict)
    sessions: dict[str, SessionRow] = field(default_factory=dict)
    snapshots: dict[str, SnapshotRow] = field(default_factory=dict)
    bitmaps: dict[str, bytes] = field(default_factory=dict)
    next_ordinal: int = 0


class MemoryLedger:
    """`Ledger` in dictionaries; a transaction holds the lock to its end and puts the old facts back on an error."""

    def __init__(self, facts: Facts | None = None) -> None:
        """Begin with the given facts, or with none."""
        self.facts = Facts() if facts is None else facts
        self._lock = threading.RLock()

    def after_crash(self) -> MemoryLedger:
        """Return a ledger with what is durable now."""
        with self._lock:
            return MemoryLedger(_copied(self.facts))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes inside happen together or not at all."""
        with self._lock:
            before = _copied(self.facts)
            try:
                yield
            except BaseException:
                # An ordinal that was handed out is never handed out again, not even when all else is undone.
                before.next_ordinal = self.facts.next_ordinal
                self.facts = before
                raise

    def add_pack(self, session: str, pack: NewPack) -> int:
        """Register a pack as the session's."""
        with self.transaction():
            self._require_open(session)
            known = self.facts.packs.get(pack.name)
            if known is None:
                first = self.facts.next_ordinal
                self.facts.next_ordinal += pack.chunks
                known = PackRow(pack.name, pack.kind, pack.chunks, pack.size_bytes, first, PackState.LIVE)
                self.facts.packs[pack.name] = known
            of_session = self.facts.packs_of.setdefault(session, [])
            if pack.name not in of_session:
                of_session.append(pack.name)
            return known.first_ordinal

    def packs(self) -> Sequence[PackRow]:
        """Return all packs, by first ordinal."""
        with self._lock:
            return sorted(self.facts.packs.values(), key=lambda row: row.first_ordinal)

    def mark_pack(self, name: bytes, state: PackState) -> None:
        """Set a pack's state."""
        with self.transaction():
            self.facts.packs[name] = replace(self.facts.packs[name], state=state)

    def add_session(self, row: SessionRow) -> None:
        """Record an open session."""
        with self.transaction():
            self.facts.sessions[row.id] = row

    def session(self, session: str) -> SessionRow:
        """Return a session."""
        with self._lock:
            try:
                return self.facts.sessions[session]
            except KeyError:
                raise NotFound(f"There is no session {session}.") from None

    def packs_of_session(self, session: str) -> Sequence[PackRow]:
        """Return the packs that a session registered."""
        with self._lock:
            return [self.facts.packs[name] for name in self.facts.packs_of.get(session, [])]

    def set_reach(self, session: str, reach: bytes) -> None:
        """Replace the session's bitmap."""
        with self.transaction():
            self.facts.sessions[session] = replace(self._require_open(session), reach=reach)

    def end_session(self, session: str, ended: datetime | None = None) -> None:
        """Mark an open session ended."""
        with self.transaction():
            row = self.session(session)
            if row.state is SessionState.OPEN:
                self.facts.sessions[session] = replace(row, state=SessionState.ENDED, ended=ended or clock.now())

    def unfinished_sessions(self, set_id: int, since: datetime) -> Sequence[SessionRow]:
        """Return the set's sessions that ended at or after `since`."""
        with self._lock:
            return [
                row
                for row in self.facts.sessions.values()
                if row.set_id == set_id and row.state is SessionState.ENDED and (row.ended or row.opened) >= since
            ]

    def open_sessions(self) -> Sequence[SessionRow]:
        """Return all open sessions."""
        with self._lock:
            return [row for row in self.facts.sessions.values() if row.state is SessionState.OPEN]

    def add_snapshot(self, session: str, row: SnapshotRow, bitmap: bytes) -> None:
        """Record the snapshot and mark the session committed."""
        with self.transaction():
            of = self._require_open(session)
            self.facts.snapshots[row.id] = row
            self.facts.bitmaps[row.id] = bitmap
            self.facts.sessions[session] = replace(of, state=SessionState.COMMITTED, snapshot=row.id)

    def snapshots(self) -> Sequence[SnapshotRow]:
        """Return all snapshots, oldest first."""
        with self._lock:
            return sorted(self.facts.snapshots.values(), key=lambda row: row.time)

    def snapshot(self, snapshot: str) -> SnapshotRow:
        """Return a snapshot by its full id."""
        with self._lock:
            try:
                return self.facts.snapshots[snapshot]
            except KeyError:
                raise NotFound(f"There is no snapshot {snapshot}.") from None

    def bitmap(self, snapshot: str) -> bytes:
        """Return a snapshot's bitmap."""
        with self._lock:
            try:
                return self.facts.bitmaps[snapshot]
            except KeyError:
                raise NotFound(f"There is no snapshot {snapshot}.") from None

    def _require_open(self, session: str) -> SessionRow:
        row = self.session(session)
        if row.state is not SessionState.OPEN:
            raise Conflict(f"The session {session} is {row.state}.", code="session_ended")
        return row


def _copied(facts: Facts) -> Facts:
    """Copy the tables; their rows never change."""
    return Facts(
        packs=dict(facts.packs),
        packs_of=copy.deepcopy(facts.packs_of),
        sessions=dict(facts.sessions),
        snapshots=dict(facts.snapshots),
        bitmaps=dict(facts.bitmaps),
        next_ordinal=facts.next_ordinal,
    )
