"""An agent driven by hand: it calls the server's verbs as the gateway would, and backs up what the test gives it.

Its chunks, blocks and trees are the real ones, made by the real writer; only the scan and the wire are missing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom import clock
from strongroom.engine.content.writer import SnapshotWriter
from strongroom.engine.format.keys import ContentKeys
from strongroom.model.entry import Entry, EntryType, Stat
from strongroom.model.host import HostFacts, OsFamily
from strongroom.model.job import JobState, ReasonCode, SourceKind
from strongroom.model.report import Estimate, JobReport, Transfer
from strongroom.protocol import tokens
from strongroom.protocol.frames import encode_frames
from strongroom.protocol.messages import (
    Activate,
    BackupOrder,
    Checkpoint,
    Commit,
    Hello,
    Missing,
    OpenSession,
    Order,
    Report,
    ReportReply,
    SessionOpened,
)
from strongroom.server import orders
from strongroom.server.backup import receive
from strongroom.server.backup.report import take_report
from strongroom.server.hosts.activate import activate, create_activation_token
from strongroom.server.hosts.find import require_host

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from strongroom.model.entry import ChunkId
    from strongroom.model.missed import MissedFile
    from strongroom.server.catalog.models import Host
    from strongroom.server.hosts.presence import Link
    from strongroom.server.users.audit import Actor

DONE = JobReport(state=JobState.SUCCESSFUL, reason=ReasonCode.COMPLETED, step="report", source=SourceKind.LIVE)


@dataclass
class HandAgent:
    """One agent process on one host. `reborn` and `rebooted` are what comes after it."""

    host: Host
    key: Ed25519PrivateKey
    facts: HostFacts
    running: set[int] = field(default_factory=set)
    wakes: list[str] = field(default_factory=list)
    link: Link | None = None

    @classmethod
    def activated(cls, name: str, os_family: OsFamily | None, by: Actor) -> Self:
        """Register a new host."""
        now = clock.now()
        token = create_activation_token(uses=1, lifetime=timedelta(hours=1), by=by, now=now)
        key = Ed25519PrivateKey.generate()
        facts = HostFacts(
            name=name,
            os_family=os_family or OsFamily.LINUX,
            os_version="test 1",
            agent_version="0",
            time_zone="UTC",
            boot_id=secrets.token_hex(8),
            instance_id=secrets.token_hex(8),
        )
        message = Activate(tokens.parse_activation_token(token).secret, key.public_key().public_bytes_raw(), facts)
        return cls(require_host(activate(message=message, now=now).host_id), key, facts)

    def reborn(self) -> Self:
        """Return the agent after it was started again."""
        return replace(self, facts=msgspec.structs.replace(self.facts, instance_id=secrets.token_hex(8)), running=set())

    def rebooted(self) -> Self:
        """Return the agent after its machine was started again."""
        again = self.reborn()
        return replace(again, facts=msgspec.structs.replace(again.facts, boot_id=secrets.token_hex(8)))

    def connect(self) -> list[Order]:
        """Open the stream of orders and return the first ones."""
        hello = Hello(facts=self.facts, running=tuple(self.running))
        self.link = orders.welcome_agent(
            host=self.host, hello=hello, wake=lambda: self.wakes.append("woken"), now=clock.now()
        )
        return self.orders()

    def orders(self) -> list[Order]:
        """Return the orders that are new; what is ordered runs from now on."""
        assert self.link is not None
        found = orders.orders_for(link=self.link, now=clock.now())
        self.running |= {order.job_id for order in found if isinstance(order, BackupOrder)}
        return found

    def disconnect(self) -> None:
        """Lose the stream of orders."""
        assert self.link is not None
        orders.farewell_agent(link=self.link, now=clock.now())

    def open_session(self, job_id: int) -> SessionOpened:
        """Begin to send for a job."""
        return receive.open_session(host=self.host, message=OpenSession(job_id=job_id), now=clock.now())

    def send(self, opened: SessionOpened, files: Mapping[str, bytes]) -> tuple[ChunkId, int]:
        """Send files, by their paths in the snapshot; return the root's id and the bytes that were new."""
        sink = _Sink(self.host, opened)
        with SnapshotWriter(ContentKeys(opened.key_ids, opened.key_cut, opened.cutting), sink) as writer:
            root = _folder(writer, files)
            writer.finish()
        return root, sink.stored_bytes

    def checkpoint(self, opened: SessionOpened) -> None:
        """Have the server make durable what was sent."""
        receive.checkpoint(host=self.host, message=Checkpoint(session=opened.session), now=clock.now())

    def commit(self, job_id: int, opened: SessionOpened, root: bytes, report: JobReport = DONE) -> str:
        """Commit and return the snapshot's id."""
        message = Commit(session=opened.session, root=root, report=report)
        snapshot = receive.commit(host=self.host, message=message, now=clock.now()).snapshot
        self.running.discard(job_id)
        return snapshot

    def back_up(self, job_id: int, files: Mapping[str, bytes], missed: Sequence[MissedFile] = ()) -> str:
        """Carry out a whole backup and return the snapshot's id."""
        opened = self.open_session(job_id)
        root, sent = self.send(opened, files)
        self.report(job_id, missed=tuple(missed))
        size = sum(len(data) for data in files.values())
        report = msgspec.structs.replace(
            DONE,
            estimate=Estimate(files_scanned=len(files), source_bytes=size),
            transfer=Transfer(bytes_sent=sent),
            missed_count=len(missed),
        )
        return self.commit(job_id, opened, root, report)

    def report(
        self, job_id: int, *, missed: tuple[MissedFile, ...] = (), missed_from: int = 0, final: JobReport | None = None
    ) -> ReportReply:
        """Report on a job."""
        message = Report(job_id=job_id, missed=missed, missed_from=missed_from, final=final)
        return take_report(host=self.host, message=message, now=clock.now())


