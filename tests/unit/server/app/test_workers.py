"""Synchronous work is done in a bounded number of threads, and its outcome comes back to whoever waits."""

import asyncio
import threading

import pytest

from strongroom.server.app.workers import Workers


@pytest.fixture
def workers():
    pool = Workers("test", 2)
    yield pool
    pool.close(5)


def test_work_runs_in_another_thread_and_its_result_comes_back(workers):
    assert asyncio.run(workers.run(threading.get_ident)) != threading.get_ident()


def test_what_work_raises_comes_back(workers):
    with pytest.raises(ZeroDivisionError):
        asyncio.run(workers.run(lambda: 1 // 0))


def test_a_failure_costs_no_thread(workers):
    async def scene():
        failures = await asyncio.gather(*(workers.run(lambda: 1 // 0) for _ in range(10)), return_exceptions=True)
        assert all(isinstance(failure, ZeroDivisionError) for failure in failures)
        assert await workers.run(lambda: "well") == "well"

    asyncio.run(scene())


def test_never_more_at_once_than_there_are_threads(workers):
    together = threading.Barrier(3)

    def meet():
        with pytest.raises(threading.BrokenBarrierError):
            together.wait(0.2)

    async def scene():
        await asyncio.gather(*(workers.run(meet) for _ in range(3)))

    asyncio.run(scene())


def test_who_goes_away_does_not_hurt_the_work_or_the_others(workers):
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        go_on.wait(5)

    async def scene():
        waiting = asyncio.create_task(workers.run(slow))
        await asyncio.to_thread(begun.wait, 5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go_on.set()
        assert await workers.run(lambda: 1) == 1

    asyncio.run(scene())


def test_closed_workers_have_finished_what_was_queued():
    done = []
    pool = Workers("test", 1)

    async def scene():
        for n in range(5):
            asyncio.ensure_future(pool.run(lambda n=n: done.append(n)))  # noqa: RUF006
        await asyncio.sleep(0)

    asyncio.run(scene())
    pool.close(5)
    assert done == [0, 1, 2, 3, 4]
