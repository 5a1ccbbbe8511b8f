"""One job, from its order to its final report.

Promises: whatever happens, the server hears how the job ended, if it can be reached before its lease runs out. A
failure names the step; a person sees a sentence, the log a trace.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from strongroom.agent.backup.events import Cancelled
from strongroom.agent.backup.recovery_point import NoRecoveryPoint
from strongroom.agent.backup.run import run_backup
from strongroom.agent.link.patience import Patience
from strongroom.agent.link.wire_sink import WireSink
from strongroom.agent.link.wire_source import WireSource
from strongroom.agent.restore.run import run_restore
from strongroom.agent.service.job_events import LEASE_S, Stop
from strongroom.errors import StrongroomError
from strongroom.model.job import JobState, ReasonCode
from strongroom.model.report import JobReport
from strongroom.protocol.messages import BackupOrder, RestoreOrder

if TYPE_CHECKING:
    from strongroom.agent.backup.places import Places
    from strongroom.agent.link.link import Link
    from strongroom.agent.platform.base import Platform
    from strongroom.agent.service.job_events import JobEvents

_STOPPING_LEASE_S: Final = 4
_log: Final = logging.getLogger(__name__)
_ENDS: Final = {
    Stop.CANCELLED: (JobState.CANCELLED, ReasonCode.CANCELLED_BY_USER, ""),
    Stop.AGENT_STOPS: (JobState.ABORTED, ReasonCode.AGENT_RESTARTED, "The agent was stopped while the job ran."),
}

_REASONS: Final = {NoRecoveryPoint.code: ReasonCode.NO_RECOVERY_POINT}


@dataclass(frozen=True)
class Workshop:
    """What every job works with."""

    link: Link
    machine: Platform
    places: Places


class RunningJob:
    """A job that was begun."""

    def __init__(self, order: BackupOrder | RestoreOrder, shop: Workshop, events: JobEvents) -> None:
        """Prepare to carry out an order."""
        self.order = order
        self.events = events
        self._shop = shop
        self._patience = events.patience
        grant = order.grant if isinstance(order, RestoreOrder) else ""
        self._source = WireSource(shop.link, grant, self._patience)

    def carry_out(self) -> None:
        """Do the work and report its end."""
        final = self._work()
        if final is None:
            self.events.close()
            return
        _log.info("job %d ends: %s %s", self.order.job_id, final.state.value, final.text)
        is_stopping = self.events.why is Stop.AGENT_STOPS
        patience = Patience(_STOPPING_LEASE_S if is_stopping else LEASE_S)
        try:
            self.events.tell_missed(patience)
            patience.insist(lambda: self.events.tell(final))
        except StrongroomError as error:
            _log.warning("the end of job %d could not be reported: %s", self.order.job_id, error.text)

    def renew(self, order: RestoreOrder) -> None:
        """Go on under a newer grant."""
        self._source.renew(order.grant)

    def _work(self) -> JobReport | None:
        """Return the report to send; None when the server has it, or does not want it any more."""
        try:
            return self._backup(self.order) if isinstance(self.order, BackupOrder) else self._restore(self.order)
        except Cancelled:
            if self.events.why in {None, Stop.DROPPED}:
                return None
            state, reason, text = _ENDS[self.events.why]
            return self._ended(state, reason, text)
        except StrongroomError as error:
            _log.warning("job %d failed at %s: %s", self.order.job_id, self.events.current_step, error.text)
            reason = _REASONS.get(error.code, ReasonCode.STEP_FAILED)
            return self._ended(JobState.FAILED, reason, f"{error.text} {error.hint}".strip())
        except Exception as error:  # noqa: BLE001 -- whatever it is, the server must hear of it
            _log.exception("job %d failed at %s", self.order.job_id, self.events.current_step)
            text = f"Something unexpected went wrong ({type(error).__name__}: {error}); the agent's log has more."
            return self._ended(JobState.FAILED, ReasonCode.STEP_FAILED, text)

    def _backup(self, order: BackupOrder) -> JobReport | None:
        """Open a session and run the workflow; its commit closes the job."""
        shop = self._shop
        session = shop.link.open_session(order.job_id, self._patience)
        self._patience.lease_s = session.lease_s
        sink = WireSink(shop.link, session, self._patience, before_commit=self.events.tell_missed)
        report = run_backup(order, shop.machine, shop.places, sink, self.events)
        return None if sink.committed else report

    def _restore(self, order: RestoreOrder) -> JobReport:
        """Restore, and return the report that closes the job."""
        report = run_restore(order, self._source, self._shop.places.spool(), self.events)
        if report.transfer is None:
            return report
        cost = replace(report.transfer, retries=self._patience.retries, retry_s=self._patience.retry_s)
        return replace(report, transfer=cost)

    def _ended(self, state: JobState, reason: ReasonCode, text: str) -> JobReport:
        """Return the report of a job that did not come to its own end."""
        return JobReport(state, reason, self.events.current_step, text, notes=tuple(self.events.notes))