class _Sink:
    """A sink that calls the server's verbs."""

    def __init__(self, host: Host, opened: SessionOpened) -> None:
        """Send to this session."""
        self.knows_nothing = opened.knows_nothing
        self.stored_bytes = 0
        self._host = host
        self._session = opened.session

    def missing(self, ids: Sequence[ChunkId]) -> list[bool]:
        """Ask the server."""
        message = Missing(session=self._session, ids=b"".join(ids))
        return [bool(flag) for flag in receive.ask_missing(host=self._host, message=message, now=clock.now()).flags]

    def put(self, blocks: Sequence[bytes]) -> int:
        """Send a parcel."""
        parcel = encode_frames([self._session.encode(), *blocks])
        stored = receive.receive_parcel(host=self._host, parcel=parcel, now=clock.now()).stored_bytes
        self.stored_bytes += stored
        return stored


def _folder(writer: SnapshotWriter, files: Mapping[str, bytes]) -> ChunkId:
    """Send one folder and all below it; return its root's id."""
    below: dict[str, dict[str, bytes]] = {}
    entries = []
    for path, data in files.items():
        name, _, rest = path.partition("/")
        if rest:
            below.setdefault(name, {})[rest] = data
        else:
            content = writer.add_bytes(data)
            entries.append(Entry(_stat(name, EntryType.FILE, len(data)), content=content.ids, depth=content.depth))
    entries += [Entry(_stat(name, EntryType.FOLDER, 0), subtree=_folder(writer, below[name])) for name in below]
    return writer.add_folder([sorted(entries, key=lambda entry: entry.name)])


def _stat(name: str, kind: EntryType, size: int) -> Stat:
    """Return what the file system would say of a made entry."""
    return Stat(name=name.encode(), type=kind, mode=0o644, uid=0, gid=0, size=size, mtime_ns=1, ctime_ns=1, inode=1)
