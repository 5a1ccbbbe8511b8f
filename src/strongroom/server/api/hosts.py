"""Hosts: the protected machines."""

from __future__ import annotations

from typing import Annotated, Any, Final

from ninja import Field, Query, Router
from pydantic import BaseModel

from strongroom import clock
from strongroom.server import views
from strongroom.server.api.auth import Request
from strongroom.server.api.pages import Page, Paging, begin_of, page_of, require_known_query
from strongroom.server.api.sets import Set
from strongroom.server.backup.abort import abort_jobs_of_host
from strongroom.server.hosts.find import require_host
from strongroom.server.hosts.revoke import revoke_host

router = Router(tags=["hosts"])
LIST: Final = "hosts"


class Host(BaseModel):
    """A protected machine."""

    id: str
    name: str
    os_family: Annotated[str, Field(description="`linux` or `windows`.")]
    os_version: str
    agent_version: str
    time_zone: str
    connected: Annotated[bool, Field(description="Whether its agent is connected now.")]
    last_seen: str | None
    activated: str
    revoked: Annotated[str | None, Field(description="Since when it has no access any more.")]
    set_count: int


class HostWithSets(Host):
    """A protected machine and what is protected on it."""

    sets: list[Set]


@router.get("", response=Page[Host], summary="List hosts")
def list_hosts(request: Request, paging: Query[Paging]) -> dict[str, Any]:
    """List the hosts by name."""
    require_known_query(request, Paging)
    after = begin_of(paging.cursor, LIST, "")
    found = sorted((host for host in views.hosts() if host["name"] > after), key=_name)
    return page_of(found[: paging.limit + 1], limit=paging.limit, listed=LIST, position=_name)


@router.get("/{reference}", response=HostWithSets, summary="Show a host")
def show_host(request: Request, reference: str) -> dict[str, Any]:  # noqa: ARG001 - the framework passes the request
    """Return the host of this name or id, with its backup sets."""
    return views.host(reference)


@router.post("/{reference}/revoke", response=HostWithSets, summary="Revoke a host")
def revoke(request: Request, reference: str) -> dict[str, Any]:
    """Take a host's access away at once; its open jobs end. Nothing that it stored is deleted."""
    host = require_host(reference)
    revoke_host(host=host, by=request.auth, now=clock.now(), abort_jobs=abort_jobs_of_host)
    return views.host(host.id)


def _name(host: dict[str, Any]) -> str:
    """Return what hosts are listed by."""
    return str(host["name"])
