"""The flags that are set last: immutable and append-only.

Why: a file that has them can be given neither its name nor one more, so they wait until all its names are there.
Promises: only the very file that was restored gets them. Memory holds the files that have both such a flag and several
names, nothing else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from strongroom.agent.platform import linux_place as system
from strongroom.agent.platform.linux_flags import LOCKING, set_flags
from strongroom.model.missed import Reason

if TYPE_CHECKING:
    from strongroom.agent.platform.linux_place import Identity
    from strongroom.agent.restore.aim import Parts
    from strongroom.agent.restore.folders import Folders
    from strongroom.agent.restore.tally import Tally
    from strongroom.model.entry import Entry


class Locking:
    """Sets the locking flags of restored files."""

    def __init__(self, folders: Folders, tally: Tally) -> None:
        """Find files by these folders; list what cannot be set."""
        self._folders = folders
        self._tally = tally
        self._later: list[tuple[Parts, bytes, Identity, int]] = []

    def lock(self, parts: Parts, entry: Entry, identity: Identity) -> None:
        """Lock a file that has its final name: now, or when all its names are there."""
        if not entry.flags & LOCKING:
            return
        if entry.stat.nlink > 1:
            self._later.append((parts, entry.name, identity, entry.flags))
        else:
            self._lock(parts, entry.name, identity, entry.flags)

    def lock_rest(self) -> None:
        """Lock the files that were to have more names."""
        later, self._later = self._later, []
        for parts, name, identity, flags in later:
            self._lock(parts, name, identity, flags)

    def _lock(self, parts: Parts, name: bytes, identity: Identity, flags: int) -> None:
        """Set the flags of one file."""
        try:
            handle = system.open_plain(self._folders.enter(parts).handle, name)
            try:
                is_ours = system.identity_of(os.fstat(handle)) == identity
                troubles = set_flags(handle, flags, LOCKING) if is_ours else ["flags: it was replaced"]
            finally:
                os.close(handle)
        except OSError as error:
            troubles = [f"flags: {system.reason_of(error)}"]
        if troubles:
            self._tally.list((*parts, name), Reason.METADATA, "; ".join(troubles))
