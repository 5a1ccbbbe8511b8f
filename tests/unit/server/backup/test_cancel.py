"""Cancelling: at once while a job waits, through the agent while it runs, at once again when the agent is away."""

from datetime import timedelta

import pytest

from strongroom import clock
from strongroom.errors import Conflict, NotFound
from strongroom.model.job import JobState, ReasonCode
from strongroom.model.report import JobReport
from strongroom.protocol.messages import CancelOrder
from strongroom.server import views
from strongroom.server.backup.cancel import cancel_job
from strongroom.server.schedule.duties import round_of_duties

CANCELLED = JobReport(state=JobState.CANCELLED, reason=ReasonCode.CANCELLED_BY_USER, step="transmit")


@pytest.fixture
def agent(server):
    agent = server.agent()
    server.make_set(agent)
    return agent


def cancel(server, job_id):
    return cancel_job(job_id=job_id, by=server.by, now=clock.now())


def test_a_queued_job_is_cancelled_at_once(server, agent):
    job_id = server.back_up()
    cancel(server, job_id)
    job = views.job(job_id)
    assert (job["state"], job["reason"]["code"]) == ("cancelled", "cancelled_by_user")
    assert agent.connect() == []


def test_a_running_jobs_agent_is_told_once_and_reports_the_end(server, agent):
    agent.connect()
    job_id = server.back_up()
    agent.orders()
    opened = agent.open_session(job_id)
    cancel(server, job_id)
    assert agent.orders() == [CancelOrder(job_id=job_id)]
    assert agent.orders() == []
    assert views.job(job_id)["state"] == "running"
    cancel(server, job_id)
    agent.report(job_id, final=CANCELLED)
    job = views.job(job_id)
    assert (job["state"], job["step"]) == ("cancelled", "transmit")
    with pytest.raises(Conflict):
        agent.send(opened, {"a": b"1"})


def test_a_cancel_is_said_again_on_a_new_stream(server, agent):
    agent.connect()
    job_id = server.back_up()
    agent.orders()
    agent.open_session(job_id)
    cancel(server, job_id)
    agent.orders()
    assert agent.connect() == [CancelOrder(job_id=job_id)]


def test_a_running_job_whose_agent_is_away_closes_at_once(server, agent):
    agent.connect()
    job_id = server.back_up()
    agent.orders()
    opened = agent.open_session(job_id)
    agent.disconnect()
    cancel(server, job_id)
    assert views.job(job_id)["state"] == "cancelled"
    with pytest.raises(Conflict) as refused:
        agent.send(opened, {"a": b"1"})
    assert refused.value.code == "session_ended"


def test_a_job_lost_while_it_was_being_cancelled_is_cancelled(server, agent):
    agent.connect()
    job_id = server.back_up()
    agent.orders()
    cancel(server, job_id)
    round_of_duties(now=clock.now() + timedelta(seconds=310), monotonic_s=clock.monotonic_s() + 310)
    assert views.job(job_id)["state"] == "cancelled"


def test_a_job_that_ended_cannot_be_cancelled(server, agent):
    agent.connect()
    job_id = server.back_up()
    agent.orders()
    agent.back_up(job_id, {"a": b"1"})
    with pytest.raises(Conflict) as refused:
        cancel(server, job_id)
    assert refused.value.code == "already_ended"
    with pytest.raises(NotFound):
        cancel(server, 99)


def test_what_a_cancelled_job_sent_is_not_sent_again(server, agent):
    agent.connect()
    job_id = server.back_up()
    agent.orders()
    agent.send(agent.open_session(job_id), {"a": b"x" * 5000})
    agent.report(job_id, final=CANCELLED)
    fresh = server.back_up()
    agent.orders()
    _, sent = agent.send(agent.open_session(fresh), {"a": b"x" * 5000})
    assert sent == 0
