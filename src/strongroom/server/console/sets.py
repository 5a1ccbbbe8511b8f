"""Screens of backup sets: what is protected, and *Back up now*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect, render

from strongroom import clock
from strongroom.errors import Conflict, StrongroomError
from strongroom.model.job import Trigger
from strongroom.model.policy import Content, LockedFiles, Options, RecoveryPointWish
from strongroom.server import views
from strongroom.server.backup.request import request_backup
from strongroom.server.backup.sets import create_set, require_set
from strongroom.server.console.failures import shown_error
from strongroom.server.console.page import GET, actor, number, page, show_live
from strongroom.server.hosts.find import require_host

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, QueryDict

LATEST_JOBS = 8
SNAPSHOT_PAGE = 50


@page()
def set_list(request: HttpRequest) -> HttpResponse:
    """List the backup sets."""
    return show_live(request, whole="sets.html", part="set_table.html", shown={"sets": views.backup_sets()})


@page()
def set_page(request: HttpRequest, set_id: int) -> HttpResponse:
    """Show one set with its snapshots and latest jobs."""
    shown = _shown(set_id, before=number(request.GET.get("before", "")))
    return show_live(request, whole="set.html", part="set_live.html", shown=shown)


@page(*GET, "POST")
def add_set(request: HttpRequest) -> HttpResponse:
    """Ask what to protect, and make a set of it."""
    form = request.POST or request.GET
    shown = {"hosts": [host for host in views.hosts() if not host["revoked"]], "form": form}
    if request.method != "POST":
        return render(request, "set_add.html", shown)
    content, options = _wishes(form)
    try:
        host = require_host(form.get("host", ""))
        made = create_set(
            name=form.get("name", ""), host=host, content=content, options=options, by=actor(request), now=clock.now()
        )
    except StrongroomError as error:
        return render(request, "set_add.html", {**shown, **shown_error(error)}, status=error.http_status)
    return redirect("set", set_id=made.id)


@page("POST")
def back_up_now(request: HttpRequest, set_id: int) -> HttpResponse:
    """Request a backup and go to its job; when it cannot be now, the set's page says why."""
    try:
        job = request_backup(
            backup_set=require_set(str(set_id)), trigger=Trigger.NOW, now=clock.now(), by=actor(request)
        )
    except Conflict as error:
        return render(request, "set.html", {**_shown(set_id), **shown_error(error)}, status=error.http_status)
    return redirect("job", job_id=job.id)


def _shown(set_id: int, *, before: int = 0) -> views.View:
    """Return what the page of a set shows; its snapshots from number `before` downwards."""
    found = views.snapshots(set_id=set_id, limit=SNAPSHOT_PAGE + 1, before=before)
    snapshots = found[:SNAPSHOT_PAGE]
    return {
        "set": views.backup_set(str(set_id)),
        "snapshots": snapshots,
        "older": snapshots[-1]["number"] if len(found) > SNAPSHOT_PAGE else 0,
        "is_first": not before,
        "jobs": views.jobs(limit=LATEST_JOBS, set_id=set_id),
    }


def _wishes(form: QueryDict) -> tuple[Content, Options]:
    """Return what the form says is to be protected, and how."""
    content = Content(
        include=_lines(form.get("include", "")),
        exclude=_lines(form.get("exclude", "")),
        one_file_system="one_file_system" in form,
    )
    options = Options(
        locked_files=LockedFiles.READ if "read_locked" in form else LockedFiles.MISS,
        raw_names="raw_names" in form,
        retry_missed="retry_missed" in form,
        recovery_point=_recovery_point(form.get("recovery_point", "")),
    )
    return content, options


def _recovery_point(word: str) -> RecoveryPointWish:
    """Return what was chosen; nothing else can be chosen than what there is."""
    known = {wish.value: wish for wish in RecoveryPointWish}
    return known.get(word, RecoveryPointWish.AUTO)


def _lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text field that are not empty; a browser ends them with CR LF."""
    lines = text.replace("\r\n", "\n").split("\n")
    return tuple(line.strip() for line in lines if line.strip())
