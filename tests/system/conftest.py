"""What the system tests share: a site for each module, whose processes never fall over with a traceback."""

import pytest

from tests.system.network import network
from tests.system.site import Site, SiteWithNetwork

HOSTS = "HOSTS"
"""A module names its hosts so, if they are not the one called `host`."""


@pytest.fixture(scope="module")
def site(tmp_path_factory, request):
    """Give a server with its agents, all connected."""
    with Site(tmp_path_factory.mktemp("site"), hosts=getattr(request.module, HOSTS, ("host",))) as made:
        yield made
    assert "Traceback" not in made.said()


@pytest.fixture(scope="module")
def far_site(tmp_path_factory):
    """Give a server and an agent with a network between them."""
    with network() as between, SiteWithNetwork(tmp_path_factory.mktemp("far"), between) as made:
        yield made
    assert "Traceback" not in made.said()
