"""RECEIVE: what an agent sends for a running backup, passed to the vault after asking whether it may.

Why: the vault knows sessions, the catalog knows hosts; here a session is served only to the host whose job it is.
Promises: whatever is heard of a session renews its job's lease. The commit closes the job in the same transaction that
makes the snapshot, so neither is ever there without the other. The catalog is asked about a session every few seconds,
not with each parcel: a job that closes ends its session in this process, and the commit asks the catalog again.
Does not: hold a catalog transaction while it waits for the vault, which has locks of its own (docs/locking.md).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from django.db import transaction

from strongroom import clock
from strongroom.engine.vault.commit import SnapshotDetails
from strongroom.engine.vault.ledger import SessionRow, SessionState, SnapshotRow
from strongroom.errors import Conflict, Mistake, NotFound
from strongroom.model.job import JobState, JobType, Kind
from strongroom.model.policy import Content
from strongroom.model.report import Estimate
from strongroom.protocol.frames import MAX_PARCEL_BYTES, decode_frames
from strongroom.protocol.messages import (
    BaseListing,
    Checkpoint,
    Commit,
    Committed,
    ListedFolder,
    Missing,
    MissingReply,
    OpenSession,
    PutReply,
    SessionOpened,
)
from strongroom.server.backup.ids import split_ids
from strongroom.server.backup.report import close_job, require_counts
from strongroom.server.backup.state import hear_of, require_running, running_jobs
from strongroom.server.catalog import models
from strongroom.server.catalog.ledger import CatalogLedger
from strongroom.server.premises import premises

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from strongroom.engine.vault.session import Session
    from strongroom.engine.vault.vault import Vault
    from strongroom.server.hosts.authenticate import Caller

_ROOT_BYTES: Final = 32
_SUCCESS: Final = frozenset({JobState.SUCCESSFUL, JobState.SUCCESSFUL_WITH_ERRORS})

_ASKED_EVERY_S: Final = 5.0

_opening = threading.Lock()


@dataclass(frozen=True)
class _Known:
    """A session that the catalog was asked about, and until when the answer counts."""

    host_id: str
    vault: Vault
    session: Session
    until_s: float

    @property
    def lasts(self) -> bool:
        """Whether the answer can still count."""
        return self.session.state is SessionState.OPEN and clock.monotonic_s() < self.until_s

    def serves(self, host_id: str) -> bool:
        """Tell whether the answer still counts, for this host and the vault that is open."""
        return self.host_id == host_id and self.vault is premises().vault and self.lasts


_known: dict[str, _Known] = {}
"""By session; an entry serves nobody any more once it does not last, and goes when the catalog is asked next."""


def open_session(*, host: models.Host, message: OpenSession, now: datetime) -> SessionOpened:
    """Begin to receive for a running backup; a second time for the same job gives the same session.

    Raises:
        Conflict: the job is not running on this host, or is not a backup.
    """
    place = premises()
    with _opening:
        job = require_running(message.job_id, host)
        if job.type != JobType.BACKUP.value:
            raise Conflict(f"Job {job.id} is not a backup.", code="job_not_running")
        if job.session:
            session = place.vault.session(job.session)
        else:
            session = place.vault.open_session(set_id=job.backup_set_id, job_id=job.id, base=job.base)
            _keep_session(job, session)
    hear_of(job, now)
    keys = place.vault.content_keys
    return SessionOpened(
        session=session.id,
        key_ids=keys.key_ids,
        key_cut=keys.key_cut,
        cutting=keys.cutting,
        lease_s=place.config.lease_s,
        knows_nothing=session.knows_nothing,
    )


def ask_missing(*, host: models.Host | Caller, message: Missing, now: datetime) -> MissingReply:
    """Answer which chunks must be sent, from what the set's own history holds.

    Raises:
        Conflict: the session has ended (`session_ended`).
        Mistake: the ids are not ids.
    """
    session = _served(host, message.session, now)
    return MissingReply(flags=bytes(session.missing(split_ids(message.ids))))


def receive_parcel(*, host: models.Host | Caller, parcel: bytes, now: datetime) -> PutReply:
    """Take in a parcel: frames, first the session's name, then blocks.

    Raises:
        Conflict: the session has ended (`session_ended`).
        Mistake: the parcel is malformed, or a chunk is not what its id says (`false_id`); nothing of it is kept.
    """
    if len(parcel) > MAX_PARCEL_BYTES:
        raise Mistake("The parcel is too large.", code="too_large")
    frames = decode_frames(parcel)
    name = bytes(next(frames, b""))
    try:
        session = _served(host, name.decode("ascii"), now)
    except UnicodeDecodeError as error:
        raise Mistake("The parcel does not begin with the name of a session.", code="bad_frame") from error
    return PutReply(stored_bytes=session.put(list(frames)))


def checkpoint(*, host: models.Host, message: Checkpoint, now: datetime) -> Committed:
    """Make all that was put durable now.

    Raises:
        Conflict: the session has ended (`session_ended`).
    """
    _live_session(host, message.session, now).checkpoint()
    return Committed(snapshot="")


def commit(*, host: models.Host, message: Commit, now: datetime) -> Committed:
    """Make the snapshot and close the job with its report, in one transaction. May be repeated.

    Raises:
        Conflict: the tree is not complete (`incomplete_tree`), or the session has ended (`session_ended`).
        Mistake: the report does not say success, or the root is no id.
    """
    row, job = _session_of(host, message.session)
    if row.state is SessionState.COMMITTED:
        return _committed_before(row, message.root)
    if len(message.root) != _ROOT_BYTES or message.report.state not in _SUCCESS:
        raise Mistake("A commit needs a root and a report of success.", code="bad_commit")
    require_counts(message.report)

    def close(snapshot: SnapshotRow) -> None:
        running = require_running(job.id, host)
        close_job(job=running, report=message.report, now=now, snapshot=snapshot.id)

    session = _live_session(host, message.session, now)
    return Committed(snapshot=session.commit(message.root, _details(job, message), close).id)


def base_listing(*, host: models.Host, message: BaseListing, now: datetime) -> Iterator[bytes]:
    """Yield the tree of the session's base, as encoded `ListedFolder`s; nothing when there is no base.

    Raises:
        Conflict: the session has ended (`session_ended`).
    """
    session = _live_session(host, message.session, now)
    if not session.base:
        return iter(())
    walk = premises().vault.reader(session.base).walk()
    return (msgspec.msgpack.encode(ListedFolder(path=path, node=node)) for path, node in walk)


def _keep_session(job: models.Job, session: Session) -> None:
    """Remember a job's new session, unless the job was closed meanwhile."""
    with transaction.atomic():
        kept = running_jobs().filter(id=job.id).update(session=session.id)
    if not kept:
        session.end()
        raise Conflict(f"Job {job.id} ended before it began to send.", code="job_not_running")
    job.session = session.id


