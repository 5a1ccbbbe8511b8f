"""People's requests: each is answered by Django from beginning to end in one thread of a pool.

Why: Django's own ASGI handler makes a thread and a connection to the catalog for each request, and goes back and forth
between that thread and the event loop at each middleware: half of what a question such as "how is my job?" costs, and
`--wait` asks it several times a second while server and agent may share the machine (ADR 58).
Promises: as many requests are at work as there are threads, others wait; a request's body is read before a thread is
taken, so a slow peer holds none. A thread keeps its connection to the catalog, unless it broke.
Does not: stream; no view does, lists come in pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.urls import set_script_prefix

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping
    from typing import IO

    from django.http.response import HttpResponseBase

    from strongroom.server.gateway.threads import Threads


class People(ASGIHandler):
    """Django as an ASGI application that takes one thread a request."""

    def __init__(self, threads: Threads) -> None:
        """Answer in these threads."""
        BaseHandler.__init__(self)
        self._threads = threads
        self.load_middleware(is_async=False)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            response = await self._threads.run(lambda: self._answer(scope, body))
        await self.send_response(response, send)

    def _answer(self, scope: MutableMapping[str, Any], body: IO[bytes]) -> HttpResponseBase:
        """Do all that Django does for a request, its signals included: they look after this thread's connection."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, refused = self.create_request(scope, body)
        response = refused if request is None else self.get_response(request)
        assert response is not None
        assert not response.streaming, "A view gives its response in one piece: its parts would have no thread."
        response.close()
        return response
