"""W2, the server's side: with the agent running a request runs, through every state to its report."""

import pytest

from strongroom.errors import Conflict
from strongroom.model.missed import MissedFile, Reason
from strongroom.protocol.messages import BackupOrder
from strongroom.server import views
from strongroom.testing.small_server import small_server


@pytest.fixture
def server(tmp_path):
    with small_server(tmp_path, "backups_per_host = 2") as opened:
        yield opened


def test_the_request_is_recorded_and_the_agents_stream_is_woken(server, agent):
    before = len(agent.wakes)
    job_id = server.back_up()
    assert len(agent.wakes) > before
    job = views.job(job_id)
    assert (job["state"], job["reason"]["code"], job["trigger"]) == ("queued", "agent_running", "now")
    (order,) = agent.orders()
    assert isinstance(order, BackupOrder)
    assert order.job_id == job_id
    assert order.content.include == ("/srv/docs",)
    assert views.job(job_id)["state"] == "running"
    assert agent.orders() == []


def test_it_closes_with_its_report_and_the_snapshot_is_there(server, agent):
    job_id = server.back_up()
    agent.orders()
    snapshot = agent.back_up(job_id, {"a": b"one", "b": b"two"})
    job = views.job(job_id)
    assert job["state"] == "successful"
    assert job["reason"] == {"code": "completed", "text": "Everything was done."}
    assert job["snapshot_id"] == snapshot
    assert job["estimate"]["files_scanned"] == 2
    assert [one["id"] for one in views.snapshots(set_id=job["set_id"])] == [snapshot]


def test_missed_files_make_it_successful_with_errors(server, agent):
    job_id = server.back_up()
    agent.orders()
    agent.back_up(job_id, {"a": b"one"}, missed=[MissedFile(b"/srv/docs/\xff", Reason.NAME_NOT_UTF8)])
    job = views.job(job_id)
    assert (job["state"], job["missed_count"]) == ("successful_with_errors", 1)
    assert views.missed_files(job_id)[0]["path"] == "/srv/docs/\\xff"


def test_a_second_request_while_one_waits_or_runs_is_refused_and_names_it(server, agent):
    job_id = server.back_up()
    with pytest.raises(Conflict, match=f"job {job_id}") as refused:
        server.back_up()
    assert refused.value.code == "already_queued"
    agent.orders()
    with pytest.raises(Conflict, match=f"job {job_id}") as refused:
        server.back_up()
    assert refused.value.code == "already_running"


def test_jobs_of_several_sets_run_at_once_up_to_the_limit_in_the_order_asked(server, agent):
    for name in ("b", "c"):
        server.make_set(agent, name, f"/srv/{name}")
    first, second, third = server.back_up("c"), server.back_up("docs"), server.back_up("b")
    assert [order.job_id for order in agent.orders()] == [first, second]
    assert views.job(third)["state"] == "queued"
    agent.back_up(first, {"a": b"1"})
    assert [order.job_id for order in agent.orders()] == [third]


def test_an_order_lost_on_the_way_is_said_again_on_the_next_stream(server, agent):
    job_id = server.back_up()
    agent.orders()
    agent.running.clear()
    assert [order.job_id for order in agent.connect()] == [job_id]
    assert views.job(job_id)["state"] == "running"
