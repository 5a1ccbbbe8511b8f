"""The port `Sink`: where a snapshot's chunks go. Declared by the writer, which needs it.

The agent's link implements it over the wire, a vault's session directly; tests use both.

The contract, for every implementation:
- All methods are safe to call from several threads at once.
- A chunk is refused whole: nothing of a call that raised counts as kept, though it may have been.
- Repeating a call does no harm: a chunk that is there already is not stored twice.
- What was put is durable after the sink's owner commits or checkpoints, not before.
- Errors are of the families in errors.py. A lost connection is the implementation's to mend; what it raises is final.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.model.entry import ChunkId


class Sink(Protocol):
    """See the module's docstring for what every implementation promises."""

    @property
    def knows_nothing(self) -> bool:
        """Whether nothing of this set is stored yet, so that `missing` need not be asked."""

    def missing(self, ids: Sequence[ChunkId]) -> Sequence[bool]:
        """Tell for each id, at most 65 536 of them, whether its chunk must be put."""

    def put(self, blocks: Sequence[bytes]) -> int:
        """Take encoded blocks, at most 32 MiB in all; return how many of their bytes were new to this set."""
