"""Lists in pages: at most so many items, and a cursor that says where the next page begins.

Promises: a cursor is opaque and belongs to one list; no page is larger than `MOST`; items that come or go between two
pages are neither shown twice nor make others be left out.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from ninja import Field
from pydantic import BaseModel, ConfigDict

from strongroom.errors import Mistake
from strongroom.server.api.auth import Request

MOST: Final = 1000
USUAL: Final = 100
Position = TypeVar("Position", int, str)
Item = TypeVar("Item")


class Body(BaseModel):
    """A request's body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Paging(BaseModel):
    """Which part of a list is wanted."""

    limit: Annotated[int, Field(ge=1, le=MOST, description="How many items at most.")] = USUAL
    cursor: Annotated[str, Field(max_length=4000, description="`next` of the page before.")] = ""


class _Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a cursor holds: which list it belongs to, and where in it the last page ended."""

    listed: str
    position: int | str


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: Annotated[list[Item], Field(description="The items, in the list's order.")]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last one.")]


def require_known_query(request: Request, wanted: type[BaseModel]) -> None:
    """Refuse query parameters that the list does not know: a misspelt filter must not show everything.

    Raises:
        Mistake: there is one.
    """
    known = wanted.model_fields
    for name in request.GET:
        if name not in known:
            raise Mistake(
                f"There is no query parameter {name}.", code="unknown_field", hint=f"There are: {', '.join(known)}."
            )


def begin_of(cursor: str, listed: str, first: Position) -> Position:
    """Return the position that a cursor of the list `listed` holds; `first` when there is no cursor.

    Raises:
        Mistake: it is not a cursor of this list.
    """
    if not cursor:
        return first
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = msgspec.msgpack.decode(packed, type=_Place)
    except (ValueError, msgspec.DecodeError) as error:
        raise _no_cursor() from error
    if place.listed != listed or not isinstance(place.position, type(first)):
        raise _no_cursor()
    return place.position


def page_of(items: Sequence[Item], *, limit: int, listed: str, position: Callable[[Item], int | str]) -> dict[str, Any]:
    """Return a page out of `limit` items or one more: the one more tells that the list goes on."""
    shown = items[:limit]
    goes_on = len(items) > limit
    return {"items": shown, "next": cursor_at(position(shown[-1]), listed) if goes_on else None}


def cursor_at(position: int | str, listed: str) -> str:
    """Return the cursor of the list `listed` at a position."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(_Place(listed, position))).rstrip(b"=").decode()


def _no_cursor() -> Mistake:
    """Return the error for a cursor that is none, or another list's."""
    return Mistake("This is not a cursor of this list.", code="bad_cursor", hint="Begin again without a cursor.")
