"""Read models: what console and API show, as plain data with the names of the job record in the workflow.

Why: reads need other shapes than verbs, and both doors must show the same.
Promises: plain dicts, ready for JSON; times ISO 8601 in UTC; paths escaped text; a few queries a call, whatever it
returns. Lists are newest first where that is what people look for, and come in pages of at most `MOST`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Max

from strongroom.errors import NotFound
from strongroom.model import missed as missed_words
from strongroom.model.paths import escape_path
from strongroom.protocol import tokens
from strongroom.server.backup.find import require_snapshot
from strongroom.server.backup.sets import require_set
from strongroom.server.catalog import models
from strongroom.server.hosts import presence
from strongroom.server.hosts.find import require_host
from strongroom.server.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models import QuerySet

    from strongroom.model.job import JobState, JobType

MOST: Final = 1000
View = dict[str, Any]
_NO_LOG: Final = "log"


def hosts() -> list[View]:
    """Return all hosts by name."""
    counts = dict(models.BackupSet.objects.values_list("host_id").annotate(Count("id")))
    return [_host(row, counts.get(row.id, 0)) for row in models.Host.objects.order_by("name")]


def host(reference: str) -> View:
    """Return one host, with its sets.

    Raises:
        NotFound: there is none of this name or id.
    """
    row = require_host(reference)
    sets = backup_sets(host=row.id)
    return {**_host(row, len(sets)), "sets": sets}


def backup_sets(*, host: str = "") -> list[View]:
    """Return all sets by name, or those of one host (its id)."""
    rows = models.BackupSet.objects.select_related("host").order_by("name")
    return _sets(rows.filter(host_id=host) if host else rows)


def backup_set(reference: str) -> View:
    """Return one set.

    Raises:
        NotFound: there is none of this name or number.
    """
    return _sets([require_set(reference)])[0]


def jobs(
    *,
    limit: int = 100,
    before: int = 0,
    set_id: int = 0,
    host: str = "",
    states: tuple[JobState, ...] = (),
    job_type: JobType | None = None,
) -> list[View]:
    """Return jobs, newest first, without their logs.

    Args:
        before: only jobs with smaller numbers: the last one of the page before.
        set_id, host, states, job_type: only these; `host` is an id.
    """
    rows = _with_names(models.Job.objects.all()).order_by("-id")
    if before:
        rows = rows.filter(id__lt=before)
    if set_id:
        rows = rows.filter(backup_set_id=set_id)
    if host:
        rows = rows.filter(host_id=host)
    if states:
        rows = rows.filter(state__in=[state.value for state in states])
    if job_type:
        rows = rows.filter(type=job_type.value)
    return [_job(row) for row in rows[: _page(limit)]]


def job(job_id: int) -> View:
    """Return one job, with its log.

    Raises:
        NotFound: there is none of this number.
    """
    row = _with_names(models.Job.objects.filter(id=job_id)).first()
    if row is None:
        raise NotFound(f"There is no job {job_id}.", code="no_such_job", hint="List them with: strongroom job list")
    lines = models.JobLogLine.objects.filter(job_id=job_id).order_by("id")
    return {**_job(row), "log": [{"time": iso(line.time), "text": line.text} for line in lines]}


def missed_files(job_id: int, *, limit: int = MOST, after: int = -1) -> list[View]:
    """Return missed files of a job in the order they were found; `after` is the last index of the page before."""
    rows = models.JobMissedFile.objects.filter(job_id=job_id, index__gt=after).order_by("index")
    return [_missed(row) for row in rows[: _page(limit)]]


def all_missed_files(job_id: int) -> Iterator[View]:
    """Yield all missed files of a job: for a download."""
    rows = models.JobMissedFile.objects.filter(job_id=job_id).order_by("index")
    return (_missed(row) for row in rows.iterator(chunk_size=MOST))


def snapshots(*, set_id: int = 0, limit: int = MOST, before: int = 0) -> list[View]:
    """Return snapshots, newest first; of one set, or of all; only those with a `number` smaller than `before`."""
    rows = models.Snapshot.objects.defer("bitmap").order_by("-number")
    if set_id:
        rows = rows.filter(set_id=set_id)
    if before:
        rows = rows.filter(number__lt=before)
    return _snapshots(list(rows[: _page(limit)]))


def snapshot(reference: str) -> View:
    """Return one snapshot by its id, or how it begins.

    Raises:
        NotFound: there is none.
        Mistake: it is not an id, or several begin so.
    """
    return _snapshots([require_snapshot(reference)])[0]


def activation_tokens(*, limit: int = 100, before: int = 0) -> list[View]:
    """Return the activation tokens, newest first, without their secrets."""
    rows = models.ActivationToken.objects.order_by("-id")
    return [_activation_token(row) for row in (rows.filter(id__lt=before) if before else rows)[: _page(limit)]]


def activation_token(text: str) -> View:
    """Return the activation token whose text this is.

    Raises:
        Mistake: it is no token.
        NotFound: it is none of ours.
    """
    hashed = tokens.secret_hash(tokens.parse_activation_token(text).secret)
    row = models.ActivationToken.objects.filter(secret_hash=hashed).first()
    if row is None:
        raise NotFound("The activation token is not known here.", code="no_such_token")
    return _activation_token(row)


def user(name: str) -> View:
    """Return a person who may log in.

    Raises:
        NotFound: there is none of this name.
    """
    row = models.User.objects.filter(username=name, is_active=True).first()
    if row is None:
        raise NotFound(f"There is no user {name}.", code="no_such_user")
    return {"name": row.username, "is_admin": row.is_superuser}


def audit(*, limit: int = 100, before: int = 0) -> list[View]:
    """Return the audit trail, newest first."""
    rows = models.AuditRecord.objects.order_by("-id")
    return [
        {
            "id": row.id,
            "time": iso(row.time),
            "who": row.who,
            "address": row.address,
            "action": row.action,
            "what": row.what,
            "details": row.details,
        }
        for row in (rows.filter(id__lt=before) if before else rows)[: _page(limit)]
    ]


def _page(limit: int) -> int:
    """Return how many rows a page has; callers ask for one more than they show, to see whether the list goes on."""
    return min(max(limit, 1), MOST + 1)


def _activation_token(row: models.ActivationToken) -> View:
    """Return an activation token as plain data."""
    return {
        "id": row.id,
        "uses_left": row.uses_left,
        "expires": iso(row.expires),
        "created": iso(row.created),
        "created_by": row.created_by,
    }


def _host(row: models.Host, set_count: int) -> View:
    """Return a host as plain data."""
    connected = presence.is_running(row.id)
    return {
        "id": row.id,
        "name": row.name,
        "os_family": row.os_family,
        "os_version": row.os_version,
        "agent_version": row.agent_version,
        "time_zone": row.time_zone,
        "connected": connected,
        "last_seen": iso(row.last_seen),
        "activated": iso(row.activated),
        "revoked": iso(row.revoked),
        "set_count": set_count,
    }


def _sets(rows: Iterable[models.BackupSet]) -> list[View]:
    """Return sets as plain data, each with its newest snapshot and job."""
    found = list(rows)
    ids = [row.id for row in found]
    newest = models.Snapshot.objects.filter(set_id__in=ids).values("set_id").annotate(last=Max("number")).values("last")
    last_snapshot = {one.set_id: one for one in models.Snapshot.objects.defer("bitmap").filter(number__in=newest)}
    counts = dict(models.Snapshot.objects.filter(set_id__in=ids).values_list("set_id").annotate(Count("id")))
    latest = models.Job.objects.filter(backup_set_id__in=ids, type="backup").values("backup_set_id")
    last_job = {
        one.backup_set_id: one
        for one in models.Job.objects.filter(id__in=latest.annotate(last=Max("id")).values("last"))
    }
    return [_set(row, last_snapshot.get(row.id), last_job.get(row.id), counts.get(row.id, 0)) for row in found]


def _set(
    row: models.BackupSet, newest: models.Snapshot | None, last_job: models.Job | None, snapshot_count: int
) -> View:
    """Return a set as plain data."""
    return {
        "id": row.id,
        "name": row.name,
        "host": row.host.name,
        "host_id": row.host_id,
        "include": row.content["include"],
        "exclude": row.content["exclude"],
        "one_file_system": row.content["one_file_system"],
        "options": row.options,
        "created": iso(row.created),
        "snapshot_count": snapshot_count,
        "last_snapshot": None if newest is None else {"id": newest.id, "time": iso(newest.time)},
        "last_job": None if last_job is None else {"id": last_job.id, "state": last_job.state},
    }


def _with_names(rows: QuerySet[models.Job]) -> QuerySet[models.Job]:
    """Fetch the names of hosts and sets with the jobs."""
    return rows.select_related("host", "backup_set")


def _job(row: models.Job) -> View:
    """Return a job as the workflow's job record."""
    return {
        "id": row.id,
        "type": row.type,
        "trigger": row.trigger,
        "kind": row.kind or None,
        "set_id": row.backup_set_id,
        "set_name": row.backup_set.name,
        "host": row.host.name,
        "host_id": row.host_id,
        "requested_by": row.requested_by,
        "state": row.state,
        "reason": {"code": row.reason_code, "text": row.reason_text},
        "step": row.step,
        "requested": iso(row.requested),
        "started": iso(row.started),
        "ended": iso(row.ended),
        "deadline": iso(row.deadline),
        "cancel_requested": row.cancel_requested,
        "source": row.source or None,
        "source_why": row.source_why or None,
        "progress": row.progress,
        "estimate": row.estimate,
        "transfer": row.transfer,
        "restore": row.restore_result,
        "restore_request": row.restore_request,
        "missed_count": row.missed_count,
        "base": row.base or None,
        "snapshot_id": row.snapshot or None,
    }


