"""The screen of a snapshot: its folders, to look through and to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from django.shortcuts import render

from strongroom.server import views
from strongroom.server.console.page import page
from strongroom.server.restore.browse import list_folder

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

PAGE: Final = 500
_DEEPEST: Final = 32


@page()
def browse(request: HttpRequest, snapshot_id: str) -> HttpResponse:
    """Show a folder of a snapshot; when none is named, the first one in which there is something to choose from."""
    snapshot = views.snapshot(snapshot_id)
    path, after = request.GET.get("path", ""), request.GET.get("after", "")
    if path:
        folder = list_folder(snapshot=snapshot["id"], path=path, after=after, limit=PAGE)
    else:
        folder = _first_fork(snapshot["id"])
    following = urlencode({"path": folder["path"], "after": folder["next"]}) if folder["next"] is not None else ""
    shown = {"snapshot": snapshot, "folder": folder, "trail": _trail(folder["path"]), "following": following}
    return render(request, "snapshot.html", shown)


def _first_fork(snapshot_id: str) -> views.View:
    """Return the first folder, from the root down, that holds more than one other folder."""
    folder = list_folder(snapshot=snapshot_id, path="/", limit=PAGE)
    for _ in range(_DEEPEST):
        entries = folder["entries"]
        if len(entries) != 1 or entries[0]["type"] != "folder":
            break
        folder = list_folder(snapshot=snapshot_id, path=entries[0]["path"], limit=PAGE)
    return folder


def _trail(path: str) -> list[dict[str, str]]:
    """Return the folders from the root down to `path`, each with its own path."""
    trail = [{"name": "/", "path": "/"}]
    parts = [part for part in path.split("/") if part]
    trail += [{"name": part, "path": "/" + "/".join(parts[: place + 1])} for place, part in enumerate(parts)]
    return trail
