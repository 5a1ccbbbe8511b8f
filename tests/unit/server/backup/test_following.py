"""Following a job: told at its end, whenever that comes, and never kept from an answer."""

import threading

import pytest
from django.db import connections

from strongroom import clock
from strongroom.server import views
from strongroom.server.backup.cancel import cancel_job
from strongroom.server.backup.following import FOLLOWERS, wait_for_end

LONG_S = 60.0


@pytest.fixture
def queued(server):
    agent = server.agent()
    server.make_set(agent)
    return server.back_up()


def cancel(server, job_id):
    cancel_job(job_id=job_id, by=server.by, now=clock.now())


class Follower(threading.Thread):
    """Waits in a thread of its own, as a request does, and looks at the job then."""

    def __init__(self, job_id, timeout_s=LONG_S):
        super().__init__(daemon=True)
        self.job_id, self.timeout_s, self.saw = job_id, timeout_s, ""
        self.start()

    def run(self):
        try:
            wait_for_end(self.job_id, self.timeout_s)
            self.saw = views.job(self.job_id)["state"]
        finally:
            connections.close_all()


@pytest.mark.parametrize("followers", [1, FOLLOWERS + 3])
def test_who_follows_a_job_sees_its_end(server, queued, followers):
    all_of_them = [Follower(queued) for _ in range(followers)]
    early = followers - FOLLOWERS if followers > FOLLOWERS else 0
    while sum(not one.is_alive() for one in all_of_them) < early:
        clock.wait_s(0.01)
    cancel(server, queued)
    for one in all_of_them:
        one.join(LONG_S / 2)
    assert not any(one.is_alive() for one in all_of_them)
    assert sorted(one.saw for one in all_of_them) == ["cancelled"] * (followers - early) + ["queued"] * early


def test_nobody_waits_for_a_job_that_has_ended_or_never_was(server, queued):
    cancel(server, queued)
    wait_for_end(queued, LONG_S)
    wait_for_end(queued + 1, LONG_S)


def test_time_runs_out_and_gives_the_place_back(server, queued):
    for _ in range(3 * FOLLOWERS):
        wait_for_end(queued, 0.001)
    follower = Follower(queued)
    cancel(server, queued)
    follower.join(LONG_S / 2)
    assert follower.saw == "cancelled"
