"""Hosts share the server: none takes more than its share, and all together no more than there is."""

import asyncio

import pytest

from strongroom.server.gateway.intake import HOST_BYTES, HOST_REQUESTS, HOST_STREAMS, Busy, Intake


def test_a_host_has_at_most_so_many_requests_at_work():
    async def scene():
        intake = Intake(patience_s=0.05)
        async with Together(intake.request("a", 1) for _ in range(HOST_REQUESTS)):
            with pytest.raises(Busy):
                await enter(intake.request("a", 1))
            await enter(intake.request("b", 1))

    asyncio.run(scene())


def test_a_host_has_at_most_so_many_bytes():
    async def scene():
        intake = Intake(patience_s=0.05)
        async with intake.request("a", HOST_BYTES):
            with pytest.raises(Busy):
                await enter(intake.request("a", 1))
            await enter(intake.request("b", HOST_BYTES))

    asyncio.run(scene())


def test_all_hosts_together_have_at_most_so_many_bytes():
    async def scene():
        intake = Intake(total_bytes=10, patience_s=0.05)
        async with intake.request("a", 6):
            with pytest.raises(Busy):
                await enter(intake.request("b", 5))
            await enter(intake.request("b", 4))

    asyncio.run(scene())


def test_a_host_has_at_most_so_many_streams():
    async def scene():
        intake = Intake(patience_s=0.05)
        async with Together(intake.stream("a") for _ in range(HOST_STREAMS)):
            with pytest.raises(Busy):
                await enter(intake.stream("a"))
            await enter(intake.request("a", 1))

    asyncio.run(scene())


def test_who_waits_gets_the_room_that_is_given_back():
    async def scene():
        intake = Intake(total_bytes=10)
        order = []

        async def second():
            async with intake.request("b", 10):
                order.append("second")

        async with intake.request("a", 10):
            waiting = asyncio.create_task(second())
            await asyncio.sleep(0.01)
            order.append("first")
        await waiting
        assert order == ["first", "second"]

    asyncio.run(scene())


def test_who_goes_away_while_at_work_or_waiting_leaves_nothing_taken():
    async def scene():
        intake = Intake(total_bytes=10)

        async def hold():
            async with intake.request("a", 10):
                await asyncio.Event().wait()

        tasks = [asyncio.create_task(hold()) for _ in range(5)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await enter(intake.request("a", 10))

    asyncio.run(scene())


class Together:
    def __init__(self, contexts):
        self._contexts = list(contexts)

    async def __aenter__(self):
        for context in self._contexts:
            await context.__aenter__()

    async def __aexit__(self, *exc):
        for context in self._contexts:
            await context.__aexit__(*exc)


async def enter(context):
    async with context:
        pass
