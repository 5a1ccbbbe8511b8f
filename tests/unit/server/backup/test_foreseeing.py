"""An agent that has met a difference says so, and the server reads ahead what the set's last snapshot refers to."""

import threading

import pytest

from strongroom import clock
from strongroom.errors import NotFound
from strongroom.model.job import JobState, ReasonCode
from strongroom.model.report import JobReport
from strongroom.protocol.messages import Report
from strongroom.server.backup.report import take_report
from strongroom.server.premises import premises


@pytest.fixture
def foreseen(monkeypatch):
    """Give the roots that were read ahead, and an event for the first."""
    roots, begun = [], threading.Event()
    walker = premises().vault._core.walker
    monkeypatch.setattr(walker, "foresee", lambda root, *_: (roots.append(root), begun.set()))
    return roots, begun


@pytest.fixture
def second(server, agent, job_id, foreseen):
    """Give a running backup of a set that has a snapshot."""
    agent.back_up(job_id, {"a": b"1"})
    job = server.back_up()
    agent.orders()
    return job


def says(agent, job, *, differs=True, final=None):
    return take_report(host=agent.host, message=Report(job, differs=differs, final=final), now=clock.now())


def test_the_base_is_read_ahead_once_when_something_differs(agent, second, foreseen):
    roots, begun = foreseen
    agent.open_session(second)
    assert says(agent, second, differs=False).go_on
    assert not roots
    for _ in range(3):
        assert says(agent, second).go_on
    assert begun.wait(60)
    assert len(roots) == 1


def test_a_first_backup_has_nothing_to_foresee(agent, job_id, foreseen):
    agent.open_session(job_id)
    assert says(agent, job_id).go_on
    assert not foreseen[0]


def test_the_hint_counts_only_for_a_session_that_is_open_and_the_hosts_own(server, agent, second, foreseen):
    assert says(agent, second).go_on  # before there is a session
    with pytest.raises(NotFound):
        says(server.agent("thief"), second)
    agent.open_session(second)
    final = JobReport(state=JobState.FAILED, reason=ReasonCode.STEP_FAILED, step="scan")
    assert not says(agent, second, final=final).go_on
    assert not says(agent, second).go_on
    assert not foreseen[0]
