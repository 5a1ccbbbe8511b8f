"""Jobs: their states and every legal move between them, as one table.

Rules of this file:
1. Every transition of a job's state is a row of `MOVES`; there is no other place that knows one.
2. This file knows no database, no agent and no server.
"""

from __future__ import annotations

import enum

from strongroom.errors import Conflict


class JobType(enum.StrEnum):
    """What a job does."""

    BACKUP = "backup"
    RESTORE = "restore"


class Trigger(enum.StrEnum):
    """Who started a job: an administrator now, or the policy's schedule."""

    NOW = "now"
    SCHEDULED = "scheduled"


class Kind(enum.StrEnum):
    """The first backup of a set is full, all later ones incremental (W5)."""

    FULL = "full"
    INCREMENTAL = "incremental"


class SourceKind(enum.StrEnum):
    """What the files were read from."""

    RECOVERY_POINT = "recovery_point"
    LIVE = "live"
    MIXED = "mixed"  # some of it from a recovery point, some live


class JobState(enum.StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"  # recorded; runs as soon as the agent is there and the set is free
    WAITING_FOR_AGENT = "waiting_for_agent"  # scheduled on Windows: waits until its window ends (W4)
    RUNNING = "running"  # the order was handed to the agent
    SUCCESSFUL = "successful"
    SUCCESSFUL_WITH_ERRORS = "successful_with_errors"  # done, but something was missed
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    ABORTED = "aborted"  # host, agent or server restarted (W1)
    WINDOW_EXPIRED = "window_expired"  # the backup window closed before the end

    @property
    def is_closed(self) -> bool:
        """Whether the job has ended for good."""
        return not MOVES[self]


_ENDS = frozenset(
    {
        JobState.SUCCESSFUL,
        JobState.SUCCESSFUL_WITH_ERRORS,
        JobState.FAILED,
        JobState.CANCELLED,
        JobState.ABORTED,
        JobState.WINDOW_EXPIRED,
    }
)
_NONE: frozenset[JobState] = frozenset()

# A job that never reached an agent can be skipped, fail or be cancelled; a running one reports or is aborted.
MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.SKIPPED, JobState.CANCELLED}),
    JobState.WAITING_FOR_AGENT: frozenset(
        {JobState.QUEUED, JobState.RUNNING, JobState.FAILED, JobState.SKIPPED, JobState.CANCELLED}
    ),
    JobState.RUNNING: _ENDS,
    JobState.SUCCESSFUL: _NONE,
    JobState.SUCCESSFUL_WITH_ERRORS: _NONE,
    JobState.FAILED: _NONE,
    JobState.SKIPPED: _NONE,
    JobState.CANCELLED: _NONE,
    JobState.ABORTED: _NONE,
    JobState.WINDOW_EXPIRED: _NONE,
}

OPEN_STATES = tuple(state for state in JobState if MOVES[state])


def require_move(old: JobState, new: JobState) -> None:
    """Refuse a move that the table does not list.

    Raises:
        Conflict: the move is not legal.
    """
    if new not in MOVES[old]:
        raise Conflict(f"A job that is {old.value} cannot become {new.value}.", code="illegal_move")


class ReasonCode(enum.StrEnum):
    """Why a job is in its state; the sentence for each stands in `SENTENCES`."""

    AGENT_RUNNING = "agent_running"
    AGENT_AWAY_QUEUED = "agent_away_queued"
    AGENT_AWAY_FAILED = "agent_away_failed"
    AGENT_AWAY_WAITING = "agent_away_waiting"
    AGENT_AWAY_SKIPPED = "agent_away_skipped"
    AGENT_NEVER_CAME = "agent_never_came"
    SET_BUSY = "set_busy"
    SET_BUSY_SKIPPED = "set_busy_skipped"
    COMPLETED = "completed"
    COMPLETED_WITH_MISSED = "completed_with_missed"
    STEP_FAILED = "step_failed"
    NO_RECOVERY_POINT = "no_recovery_point"
    NOTHING_TO_BACK_UP = "nothing_to_back_up"
    CANCELLED_BY_USER = "cancelled_by_user"
    AGENT_RESTARTED = "agent_restarted"
    HOST_RESTARTED = "host_restarted"
    SERVER_RESTARTED = "server_restarted"
    AGENT_LOST = "agent_lost"
    HOST_REVOKED = "host_revoked"
    WINDOW_CLOSED = "window_closed"


SENTENCES: dict[ReasonCode, str] = {
    ReasonCode.AGENT_RUNNING: "The agent is running; the job runs.",
    ReasonCode.AGENT_AWAY_QUEUED: "The agent is not running; the job is queued and runs when the agent starts.",
    ReasonCode.AGENT_AWAY_FAILED: "The agent is not running, so the backup could not be started.",
    ReasonCode.AGENT_AWAY_WAITING: "The agent is not running; the job waits for it until its window ends.",
    ReasonCode.AGENT_AWAY_SKIPPED: "The agent was not running at the scheduled time, so this run was skipped.",
    ReasonCode.AGENT_NEVER_CAME: "The agent did not come before the job's window ended.",
    ReasonCode.SET_BUSY: "Another backup of this set is running; the job waits for it to end.",
    ReasonCode.SET_BUSY_SKIPPED: "Another backup of this set was still running when the window ended.",
    ReasonCode.COMPLETED: "Everything was done.",
    ReasonCode.COMPLETED_WITH_MISSED: "Done, but some files were missed; they are listed with their reasons.",
    ReasonCode.STEP_FAILED: "A step failed.",
    ReasonCode.NO_RECOVERY_POINT: "The set requires a recovery point, and none could be made of all it holds.",
    ReasonCode.NOTHING_TO_BACK_UP: "None of the set's folders could be found on the host.",
    ReasonCode.CANCELLED_BY_USER: "The job was cancelled.",
    ReasonCode.AGENT_RESTARTED: "The agent was restarted while the job ran; what was stored is not sent again.",
    ReasonCode.HOST_RESTARTED: "The host was restarted while the job ran; what was stored is not sent again.",
    ReasonCode.SERVER_RESTARTED: "The server was restarted while the job ran; what was stored is not sent again.",
    ReasonCode.AGENT_LOST: "The agent could not be reached any more and did not come back in time.",
    ReasonCode.HOST_REVOKED: "The host's access was revoked.",
    ReasonCode.WINDOW_CLOSED: "The backup window closed before the end; what was sent is not sent again.",
}
