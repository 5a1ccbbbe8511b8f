"""The door: the ASGI application that agents speak to.

Promises: nothing that a peer sends gets more than one reply out of the server, or a traceback. A catalog that is locked
or out of space is asked for again later; what fails unexpectedly is logged and answered with the code `internal`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from django.db import OperationalError

from strongroom import clock
from strongroom.errors import Damaged, Mistake, NotFound, StrongroomError, Unauthenticated, Unavailable
from strongroom.protocol import version
from strongroom.protocol.endpoints import PREFIX, Endpoint
from strongroom.protocol.frames import MAX_PARCEL_BYTES
from strongroom.server.gateway import verbs
from strongroom.server.gateway.exchange import Exchange, PeerGone, Receive, Scope, Send, Stopping
from strongroom.server.gateway.intake import Intake
from strongroom.server.gateway.orders import send_orders
from strongroom.server.gateway.streams import begin, send_pieces
from strongroom.server.hosts.authenticate import require_agent, require_caller, while_welcome

if TYPE_CHECKING:
    from strongroom.server.gateway.threads import Threads

DECODED_FACTOR: Final = 8
"""A decoded message takes several times its size; room is taken for that."""
OWN_TROUBLE: Final = frozenset({"storage_full", "storage_failed"})
"""What is no fault of the peer's and needs somebody to look after the server."""
_log = logging.getLogger(__name__)


class WrongMethod(Mistake):
    """All verbs are POST."""

    code = "wrong_method"
    http_status = 405


class Gateway:
    """The eleven verbs over ASGI.

    Args:
        facts: threads for what is short: who is it, what is due, what is reported.
        content: threads for what moves data: parcels, commits, listings, restores.
        stop: set when the server stops; streams of orders then end.
    """

    def __init__(self, *, facts: Threads, content: Threads, stop: asyncio.Event) -> None:
        """Open the gateway; the server process calls it for each request."""
        self._facts = facts
        self._content = content
        self._stop = stop
        self._intake = Intake()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._answer(exchange)
        except PeerGone:
            _log.debug("%s hung up during %s", exchange.address, exchange.path)
        except asyncio.CancelledError:
            await _refuse(exchange, Stopping("The server is stopping."))
        except OperationalError as error:
            _log.warning("%s from %s: the catalog cannot be used: %s", exchange.path, exchange.address, error)
            await _refuse(exchange, Unavailable("The catalog cannot be used now.", code="catalog_unavailable"))
        except StrongroomError as error:
            level = logging.ERROR if isinstance(error, Damaged) or error.code in OWN_TROUBLE else logging.INFO
            _log.log(level, "%s from %s: %s (%s)", exchange.path, exchange.address, error.text, error.code)
            await _refuse(exchange, error)
        except Exception:  # noqa: BLE001 - whatever it is, the peer must not take the server down with it
            _log.exception("%s from %s failed", exchange.path, exchange.address)
            await _refuse(exchange, StrongroomError("Something went wrong inside the server.", code="internal"))

    async def _answer(self, exchange: Exchange) -> None:
        """Let the request through the gates and hand it to its verb."""
        endpoint = _endpoint(exchange)
        version.require_supported(exchange.header(version.HEADER))
        if endpoint in verbs.STRANGERS:
            await self._stranger(exchange, verbs.STRANGERS[endpoint])
            return
        token = _bearer(exchange)
        who = require_caller if endpoint in verbs.FREQUENT else require_agent
        host = await self._facts.run(lambda: who(access_token=token, now=clock.now()))
        if endpoint == Endpoint.ORDERS:
            await send_orders(exchange, host, self._facts, self._stop)
        elif endpoint == Endpoint.PUT:
            await self._parcel(exchange, host.id, host)
        elif endpoint in verbs.STREAMS:
            await self._stream(exchange, host.id, host, verbs.STREAMS[endpoint])
        else:
            await self._message(exchange, host.id, host, verbs.VERBS[endpoint])

    async def _stranger(self, exchange: Exchange, verb: verbs.Verb) -> None:
        """Answer one who has not said who it is."""
        body = await exchange.body(verb.limit)
        await exchange.reply(
            await self._facts.run(lambda: verb.do(message=verbs.decode(body, verb.request), now=clock.now()))
        )

    async def _message(self, exchange: Exchange, host_id: str, host: object, verb: verbs.Verb) -> None:
        """Answer a message with a message."""
        size = exchange.require_size(verb.limit)
        async with self._intake.request(host_id, size * DECODED_FACTOR):
            body = await exchange.body(verb.limit)
            threads = self._content if verb.moves_data else self._facts
            reply = await threads.run(
                lambda: verb.do(host=host, message=verbs.decode(body, verb.request), now=clock.now())
            )
        await exchange.reply(reply)

    async def _parcel(self, exchange: Exchange, host_id: str, host: object) -> None:
        """Take a parcel of blocks."""
        async with self._intake.request(host_id, exchange.require_size(MAX_PARCEL_BYTES)):
            parcel = await exchange.body(MAX_PARCEL_BYTES)
            reply = await self._content.run(lambda: verbs.PARCELS(host=host, parcel=parcel, now=clock.now()))
        await exchange.reply(reply)

    async def _stream(self, exchange: Exchange, host_id: str, host: object, verb: verbs.StreamVerb) -> None:
        """Answer a message with a stream of frames."""
        size = exchange.require_size(verb.limit)
        async with self._intake.stream(host_id):
            async with self._intake.request(host_id, size * DECODED_FACTOR):
                body = await exchange.body(verb.limit)
                piece, pieces = await self._content.run(
                    lambda: begin(
                        while_welcome(
                            host_id, verb.do(host=host, message=verbs.decode(body, verb.request), now=clock.now())
                        )
                    )
                )
            await send_pieces(exchange, piece, pieces, self._content)


def _endpoint(exchange: Exchange) -> Endpoint:
    """Return the verb that was asked for.

    Raises:
        NotFound: there is none of this path.
        WrongMethod: it was not asked for by POST.
    """
    try:
        endpoint = Endpoint(exchange.path.removeprefix(PREFIX))
    except ValueError:
        raise NotFound("The agent protocol has no such verb.", code="no_such_verb") from None
    if exchange.method != "POST":
        raise WrongMethod(f"{exchange.method} is not how this verb is asked for.", hint="Use POST.")
    return endpoint


def _bearer(exchange: Exchange) -> str:
    """Return the access token that came with the request.

    Raises:
        Unauthenticated: there is none.
    """
    scheme, _, token = exchange.header("Authorization").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("The request carries no access token.", code="no_access_token")
    return token.strip()


async def _refuse(exchange: Exchange, error: StrongroomError) -> None:
    """Answer with a problem, if that can still be done; a stream that has begun is broken off instead."""
    if exchange.replied:
        return
    try:
        await exchange.reply_problem(error)
    except PeerGone:
        _log.debug("%s hung up before it was answered", exchange.address)
