"""The table of verbs: what each path takes, how large it may be, and which verb of the server answers.

Promises: what is not in the tables cannot be called. Bodies are decoded strictly; anything else is a `Mistake`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from strongroom.errors import Mistake
from strongroom.protocol.endpoints import Endpoint
from strongroom.protocol.messages import (
    Activate,
    Authenticate,
    BaseListing,
    Checkpoint,
    Commit,
    Fetch,
    Message,
    Missing,
    OpenSession,
    PutReply,
    Report,
)
from strongroom.server.backup import receive, report
from strongroom.server.hosts import activate, authenticate
from strongroom.server.restore import fetch

if TYPE_CHECKING:
    from strongroom.protocol.frames import Body

STRANGER_BYTES: Final = 16 << 10
MESSAGE_BYTES: Final = 8 << 20
Request = TypeVar("Request", bound=Message)


@dataclass(frozen=True)
class Verb:
    """A verb that takes one message.

    Args:
        do: called with keywords, in a thread.
        moves_data: it may take long, so it must not stand in the way of what is short.
    """

    request: type[Message]
    do: Callable[..., Message]
    limit: int = MESSAGE_BYTES
    moves_data: bool = False


@dataclass(frozen=True)
class StreamVerb:
    """A verb that takes one message and answers with frames."""

    request: type[Message]
    do: Callable[..., Iterator[bytes | Body]]
    limit: int = MESSAGE_BYTES


def decode(body: bytes, shape: type[Request]) -> Request:
    """Return the message in `body`.

    Raises:
        Mistake: it is none of this shape.
    """
    try:
        return msgspec.msgpack.decode(body, type=shape)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Mistake(f"This is not a valid {shape.__name__} message: {error}.", code="bad_message") from error


PARCELS: Final[Callable[..., PutReply]] = receive.receive_parcel
"""What takes a parcel: its body is no message, but frames."""

FREQUENT: Final = frozenset({Endpoint.PUT, Endpoint.MISSING, Endpoint.FETCH})
"""What comes by the hundred: these verbs know of their host nothing but its id (`authenticate.Caller`)."""

STRANGERS: Final[dict[Endpoint, Verb]] = {
    Endpoint.ACTIVATE: Verb(Activate, activate.activate, STRANGER_BYTES),
    Endpoint.AUTHENTICATE: Verb(Authenticate, authenticate.authenticate, STRANGER_BYTES),
}
"""What may be asked without an access token."""

VERBS: Final[dict[Endpoint, Verb]] = {
    Endpoint.OPEN_SESSION: Verb(OpenSession, receive.open_session, moves_data=True),
    Endpoint.MISSING: Verb(Missing, receive.ask_missing, moves_data=True),
    Endpoint.CHECKPOINT: Verb(Checkpoint, receive.checkpoint, moves_data=True),
    Endpoint.COMMIT: Verb(Commit, receive.commit, moves_data=True),
    Endpoint.REPORT: Verb(Report, report.take_report),
}

STREAMS: Final[dict[Endpoint, StreamVerb]] = {
    Endpoint.BASE_LISTING: StreamVerb(BaseListing, receive.base_listing),
    Endpoint.FETCH: StreamVerb(Fetch, fetch.fetch),
}
