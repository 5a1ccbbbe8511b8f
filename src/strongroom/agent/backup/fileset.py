"""Step FILESET: what was scanned becomes what is sent.

From a recovery point the fileset includes locked files; from live files they are missed (W8, W9).
Nothing is copied here: a fileset is the listing, what is known, and the source, bound together.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from strongroom.agent.backup.compare import RemovedFolder, compare
from strongroom.agent.platform.base import Locks
from strongroom.model.policy import LockedFiles
from strongroom.model.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.agent.backup.compare import FolderComparison, UnchangedFolders
    from strongroom.agent.backup.events import Events
    from strongroom.agent.backup.known import Known
    from strongroom.agent.backup.listing import Listing
    from strongroom.agent.platform.base import Source
    from strongroom.protocol.messages import BackupOrder


@dataclasses.dataclass(frozen=True, slots=True)
class Fileset:
    """What to send.

    Args:
        source: where it is read from.
        listing: all that belongs to the snapshot.
        known: what of it the last snapshot has.
        misses: live files that another process holds such locks on are missed.
        tries_again: files missed in the reading are tried once more at the end.
    """

    source: Source
    listing: Listing
    known: Known
    misses: Locks
    tries_again: bool

    def folders(self) -> Iterator[FolderComparison | UnchangedFolders]:
        """Yield the folders in post-order. Use each up before the next."""
        return (folder for folder in compare(self.listing, self.known) if not isinstance(folder, RemovedFolder))


def build_fileset(source: Source, listing: Listing, known: Known, order: BackupOrder, events: Events) -> Fileset:
    """Bind together what will be sent, and from where."""
    events.step(Step.FILESET)
    misses = Locks.ANY if order.options.locked_files is LockedFiles.MISS else Locks.LEASES
    return Fileset(source, listing, known, misses, order.options.retry_missed)
