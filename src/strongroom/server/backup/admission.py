"""Admission: may a request run, and what becomes of it when the agent is away (W2, W3, W4, W13, W15)?

Pure: values in, a verdict out. Only `request.py` acts on it. The rules are data; a policy may bring its own table.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.model.host import OsFamily
from strongroom.model.job import JobState, ReasonCode, Trigger


class WhenAway(enum.StrEnum):
    """What to do with a request whose agent is not running."""

    FAIL = "fail"
    QUEUE = "queue"
    WAIT_FOR_WINDOW = "wait_for_window"
    SKIP = "skip"


@dataclass(frozen=True)
class Verdict:
    """The state a request begins in, and why."""

    state: JobState
    reason: ReasonCode


AdmissionTable = Mapping[tuple[OsFamily, Trigger], WhenAway]

WHEN_AGENT_IS_AWAY: AdmissionTable = {
    (OsFamily.WINDOWS, Trigger.NOW): WhenAway.FAIL,
    (OsFamily.WINDOWS, Trigger.SCHEDULED): WhenAway.WAIT_FOR_WINDOW,
    (OsFamily.LINUX, Trigger.NOW): WhenAway.QUEUE,
    (OsFamily.LINUX, Trigger.SCHEDULED): WhenAway.SKIP,
}

VERDICTS: Mapping[WhenAway, Verdict] = {
    WhenAway.FAIL: Verdict(JobState.FAILED, ReasonCode.AGENT_AWAY_FAILED),
    WhenAway.QUEUE: Verdict(JobState.QUEUED, ReasonCode.AGENT_AWAY_QUEUED),
    WhenAway.WAIT_FOR_WINDOW: Verdict(JobState.WAITING_FOR_AGENT, ReasonCode.AGENT_AWAY_WAITING),
    WhenAway.SKIP: Verdict(JobState.SKIPPED, ReasonCode.AGENT_AWAY_SKIPPED),
}

RUNS = Verdict(JobState.QUEUED, ReasonCode.AGENT_RUNNING)
WAITS_FOR_SET = Verdict(JobState.QUEUED, ReasonCode.SET_BUSY)


def admit(
    *,
    os_family: OsFamily,
    trigger: Trigger,
    agent_running: bool,
    set_busy: bool = False,
    table: AdmissionTable = WHEN_AGENT_IS_AWAY,
) -> Verdict:
    """Judge a request.

    Args:
        set_busy: another backup of the set is open. Only scheduled requests come this far then.
        table: what to do when the agent is away; a policy's own, or the default.
    """
    if not agent_running:
        return VERDICTS[table[os_family, trigger]]
    return WAITS_FOR_SET if set_busy else RUNS
