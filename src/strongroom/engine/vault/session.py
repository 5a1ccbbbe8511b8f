"""A session: one job's right to write into the vault, and the only way in.

Why: what a host sends is believed nothing. Each block is opened and each id recomputed before anything is kept, and the
session knows what its set may refer to: its base, what its unfinished sessions of the last days stored, and what it
put itself (own-history rule). Whether others have a chunk changes neither an answer nor what a put returns.

Promises: many threads may call at once. `put` verifies all blocks first and outside every lock; a refused parcel
leaves nothing. A chunk is stored once in the vault, also when two sessions send it at the same time.
When a write fails, the session takes no more; what it had sealed before stays and is not sent again.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pyroaring import BitMap64

from strongroom.engine.format.block import BlockKind, decode_block, verify_block
from strongroom.engine.vault.bitmaps import encode_bitmap
from strongroom.engine.vault.commit import Proposal, commit
from strongroom.engine.vault.foresight import Foresight
from strongroom.engine.vault.gate import Gate
from strongroom.engine.vault.intake import Intake
from strongroom.engine.vault.ledger import SessionState
from strongroom.errors import Conflict, Damaged, Mistake, StrongroomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Buffer

    from strongroom.engine.format.block import Block
    from strongroom.engine.vault.commit import SnapshotDetails
    from strongroom.engine.vault.core import Core
    from strongroom.engine.vault.ledger import SessionRow, SnapshotRow
    from strongroom.model.entry import ChunkId


MOST_PLAIN_BYTES: Final = 256 << 20
"""Of all blocks of one `put`, far more than any writer sends: a few bytes that expand to hours of work are refused."""


@dataclass(frozen=True)
class History:
    """What a session may refer to from its beginning: its base's bitmap, and what unfinished sessions stored."""

    base: BitMap64
    unfinished: BitMap64


