"""What every page needs: somebody logged in, errors as sentences, and the person as an actor for the audit trail."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render

from strongroom.errors import StrongroomError
from strongroom.server.users.audit import Actor

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    Page = Callable[..., HttpResponse]

GET = ("GET", "HEAD")
POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


def page(*methods: str, public: bool = False) -> Callable[[Page], Page]:
    """Make a function a page: `methods` are allowed, and somebody must be logged in unless it is `public`."""
    allowed = methods or GET

    def decorate(function: Page) -> Page:
        @functools.wraps(function)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ANN401  (Django's call)
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            if not (public or request.user.is_authenticated):
                return _ask_to_log_in(request)
            try:
                response = function(request, *args, **kwargs)
            except StrongroomError as error:
                response = show_error(request, error)
            response.headers.setdefault("Content-Security-Policy", POLICY)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return answer

    return decorate


def actor(request: HttpRequest) -> Actor:
    """Return who asks, and from where."""
    return Actor(request.user.get_username(), address(request))


def address(request: HttpRequest) -> str:
    """Return the address a request came from."""
    return str(request.META.get("REMOTE_ADDR", ""))


def is_live(request: HttpRequest) -> bool:
    """Whether a page asks for its moving part only."""
    return "HX-Request" in request.headers


def show_error(request: HttpRequest, error: StrongroomError) -> HttpResponse:
    """Return an error as a page."""
    return render(request, "error.html", {"error": error}, status=error.http_status)


def _ask_to_log_in(request: HttpRequest) -> HttpResponse:
    """Send to the log-in page; a moving part is told to send its whole page there."""
    if is_live(request):
        return HttpResponse(status=401, headers={"HX-Redirect": "/login"})
    where = "" if request.path == "/" or request.method not in GET else f"?next={request.path}"
    return redirect(f"/login{where}")
