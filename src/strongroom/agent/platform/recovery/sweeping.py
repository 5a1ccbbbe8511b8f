"""Deleting snapshots by the programs of their file systems: only what is on record and carries our mark.

Why: whoever deletes somebody else's snapshot has lost data; one that is left behind fills the host's disk.
"""

from __future__ import annotations

import dataclasses
import errno
from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.agent.platform.recovery.freezer import said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from strongroom.agent.platform.recovery.records import Record, Records

_TRIES: Final = 20
_PAUSE_S: Final = 0.25


@dataclasses.dataclass(frozen=True, slots=True)
class Broom:
    """How one kind of snapshot is deleted.

    Args:
        kind: for people.
        joint: what stands between the place and the name of a snapshot in what its programs call it.
        marks: returns the marks that a snapshot carries.
        mark: ours.
        delete: deletes a snapshot.
        absent, busy: what the programs say of one that is not there, or that is in use.
    """

    kind: str
    joint: str
    marks: Callable[[str], list[str]]
    mark: str
    delete: Callable[[str], object]
    absent: tuple[str, ...]
    busy: tuple[str, ...]

    def sweep(self, leftovers: Sequence[Record], records: Records) -> list[str]:
        """Delete snapshots, strike out those that are gone, and return what went wrong, as sentences."""
        troubles, gone = [], []
        for record in leftovers:
            name = f"{record.where}{self.joint}{record.name}"
            try:
                self._delete(name)
                gone.append(record)
            except OSError as error:
                troubles.append(f"The {self.kind} snapshot {name} could not be deleted: {said(error)}.")
        records.give_up(leftovers)
        records.end(gone)
        return troubles

    def _delete(self, name: str) -> None:
        """Delete a snapshot if it is there and ours; a mount of it may take a moment to go."""
        for attempt in range(1, _TRIES + 1):
            if not self._is_there(name):
                return
            try:
                self.delete(name)
            except OSError as error:
                if not _says(error, self.busy) or attempt == _TRIES:
                    raise
                clock.wait_s(_PAUSE_S)
            else:
                return

    def _is_there(self, name: str) -> bool:
        """Whether a snapshot exists.

        Raises:
            PermissionError: it is not ours.
        """
        try:
            marks = self.marks(name)
        except FileNotFoundError:  # the program itself is not there
            raise
        except OSError as error:
            if _says(error, self.absent):
                return False
            raise
        if self.mark not in marks:
            raise PermissionError(errno.EPERM, f"it is not this agent's: it is marked {marks!r}")
        return True


def _says(error: OSError, words: tuple[str, ...]) -> bool:
    """Whether a program said one of some things."""
    return any(word in said(error) for word in words)
