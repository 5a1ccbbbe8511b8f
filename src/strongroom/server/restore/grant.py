"""Grants: a signed permission to read certain paths of one snapshot, for one host and one restore job.

Promises: only this server can make one; it is good for an hour, for this host, while the job runs. What it covers is
worked out by walking the snapshot once, and remembered for a while.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
from django.db import connection

from strongroom.errors import Refused, Unauthenticated
from strongroom.model.job import JobState
from strongroom.model.paths import unescape_path
from strongroom.model.policy import ConflictMode
from strongroom.protocol.messages import RestoreOrder
from strongroom.server.premises import premises, seal

if TYPE_CHECKING:
    from datetime import datetime

    from pyroaring import BitMap64

    from strongroom.server.catalog import models
    from strongroom.server.hosts.authenticate import Caller

GRANT_S: Final = 3600
_PURPOSE: Final = "restore grant"
_REMEMBERED: Final = 16
_RUNNING: Final = "SELECT 1 FROM job WHERE id = %s AND host_id = %s AND state = %s"


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """What a grant says; `paths` are raw, empty for all, `expires_s` counts from 1970."""

    snapshot: str
    paths: tuple[bytes, ...]
    host_id: str
    job_id: int
    expires_s: int


class RestoreRequest(msgspec.Struct, frozen=True):
    """The job's record of what was asked for."""

    snapshot: str
    paths: tuple[str, ...]
    target: str
    conflict: ConflictMode


def restore_order(job: models.Job, now: datetime) -> RestoreOrder:
    """Return the order for a running restore, with a fresh grant."""
    place = premises()
    asked = msgspec.convert(job.restore_request, RestoreRequest)
    grant = Grant(
        snapshot=asked.snapshot,
        paths=plain_paths(asked.paths),
        host_id=job.host_id,
        job_id=job.id,
        expires_s=int(now.timestamp()) + GRANT_S,
    )
    keys = place.vault.content_keys
    return RestoreOrder(
        job_id=job.id,
        snapshot=asked.snapshot,
        paths=asked.paths,
        target=asked.target,
        conflict=asked.conflict,
        grant=seal.sign(_PURPOSE, msgspec.msgpack.encode(grant)),
        key_ids=keys.key_ids,
        key_cut=keys.key_cut,
        cutting=keys.cutting,
    )


def require_grant(*, text: str, host: models.Host | Caller, now: datetime) -> Grant:
    """Return what a grant says.

    Raises:
        Refused: it is not ours, not this host's, has expired, or its job is not running.
    """
    try:
        grant = msgspec.msgpack.decode(seal.require_signed(_PURPOSE, text), type=Grant)
    except Unauthenticated as error:
        raise Refused("The grant was not made by this server.", code="not_granted") from error
    if grant.host_id != host.id:
        raise Refused("The grant is for another host.", code="not_granted")
    if grant.expires_s <= now.timestamp():
        raise Refused("The grant has expired.", code="grant_expired")
    if not _is_running(grant):
        raise Refused("The grant's job is not running.", code="not_granted")
    return grant


def coverage(grant: Grant) -> BitMap64:
    """Return the ordinals of all that the grant covers."""
    return _coverages.of(grant.snapshot, grant.paths)


def plain_paths(paths: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return raw paths without those below another; empty when all is wanted."""
    kept: list[bytes] = []
    for path in sorted({unescape_path(path) for path in paths}, key=lambda path: path.split(b"/")):
        if not path:
            return ()
        if not (kept and path.startswith(kept[-1] + b"/")):
            kept.append(path)
    return tuple(kept)


def _is_running(grant: Grant) -> bool:
    """Tell whether the grant's job runs, by one plain question: it is asked with each portion of a restore."""
    with connection.cursor() as cursor:
        cursor.execute(_RUNNING, [grant.job_id, grant.host_id, JobState.RUNNING.value])
        return cursor.fetchone() is not None


@dataclass
class _Coverage:
    """One remembered answer; its lock is held while it is worked out, so that this is done once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    ordinals: BitMap64 | None = None


class _Coverages:
    """What the latest grants cover. A snapshot never changes, so an answer stays right."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, tuple[bytes, ...]], _Coverage] = OrderedDict()

    def of(self, snapshot: str, paths: tuple[bytes, ...]) -> BitMap64:
        """Return the ordinals that these paths of the snapshot reach."""
        with self._lock:
            found = self._known.setdefault((snapshot, paths), _Coverage())
            self._known.move_to_end((snapshot, paths))
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        with found.lock:
            if found.ordinals is None:
                found.ordinals = premises().vault.coverage(snapshot, paths)
            return found.ordinals


_coverages = _Coverages()
