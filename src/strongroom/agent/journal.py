"""The journal: what must survive a restart of the agent or the machine.

Why: a job that was running when everything stopped is aborted (W1), and what it left on this host must be cleared away.
Promises: `journal.json` is whole at any time; a job is in it from before its first act until after its last.
Does not: resume anything. The server learns of a restart by the agent's new instance id.
"""

from __future__ import annotations

import logging
import shutil
import threading
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom import clock
from strongroom.agent.keeping import keep

if TYPE_CHECKING:
    from pathlib import Path

_log: Final = logging.getLogger(__name__)


class BegunJob(msgspec.Struct, frozen=True):
    """A job that was begun: its id, type, and when (UTC)."""

    job_id: int
    type: str
    began: str


class Journal:
    """The journal of one state folder; safe to use from several threads."""

    def __init__(self, state: Path) -> None:
        """Read what is there; a journal that cannot be read is as good as none."""
        self._state = state
        self._path = state / "journal.json"
        self._lock = threading.Lock()
        self._jobs = {job.job_id: job for job in self._read()}

    def abandoned_jobs(self) -> list[BegunJob]:
        """Return the jobs that were running when the agent last stopped, and clear away what they left.

        To be called at start, before any job runs.
        """
        with self._lock:
            abandoned = list(self._jobs.values())
            shutil.rmtree(self._state / "spool", ignore_errors=True)
            self._jobs.clear()
            if abandoned:
                self._write()
        for job in abandoned:
            _log.warning("%s job %d, begun %s, was cut off by a restart", job.type, job.job_id, job.began)
        return abandoned

    def begin(self, job_id: int, job_type: str) -> None:
        """Note that a job begins."""
        began = clock.now().isoformat(timespec="seconds")
        with self._lock:
            self._jobs[job_id] = BegunJob(job_id, job_type, began)
            self._write()

    def end(self, job_id: int) -> None:
        """Note that a job has ended, however it did."""
        with self._lock:
            if self._jobs.pop(job_id, None) is not None:
                self._write()

    def _read(self) -> list[BegunJob]:
        """Return the jobs in the file."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[BegunJob])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("%s cannot be read and is begun anew: %s", self._path, error)
            return []

    def _write(self) -> None:
        """Keep the jobs."""
        keep(self._path, msgspec.json.encode(list(self._jobs.values())))
