"""Screens of backup sets: what is protected, and *Back up now*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect, render

from strongroom import clock
from strongroom.errors import StrongroomError
from strongroom.model.job import Trigger
from strongroom.model.policy import Content, LockedFiles, Options
from strongroom.server import views
from strongroom.server.backup.request import request_backup
from strongroom.server.backup.sets import create_set, require_set
from strongroom.server.console.page import GET, actor, is_live, page
from strongroom.server.hosts.find import require_host

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

LATEST_JOBS = 8


@page()
def set_list(request: HttpRequest) -> HttpResponse:
    """List the backup sets."""
    shown = {"sets": views.backup_sets()}
    return render(request, "set_table.html" if is_live(request) else "sets.html", shown)


@page()
def set_page(request: HttpRequest, set_id: int) -> HttpResponse:
    """Show one set with its snapshots and latest jobs."""
    shown = {
        "set": views.backup_set(str(set_id)),
        "snapshots": views.snapshots(set_id=set_id),
        "jobs": views.jobs(limit=LATEST_JOBS, set_id=set_id),
    }
    return render(request, "set.html", shown)


@page(*GET, "POST")
def add_set(request: HttpRequest) -> HttpResponse:
    """Ask what to protect, and make a set of it."""
    form = request.POST or request.GET
    shown = {"hosts": [host for host in views.hosts() if not host["revoked"]], "form": form}
    if request.method != "POST":
        return render(request, "set_add.html", shown)
    content = Content(
        include=_lines(form.get("include", "")),
        exclude=_lines(form.get("exclude", "")),
        one_file_system="one_file_system" in form,
    )
    options = Options(
        locked_files=LockedFiles.READ if "read_locked" in form else LockedFiles.MISS,
        raw_names="raw_names" in form,
        retry_missed="retry_missed" in form,
    )
    try:
        host = require_host(form.get("host", ""))
        made = create_set(
            name=form.get("name", ""), host=host, content=content, options=options, by=actor(request), now=clock.now()
        )
    except StrongroomError as error:
        return render(request, "set_add.html", {**shown, "error": error}, status=error.http_status)
    return redirect("set", set_id=made.id)


@page("POST")
def back_up_now(request: HttpRequest, set_id: int) -> HttpResponse:
    """Request a backup and go to its job."""
    backup_set = require_set(str(set_id))
    job = request_backup(backup_set=backup_set, trigger=Trigger.NOW, now=clock.now(), by=actor(request))
    return redirect("job", job_id=job.id)


def _lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text field that are not empty."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())
