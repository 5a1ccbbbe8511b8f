"""Backup sets: what to protect on a host, and backing it up now."""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.http import HttpResponse
from ninja import Field, Query, Router
from pydantic import BaseModel, StrictBool

from strongroom import clock
from strongroom.model.job import Trigger
from strongroom.model.policy import Content, LockedFiles, Options, RecoveryPointWish
from strongroom.server import views
from strongroom.server.api.auth import Request
from strongroom.server.api.jobs import Job
from strongroom.server.api.once import Key, started
from strongroom.server.api.pages import Body, Page, Paging, begin_of, page_of, require_known_query
from strongroom.server.api.snapshots import Snapshot
from strongroom.server.backup.request import request_backup
from strongroom.server.backup.sets import create_set, require_set
from strongroom.server.hosts.find import require_host

router = Router(tags=["sets"])
LIST: Final = "sets"
SNAPSHOTS: Final = "snapshots of set"
MOST_PATHS: Final = 10_000


class SetOptions(Body):
    """How backups are made, and how awkward files are treated."""

    locked_files: Annotated[LockedFiles, Field(description="Miss files that carry an advisory lock, or read them.")] = (
        LockedFiles.MISS
    )
    raw_names: Annotated[StrictBool, Field(description="Keep names that are not UTF-8, byte for byte.")] = False
    retry_missed: Annotated[StrictBool, Field(description="Try missed files once more at the end of the job.")] = False
    recovery_point: Annotated[
        RecoveryPointWish,
        Field(description="Read from recovery points where they can be made, fail without, or always read live."),
    ] = RecoveryPointWish.AUTO


class NewSet(Body):
    """What to protect, and where."""

    name: Annotated[str, Field(description="Unique on the server, and not a number.")]
    host: Annotated[str, Field(description="The host's name or id.")]
    include: Annotated[
        list[str], Field(min_length=1, max_length=MOST_PATHS, description="Absolute paths on the host, escaped text.")
    ]
    exclude: Annotated[
        list[str], Field(default_factory=list, max_length=MOST_PATHS, description="Patterns to leave out, escaped.")
    ]
    one_file_system: Annotated[StrictBool, Field(description="Do not cross mount points.")] = False
    options: SetOptions = SetOptions()


class LatestSnapshot(BaseModel):
    """The newest snapshot of a set."""

    id: str
    time: str


class LatestJob(BaseModel):
    """The newest backup job of a set."""

    id: int
    state: str


class Set(BaseModel):
    """A backup set."""

    id: int
    name: str
    host: Annotated[str, Field(description="The host's name.")]
    host_id: str
    include: list[str]
    exclude: list[str]
    one_file_system: bool
    options: SetOptions
    created: str
    snapshot_count: int
    last_snapshot: LatestSnapshot | None
    last_job: LatestJob | None


@router.get("", response=Page[Set], summary="List backup sets")
def list_sets(request: Request, paging: Query[Paging]) -> dict[str, Any]:
    """List the backup sets by name."""
    require_known_query(request, Paging)
    after = begin_of(paging.cursor, LIST, "")
    found = sorted((one for one in views.backup_sets() if one["name"] > after), key=_name)
    return page_of(found[: paging.limit + 1], limit=paging.limit, listed=LIST, position=_name)


@router.post("", response={201: Set}, summary="Make a backup set")
def make_set(request: Request, wish: NewSet) -> dict[str, Any]:
    """Make a backup set. Two sets of one host may not have the same content."""
    created = create_set(
        name=wish.name,
        host=require_host(wish.host),
        content=Content(tuple(wish.include), tuple(wish.exclude), wish.one_file_system),
        options=Options(**wish.options.model_dump()),
        by=request.auth,
        now=clock.now(),
    )
    return views.backup_set(str(created.id))


@router.get("/{reference}", response=Set, summary="Show a backup set")
def show_set(request: Request, reference: str) -> dict[str, Any]:  # noqa: ARG001 - the framework passes the request
    """Return the set of this name or number."""
    return views.backup_set(reference)


@router.post("/{reference}/backup", response={201: Job}, summary="Back up now")
def back_up_now(request: Request, response: HttpResponse, reference: str, key: Key = "") -> dict[str, Any]:
    """Start a backup now and return the job.

    Is the agent away, the job waits for it on a Linux host and fails at once on a Windows host; the reason says so.
    While a backup of the set is queued or running, another is refused with 409.
    """
    chosen = require_set(reference)
    now = clock.now()
    return started(
        response,
        key=key,
        call=f"backup of set {chosen.id}",
        by=request.auth,
        start=lambda also: request_backup(backup_set=chosen, trigger=Trigger.NOW, by=request.auth, now=now, also=also),
    )


@router.get("/{reference}/snapshots", response=Page[Snapshot], summary="List a set's snapshots")
def list_snapshots(request: Request, reference: str, paging: Query[Paging]) -> dict[str, Any]:
    """List the snapshots of a set, newest first."""
    require_known_query(request, Paging)
    chosen = require_set(reference)
    listed = f"{SNAPSHOTS} {chosen.id}"
    before = begin_of(paging.cursor, listed, 0)
    found = views.snapshots(set_id=chosen.id, before=before, limit=paging.limit + 1)
    return page_of(found, limit=paging.limit, listed=listed, position=lambda one: int(one["number"]))


def _name(backup_set: dict[str, Any]) -> str:
    """Return what sets are listed by."""
    return str(backup_set["name"])
