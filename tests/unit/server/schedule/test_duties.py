"""Duties: one holder at a time does them, a dead one is replaced, and the thread ends cleanly."""

import threading
from datetime import timedelta

from strongroom import clock
from strongroom.server import views
from strongroom.server.backup.state import forget_all_heard
from strongroom.server.catalog import models
from strongroom.server.schedule.duties import run_duties
from strongroom.server.schedule.lease import drop_lease, forget_leases, take_lease

HALF_MINUTE = timedelta(seconds=30)


def take(holder, now):
    return take_lease(name="duties", holder=holder, length=HALF_MINUTE, now=now)


def test_one_holds_it_and_renews_it(server):
    now = clock.now()
    assert take("a", now)
    assert not take("b", now + timedelta(seconds=29))
    assert take("a", now + timedelta(seconds=29))
    assert not take("b", now + timedelta(seconds=58))


def test_a_dead_holder_is_replaced_and_one_that_leaves_at_once(server):
    now = clock.now()
    take("a", now)
    assert take("b", now + timedelta(seconds=31))
    drop_lease(name="duties", holder="a")
    assert not take("a", now + timedelta(seconds=32))
    drop_lease(name="duties", holder="b")
    assert take("a", now + timedelta(seconds=32))


def test_the_leases_of_a_process_that_is_dead_for_certain_need_not_run_out(server):
    now = clock.now()
    assert take("killed", now)
    assert not take("b", now)
    forget_leases()
    assert take("b", now)


def test_the_thread_does_its_duty_and_leaves_no_lease(server):
    agent = server.agent()
    server.make_set(agent)
    agent.connect()
    job_id = server.back_up()
    agent.orders()
    models.Job.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    forget_all_heard()
    stop = threading.Event()
    thread = threading.Thread(target=run_duties, kwargs={"stop": stop, "holder": "test", "period_s": 0.01})
    thread.start()
    try:
        while views.job(job_id)["state"] == "running":
            clock.wait_s(0.01)
    finally:
        stop.set()
        thread.join()
    assert views.job(job_id)["reason"]["code"] == "agent_lost"
    assert models.Lease.objects.count() == 0
