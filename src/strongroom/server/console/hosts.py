"""Screens of hosts: who is connected, how to add one, and shutting one out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.shortcuts import redirect, render

from strongroom import clock
from strongroom.server import views
from strongroom.server.backup.abort import abort_jobs_of_host
from strongroom.server.console.page import GET, actor, is_live, page
from strongroom.server.hosts import activate
from strongroom.server.hosts.find import require_host
from strongroom.server.hosts.revoke import revoke_host

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

LATEST_JOBS = 8


@page()
def overview(request: HttpRequest) -> HttpResponse:
    """Show hosts, sets and the latest jobs on one page."""
    shown = {"hosts": views.hosts(), "sets": views.backup_sets(), "jobs": views.jobs(limit=LATEST_JOBS)}
    return render(request, "overview_live.html" if is_live(request) else "overview.html", shown)


@page()
def host_list(request: HttpRequest) -> HttpResponse:
    """List the hosts."""
    shown = {"hosts": views.hosts()}
    return render(request, "host_table.html" if is_live(request) else "hosts.html", shown)


@page()
def host_page(request: HttpRequest, host_id: str) -> HttpResponse:
    """Show one host, its sets and its latest jobs."""
    host = views.host(host_id)
    return render(request, "host.html", {"host": host, "jobs": views.jobs(limit=LATEST_JOBS, host=host["id"])})


@page(*GET, "POST")
def add_host(request: HttpRequest) -> HttpResponse:
    """Make an activation token and show what to type on the file server."""
    token = ""
    if request.method == "POST":
        token = activate.create_activation_token(
            uses=1, lifetime=timedelta(hours=24), by=actor(request), now=clock.now()
        )
    return render(request, "host_add.html", {"token": token})


@page("POST")
def revoke(request: HttpRequest, host_id: str) -> HttpResponse:
    """Shut a host out at once."""
    host = require_host(host_id)
    revoke_host(host=host, by=actor(request), now=clock.now(), abort_jobs=abort_jobs_of_host)
    return redirect("host", host_id=host.id)
