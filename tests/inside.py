"""Fixtures of tests that call the server's verbs: a server without its doors, an agent worked by hand, a running job.

A folder's conftest offers them to its tests; a test module that begins elsewhere has its own of the same name.
"""

import pytest

from strongroom.testing.small_server import small_server


@pytest.fixture
def server(tmp_path):
    with small_server(tmp_path) as opened:
        yield opened


@pytest.fixture
def agent(server):
    """Give a connected host `files` with a set `docs`."""
    agent = server.agent()
    agent.connect()
    server.make_set(agent)
    return agent


@pytest.fixture
def job_id(server, agent):
    """Give a backup of the set that the agent has its order for."""
    job = server.back_up()
    agent.orders()
    return job
