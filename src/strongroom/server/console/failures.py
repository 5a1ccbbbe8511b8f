"""Failures as pages: whatever goes wrong, a person reads a sentence.

Promises: what nobody foresaw tells the reader nothing but a number, under which the server's log has the rest.
"""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from django.core.exceptions import DisallowedHost, RequestDataTooBig, TooManyFieldsSent
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from strongroom.errors import Mistake, NotFound, Refused, StrongroomError, Unavailable

if TYPE_CHECKING:
    from django.http import HttpRequest

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_COMMAND: Final = "strongroom "
_log = logging.getLogger(__name__)


def seal(response: HttpResponse) -> HttpResponse:
    """Give a page the headers that keep it to itself: nothing foreign is loaded, nothing is kept by the browser."""
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def show_error(request: HttpRequest, error: StrongroomError, *, status: int = 0) -> HttpResponse:
    """Return an error as a page; `status` is the error family's own when it is 0."""
    if error.http_status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s %s: %s (%s)", request.method, request.path, error.text, error.code)
    return seal(render(request, "error.html", shown_error(error), status=status or error.http_status))


def shown_error(error: StrongroomError) -> dict[str, str]:
    """Return what templates show of an error; a hint that is a command is of no use on a page."""
    return {"error": error.text, "hint": "" if _COMMAND in error.hint else error.hint}


def catalog_failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer that the catalog cannot be used now."""
    _log.error("The catalog cannot be used at %s %s: %s", request.method, request.path, error)
    unavailable = Unavailable("The catalog cannot be used now.", hint="Try again; the server's log tells more.")
    return _plain(unavailable, status=unavailable.http_status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Answer a request for an address that does not exist."""
    return show_error(request, NotFound("There is no such page."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django would not take."""
    match exception:
        case DisallowedHost():
            return _plain(_wrong_name(request), status=HTTPStatus.BAD_REQUEST)
        case RequestDataTooBig() | TooManyFieldsSent():
            error = Mistake("That is too much for one form.", hint="Choose less at once.")
        case _:
            error = Mistake("The server could not understand this request.")
    return _plain(error, status=HTTPStatus.BAD_REQUEST)


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that does not prove to come from a page of ours; most often somebody logged in anew meanwhile."""
    _log.info("A form was refused at %s: %s", request.path, reason)
    try:
        request.get_host()
    except DisallowedHost:
        return _plain(_wrong_name(request), status=HTTPStatus.FORBIDDEN)
    return show_error(request, Refused("This page was too old.", hint="Go back, load it again and repeat."))


def server_failed(request: HttpRequest) -> HttpResponse:
    """Answer when a page failed in a way nobody foresaw; Django logs the exception itself."""
    fault = secrets.token_hex(4)
    _log.error("Fault %s at %s %s; it is told next", fault, request.method, request.path)
    error = StrongroomError(f"The server failed unexpectedly (fault {fault}).", hint="Its log tells more.")
    return _plain(error, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _wrong_name(request: HttpRequest) -> StrongroomError:
    """Return the error for a server that is called by a name it does not know."""
    name = request.META.get("HTTP_HOST", "").rpartition(":")[0] or request.META.get("HTTP_HOST", "")
    return Refused(
        f"This server does not know itself by the name {name}.", hint="Add it to names in the server's server.toml."
    )


def _plain(error: StrongroomError, *, status: int) -> HttpResponse:
    """Return an error as a page that needs neither the catalog nor to know who asks."""
    return seal(HttpResponse(render_to_string("error.html", shown_error(error)), status=status))
