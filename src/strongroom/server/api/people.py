"""Logging in and out, and who one is."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from django.contrib.auth import logout as end_session
from django.http import HttpRequest
from ninja import Field, Router
from pydantic import BaseModel

from strongroom import clock
from strongroom.server import views
from strongroom.server.api.auth import Request, address_of
from strongroom.server.api.pages import Body
from strongroom.server.times import iso
from strongroom.server.users.audit import Actor
from strongroom.server.users.login import log_in
from strongroom.server.users.tokens import create_api_token, revoke_api_token

router = Router(tags=["people"])
TOKEN_LIFETIME: Final = timedelta(days=30)


class Login(Body):
    """A name and a password, to be exchanged for a token."""

    username: Annotated[str, Field(min_length=1, max_length=150)]
    password: Annotated[str, Field(min_length=1, max_length=1000)]
    name: Annotated[str, Field(max_length=100, description="What the token is for; shown where tokens are listed.")] = (
        ""
    )


class Granted(BaseModel):
    """An API token; this is the only time that it is shown."""

    token: Annotated[str, Field(description="To be sent as `Authorization: Bearer ...`.")]
    expires: Annotated[str, Field(description="When it stops working.")]


class Me(BaseModel):
    """Who is asking."""

    name: str
    is_admin: bool


@router.post("/login", auth=None, response=Granted, summary="Log in")
def log_in_for_token(request: HttpRequest, wish: Login) -> dict[str, Any]:
    """Exchange a name and a password for an API token.

    Failures are limited; when there were too many, the answer is 429 with the code `too_many_tries` for a while.
    """
    now, address = clock.now(), address_of(request)
    user = log_in(name=wish.username, password=wish.password, address=address, now=now)
    token = create_api_token(
        user_name=user.get_username(),
        token_name=wish.name or "log-in",
        lifetime=TOKEN_LIFETIME,
        by=Actor(user.get_username(), address),
        now=now,
    )
    return {"token": token, "expires": iso(now + TOKEN_LIFETIME)}


@router.post("/logout", response={204: None}, summary="Log out")
def log_out(request: Request) -> None:
    """Make the token that is used stop working, or end the session."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        revoke_api_token(token, by=request.auth, now=clock.now())
    else:
        end_session(request)


@router.get("/me", response=Me, summary="Who am I")
def show_me(request: Request) -> dict[str, Any]:
    """Return who the token or the session belongs to."""
    return views.user(request.auth.name)
