"""Revoking a host: its jobs are closed, its stream ends, and nothing that it stored is deleted."""

import pytest

from strongroom import clock
from strongroom.errors import Conflict
from strongroom.server import views
from strongroom.server.backup.abort import abort_jobs_of_host
from strongroom.server.hosts import presence
from strongroom.server.hosts.revoke import revoke_host
from strongroom.testing.small_server import small_server


@pytest.fixture
def server(tmp_path):
    with small_server(tmp_path, "backups_per_host = 1") as opened:
        yield opened


def revoke(server, agent):
    return revoke_host(host=agent.host, by=server.by, now=clock.now(), abort_jobs=abort_jobs_of_host)


def test_running_jobs_are_aborted_and_waiting_ones_fail(server):
    agent = server.agent()
    server.make_set(agent)
    server.make_set(agent, "more", "/more")
    agent.connect()
    running, waiting = server.back_up(), server.back_up("more")
    agent.orders()
    opened = agent.open_session(running)
    revoke(server, agent)
    states = [(views.job(job)["state"], views.job(job)["reason"]["code"]) for job in (running, waiting)]
    assert states == [("aborted", "host_revoked"), ("failed", "host_revoked")]
    with pytest.raises(Conflict):
        agent.send(opened, {"a": b"1"})


def test_its_stream_ends_and_it_is_away(server):
    agent = server.agent()
    agent.connect()
    wakes = len(agent.wakes)
    revoke(server, agent)
    assert len(agent.wakes) > wakes
    assert not presence.is_current(agent.link)
    assert views.host("files")["connected"] is False


def test_snapshots_stay_and_no_new_job_is_made(server):
    agent = server.agent()
    server.make_set(agent)
    agent.connect()
    job = server.back_up()
    agent.orders()
    snapshot = agent.back_up(job, {"a": b"1"})
    revoke(server, agent)
    assert [one["id"] for one in views.snapshots()] == [snapshot]
    with pytest.raises(Conflict) as refused:
        server.back_up()
    assert refused.value.code == "host_revoked"
    with pytest.raises(Conflict):
        server.make_set(agent, "more", "/more")


def test_a_second_time_changes_nothing(server):
    agent = server.agent()
    first = revoke(server, agent).revoked
    assert revoke(server, agent).revoked == first
    assert [row["action"] for row in views.audit()].count("host.revoke") == 1


def test_one_that_connects_while_it_is_revoked_is_shut_out(server):
    agent = server.agent()
    revoke(server, agent)
    agent.connect()
    assert not presence.is_current(agent.link)
    assert views.host("files")["connected"] is False
