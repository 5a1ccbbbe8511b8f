"""A key starts one thing: said again, or at the same moment, it gives the same job; for another call it is refused."""

import threading

import pytest

from strongroom.server import views
from strongroom.server.catalog.connection import catalog_thread

KEY = {"Idempotency-Key": "8d3c"}


def test_the_same_call_with_the_same_key_is_the_same_job(api, agent):
    first = api.post("sets/docs/backup", headers=KEY, status=201)
    again = api.post("sets/docs/backup", headers=KEY, status=201)
    by_number = api.post(f"sets/{first['set_id']}/backup", headers=KEY, status=201)
    assert first["id"] == again["id"] == by_number["id"]
    assert len(views.jobs()) == 1


def test_the_answer_stays_when_the_job_has_ended(api, agent):
    first = api.post("sets/docs/backup", headers=KEY, status=201)
    agent.orders()
    agent.back_up(first["id"], {"a": b"content"})
    again = api.post("sets/docs/backup", headers=KEY, status=201)
    assert (again["id"], again["state"]) == (first["id"], "successful")


def test_the_reply_says_where_the_job_is(api, agent):
    reply = api.request("POST", "sets/docs/backup", headers=KEY, status=201)
    assert reply.headers["Location"] == f"/api/v1/jobs/{reply.json()['id']}"


def test_another_key_or_none_is_another_call(api, agent):
    api.post("sets/docs/backup", headers=KEY, status=201)
    api.problem("POST", "sets/docs/backup", headers={"Idempotency-Key": "other"}, status=409, code="already_queued")
    api.problem("POST", "sets/docs/backup", status=409, code="already_queued")


def test_the_same_key_for_another_call_is_a_conflict(api, server, agent):
    server.make_set(agent, "more", "/srv/more")
    first = api.post("sets/docs/backup", headers=KEY, status=201)
    agent.orders()
    snapshot = agent.back_up(first["id"], {"a": b"content"})
    api.problem("POST", "sets/more/backup", headers=KEY, status=409, code="key_used")
    wish = {"target": "/tmp/x"}
    api.problem("POST", f"snapshots/{snapshot}/restore", wish, headers=KEY, status=409, code="key_used")
    other = {"Idempotency-Key": "other"}
    restore = api.post(f"snapshots/{snapshot}/restore", wish, headers=other, status=201)
    assert api.post(f"snapshots/{snapshot}/restore", wish, headers=other, status=201)["id"] == restore["id"]
    changed = {"target": "/tmp/y"}
    api.problem("POST", f"snapshots/{snapshot}/restore", changed, headers=other, status=409, code="key_used")


def test_a_call_that_failed_has_used_no_key(api, agent):
    first = api.post("sets/docs/backup", status=201)
    api.problem("POST", "sets/docs/backup", headers=KEY, status=409, code="already_queued")
    agent.orders()
    agent.back_up(first["id"], {"a": b"content"})
    assert api.post("sets/docs/backup", headers=KEY, status=201)["id"] == first["id"] + 1


def test_equal_calls_at_the_same_moment_start_one_job(api, agent, caller):
    begin, jobs = threading.Barrier(4), []

    def call():
        with catalog_thread():
            mine = caller(api.token)
            begin.wait()
            jobs.append(mine.post("sets/docs/backup", headers=KEY, status=201)["id"])

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs) == 4
    assert len(set(jobs)) == len(views.jobs()) == 1


@pytest.mark.parametrize("key", ["x" * 256])
def test_a_key_that_is_too_long_is_refused(api, agent, key):
    problem = api.problem("POST", "sets/docs/backup", headers={"Idempotency-Key": key}, status=400, code="bad_field")
    assert "Idempotency-Key" in problem["detail"]
