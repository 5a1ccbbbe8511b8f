"""What the agent's tests share."""

import pytest

from tests.unit.agent.tls_server import tls_server


@pytest.fixture
def server(tmp_path):
    with tls_server(tmp_path) as running:
        yield running
