"""What a restore sees of the server: a listing and chunks, under a grant, over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.agent.link.transport import StreamBroken
from strongroom.agent.link.wire_sink import decode_folder
from strongroom.engine.format.block import packed_ids
from strongroom.engine.format.ids import pack_ids, unpack_ids
from strongroom.errors import Damaged, StrongroomError
from strongroom.protocol.endpoints import Endpoint
from strongroom.protocol.messages import Fetch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strongroom.agent.link.link import Link
    from strongroom.agent.link.patience import Patience
    from strongroom.model.entry import ChunkId
    from strongroom.protocol.messages import ListedFolder

_BREAKS: Final = 3
_EXPIRED: Final = "grant_expired"


class WireSource:
    """Reads under a grant (see `agent.restore.ports` for what it promises); safe to use from several threads."""

    def __init__(self, link: Link, grant: str, patience: Patience) -> None:
        """Read under a grant."""
        self._link = link
        self._grant = grant
        self._patience = patience

    def renew(self, grant: str) -> None:
        """Go on under a newer grant."""
        self._grant = grant

    def listing(self) -> Iterator[ListedFolder]:
        """Yield the folders that the grant covers; after a lost connection it goes on where it was.

        Raises:
            StrongroomError: the server does not give it.
        """
        done = 0
        trying = self._patience.trying()
        while True:
            try:
                for number, frame in enumerate(self._link.stream(Endpoint.FETCH, Fetch(self._grant))):
                    if number >= done:
                        folder = decode_folder(frame)
                        done += 1
                        trying.succeeded()
                        yield folder
            except StrongroomError as error:
                trying.failed(error, is_retryable=error.retryable or error.code == _EXPIRED)
            else:
                return

    def blocks(self, ids: Sequence[ChunkId], room: int = 0) -> Iterator[bytes]:
        """Yield encoded blocks that hold the chunks; after a lost connection only the rest is asked for.

        Args:
            room: see `ports.Source`.

        Raises:
            Damaged: the server breaks off over these chunks again and again, without anything having come.
            StrongroomError: the server does not give them.
        """
        left = dict.fromkeys(ids)
        came: list[bytes] = []
        breaks = 0
        trying = self._patience.trying()
        while left:
            try:
                message = Fetch(self._grant, pack_ids(left), self._link.speed.mb_s, room)
                for frame in self._link.stream(Endpoint.FETCH, message):
                    breaks = 0
                    trying.succeeded()
                    came.append(packed_ids(frame))
                    yield frame
            except StreamBroken as error:
                breaks += 1
                if breaks == _BREAKS:
                    raise Damaged("The server breaks off when it is asked for these chunks.") from error
                trying.failed(error)
            except StrongroomError as error:
                trying.failed(error, is_retryable=error.retryable or error.code == _EXPIRED)
            else:
                return
            for one in unpack_ids(b"".join(came)):
                left.pop(one, None)
            came.clear()
