"""What every page needs: somebody logged in, errors as sentences, and the person as an actor for the audit trail."""

from __future__ import annotations

import functools
import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import msgspec
from django.db import DatabaseError
from django.http import HttpResponse
from django.shortcuts import redirect, render

from strongroom.errors import Mistake, StrongroomError
from strongroom.server.console.failures import catalog_failed, seal, show_error
from strongroom.server.users.audit import Actor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.http import HttpRequest

    Page = Callable[..., HttpResponse]

GET: Final = ("GET", "HEAD")
_LONGEST_ADDRESS: Final = 8192
_LARGEST: Final = (1 << 63) - 1
"""The largest number that the catalog can look for."""


def page(*methods: str, public: bool = False) -> Callable[[Page], Page]:
    """Make a function a page: `methods` are allowed, and somebody must be logged in unless it is `public`."""
    allowed = methods or GET

    def decorate(function: Page) -> Page:
        @functools.wraps(function)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ANN401  (Django's call)
            try:
                if not (public or request.user.is_authenticated):
                    return seal(_ask_to_log_in(request))
                if request.method not in allowed:
                    return seal(_wrong_method(request, allowed))
                return seal(function(request, *args, **kwargs))
            except StrongroomError as error:
                return show_error(request, error)
            except DatabaseError as error:
                return catalog_failed(request, error)

        return answer

    return decorate


def show_live(request: HttpRequest, *, whole: str, part: str, shown: Mapping[str, Any]) -> HttpResponse:
    """Show a page with a part that asks for itself again and again.

    The part carries a mark of what it shows. While that stays the same the answer is empty and the part stays as it
    is: a selection, the place of the keyboard's focus and what a screen reader is reading are not disturbed.

    Args:
        whole, part: the templates.
        shown: plain data for them.
    """
    mark = hashlib.blake2b(msgspec.json.encode(shown), digest_size=8).hexdigest()
    if is_live(request) and request.GET.get("seen") == mark:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return render(request, part if is_live(request) else whole, {**shown, "mark": mark})


def actor(request: HttpRequest) -> Actor:
    """Return who asks, and from where."""
    return Actor(request.user.get_username(), address(request))


def address(request: HttpRequest) -> str:
    """Return the address a request came from."""
    return str(request.META.get("REMOTE_ADDR", ""))


def is_live(request: HttpRequest) -> bool:
    """Whether a page asks for its moving part only."""
    return "HX-Request" in request.headers


def number(text: str, *, default: int = 0) -> int:
    """Return a number from the address, or the default when it is none that the catalog could hold."""
    found = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST)) else default
    return found if found <= _LARGEST else default


def _ask_to_log_in(request: HttpRequest) -> HttpResponse:
    """Send to the log-in page, and from there back; a moving part is told to send its whole page there."""
    if is_live(request):
        where = _log_in_address(
            urlsplit(request.headers.get("HX-Current-URL", ""))._replace(scheme="", netloc="").geturl()
        )
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": where})
    return redirect(_log_in_address(request.get_full_path() if request.method in GET else ""))


def _log_in_address(following: str) -> str:
    """Return the address of the log-in page that leads on to `following`, unless that is too long to be led to."""
    leading = f"/login?next={quote(following)}"
    return "/login" if following in ("", "/") or len(leading) > _LONGEST_ADDRESS else leading


def _wrong_method(request: HttpRequest, allowed: tuple[str, ...]) -> HttpResponse:
    """Say that an address is for a button, not for the address bar."""
    error = Mistake("This address cannot be opened by itself.", hint="It is what a button on another page leads to.")
    response = show_error(request, error, status=HTTPStatus.METHOD_NOT_ALLOWED)
    response.headers["Allow"] = ", ".join(allowed)
    return response
