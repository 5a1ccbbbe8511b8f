"""The doors: agents go to the gateway, everybody else to Django.

Promises: bodies that people's programs send are bounded in size and time before Django sees them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec

from strongroom.protocol.endpoints import PREFIX

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[..., Awaitable[None]]

PEOPLE_BYTES: Final = 4 << 20
PEOPLE_SILENCE_S: Final = 60
_GONE: Final = {"type": "http.disconnect"}
_log = logging.getLogger(__name__)


def doors(*, agents: Application, people: Application) -> Application:
    """Return the application that hands each request to whom it is for."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"].startswith(f"{PREFIX}/"):
            await agents(scope, receive, send)
        elif _declared_bytes(scope) > PEOPLE_BYTES:
            await _too_large(send)
        else:
            await _answer_people(people, scope, _bounded(receive), send)

    return answer


async def _answer_people(people: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Let Django answer; what even its own handling of errors cannot bear is logged, and the peer told no more."""
    try:
        await people(scope, receive, send)
    except Exception:
        _log.exception("%s %s failed", scope["method"], scope["path"])
        raise


def _declared_bytes(scope: Scope) -> int:
    """Return how large the body says it is; 0 when it does not say."""
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    return int(declared) if declared.isdigit() else 0


async def _too_large(send: Send) -> None:
    """Refuse a body before any of it is read."""
    problem = {
        "type": "urn:strongroom:problem:too_large",
        "title": "Content Too Large",
        "status": 413,
        "code": "too_large",
        "detail": f"The request is larger than {PEOPLE_BYTES} bytes.",
        "hint": "",
    }
    body = msgspec.json.encode(problem)
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _bounded(receive: Receive) -> Receive:
    """Return `receive` for a body that ends: one that is too large or falls silent looks like a peer that hung up."""
    size = 0
    whole = False

    async def receive_some() -> Event:
        nonlocal size, whole
        if whole:
            return await receive()  # waits for the peer to hang up, however long that takes
        try:
            async with asyncio.timeout(PEOPLE_SILENCE_S):
                event = await receive()
        except TimeoutError:
            return _GONE
        size += len(event.get("body", b""))
        whole = not event.get("more_body", False)
        return event if size <= PEOPLE_BYTES else _GONE

    return receive_some