class Session:
    """See the module's docstring. Made by `Vault.open_session`; it is a `content.sink.Sink`."""

    def __init__(self, core: Core, row: SessionRow, history: History, over: Callable[[str], None]) -> None:
        """Serve the session of this ledger row; `over` is told its id when it is over."""
        self.id = row.id
        self.set_id = row.set_id
        self.job_id = row.job_id
        self.base = row.base
        self._core = core
        self._row = row
        self._history = history
        self._before = history.base | history.unfinished
        self._intake = Intake(core, row.id)
        self._gate = Gate()
        self._over = over
        self._foresight = Foresight(core, row.set_id, self._before, lambda: core.ledger.snapshot(row.base).root)

    @property
    def state(self) -> SessionState:
        """Where the session is in its life."""
        return self._row.state

    @property
    def knows_nothing(self) -> bool:
        """Whether the set has stored nothing yet, so that `missing` need not be asked."""
        return not self._before

    @property
    def stored_bytes(self) -> int:
        """How much the vault has grown by this session."""
        return self._intake.stored_bytes

    def foresee(self) -> None:
        """Begin to read what the base refers to: something in it will be changed. A hint, which promises nothing."""
        if self.base and self.state is SessionState.OPEN:
            self._foresight.begin()

    def missing(self, ids: Sequence[ChunkId]) -> list[bool]:
        """Tell for each id whether its chunk must be put: True unless it is stored and this set's to refer to.

        Raises:
            Conflict: the session is over (code `session_ended`).
        """
        with self._working():
            ordinals = self._core.index.find(b"".join(ids))
            before, put = self._before, self._intake.reach
            answers = [ordinal not in before and ordinal not in put for ordinal in ordinals]
            if any(answers):
                self.foresee()
                has_pending = self._intake.has_pending
                answers = [absent and not has_pending(chunk) for chunk, absent in zip(ids, answers, strict=True)]
            # What this session builds on stays its set's, even if the session that stored it is soon too long ago.
            self._intake.add_reach(BitMap64(ordinals) & self._history.unfinished)
            return answers

    def put(self, blocks: Sequence[Buffer]) -> int:
        """Verify and keep encoded blocks; return how many of their bytes were new to the set.

        Raises:
            Mistake: a block is malformed or an id is false (codes `bad_block`, `false_id`), or they hold more than
                `MOST_PLAIN_BYTES` (code `too_large`); nothing is kept.
            Conflict: the session is over (code `session_ended`).
            Unavailable: the storage failed; the session takes no more.
        """
        with self._working():
            verified = self._verified(blocks)
            return sum(
                self._intake.keep(kind, of_kind, self._before)
                for kind in BlockKind
                if (of_kind := [block for block in verified if block.kind is kind])
            )

    def checkpoint(self) -> None:
        """Make everything that was put durable, so that a later session need not send it again.

        Raises:
            Conflict: the session is over (code `session_ended`).
            Unavailable: the storage failed.
        """
        with self._working():
            self._seal()
            self._core.index.settle()

    def commit(
        self, root: bytes, details: SnapshotDetails, also: Callable[[SnapshotRow], None] | None = None
    ) -> SnapshotRow:
        """Prove the tree below `root` and make it a snapshot, in one transaction with `also`.

        A session that is committed already answers with its snapshot when the root is the same.

        Args:
            root: id of the root node.
            also: called inside the ledger's transaction; when it raises, nothing is committed. It must not call the
                vault.

        Raises:
            Conflict: a chunk is not stored or not allowed (code `incomplete_tree`), or the session is over (code
                `session_ended`).
            Mistake: a node below the root is no node (code `bad_node`).
            Unavailable: storage or ledger failed; the commit may be tried again.
        """
        with self._gate.alone():
            self._row = self._core.ledger.session(self.id)  # a commit whose answer was lost has happened all the same
            if self.state is SessionState.COMMITTED:
                row = self._committed(root)
            else:
                self._require_open()
                self._foresight.end()
                self._intake.seal()
                self._core.index.settle()
                row = commit(self._core, self._proposal(root), details, also)
                self._row = self._core.ledger.session(self.id)
        self._over(self.id)
        return row

    def end(self) -> None:
        """End the session without a snapshot; what it put is sealed and stays its set's for a while.

        Does nothing when the session is over. What cannot be sealed, for want of space say, is dropped.
        """
        with self._gate.alone():
            self._foresight.end()
            if self.state is SessionState.OPEN:
                with contextlib.suppress(StrongroomError):
                    self._seal()
                self._core.ledger.end_session(self.id)
                self._row = self._core.ledger.session(self.id)
                self._intake.drop()
        self._over(self.id)

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        with self._gate.shared():
            self._require_open()
            yield

    def _require_open(self) -> None:
        if self.state is not SessionState.OPEN:
            raise Conflict(f"The session is {self.state}.", code="session_ended")
        self._intake.require_whole()

    def _seal(self) -> None:
        self._intake.seal()
        self._core.ledger.set_reach(self.id, encode_bitmap(self._intake.reach.copy()))

    def _verified(self, blocks: Sequence[Buffer]) -> list[Block]:
        """Return the blocks, each of them opened and every id in it recomputed."""
        try:
            decoded = [decode_block(block) for block in blocks]
            if sum(block.plain_size for block in decoded) > MOST_PLAIN_BYTES:
                raise _too_large()
            for block in decoded:
                plain = verify_block(block, self._core.keyring.content.key_ids)
                self._core.walker.noted.note_put(block, plain)
        except Damaged as error:
            # What a host sends wrong is the host's mistake; nothing of ours is damaged.
            raise Mistake(error.text, code=error.code) from error
        return decoded

    def _committed(self, root: bytes) -> SnapshotRow:
        row = self._core.ledger.snapshot(self._row.snapshot)
        if row.root != root:
            raise Conflict("The session is committed with another root.", code="session_ended")
        return row

    def _proposal(self, root: bytes) -> Proposal:
        return Proposal(
            session=self.id,
            set_id=self.set_id,
            job_id=self.job_id,
            root=root,
            base=self.base,
            base_reach=self._history.base,
            allowed=self._before | self._intake.reach,
            new_bytes=self.stored_bytes,
        )


def _too_large() -> Mistake:
    return Mistake(f"The blocks hold more than the {MOST_PLAIN_BYTES} plain bytes that they may.", code="too_large")
