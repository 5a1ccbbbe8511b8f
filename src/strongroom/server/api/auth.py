"""Who asks: the holder of an API token, or a person whom the console knows by its session cookie.

Promises: a token that is shown and not good is refused, whatever cookie comes with it. A cookie counts only together
with the console's CSRF token where something could change, so that no other site can use a person's session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from strongroom import clock
from strongroom.errors import Refused
from strongroom.server.users.audit import Actor
from strongroom.server.users.tokens import require_token

if TYPE_CHECKING:
    from typing import Any


class Request(HttpRequest):
    """A request whose sender is known."""

    auth: Actor


class TokenAuth(HttpBearer):
    """`Authorization: Bearer srt_...`: an API token."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        """Return whose token it is.

        Raises:
            Unauthenticated: it is nobody's, or not good any more.
        """
        return require_token(token, address=address_of(request), now=clock.now())


class SessionAuth(APIKeyCookie):
    """The console's session cookie; calls that change something need the header `X-CSRFToken` too."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> Actor | None:
        """Return who is logged in, or None.

        Raises:
            Refused: the request could be another site's.
        """
        user = request.user
        if not user.is_authenticated or not user.is_active:
            return None
        if check_csrf(request) is not None:
            raise Refused(
                "The request has a session but no CSRF token, or a wrong one.",
                code="csrf",
                hint="Send the token of the console's page as X-CSRFToken; programs use an API token instead.",
            )
        return Actor(user.get_username(), address_of(request))

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:  # noqa: ANN401, ARG002 - the framework's port
        """Answer as the whole does; the framework's port asks for this name, with a key that we do not need."""
        return self(request)


EITHER = (TokenAuth(), SessionAuth())


def address_of(request: HttpRequest) -> str:
    """Return the address that a request came from."""
    return str(request.META.get("REMOTE_ADDR") or "")
