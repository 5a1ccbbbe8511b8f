"""The jobs that this agent process runs, each in its own thread.

Promises: a job is carried out once, however often its order comes; of one backup set, one job at a time.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.agent.backup.events import Cancelled
from strongroom.agent.service.carry_out import RunningJob
from strongroom.agent.service.job_events import JobEvents, Stop
from strongroom.errors import StrongroomError
from strongroom.memory import give_back
from strongroom.model.job import JobType
from strongroom.model.steps import RestoreStep, Step
from strongroom.protocol.messages import BackupOrder, RestoreOrder

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.agent.journal import Journal
    from strongroom.agent.service.carry_out import Workshop

_REMEMBERED: Final = 1000
_SET_WAIT_S: Final = 0.5
_log: Final = logging.getLogger(__name__)


class Jobs:
    """Begins, cancels and counts jobs; safe to use from several threads."""

    def __init__(self, shop: Workshop, journal: Journal, wake: Callable[[], None]) -> None:
        """Begin with none."""
        self._shop = shop
        self._journal = journal
        self._wake = wake
        self._lock = threading.Lock()
        self._running: dict[int, tuple[RunningJob, threading.Thread]] = {}
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._sets: dict[int, threading.Lock] = {}
        self._is_stopping = False

    def begin(self, order: BackupOrder | RestoreOrder) -> None:
        """Begin a job, unless it is running or has ended already; a running restore gets its newer grant."""
        with self._lock:
            if order.job_id in self._running:
                job = self._running[order.job_id][0]
                if isinstance(order, RestoreOrder):
                    job.renew(order)
                return
            if order.job_id in self._ended or self._is_stopping:
                return
            first = Step.KIND if isinstance(order, BackupOrder) else RestoreStep.PLAN
            job = RunningJob(order, self._shop, JobEvents(order.job_id, first, self._shop.link, self._wake))
            # Not waited for at exit: what a job does may be cut off at any time (W1).
            thread = threading.Thread(target=self._run, args=(job,), name=f"job-{order.job_id}", daemon=True)
            self._running[order.job_id] = (job, thread)
        thread.start()

    def cancel(self, job_id: int) -> None:
        """Tell a job to stop, if it runs here."""
        with self._lock:
            running = self._running.get(job_id)
        if running:
            running[0].events.stop(Stop.CANCELLED)

    def running_ids(self) -> tuple[int, ...]:
        """Return the jobs that are being carried out."""
        with self._lock:
            return tuple(self._running)

    def tell(self) -> int:
        """Send each job's progress; return how many jobs there are."""
        with self._lock:
            running = [job.events for job, _ in self._running.values()]
        for events in running:
            try:
                events.tell()
            except StrongroomError as error:
                _log.debug("progress of job %d did not arrive: %s", events.job_id, error.text)
        return len(running)

    def stop(self, within_s: float) -> None:
        """Tell all jobs to stop, and wait a while for them to report it."""
        with self._lock:
            self._is_stopping = True
            running = list(self._running.values())
        for job, _ in running:
            job.events.stop(Stop.AGENT_STOPS)
        until = clock.monotonic_s() + within_s
        for job, thread in running:
            thread.join(max(0.0, until - clock.monotonic_s()))
            if thread.is_alive():
                _log.warning("job %d did not stop in time", job.order.job_id)

    def _run(self, job: RunningJob) -> None:
        """Carry out one job; the journal knows of it from before until after."""
        order = job.order
        is_backup = isinstance(order, BackupOrder)
        set_lock = self._set_lock(order.set_id) if isinstance(order, BackupOrder) else threading.Lock()
        _log.info("job %d begins", order.job_id)
        try:
            self._journal.begin(order.job_id, (JobType.BACKUP if is_backup else JobType.RESTORE).value)
            while not set_lock.acquire(timeout=_SET_WAIT_S):
                job.events.check()
            try:
                job.carry_out()
            finally:
                set_lock.release()
            self._journal.end(order.job_id)
        except Cancelled:
            _log.info("job %d was cancelled before it began", order.job_id)
        except StrongroomError as error:
            _log.error("job %d: %s", order.job_id, error.text)
        finally:
            with self._lock:
                self._running.pop(order.job_id, None)
                self._ended[order.job_id] = None
                if len(self._ended) > _REMEMBERED:
                    self._ended.popitem(last=False)
                is_last = not self._running
            if is_last:
                give_back()

    def _set_lock(self, set_id: int) -> threading.Lock:
        """Return the lock that keeps two backups of a set apart."""
        with self._lock:
            return self._sets.setdefault(set_id, threading.Lock())
