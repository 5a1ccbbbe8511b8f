"""W3 (and W4, W13), the server's side: what becomes of a request when the agent is away, by table."""

from datetime import timedelta

import pytest

from strongroom import clock
from strongroom.model.host import OsFamily
from strongroom.model.job import JobState, ReasonCode, Trigger
from strongroom.server import views
from strongroom.server.backup.admission import WHEN_AGENT_IS_AWAY, WhenAway, admit
from strongroom.server.backup.request import request_backup
from strongroom.server.schedule.duties import round_of_duties

LINUX, WINDOWS = OsFamily.LINUX, OsFamily.WINDOWS
NOW, SCHEDULED = Trigger.NOW, Trigger.SCHEDULED


def scheduled(server, agent, include):
    chosen = server.make_set(agent, include=include)
    now = clock.now()
    deadline = now + timedelta(hours=1)
    return request_backup(backup_set=chosen, trigger=SCHEDULED, now=now, deadline=deadline).id


@pytest.mark.parametrize(
    ("os_family", "trigger", "state", "reason"),
    [
        (WINDOWS, NOW, JobState.FAILED, ReasonCode.AGENT_AWAY_FAILED),
        (WINDOWS, SCHEDULED, JobState.WAITING_FOR_AGENT, ReasonCode.AGENT_AWAY_WAITING),
        (LINUX, NOW, JobState.QUEUED, ReasonCode.AGENT_AWAY_QUEUED),
        (LINUX, SCHEDULED, JobState.SKIPPED, ReasonCode.AGENT_AWAY_SKIPPED),
    ],
)
def test_the_table(os_family, trigger, state, reason):
    verdict = admit(os_family=os_family, trigger=trigger, agent_running=False)
    assert (verdict.state, verdict.reason) == (state, reason)
    running = admit(os_family=os_family, trigger=trigger, agent_running=True)
    assert (running.state, running.reason) == (JobState.QUEUED, ReasonCode.AGENT_RUNNING)


def test_the_table_covers_every_case_and_can_be_replaced():
    assert set(WHEN_AGENT_IS_AWAY) == {(os_family, trigger) for os_family in OsFamily for trigger in Trigger}
    table = {**WHEN_AGENT_IS_AWAY, (LINUX, NOW): WhenAway.FAIL}
    assert admit(os_family=LINUX, trigger=NOW, agent_running=False, table=table).state is JobState.FAILED


def test_linux_now_is_queued_and_runs_when_the_agent_starts(server):
    agent = server.agent()
    server.make_set(agent)
    job_id = server.back_up()
    job = views.job(job_id)
    assert (job["state"], job["reason"]["code"]) == ("queued", "agent_away_queued")
    assert "queued" in job["reason"]["text"]
    assert [order.job_id for order in agent.connect()] == [job_id]
    agent.back_up(job_id, {"a": b"1"})
    assert views.job(job_id)["state"] == "successful"


def test_windows_now_fails_at_once_with_step_code_and_sentence(server):
    agent = server.agent(os_family=WINDOWS)
    server.make_set(agent, include="C:\\\\Data")
    job = views.job(server.back_up())
    assert (job["state"], job["reason"]["code"], job["step"]) == ("failed", "agent_away_failed", "admission")
    assert job["ended"]
    assert agent.connect() == []


def test_windows_scheduled_waits_and_runs_when_the_agent_comes(server):
    agent = server.agent(os_family=WINDOWS)
    job_id = scheduled(server, agent, "C:\\\\Data")
    assert views.job(job_id)["state"] == "waiting_for_agent"
    assert [order.job_id for order in agent.connect()] == [job_id]


def test_windows_scheduled_fails_when_its_window_ends(server):
    job_id = scheduled(server, server.agent(os_family=WINDOWS), "C:\\\\Data")
    round_of_duties(now=clock.now() + timedelta(minutes=59), monotonic_s=clock.monotonic_s() + 3540)
    assert views.job(job_id)["state"] == "waiting_for_agent"
    round_of_duties(now=clock.now() + timedelta(minutes=61), monotonic_s=clock.monotonic_s() + 3660)
    job = views.job(job_id)
    assert (job["state"], job["reason"]["code"]) == ("failed", "agent_never_came")


def test_linux_scheduled_is_skipped(server):
    job = views.job(scheduled(server, server.agent(), "/srv"))
    assert (job["state"], job["reason"]["code"]) == ("skipped", "agent_away_skipped")


def test_a_scheduled_request_that_finds_one_running_waits_then_is_skipped(server):
    agent = server.agent()
    agent.connect()
    chosen = server.make_set(agent)
    server.back_up()
    agent.orders()
    now = clock.now()
    late = request_backup(backup_set=chosen, trigger=SCHEDULED, now=now, deadline=now + timedelta(hours=1)).id
    assert views.job(late)["reason"]["code"] == "set_busy"
    assert agent.orders() == []
    round_of_duties(now=now + timedelta(minutes=61), monotonic_s=clock.monotonic_s() + 3660)
    assert views.job(late)["reason"]["code"] == "set_busy_skipped"


def test_an_agent_that_went_silent_counts_as_away(server):
    agent = server.agent()
    agent.connect()
    assert views.host("files")["connected"] is True
    agent.link.heard_s -= 16
    assert views.host("files")["connected"] is False
    server.make_set(agent)
    assert views.job(server.back_up())["reason"]["code"] == "agent_away_queued"
