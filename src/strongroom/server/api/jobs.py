"""Jobs: what is going on and what happened, with the names of the workflow's job record."""

from __future__ import annotations

from typing import Annotated, Any, Final

from ninja import Field, Path, Query, Router
from pydantic import BaseModel

from strongroom import clock
from strongroom.model.job import JobState, JobType
from strongroom.server import views
from strongroom.server.api.auth import Request
from strongroom.server.api.pages import Page, Paging, begin_of, page_of, require_known_query
from strongroom.server.backup.cancel import cancel_job
from strongroom.server.backup.following import wait_for_end
from strongroom.server.backup.sets import require_set
from strongroom.server.hosts.find import require_host

router = Router(tags=["jobs"])
LIST: Final = "jobs"
MISSED: Final = "missed files of job"
JobId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The job's number.")]


class JobReason(BaseModel):
    """Why a job is in its state."""

    code: str
    text: str


class Progress(BaseModel):
    """A live picture of a running job."""

    step: str
    files: int
    bytes: int
    rate_bytes_s: float
    current: Annotated[str, Field(description="The path at work, escaped text.")]


class Estimate(BaseModel):
    """What a backup found, before anything was sent."""

    duration_s: float
    files_scanned: int
    folders_scanned: int
    files_added: int
    files_changed: int
    files_removed: int
    source_bytes: Annotated[int, Field(description="Size of all files found.")]
    changed_bytes: Annotated[int, Field(description="Size of the added and changed files.")]
    histogram: Annotated[list[int], Field(description="Number of files in each class of size, small to large.")]


class Transfer(BaseModel):
    """What moved."""

    duration_s: float
    files_read: int
    bytes_read: int
    bytes_new: Annotated[int, Field(description="Content that was not known of this set, before compression.")]
    bytes_sent: Annotated[int, Field(description="Sent or received after deduplication and compression.")]
    retries: int
    retry_s: float


class RestoreResult(BaseModel):
    """What a restore did."""

    files_total: int
    bytes_total: int
    files_restored: int
    bytes_restored: int
    files_unchanged: int
    files_skipped: int
    files_failed: int


class RestoreRequest(BaseModel):
    """What was asked to be restored."""

    snapshot: str
    paths: Annotated[list[str], Field(description="Escaped text; empty for all.")]
    target: Annotated[str | None, Field(description="Null for the original place.")]
    conflict: str


class LogLine(BaseModel):
    """One line of a job's log."""

    time: str
    text: str


class SourceArea(BaseModel):
    """An include path, or what is mounted beneath one, and what it was read from."""

    path: Annotated[str, Field(description="Absolute path on the host, escaped.")]
    kind: Annotated[str, Field(description="`recovery_point` or `live`.")]
    how: Annotated[str, Field(description="What froze it: `btrfs`, `zfs`, `lvm`; empty if it was read live.")]
    why: Annotated[str, Field(description="Why it was read live.")]


class Job(BaseModel):
    """One request and all that became of it."""

    id: int
    type: Annotated[str, Field(description="`backup` or `restore`.")]
    trigger: Annotated[str, Field(description="`now` or `scheduled`.")]
    kind: Annotated[str | None, Field(description="`full` or `incremental`; known when it starts.")]
    set_id: int
    set_name: str
    host: Annotated[str, Field(description="The host's name.")]
    host_id: str
    requested_by: str
    state: Annotated[JobState, Field(description="Where it is in its life.")]
    reason: JobReason
    step: Annotated[str, Field(description="Where in the workflow it is, or ended.")]
    requested: str
    started: str | None
    ended: str | None
    deadline: str | None
    cancel_requested: bool
    source: Annotated[str | None, Field(description="`recovery_point`, `live`, or `mixed`; known when it has ended.")]
    source_why: Annotated[str | None, Field(description="Why, as a sentence.")]
    source_areas: Annotated[list[SourceArea], Field(description="The same for each part; the first hundred.")]
    progress: Progress | None
    estimate: Estimate | None
    transfer: Transfer | None
    restore: RestoreResult | None
    restore_request: RestoreRequest | None
    missed_count: int
    base: Annotated[str | None, Field(description="The snapshot that an incremental backup builds on.")]
    snapshot_id: str | None


class JobWithLog(Job):
    """A job with its log."""

    log: list[LogLine]


class MissedFile(BaseModel):
    """A path that was not backed up or restored, and why. It is tried again the next time."""

    index: int
    path: Annotated[str, Field(description="Escaped text.")]
    reason: str
    text: Annotated[str, Field(description="The reason as a sentence.")]
    detail: Annotated[str, Field(description="What the system said.")]


class JobQuery(Paging):
    """Which jobs are wanted."""

    set: Annotated[str, Field(max_length=255, description="Only of this set: name or number.")] = ""
    host: Annotated[str, Field(max_length=255, description="Only of this host: name or id.")] = ""
    state: Annotated[JobState | None, Field(description="Only in this state.")] = None
    type: Annotated[JobType | None, Field(description="Only of this type.")] = None


@router.get("", response=Page[Job], summary="List jobs")
def list_jobs(request: Request, wanted: Query[JobQuery]) -> dict[str, Any]:
    """List jobs, newest first, without their logs."""
    require_known_query(request, JobQuery)
    before = begin_of(wanted.cursor, LIST, 0)
    found = views.jobs(
        limit=wanted.limit + 1,
        before=before,
        set_id=require_set(wanted.set).id if wanted.set else 0,
        host=require_host(wanted.host).id if wanted.host else "",
        states=(wanted.state,) if wanted.state else (),
        job_type=wanted.type,
    )
    return page_of(found, limit=wanted.limit, listed=LIST, position=lambda job: int(job["id"]))


@router.get("/{job_id}", response=JobWithLog, summary="Show a job")
def show_job(
    request: Request,  # noqa: ARG001 - the framework passes the request
    job_id: JobId,
    wait_s: Annotated[float, Query(ge=0, le=1, description="Wait up to so long for the job's end.")] = 0,
) -> dict[str, Any]:
    """Return a job: its live progress while it runs, its report when it has ended, and its log."""
    wait_for_end(job_id, wait_s)
    return views.job(job_id)


@router.post("/{job_id}/cancel", response=JobWithLog, summary="Cancel a job")
def cancel(request: Request, job_id: JobId) -> dict[str, Any]:
    """Cancel a job. One that runs ends as soon as its agent has stopped the work."""
    cancel_job(job_id=job_id, by=request.auth, now=clock.now())
    return views.job(job_id)


@router.get("/{job_id}/missed", response=Page[MissedFile], summary="List a job's missed files")
def list_missed(request: Request, job_id: JobId, paging: Query[Paging]) -> dict[str, Any]:
    """List the files that a job missed, with the reasons, in the order in which they were found."""
    require_known_query(request, Paging)
    views.job(job_id)
    listed = f"{MISSED} {job_id}"
    after = begin_of(paging.cursor, listed, -1)
    found = views.missed_files(job_id, after=after, limit=paging.limit + 1)
    return page_of(found, limit=paging.limit, listed=listed, position=lambda file: int(file["index"]))
