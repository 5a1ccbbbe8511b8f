"""W14, the server's side: a lost connection is not a restart; the same job goes on within its lease."""

from datetime import timedelta

from strongroom import clock
from strongroom.model.missed import MissedFile, Reason
from strongroom.protocol.messages import Checkpoint
from strongroom.server import orders, views
from strongroom.server.backup import receive
from strongroom.server.catalog import models
from strongroom.server.hosts import presence
from strongroom.server.schedule.duties import round_of_duties

FILES = {"a": b"a" * 1000, "b": b"b" * 1000}


def test_the_same_job_goes_on_after_a_reconnect(agent, job_id):
    opened = agent.open_session(job_id)
    agent.send(opened, {"a": FILES["a"]})
    agent.disconnect()
    assert views.host("files")["connected"] is False
    assert agent.connect() == []
    again = agent.open_session(job_id)
    assert again.session == opened.session
    root, _ = agent.send(again, FILES)
    agent.commit(job_id, again, root)
    assert views.job(job_id)["state"] == "successful"


def test_a_newer_stream_replaces_the_older(agent, job_id):
    older = agent.link
    wakes = len(agent.wakes)
    agent.connect()
    assert len(agent.wakes) > wakes
    assert not presence.is_current(older)
    assert orders.orders_for(link=older, now=clock.now()) == []
    orders.farewell_agent(link=older, now=clock.now())
    assert presence.is_running(agent.host.id)
    assert views.job(job_id)["state"] == "running"


def test_whatever_is_heard_renews_the_lease(agent, job_id):
    opened = agent.open_session(job_id)
    later = clock.now() + timedelta(seconds=200)
    message = Checkpoint(session=opened.session)
    receive.checkpoint(host=agent.host, message=message, now=later)
    round_of_duties(now=later + timedelta(seconds=290), monotonic_s=clock.monotonic_s() + 490)
    assert views.job(job_id)["state"] == "running"
    round_of_duties(now=later + timedelta(seconds=301), monotonic_s=clock.monotonic_s() + 501)
    assert views.job(job_id)["reason"]["code"] == "agent_lost"


def test_a_clock_that_is_set_ahead_is_no_silence(agent, job_id):
    agent.open_session(job_id)
    round_of_duties(now=clock.now() + timedelta(hours=1), monotonic_s=clock.monotonic_s() + 2)
    assert views.job(job_id)["state"] == "running"


def test_the_lease_is_told_to_the_agent(agent, job_id):
    assert agent.open_session(job_id).lease_s == 300


def test_a_repeated_commit_is_answered_as_the_first(agent, job_id):
    opened = agent.open_session(job_id)
    root, _ = agent.send(opened, FILES)
    first = agent.commit(job_id, opened, root)
    assert agent.commit(job_id, opened, root) == first
    assert models.Snapshot.objects.count() == 1


def test_a_repeated_batch_of_missed_files_adds_nothing(agent, job_id):
    first = tuple(MissedFile(b"/x%d" % number, Reason.LOCKED) for number in range(3))
    more = tuple(MissedFile(b"/y%d" % number, Reason.LOCKED) for number in range(2))
    for _ in range(2):
        agent.report(job_id, missed=first)
    for _ in range(2):
        agent.report(job_id, missed=more, missed_from=3)
    assert views.job(job_id)["missed_count"] == 5
    assert [one["path"] for one in views.missed_files(job_id)] == ["/x0", "/x1", "/x2", "/y0", "/y1"]
