"""REQUEST of a restore: which paths of which snapshot, on which host, to where. Recorded first, then judged (W3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from django.db import transaction

from strongroom.errors import Mistake, NotFound
from strongroom.model.host import OsFamily
from strongroom.model.job import JobState, JobType, Trigger
from strongroom.model.paths import escape_path, unescape_path
from strongroom.model.policy import ConflictMode, Content
from strongroom.model.steps import RestoreStep
from strongroom.server.backup.admission import admit
from strongroom.server.backup.find import require_snapshot
from strongroom.server.backup.once import Also, nothing_else
from strongroom.server.backup.request import record_job, require_not_revoked
from strongroom.server.backup.sets import normal_content, require_set
from strongroom.server.catalog import models
from strongroom.server.hosts import presence
from strongroom.server.hosts.find import require_host
from strongroom.server.premises import premises
from strongroom.server.users.audit import Actor, record

if TYPE_CHECKING:
    from datetime import datetime

_MOST_PATHS: Final = 10_000
_AWAY = "The agent is not running, so the restore could not be started."


class RestoreWishes(msgspec.Struct, frozen=True):
    """What somebody wants restored.

    Args:
        snapshot: its id, or how it begins.
        paths: escaped paths in the snapshot, with or without a leading slash; empty for all.
        target: escaped absolute folder to restore into; empty for the original place.
        host: name or id of the host to restore on; empty for the one that was backed up.
    """

    snapshot: str
    paths: tuple[str, ...] = ()
    target: str = ""
    host: str = ""
    conflict: ConflictMode = ConflictMode.OVERWRITE


def request_restore(*, wishes: RestoreWishes, by: Actor, now: datetime, also: Also = nothing_else) -> models.Job:
    """Record a request for a restore, judge it, and return the job; it may have ended already.

    Args:
        also: called with the job in the transaction that records it.

    Raises:
        NotFound: there is no such snapshot, host or path.
        Mistake: a path or the target cannot be.
        Conflict: the host was revoked.
    """
    snapshot = require_snapshot(wishes.snapshot)
    origin = require_set(str(snapshot.set_id))
    host = require_host(wishes.host) if wishes.host else origin.host
    paths = tuple(normal_path(path) for path in wishes.paths)
    _require_in_snapshot(snapshot, paths)
    target = _normal_target(wishes.target, OsFamily(host.os_family))
    with transaction.atomic():
        host = models.Host.objects.get(id=host.id)
        require_not_revoked(host)
        verdict = admit(
            os_family=OsFamily(host.os_family), trigger=Trigger.NOW, agent_running=presence.is_running(host.id)
        )
        job = models.Job(
            type=JobType.RESTORE.value,
            trigger=Trigger.NOW.value,
            host=host,
            backup_set=origin,
            requested_by=by.name,
            requested=now,
            snapshot=snapshot.id,
            restore_request={
                "snapshot": snapshot.id,
                "paths": [escape_path(path) for path in paths],
                "target": target,
                "conflict": wishes.conflict.value,
            },
        )
        text = _AWAY if verdict.state is JobState.FAILED else ""
        record_job(job, verdict, step=RestoreStep.ADMISSION.value, now=now, text=text)
        also(job)
        what = f"job {job.id} snapshot {snapshot.id[:12]}"
        record("restore.request", what, by=by, now=now, host=host.name, request=job.restore_request)
    return job


def normal_path(text: str) -> bytes:
    """Return a path in a snapshot as raw bytes, with no slash at either end.

    Raises:
        Mistake: it has empty, `.` or `..` parts.
    """
    path = unescape_path(text).strip(b"/")
    if path and any(part in {b"", b".", b".."} for part in path.split(b"/")):
        raise Mistake(f"{text} is not a plain path in a snapshot.", code="bad_path")
    return path


def _require_in_snapshot(snapshot: models.Snapshot, paths: tuple[bytes, ...]) -> None:
    """Refuse paths that the snapshot does not have."""
    if len(paths) > _MOST_PATHS:
        raise Mistake(f"A restore can name {_MOST_PATHS} paths.", code="too_many_paths")
    reader = premises().vault.reader(snapshot.id)
    for path in paths:
        try:
            if path:
                reader.entry(path)
        except NotFound as error:
            shown = escape_path(path)
            raise NotFound(
                f"The snapshot has no /{shown}.",
                code="no_such_path",
                hint=f"See what it has: strongroom snapshot ls {snapshot.id[:12]}",
            ) from error


def _normal_target(target: str, os_family: OsFamily) -> str:
    """Return the target folder in its normal form, empty for the original place."""
    return normal_content(Content(include=(target,)), os_family).include[0] if target else ""
