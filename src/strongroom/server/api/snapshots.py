"""Snapshots: what can be restored, what is in it, and restoring it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.http import HttpResponse
from ninja import Field, Query, Router
from pydantic import BaseModel

from strongroom import clock
from strongroom.model.policy import ConflictMode
from strongroom.server import views
from strongroom.server.api.auth import Request
from strongroom.server.api.jobs import Job
from strongroom.server.api.once import Key, started
from strongroom.server.api.pages import Body, Page, Paging, begin_of, cursor_at, require_known_query
from strongroom.server.restore.browse import list_folder
from strongroom.server.restore.request import RestoreWishes, request_restore

router = Router(tags=["snapshots"])
ENTRIES: Final = "entries of"
MOST_PATHS: Final = 10_000


class Snapshot(BaseModel):
    """The sealed record of one backup."""

    id: str
    number: Annotated[int, Field(description="Grows with every snapshot of the vault.")]
    set_id: int
    set_name: str | None
    host: Annotated[str | None, Field(description="The host's name.")]
    job_id: int
    time: str
    kind: str
    base: str | None
    source: Annotated[str | None, Field(description="`recovery_point`, `live`, or `mixed`.")]
    root: Annotated[str, Field(description="Id of the root folder's tree.")]
    files: int
    size_bytes: Annotated[int, Field(description="Size of all files in it.")]
    new_bytes: Annotated[int, Field(description="What it added to the vault, after compression.")]
    missed_count: int


class Entry(BaseModel):
    """A file, folder or link of a snapshot."""

    name: Annotated[str, Field(description="Escaped text.")]
    path: Annotated[str, Field(description="Escaped text.")]
    type: str
    mode: Annotated[int, Field(description="Permission bits.")]
    uid: int
    gid: int
    user: str
    group: str
    size: int
    mtime: Annotated[str | None, Field(description="Null when no calendar holds it.")]
    mtime_ns: int
    links: int
    target: Annotated[str | None, Field(description="Where a symbolic link points to, escaped text.")]


class EntryQuery(Paging):
    """Which folder is wanted."""

    path: Annotated[
        str, Field(max_length=100_000, description="A folder, or one file; escaped text. The root folder when empty.")
    ] = ""


class RestoreWish(Body):
    """What to restore, and to where."""

    paths: Annotated[
        list[str], Field(default_factory=list, max_length=MOST_PATHS, description="Escaped text; empty for all.")
    ]
    target: Annotated[
        str | None, Field(description="An absolute folder on the host, escaped text; null for the original place.")
    ] = None
    host: Annotated[str | None, Field(description="Another host to restore on: name or id.")] = None
    conflict: Annotated[ConflictMode, Field(description="What to do where something is already.")] = (
        ConflictMode.OVERWRITE
    )


@router.get("/{snapshot}", response=Snapshot, summary="Show a snapshot")
def show_snapshot(request: Request, snapshot: str) -> dict[str, Any]:  # noqa: ARG001 - the framework passes the request
    """Return the snapshot with this id; its first digits, six at least, do as well."""
    return views.snapshot(snapshot)


@router.get("/{snapshot}/entries", response=Page[Entry], summary="List a folder")
def list_entries(request: Request, snapshot: str, wanted: Query[EntryQuery]) -> dict[str, Any]:
    """List a folder of a snapshot in the order of the raw names. The path of a file gives that one entry."""
    require_known_query(request, EntryQuery)
    listed = f"{ENTRIES} {wanted.path}"
    after = begin_of(wanted.cursor, listed, "")
    found = list_folder(snapshot=snapshot, path=wanted.path, after=after, limit=wanted.limit)
    return {
        "items": [{**entry, "size": entry["size_bytes"]} for entry in found["entries"]],
        "next": cursor_at(found["next"], listed) if found["next"] is not None else None,
    }


@router.post("/{snapshot}/restore", response={201: Job}, summary="Restore")
def restore(
    request: Request, response: HttpResponse, snapshot: str, wish: RestoreWish, key: Key = ""
) -> dict[str, Any]:
    """Start a restore of a snapshot, or of paths in it, through an agent, and return the job."""
    now = clock.now()
    wishes = RestoreWishes(
        snapshot=snapshot,
        paths=tuple(wish.paths),
        target=wish.target or "",
        host=wish.host or "",
        conflict=wish.conflict,
    )
    return started(
        response,
        key=key,
        call=f"restore {wishes}",
        by=request.auth,
        start=lambda also: request_restore(wishes=wishes, by=request.auth, now=now, also=also),
    )
