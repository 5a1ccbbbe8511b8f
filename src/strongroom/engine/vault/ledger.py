"""The ledger: the few facts of the vault that need transactions, as a port.

Why: packs, sessions and snapshots must change together with the catalog's jobs, in one transaction, and the engine must
not know SQL. The server's catalog implements this port in its database, `strongroom.testing.memory_ledger` in memory;
one conformance suite runs on both.

The contract, for every implementation:
- All methods are safe to call from several threads. What a method changes is durable when it returns, or, inside
  `transaction()`, when the block ends; an exception inside the block undoes all of it.
- Transactions are serialised: two that read and then write do not both succeed on the same facts.
- Ordinals are handed out in order, are contiguous for a pack, and are never used twice, not even after a crash; those
  of a transaction that was undone were never handed out.
- Bitmaps are serialised Roaring bitmaps (64 bit) of ordinals; the ledger stores them and does not look inside.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime


class PackState(enum.StrEnum):
    """What may be done with a pack."""

    LIVE = "live"
    BAD = "bad"  # found damaged: its chunks are answered as missing


class SessionState(enum.StrEnum):
    """Where a session is in its life."""

    OPEN = "open"
    ENDED = "ended"  # aborted, failed or cancelled: what it stored stays pinned for 7 days
    COMMITTED = "committed"


@dataclass(frozen=True)
class NewPack:
    """A durable pack that is to be registered: name (32 bytes), kind (1 data, 2 tree), chunks, size of the file."""

    name: bytes
    kind: int
    chunks: int
    size_bytes: int


@dataclass(frozen=True)
class PackRow:
    """A registered pack; its chunks have the ordinals [first_ordinal, first_ordinal + chunks)."""

    name: bytes
    kind: int
    chunks: int
    size_bytes: int
    first_ordinal: int
    state: PackState


@dataclass(frozen=True)
class SessionRow:
    """A session: one job's right to write. `reach` is the bitmap of what it proved to hold."""

    id: str
    set_id: int
    job_id: int
    base: str
    state: SessionState
    reach: bytes
    opened: datetime
    snapshot: str = ""
    ended: datetime | None = None


@dataclass(frozen=True)
class SnapshotRow:
    """A committed snapshot."""

    id: str
    set_id: int
    job_id: int
    time: datetime
    kind: str
    base: str
    root: bytes
    files: int
    size_bytes: int
    new_bytes: int
    missed: int


class Ledger(Protocol):
    """See the module's docstring for what every implementation promises."""

    def transaction(self) -> AbstractContextManager[None]:
        """Return a context in which all changes happen together or not at all."""

    def add_pack(self, session: str, pack: NewPack) -> int:
        """Register a durable pack as the session's; return its first ordinal.

        All chunks of its packs count as the session's own, whether or not `reach` names them yet.
        Registering the same name twice returns the first ordinal it already has.

        Raises:
            Conflict: the session is not open (code `session_ended`).
        """

    def packs(self) -> Sequence[PackRow]:
        """Return all packs, by first ordinal."""

    def mark_pack(self, name: bytes, state: PackState) -> None:
        """Set a pack's state."""

    def add_session(self, row: SessionRow) -> None:
        """Record an open session."""

    def session(self, session: str) -> SessionRow:
        """Return a session.

        Raises:
            NotFound: there is none of this name.
        """

    def packs_of_session(self, session: str) -> Sequence[PackRow]:
        """Return the packs that a session registered."""

    def set_reach(self, session: str, reach: bytes) -> None:
        """Replace the session's bitmap.

        Raises:
            Conflict: the session is not open (code `session_ended`).
        """

    def end_session(self, session: str, ended: datetime | None = None) -> None:
        """Mark an open session ended, now or at `ended`; nothing happens to one that has ended or is committed."""

    def unfinished_sessions(self, set_id: int, since: datetime) -> Sequence[SessionRow]:
        """Return the set's sessions that ended at or after `since`, in the order in which they were opened."""

    def open_sessions(self) -> Sequence[SessionRow]:
        """Return all open sessions."""

    def add_snapshot(self, session: str, row: SnapshotRow, bitmap: bytes) -> None:
        """Record the snapshot and mark the session committed.

        Raises:
            Conflict: the session is not open (code `session_ended`).
        """

    def snapshots(self) -> Sequence[SnapshotRow]:
        """Return all snapshots, oldest first."""

    def snapshot(self, snapshot: str) -> SnapshotRow:
        """Return a snapshot by its full id.

        Raises:
            NotFound: there is none of this id.
        """

    def bitmap(self, snapshot: str) -> bytes:
        """Return a snapshot's bitmap.

        Raises:
            NotFound: there is none of this id.
        """
