"""A real server, a real agent and a real browser for each file of tests."""

import pytest

from strongroom.testing.loopback import Loopback
from tests.console.eyes import Eyes, chromium


@pytest.fixture(scope="module")
def browser():
    """Chromium first: where there is none, no server need be started."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def loop(browser, tmp_path_factory):
    with Loopback(tmp_path_factory.mktemp("loop")) as loop:
        yield loop


@pytest.fixture(scope="module")
def logins():
    """What a browser keeps of a login, for the pages that share it."""
    return {}


@pytest.fixture
def eyes(browser, loop, logins):
    eyes = Eyes(browser, loop, logins)
    yield eyes
    eyes.close()
    assert eyes.complaints == []


@pytest.fixture
def page(eyes):
    """A page of somebody who has logged in."""
    return eyes.page()
