"""The stylesheet, the mark and the scripts, from our package and from django-htmx's."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import TYPE_CHECKING

from django.http import HttpResponse

from strongroom.errors import NotFound
from strongroom.server.console.page import page

if TYPE_CHECKING:
    from django.http import HttpRequest

_OURS = "strongroom.server.console"
_FILES = {
    "strongroom.css": (_OURS, "static/strongroom.css", "text/css; charset=utf-8"),
    "strongroom.js": (_OURS, "static/strongroom.js", "text/javascript; charset=utf-8"),
    "strongroom.svg": (_OURS, "static/strongroom.svg", "image/svg+xml"),
    "htmx.js": ("django_htmx", "static/django_htmx/htmx-2.min.js", "text/javascript; charset=utf-8"),
}


@page(public=True)
def serve(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001  (Django passes it)
    """Answer with one of the files."""
    if name not in _FILES:
        raise NotFound(f"There is no {name}.")
    body, content_type = _read(name)
    return HttpResponse(body, content_type=content_type, headers={"Cache-Control": "max-age=300"})


@functools.cache
def _read(name: str) -> tuple[bytes, str]:
    """Return a file's bytes and type."""
    package, path, content_type = _FILES[name]
    return files(package).joinpath(path).read_bytes(), content_type
