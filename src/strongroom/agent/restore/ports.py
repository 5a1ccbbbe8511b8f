"""What a restore needs from outside: a source of chunks, and someone to tell how it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strongroom.model.entry import ChunkId
    from strongroom.model.missed import MissedFile
    from strongroom.model.steps import RestoreStep
    from strongroom.protocol.messages import ListedFolder


class Source(Protocol):
    """Reads under one grant. Safe to call from several threads; a lost connection is its own business."""

    def listing(self) -> Iterator[ListedFolder]:
        """Yield the leaf nodes of the folders that the grant covers, a folder's children before the folder itself."""

    def blocks(self, ids: Sequence[ChunkId], room: int = 0) -> Iterator[bytes]:
        """Yield encoded blocks that together hold the asked chunks; one that the server cannot read is left out.

        Args:
            room: how many bytes may come along of what else the grant covers in blocks of which little is asked for.

        Raises:
            Damaged: the server failed over these chunks.
            Refused: the grant does not cover them.
            Unavailable: the server could not be reached in time.
        """


class Events(Protocol):
    """Hears of a restore while it runs; called from one thread only."""

    def step(self, step: RestoreStep) -> None:
        """A step begins."""

    def progress(self, files: int, size_bytes: int, current: bytes) -> None:
        """So many files and bytes of this step are done; `current` is the raw absolute path at work."""

    def missed(self, files: Sequence[MissedFile]) -> None:
        """These paths could not be restored as they were."""

    def check(self) -> None:
        """Return if the job is still to go on; raise when it was cancelled."""
