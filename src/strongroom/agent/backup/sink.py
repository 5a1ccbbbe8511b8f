"""The port through which a backup reaches the server: the engine's sink, and what else a job needs of it.

Why: the workflow sees no network. The agent's link implements this over the wire, tests implement it on a vault.
Promises asked of implementations: as for `engine.content.sink`; `commit` may be repeated and gives the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from strongroom.engine.content.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strongroom.engine.format.keys import ContentKeys
    from strongroom.model.entry import ChunkId
    from strongroom.model.report import JobReport


class BackupSink(Sink, Protocol):
    """One session of one job."""

    @property
    def keys(self) -> ContentKeys:
        """The vault's keys of chunk ids and cuts."""

    def base_listing(self) -> Iterable[tuple[bytes, bytes]]:
        """Yield the leaves of the base snapshot as (folder path, node), in post-order; a large folder has several."""

    def commit(self, root: ChunkId, report: JobReport) -> str:
        """Seal the snapshot and close the job, in one transaction; return the snapshot's id.

        Raises:
            Conflict: the tree is not complete (code `incomplete_tree`), or the session has ended.
        """