def _session_of(host: models.Host | Caller, name: str) -> tuple[SessionRow, models.Job]:
    """Return a session and its job, to the host whose job it is and to no other."""
    job = (
        models.Job.objects.select_related("backup_set").filter(session=name, host_id=host.id).first() if name else None
    )
    if job is None:
        raise NotFound("This host has no such session.", code="no_such_session")
    return CatalogLedger().session(name), job


def _served(host: models.Host | Caller, name: str, now: datetime) -> Session:
    """Return a live session, asking the catalog only if it has not been asked for a while."""
    known = _known.get(name)
    if known is None or not known.serves(host.id):
        session = _live_session(host, name, now)
        for gone in [other for other, entry in list(_known.items()) if not entry.lasts]:
            _known.pop(gone, None)
        known = _known[name] = _Known(host.id, premises().vault, session, clock.monotonic_s() + _ASKED_EVERY_S)
    return known.session


def _live_session(host: models.Host | Caller, name: str, now: datetime) -> Session:
    """Return the session of a running job of this host, and renew the job's lease."""
    row, job = _session_of(host, name)
    if row.state is not SessionState.OPEN or job.state != JobState.RUNNING.value:
        raise Conflict("The session has ended; its job is closed.", code="session_ended")
    hear_of(job, now)
    return premises().vault.session(name)


def _committed_before(row: SessionRow, root: bytes) -> Committed:
    """Answer a commit that was made already: its first answer may have been lost."""
    if CatalogLedger().snapshot(row.snapshot).root != root:
        raise Conflict("The session is committed with another root.", code="session_ended")
    return Committed(snapshot=row.snapshot)


def _details(job: models.Job, message: Commit) -> SnapshotDetails:
    """Return what the snapshot's record says beside its tree."""
    estimate = message.report.estimate or Estimate()
    return SnapshotDetails(
        host=job.host_id,
        kind=Kind(job.kind),
        time=job.started or job.requested,
        content=msgspec.convert(job.backup_set.content, Content),
        files=estimate.files_scanned,
        size_bytes=estimate.source_bytes,
        missed=max(job.missed_count, message.report.missed_count),
    )
