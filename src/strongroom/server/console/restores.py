"""The screen on which a restore is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect, render

from strongroom import clock
from strongroom.errors import Mistake, StrongroomError
from strongroom.model.policy import ConflictMode
from strongroom.server import views
from strongroom.server.console.failures import shown_error
from strongroom.server.console.page import GET, actor, page
from strongroom.server.restore.request import RestoreWishes, request_restore

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MODES = {
    ConflictMode.OVERWRITE: "Overwrite it",
    ConflictMode.SKIP: "Leave it as it is",
    ConflictMode.KEEP_BOTH: "Keep both: move the existing one aside",
    ConflictMode.OVERWRITE_OLDER: "Overwrite it if it is older",
}


@page(*GET, "POST")
def restore_page(request: HttpRequest, snapshot_id: str) -> HttpResponse:
    """Ask what to restore, where to and how, and request it.

    The folder browser sends what was chosen by POST as well, with `chosen`: many paths do not fit into an address.
    """
    snapshot = views.snapshot(snapshot_id)
    form = request.POST or request.GET
    shown = {
        "snapshot": snapshot,
        "paths": form.getlist("path"),
        "hosts": [host for host in views.hosts() if not host["revoked"]],
        "modes": [(mode.value, text) for mode, text in MODES.items()],
        "form": form,
    }
    if request.method != "POST":
        return render(request, "restore.html", shown)
    try:
        if "chosen" in form:
            _require_some(form.getlist("path"))
            return render(request, "restore.html", shown)
        wishes = RestoreWishes(
            snapshot=snapshot["id"],
            paths=tuple(form.getlist("path")),
            target=_target(form.get("where", ""), form.get("target", "").strip()),
            host=form.get("host", ""),
            conflict=_mode(form.get("conflict", "")),
        )
        job = request_restore(wishes=wishes, by=actor(request), now=clock.now())
    except StrongroomError as error:
        return render(request, "restore.html", {**shown, **shown_error(error)}, status=error.http_status)
    return redirect("job", job_id=job.id)


def _require_some(paths: list[str]) -> None:
    """Refuse to take nothing for everything.

    Raises:
        Mistake: nothing was chosen.
    """
    if not paths:
        raise Mistake("Nothing was chosen.", hint="Go back and tick files or folders, or restore everything from here.")


def _target(where: str, target: str) -> str:
    """Return the folder to restore into, empty for the original place.

    Raises:
        Mistake: neither was chosen, or the folder is not named.
    """
    if where == "original":
        return ""
    if where != "folder" or not target:
        raise Mistake("Say where to restore to.", hint="Name a folder on the host, or choose the original place.")
    return target


def _mode(text: str) -> ConflictMode:
    """Return the conflict mode of this name.

    Raises:
        Mistake: there is none.
    """
    try:
        return ConflictMode(text)
    except ValueError as error:
        raise Mistake("Say what to do where something is there already.") from error
