"""Activation tokens: with one, an agent registers its host."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from ninja import Field, Path, Query, Router
from pydantic import BaseModel, StrictInt

from strongroom import clock
from strongroom.server import views
from strongroom.server.api.auth import Request
from strongroom.server.api.pages import Body, Page, Paging, begin_of, page_of, require_known_query
from strongroom.server.hosts.activate import create_activation_token, delete_activation_token

router = Router(tags=["tokens"])
LIFETIME_S: Final = 24 * 3600
LIST: Final = "tokens"


class NewToken(Body):
    """What the token is to allow."""

    uses: Annotated[StrictInt | None, Field(description="How many hosts it may register; null for any number.")] = None
    expires_s: Annotated[
        StrictInt | None, Field(ge=1, le=10**9, description="How long it works, in seconds; null for a day.")
    ] = None


class Token(BaseModel):
    """An activation token, without its secret."""

    id: int
    uses_left: Annotated[int | None, Field(description="Null for any number.")]
    expires: str
    created: str
    created_by: str


class MadeToken(Token):
    """An activation token just made; this is the only time that it is shown."""

    token: Annotated[str, Field(description="For `strongroom agent activate`.")]


@router.get("", response=Page[Token], summary="List activation tokens")
def list_tokens(request: Request, paging: Query[Paging]) -> dict[str, Any]:
    """List the activation tokens, the newest first, also those that have expired or are used up."""
    require_known_query(request, Paging)
    before = begin_of(paging.cursor, LIST, 0)
    found = views.activation_tokens(before=before, limit=paging.limit + 1)
    return page_of(found, limit=paging.limit, listed=LIST, position=lambda token: int(token["id"]))


@router.post("", response={201: MadeToken}, summary="Make an activation token")
def create_token(request: Request, wish: NewToken) -> dict[str, Any]:
    """Make an activation token. The server keeps only a hash of it."""
    lifetime = timedelta(seconds=LIFETIME_S if wish.expires_s is None else wish.expires_s)
    text = create_activation_token(uses=wish.uses, lifetime=lifetime, by=request.auth, now=clock.now())
    return {"token": text, **views.activation_token(text)}


@router.delete("/{token_id}", response={204: None}, summary="Delete an activation token")
def delete_token(request: Request, token_id: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> None:
    """Delete a token. Hosts that it registered go on."""
    delete_activation_token(token_id, by=request.auth, now=clock.now())
