"""What a backup sees of the server: a sink for its chunks, over the wire, within the session's lease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from strongroom.agent.link.transport import read_reply
from strongroom.engine.format.ids import pack_ids
from strongroom.engine.format.keys import ContentKeys
from strongroom.errors import Damaged, StrongroomError
from strongroom.protocol.endpoints import Endpoint
from strongroom.protocol.frames import frame_pieces
from strongroom.protocol.messages import (
    BaseListing,
    Checkpoint,
    Commit,
    Committed,
    ListedFolder,
    Missing,
    MissingReply,
    PutReply,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from strongroom.agent.link.link import Link
    from strongroom.agent.link.patience import Patience
    from strongroom.model.entry import ChunkId
    from strongroom.model.report import JobReport
    from strongroom.protocol.messages import SessionOpened

_MOST_IDS: Final = 65_536
_PUT_SILENCE_S: Final = 120
_listed: Final = msgspec.msgpack.Decoder(ListedFolder)


class WireSink:
    """One session (see `agent.backup.sink` for what it promises); safe to use from several threads."""

    def __init__(
        self, link: Link, session: SessionOpened, patience: Patience, *, before_commit: Callable[[], None]
    ) -> None:
        """Send to an open session.

        Args:
            before_commit: called when the last word is about to be said: what else the server must know goes first.
        """
        self._link = link
        self._session = session
        self._patience = patience
        self._before_commit = before_commit
        self.keys = ContentKeys(session.key_ids, session.key_cut, session.cutting)
        self.committed = ""

    @property
    def knows_nothing(self) -> bool:
        """Whether `missing` need not be asked."""
        return self._session.knows_nothing

    def missing(self, ids: Sequence[ChunkId]) -> list[bool]:
        """Tell for each id whether its chunk must be put.

        Raises:
            StrongroomError: the server does not answer within the lease, or has ended the session.
        """
        flags = bytearray()
        for start in range(0, len(ids), _MOST_IDS):
            some = ids[start : start + _MOST_IDS]
            message = Missing(self._session.session, pack_ids(some))
            reply = self._patience.insist(lambda: self._link.call(Endpoint.MISSING, message, MissingReply))  # noqa: B023 -- called at once
            if len(reply.flags) != len(some):
                raise Damaged("The server answered for another number of chunks than it was asked.", code="bad_reply")
            flags += reply.flags
        return [flag != 0 for flag in flags]

    def put(self, blocks: Sequence[bytes]) -> int:
        """Send blocks as one parcel; they are not copied.

        Raises:
            StrongroomError: the server does not take them.
        """
        parcel = frame_pieces([self._session.session.encode(), *blocks])

        def send() -> PutReply:
            answer = self._link.post(Endpoint.PUT, parcel, silence_s=_PUT_SILENCE_S, check=self._patience.check)
            return read_reply(answer, PutReply)

        return self._patience.insist(send).stored_bytes

    def checkpoint(self) -> None:
        """Have all that was put made durable.

        Raises:
            StrongroomError: the server does not do it.
        """
        message = Checkpoint(self._session.session)
        self._patience.insist(
            lambda: self._link.call(Endpoint.CHECKPOINT, message, Committed, silence_s=_PUT_SILENCE_S)
        )

    def base_listing(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the leaves of the base snapshot; after a lost connection it goes on where it was.

        Raises:
            StrongroomError: the server does not give it.
        """
        message = BaseListing(self._session.session)
        done = 0
        trying = self._patience.trying()
        while True:
            try:
                for number, frame in enumerate(self._link.stream(Endpoint.BASE_LISTING, message)):
                    if number >= done:
                        folder = decode_folder(frame)
                        done += 1
                        trying.succeeded()
                        yield folder.path, folder.node
            except StrongroomError as error:
                trying.failed(error)
            else:
                return

    def commit(self, root: ChunkId, report: JobReport) -> str:
        """Seal the snapshot and close the job; return the snapshot's id.

        Raises:
            StrongroomError: the server does not accept it.
        """
        self._before_commit()
        if report.transfer is not None:
            transfer = msgspec.structs.replace(
                report.transfer, retries=self._patience.retries, retry_s=self._patience.retry_s
            )
            report = msgspec.structs.replace(report, transfer=transfer)
        message = Commit(self._session.session, root, report)
        reply = self._patience.insist(
            lambda: self._link.call(Endpoint.COMMIT, message, Committed, silence_s=_PUT_SILENCE_S)
        )
        self.committed = reply.snapshot
        return reply.snapshot


def decode_folder(frame: bytes) -> ListedFolder:
    """Return one folder of a listing.

    Raises:
        Damaged: it is none.
    """
    try:
        return _listed.decode(frame)
    except msgspec.DecodeError as error:
        raise Damaged(f"The server's listing cannot be read: {error}.", code="bad_reply") from error
