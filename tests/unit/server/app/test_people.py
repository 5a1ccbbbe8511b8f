"""People's requests are answered by Django, each in one thread of a pool."""

import asyncio
import contextlib
import threading

import pytest
from django.core.signals import request_finished, request_started
from django.db import connection

from strongroom.server.app.people import People
from strongroom.server.app.workers import Workers

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture
def workers():
    pool = Workers("people", 2)
    yield pool
    pool.close(5)


def scope(path, method="GET"):
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "scheme": "https",
        "server": ("127.0.0.1", 8443),
        "client": ("127.0.0.1", 9),
    }


async def ask(people, path, *, first=None):
    sent = []

    async def receive():
        return first or {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await people(scope(path), receive, send)
    return sent


@contextlib.contextmanager
def told(signal):
    """Collect the names of the threads in which a signal is sent."""
    threads = []

    def note(**_):
        threads.append(threading.current_thread().name)

    signal.connect(note)
    try:
        yield threads
    finally:
        signal.disconnect(note)


def test_a_page_is_answered(workers):
    head, *bodies = asyncio.run(ask(People(workers), "/healthz"))
    assert head["status"] == 200
    assert not bodies[-1]["more_body"]


def test_what_is_refused_is_answered_too(workers):
    head, body = asyncio.run(ask(People(workers), "/api/v1/jobs"))
    assert head["status"] == 401
    assert b"code" in body["body"]


def test_a_request_begins_and_ends_in_one_thread_of_the_pool(workers):
    async def scene():
        people = People(workers)
        with told(request_started) as began, told(request_finished) as ended:
            await ask(people, "/api/v1/jobs")
        assert began == ended
        assert set(began) <= {"people-0", "people-1"}

    asyncio.run(scene())


def test_many_requests_share_the_threads(workers):
    async def scene():
        people = People(workers)
        with told(request_started) as began:
            answers = await asyncio.gather(*(ask(people, "/healthz") for _ in range(20)))
        assert [answer[0]["status"] for answer in answers] == [200] * 20
        assert set(began) <= {"people-0", "people-1"}

    asyncio.run(scene())


def test_a_thread_keeps_its_connection_from_one_request_to_the_next():
    pool = Workers("people", 1)

    def used():
        connection.ensure_connection()
        return connection.connection

    async def scene():
        before = await pool.run(used)
        await ask(People(pool), "/healthz")
        assert await pool.run(used) is before

    try:
        asyncio.run(scene())
    finally:
        pool.close(5)


def test_a_peer_that_hangs_up_before_its_request_is_whole_is_not_answered(workers):
    assert asyncio.run(ask(People(workers), "/healthz", first={"type": "http.disconnect"})) == []
