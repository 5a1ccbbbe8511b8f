"""W1, the server's side: a restart during a backup aborts it and says why; the next one does not send again."""

import os
from datetime import timedelta

import pytest

from strongroom import clock
from strongroom.errors import Conflict
from strongroom.model.missed import MissedFile, Reason
from strongroom.protocol.messages import BackupOrder
from strongroom.server import views
from strongroom.server.schedule.duties import round_of_duties

FILES = {"a": os.urandom(300_000), "b": os.urandom(300_000)}


@pytest.fixture
def agent(server):
    return server.agent()


@pytest.fixture
def job_id(server, agent):
    agent.connect()
    server.make_set(agent)
    job = server.back_up()
    agent.orders()
    return job


def test_a_restarted_agent_aborts_its_job(agent, job_id):
    agent.open_session(job_id)
    agent.reborn().connect()
    job = views.job(job_id)
    assert (job["state"], job["reason"]["code"]) == ("aborted", "agent_restarted")
    assert "restarted" in job["reason"]["text"]
    assert job["ended"]


def test_a_restarted_host_aborts_its_job(agent, job_id):
    agent.open_session(job_id)
    agent.rebooted().connect()
    assert views.job(job_id)["reason"]["code"] == "host_restarted"


def test_a_restarted_server_aborts_all_running_jobs(server, agent, job_id):
    opened = agent.open_session(job_id)
    agent.send(opened, FILES)
    server.restart()
    job = views.job(job_id)
    assert (job["state"], job["reason"]["code"]) == ("aborted", "server_restarted")
    with pytest.raises(Conflict) as refused:
        agent.send(opened, FILES)
    assert refused.value.code == "session_ended"
    assert agent.report(job_id).go_on is False


def test_a_waiting_job_survives_the_servers_restart(server, agent):
    server.make_set(agent)
    waiting = server.back_up()
    server.restart()
    assert views.job(waiting)["state"] == "queued"
    assert [order.job_id for order in agent.connect()] == [waiting]


def test_an_agent_that_lost_the_job_aborts_it(agent, job_id):
    agent.open_session(job_id)
    agent.running.clear()
    agent.connect()
    assert views.job(job_id)["reason"]["code"] == "agent_restarted"


@pytest.mark.parametrize("restart", ["agent", "host", "server"])
def test_a_fresh_backup_does_not_send_again(server, agent, job_id, restart):
    opened = agent.open_session(job_id)
    _, sent_first = agent.send(opened, FILES)
    assert sent_first > 600_000
    if restart == "server":
        # What the process had in memory only is lost; what it had made durable is not.
        agent.checkpoint(opened)
        server.restart()
    agent = agent.rebooted() if restart == "host" else agent.reborn()
    agent.connect()
    fresh = server.back_up()
    (order,) = agent.orders()
    assert isinstance(order, BackupOrder)
    assert order.job_id == fresh
    opened = agent.open_session(fresh)
    root, sent_again = agent.send(opened, FILES)
    assert sent_again < 2_000
    agent.commit(fresh, opened, root)
    assert views.job(fresh)["state"] == "successful"


def test_the_aborted_job_cannot_commit_any_more(server, agent, job_id):
    opened = agent.open_session(job_id)
    root, _ = agent.send(opened, FILES)
    agent.reborn().connect()
    with pytest.raises(Conflict) as refused:
        agent.commit(job_id, opened, root)
    assert refused.value.code == "session_ended"
    assert views.snapshots() == []
    assert views.job(job_id)["snapshot_id"] is None


def test_a_set_is_free_again_after_an_abort(server, agent, job_id):
    agent.reborn().connect()
    assert views.job(server.back_up())["state"] == "queued"


def test_what_was_missed_before_the_restart_stays_with_the_job(server, agent, job_id):
    agent.report(job_id, missed=(MissedFile(b"/srv/x", Reason.LOCKED),))
    server.restart()
    assert views.job(job_id)["missed_count"] == 1
    assert views.missed_files(job_id)[0]["path"] == "/srv/x"


def test_the_lease_of_a_job_ends_when_nobody_speaks_of_it(agent, job_id):
    agent.disconnect()
    round_of_duties(now=clock.now() + timedelta(seconds=290), monotonic_s=clock.monotonic_s() + 290)
    assert views.job(job_id)["state"] == "running"
    round_of_duties(now=clock.now() + timedelta(seconds=310), monotonic_s=clock.monotonic_s() + 310)
    job = views.job(job_id)
    assert (job["state"], job["reason"]["code"]) == ("aborted", "agent_lost")
