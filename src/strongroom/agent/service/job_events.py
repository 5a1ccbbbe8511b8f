"""What a running job says: collected in its own thread, sent by the heartbeat, and the way a job is told to stop.

Promises: missed files reach the server in order and none is lost: they are kept until a reply has acknowledged them,
and a job that misses files faster than they can be sent waits (W12). Safe to use from several threads.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.agent.backup.events import Cancelled, Events
from strongroom.agent.link.patience import Patience
from strongroom.errors import NotFound
from strongroom.model.paths import escape_path
from strongroom.model.report import Progress
from strongroom.protocol.messages import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from strongroom.agent.link.link import Link
    from strongroom.model.missed import MissedFile
    from strongroom.model.report import Estimate, JobReport
    from strongroom.model.steps import RestoreStep, Step

LEASE_S: Final = 300
_MISSED_A_REPORT: Final = 500
_MOST_UNSENT: Final = 5_000
_RATE_S: Final = 5.0
_log: Final = logging.getLogger(__name__)


class Stop(enum.Enum):
    """Why a job is told to stop."""

    CANCELLED = enum.auto()  # somebody wants it
    DROPPED = enum.auto()  # for the server it has ended already
    AGENT_STOPS = enum.auto()


class JobEvents(Events):
    """One job's say."""

    def __init__(self, job_id: int, first_step: Step | RestoreStep, link: Link, wake: Callable[[], None]) -> None:
        """Begin at a step.

        Args:
            wake: called when there is something that should be told at once.
        """
        self.job_id = job_id
        self.current_step: str = first_step.value
        self.notes: list[str] = []
        self._link = link
        self._wake = wake
        self._stop = threading.Event()
        self.patience = Patience(LEASE_S, self.pause)
        self.why: Stop | None = None
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._at = (0, 0, b"")
        self._differs = False
        self._samples: deque[tuple[float, int]] = deque()
        self._estimate: Estimate | None = None
        self._missed: deque[MissedFile] = deque()
        self._missed_sent = 0
        self._closed = False

    def step(self, step: Step | RestoreStep) -> None:
        """A step begins."""
        with self._lock:
            self.current_step = step.value
            self._at = (0, 0, b"")
            self._samples.clear()
        self._wake()

    def progress(self, files: int, size_bytes: int, current: bytes) -> None:
        """So much of the step is done."""
        self._at = (files, size_bytes, current)

    def differs(self) -> None:
        """Something is not as it was."""
        self._differs = True
        self._wake()

    def estimated(self, estimate: Estimate) -> None:
        """The estimate is known."""
        self._estimate = estimate
        self._wake()

    def missed(self, files: Sequence[MissedFile]) -> None:
        """Further files were missed."""
        with self._lock:
            self._missed.extend(files)
        if len(self._missed) > _MOST_UNSENT:
            self.tell_missed()

    def note(self, text: str) -> None:
        """Something for the job's log."""
        self.notes.append(text)
        _log.info("job %d: %s", self.job_id, text)

    def check(self) -> None:
        """Return if the job is still to go on.

        Raises:
            Cancelled: it is not.
        """
        if self._stop.is_set():
            raise Cancelled("The job was told to stop.")

    def pause(self, seconds: float) -> None:
        """Wait; a job that is told to stop does not wait to the end.

        Raises:
            Cancelled: it was told to stop.
        """
        if self._stop.wait(seconds):
            self.check()

    def stop(self, why: Stop) -> None:
        """Tell the job to stop; the first reason counts."""
        with self._lock:
            self.why = self.why or why
        self._stop.set()

    def tell(self, final: JobReport | None = None) -> None:
        """Send how things stand, once; `final` ends it.

        Raises:
            StrongroomError: it did not arrive.
        """
        with self._sending:
            if self._closed:
                return
            report = self._picture(final)
            try:
                goes_on = self._link.report(report).go_on
            except NotFound:
                goes_on = False
            with self._lock:
                for _ in report.missed:
                    self._missed.popleft()
                self._missed_sent += len(report.missed)
            if final is not None:
                self._closed = True
            elif not goes_on:
                self.stop(Stop.DROPPED)

    def tell_missed(self, patience: Patience | None = None) -> None:
        """Send all missed files that were not sent yet, with the job's own patience or another.

        Raises:
            StrongroomError: they did not arrive.
        """
        while self._missed and self.why is not Stop.DROPPED:
            (patience or self.patience).insist(self.tell)

    def close(self) -> None:
        """Say no more of this job: the server has its end."""
        with self._sending:
            self._closed = True

    def _picture(self, final: JobReport | None) -> Report:
        """Return the report that says how things stand."""
        with self._lock:
            files, size_bytes, current = self._at
            some = tuple(self._missed[index] for index in range(min(len(self._missed), _MISSED_A_REPORT)))
            progress = Progress(
                self.current_step, files, size_bytes, self._rate(size_bytes), escape_path(current) if current else ""
            )
            return Report(self.job_id, progress, self._estimate, some, self._missed_sent, final, self._differs)

    def _rate(self, size_bytes: int) -> float:
        """Return the bytes a second of the last few seconds."""
        now = clock.monotonic_s()
        self._samples.append((now, size_bytes))
        while len(self._samples) > 2 and self._samples[1][0] < now - _RATE_S:  # noqa: PLR2004 -- one span
            self._samples.popleft()
        since, before = self._samples[0]
        return max(0.0, (size_bytes - before) / (now - since)) if now > since else 0.0
