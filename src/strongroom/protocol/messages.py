"""The messages of the agent protocol: a request and a reply for each verb (docs/protocol.md).

Encoded as msgpack maps; unknown fields are refused, so both sides always mean the same.
"""

from __future__ import annotations

import msgspec

from strongroom.model.cutting import FIRST_CUTTING, Cutting
from strongroom.model.host import HostFacts
from strongroom.model.job import Kind
from strongroom.model.missed import MissedFile
from strongroom.model.policy import ConflictMode, Content, Options
from strongroom.model.report import Estimate, JobReport, Progress


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all messages."""


class Problem(Message, frozen=True):
    """The body of every reply that is not a success."""

    code: str
    text: str
    hint: str = ""
    retryable: bool = False


class Activate(Message, frozen=True):
    """Register a host with the secret of an activation token; `public_key` is raw Ed25519 (32 bytes)."""

    secret: str
    public_key: bytes
    facts: HostFacts


class Activated(Message, frozen=True):
    """The host's identity from now on."""

    host_id: str
    host_name: str


class Authenticate(Message, frozen=True):
    """A signed assertion: Ed25519 over `assertion_bytes(host_id, issued_at_s, nonce)`."""

    host_id: str
    issued_at_s: int
    nonce: bytes
    signature: bytes


class Authenticated(Message, frozen=True):
    """A short-lived access token for the header `Authorization: Bearer`."""

    token: str
    expires_s: int


def assertion_bytes(host_id: str, issued_at_s: int, nonce: bytes) -> bytes:
    """Return the bytes that an `Authenticate` message signs."""
    return b"strongroom agent assertion v1\0" + f"{host_id}\0{issued_at_s}\0".encode() + nonce


class Hello(Message, frozen=True):
    """Opens the stream of orders; `running` are the jobs this agent process is carrying out."""

    facts: HostFacts
    running: tuple[int, ...] = ()


class StillThere(Message, frozen=True, tag="still_there"):
    """A heartbeat on the stream of orders; carries no order."""


class BackupOrder(Message, frozen=True, tag="backup"):
    """Carry out a backup. `base_snapshot` is the set's newest snapshot, empty for a full one."""

    job_id: int
    set_id: int
    kind: Kind
    content: Content
    options: Options
    base_snapshot: str = ""


class RestoreOrder(Message, frozen=True, tag="restore"):
    """Carry out a restore under a grant.

    Args:
        grant: signed; opaque to the agent.
        paths: escaped paths inside the snapshot, empty for all.
        target: escaped absolute folder to restore into, empty for the original place.
        key_ids, key_cut, cutting: the keys of chunk ids and of the gear table, and the sizes of chunks, to tell what
            is right already.
    """

    job_id: int
    snapshot: str
    paths: tuple[str, ...]
    target: str
    conflict: ConflictMode
    grant: str
    key_ids: bytes
    key_cut: bytes = b""
    cutting: Cutting = FIRST_CUTTING


class CancelOrder(Message, frozen=True, tag="cancel"):
    """Stop a job and report it cancelled."""

    job_id: int


Order = StillThere | BackupOrder | RestoreOrder | CancelOrder


class OpenSession(Message, frozen=True):
    """Begin to send for a job. The job runs from here on."""

    job_id: int


class SessionOpened(Message, frozen=True):
    """Where and how to send.

    Args:
        session: names the session in the later verbs.
        key_ids, key_cut: 32 bytes each: keys of chunk ids and of the gear table.
        cutting: the sizes of chunks.
        lease_s: the session ends when nothing was heard of it for so long.
        knows_nothing: nothing of this set is stored yet, so `missing` need not be asked.
    """

    session: str
    key_ids: bytes
    key_cut: bytes
    lease_s: int
    knows_nothing: bool
    cutting: Cutting = FIRST_CUTTING


class Missing(Message, frozen=True):
    """Ask which chunks must be sent: `ids` are packed, 32 bytes each, at most 65 536 of them."""

    session: str
    ids: bytes


class MissingReply(Message, frozen=True):
    """One byte per asked id: 1 = send it, 0 = stored and yours to refer to."""

    flags: bytes


class PutReply(Message, frozen=True):
    """How many bytes of the parcel's blocks were new to the set; what others have changes nothing in it."""

    stored_bytes: int


class Checkpoint(Message, frozen=True):
    """Make all that was put durable now."""

    session: str


class Commit(Message, frozen=True):
    """Seal the snapshot and close the job, in one transaction. May be repeated; the answer is the same."""

    session: str
    root: bytes
    report: JobReport


class Committed(Message, frozen=True):
    """The snapshot that now exists."""

    snapshot: str


class BaseListing(Message, frozen=True):
    """Ask for the tree nodes of the session's base snapshot (to rebuild the agent's listing)."""

    session: str


class Fetch(Message, frozen=True):
    """Read under a grant: with `ids` empty the listing, else these chunks (packed ids).

    The listing is a stream of frames, each an encoded `ListedFolder`; chunks come as encoded blocks, one a frame.

    Args:
        link_mb_s: what the connection has been seen to carry, in 10^6 bytes a second; 0 while that is not known. Blocks
            that are made anew are compressed only for a slow one.
        room: how many bytes may come along of what else the grant covers in blocks of which little is asked for;
            a chunk counts as 4096 at least.
    """

    grant: str
    ids: bytes = b""
    link_mb_s: int = 0
    room: int = 0


class ListedFolder(Message, frozen=True):
    """One tree node of a listing: `path` is the folder's raw path from the root of the snapshot, no leading slash.

    A folder with many entries comes as several of these in order. `node` is an encoded tree node (docs/format.md).
    For a listing under a grant, entries outside the granted paths are left out.
    """

    path: bytes
    node: bytes


class Report(Message, frozen=True):
    """Say that the agent is alive and how its jobs stand; sent every few seconds and when something changes.

    Args:
        job_id: 0 when the agent is idle.
        progress, estimate: of the running job.
        missed: further missed files (batches; `missed_from` is the index of the first, so a repeat does no harm).
        final: how the job ended, when it did not end by a commit.
        differs: whether a backup has met something that is not as its base has it. Only a hint: the server may begin to
            read what the base refers to.
    """

    job_id: int = 0
    progress: Progress | None = None
    estimate: Estimate | None = None
    missed: tuple[MissedFile, ...] = ()
    missed_from: int = 0
    final: JobReport | None = None
    differs: bool = False


class ReportReply(Message, frozen=True):
    """Whether the named job is still to go on."""

    go_on: bool
