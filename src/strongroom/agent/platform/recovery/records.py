"""Records of the recovery points that exist because of this agent, so that none outlives a crash.

Why: whoever deletes a snapshot must be certain that it is his own.
Promises: a point is on record, durably, before it is made and until it is deleted durably. Its name carries an id that
this state folder drew by lot; no other agent, and no person, makes one like it.
Safe to use from several threads.
"""

from __future__ import annotations

import logging
import secrets
import threading
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom.agent.keeping import keep

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PREFIX: Final = "strongroom"
_ID_BYTES: Final = 8
_log: Final = logging.getLogger(__name__)


class Record(msgspec.Struct, frozen=True):
    """A recovery point.

    Args:
        how: the freezer's word.
        name: the name that was given to it.
        where: the file system, dataset or volume it was made of, in the freezer's own words.
        job_id: what it was made for.
    """

    how: str
    name: str
    where: str
    job_id: int


class _Kept(msgspec.Struct):
    """The file."""

    owner: str
    records: list[Record]


class Records:
    """The records of one state folder."""

    def __init__(self, state: Path) -> None:
        """Read what is there; without it there is nothing that is provably ours."""
        self._path = state / "recovery-points.json"
        self._lock = threading.Lock()
        self._in_use: set[Record] = set()
        kept = self._read()
        self.owner = kept.owner
        self._records = kept.records

    def begin(self, how: str, where: str, job_id: int) -> Record:
        """Write down a point that is about to be made, and name it.

        Raises:
            Unavailable: the record cannot be kept.
        """
        with self._lock:
            number = sum(record.job_id == job_id for record in self._records)
            name = f"{self.prefix}-{job_id}-{number}"
            while any(record.name == name for record in self._records):
                number += 1
                name = f"{self.prefix}-{job_id}-{number}"
            record = Record(how, name, where, job_id)
            self._records.append(record)
            self._in_use.add(record)
            self._write()
        return record

    @property
    def prefix(self) -> str:
        """What all names of this agent's points begin with."""
        return f"{PREFIX}-{self.owner}"

    def end(self, records: Iterable[Record]) -> None:
        """Strike out points that exist no more.

        Raises:
            Unavailable: that cannot be written down.
        """
        gone = set(records)
        if gone:
            with self._lock:
                self._in_use -= gone
                self._records = [record for record in self._records if record not in gone]
                self._write()

    def give_up(self, records: Iterable[Record]) -> None:
        """Note that nobody reads from these any more, though they are still there."""
        with self._lock:
            self._in_use.difference_update(records)

    def leftovers(self) -> list[Record]:
        """Return the points that no running job reads from."""
        with self._lock:
            return [record for record in self._records if record not in self._in_use]

    def _read(self) -> _Kept:
        """Return what is in the file."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("%s cannot be read and is begun anew: %s", self._path, error)
        return _Kept(secrets.token_hex(_ID_BYTES), [])

    def _write(self) -> None:
        """Keep the records."""
        keep(self._path, msgspec.json.encode(_Kept(self.owner, self._records)))
