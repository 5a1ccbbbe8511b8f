"""Screens of hosts: who is connected, how to add one, and shutting one out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.shortcuts import redirect, render

from strongroom import clock
from strongroom.model.job import OPEN_STATES, JobState
from strongroom.server import views
from strongroom.server.backup.abort import abort_jobs_of_host
from strongroom.server.console.page import GET, actor, page, show_live
from strongroom.server.hosts import activate
from strongroom.server.hosts.find import require_host
from strongroom.server.hosts.revoke import revoke_host

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

LATEST_JOBS = 8
_WENT_WRONG = frozenset({JobState.FAILED, JobState.ABORTED, JobState.WINDOW_EXPIRED})


@page()
def overview(request: HttpRequest) -> HttpResponse:
    """Show hosts, sets and the latest jobs on one page, and how they fare at a glance."""
    hosts, sets = views.hosts(), views.backup_sets()
    shown = {"hosts": hosts, "sets": sets, "jobs": views.jobs(limit=LATEST_JOBS), "glance": _glance(hosts, sets)}
    return show_live(request, whole="overview.html", part="overview_live.html", shown=shown)


@page()
def host_list(request: HttpRequest) -> HttpResponse:
    """List the hosts."""
    return show_live(request, whole="hosts.html", part="host_table.html", shown={"hosts": views.hosts()})


@page()
def host_page(request: HttpRequest, host_id: str) -> HttpResponse:
    """Show one host, its sets and its latest jobs."""
    host = views.host(host_id)
    shown = {"host": host, "sets": host["sets"], "jobs": views.jobs(limit=LATEST_JOBS, host=host["id"])}
    return show_live(request, whole="host.html", part="host_live.html", shown=shown)


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


def _glance(hosts: list[views.View], sets: list[views.View]) -> list[dict[str, object]]:
    """Return the few numbers that say whether anything needs a person: each with its words, colour and page."""
    ours = [host for host in hosts if not host["revoked"]]
    connected = sum(host["connected"] for host in ours)
    kept = sum(bool(backup_set["snapshot_count"]) for backup_set in sets)
    wrong = sum(bool(one["last_job"]) and one["last_job"]["state"] in _WENT_WRONG for one in sets)
    still_open = len(views.jobs(limit=views.MOST, states=OPEN_STATES))
    return [
        {
            "what": "hosts connected",
            "much": f"{connected} of {len(ours)}",
            "page": "/hosts",
            "tone": "good" if connected == len(ours) else "fair",
        },
        {
            "what": "sets with a snapshot",
            "much": f"{kept} of {len(sets)}",
            "page": "/sets",
            "tone": "good" if kept == len(sets) else "fair",
        },
        {"what": "backups failed last time", "much": str(wrong), "page": "/sets", "tone": "bad" if wrong else "good"},
        {"what": "jobs open", "much": str(still_open), "page": "/jobs", "tone": "busy" if still_open else "calm"},
    ]