def _missed(row: models.JobMissedFile) -> View:
    """Return a missed file as plain data."""
    return {
        "index": row.index,
        "path": escape_path(bytes(row.path)),
        "reason": row.reason,
        "text": missed_words.SENTENCES[missed_words.Reason(row.reason)],
        "detail": row.detail,
    }


def _snapshots(rows: list[models.Snapshot]) -> list[View]:
    """Return snapshots as plain data, with the names of their sets and hosts, and what they were read from."""
    sets = models.BackupSet.objects.select_related("host").in_bulk({row.set_id for row in rows})
    sources = dict(models.Job.objects.filter(id__in=[row.job_id for row in rows]).values_list("id", "source"))
    return [
        {
            "id": row.id,
            "number": row.number,
            "set_id": row.set_id,
            "set_name": sets[row.set_id].name if row.set_id in sets else None,
            "host": sets[row.set_id].host.name if row.set_id in sets else None,
            "job_id": row.job_id,
            "time": iso(row.time),
            "kind": row.kind,
            "base": row.base or None,
            "source": sources.get(row.job_id) or None,
            "root": bytes(row.root).hex(),
            "files": row.files,
            "size_bytes": row.size_bytes,
            "new_bytes": row.new_bytes,
            "missed_count": row.missed,
        }
        for row in rows
    ]
