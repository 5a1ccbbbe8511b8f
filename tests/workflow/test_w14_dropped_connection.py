"""W14: a dropped connection is not a restart: the agent reconnects with back-off and the same job goes on.

The server and the agent are the real ones; what lies between them is cut, again and again, in the middle of things.
"""

import os
import threading
import time
from datetime import timedelta

import pytest

from strongroom import clock
from strongroom.agent.activate import activate
from strongroom.agent.backup.places import Places
from strongroom.agent.service.loop import Agent
from strongroom.model.job import Trigger
from strongroom.model.policy import ConflictMode, Content, Options
from strongroom.server.backup.request import request_backup
from strongroom.server.backup.sets import create_set, require_set
from strongroom.server.catalog import models
from strongroom.server.hosts import presence
from strongroom.server.hosts.activate import create_activation_token
from strongroom.server.restore.request import RestoreWishes, request_restore
from tests.unit.agent.restore.taken import look_at
from tests.workflow.cutting_proxy import cutting_proxy
from tests.workflow.live_server import ADMIN, live_server


class Site:
    """A server, a host whose network can be cut, and a set on it."""

    def __init__(self, tmp_path, network):
        self.network = network
        self.files = tmp_path / "files"
        self.state = tmp_path / "state"
        self.files.mkdir()
        for number in range(40):
            (self.files / f"{number}").write_bytes(os.urandom(500_000))
        for number in range(300):
            (self.files / f"small {number}").write_bytes(os.urandom(100))
        token = create_activation_token(uses=1, lifetime=timedelta(hours=1), by=ADMIN, now=clock.now(), url=network.url)
        self.agent = Agent(self.state, activate(token, self.state, name="files"), Places(self.state, tmp_path / "logs"))
        self._thread = threading.Thread(target=self.agent.run)
        self._thread.start()
        self.jobs = models.Job.objects
        create_set(
            name="docs",
            host=models.Host.objects.get(),
            content=Content(include=(str(self.files),)),
            options=Options(),
            by=ADMIN,
            now=clock.now(),
        )
        self.until(lambda: models.Host.objects.get() and self.is_connected(models.Host.objects.get().id))

    def is_connected(self, host_id):
        return presence.is_running(host_id)

    def stop(self):
        self.agent.stop()
        self._thread.join(30)

    def back_up(self):
        return request_backup(backup_set=require_set("docs"), trigger=Trigger.NOW, now=clock.now(), by=ADMIN).id

    def restore(self, snapshot, target):
        wishes = RestoreWishes(snapshot, (str(self.files),), str(target), conflict=ConflictMode.OVERWRITE)
        return request_restore(wishes=wishes, by=ADMIN, now=clock.now()).id

    def ended(self, job_id):
        self.until(lambda: self.jobs.get(id=job_id).state not in {"queued", "running"})
        return self.jobs.get(id=job_id)

    def until(self, is_so):
        """Wait for something; the test's own time limit ends a wait in vain."""
        while not is_so():
            time.sleep(0.05)


@pytest.fixture
def site(tmp_path):
    with live_server(tmp_path / "data") as server, cutting_proxy(server.port) as network:
        made = Site(tmp_path, network)
        try:
            yield made
        finally:
            made.stop()


def test_w14_a_backup_goes_on_over_cut_connections(site, tmp_path):
    site.network.budgets = [1_000_000, 3_000_000, 200_000, 5_000_000]
    job = site.ended(site.back_up())
    assert (job.state, job.missed_count) == ("successful", 0)
    assert site.network.cuts >= 4
    assert job.transfer["retries"] >= 1
    assert site.jobs.count() == 1

    site.network.budgets = [2_000_000, 100_000, 6_000_000]
    restored = site.ended(site.restore(job.snapshot, tmp_path / "target"))
    assert (restored.state, restored.missed_count) == ("successful", 0)
    assert site.network.cuts >= 7
    assert look_at(tmp_path / "target" / "files") == look_at(site.files)


def test_w14_a_backup_outlives_a_while_without_any_network(site):
    site.network.budgets = [2_000_000]
    job_id = site.back_up()
    site.until(lambda: site.network.cuts)
    site.network.is_down = True
    site.network.cut()
    time.sleep(2)
    assert site.jobs.get(id=job_id).state == "running"
    site.network.is_down = False
    job = site.ended(job_id)
    assert (job.state, job.missed_count) == ("successful", 0)
    assert job.transfer["retry_s"] > 0


def test_w14_an_idle_agent_comes_back_and_takes_orders(site):
    for _ in range(3):
        site.network.cut()
        time.sleep(0.2)
    assert site.ended(site.back_up()).state == "successful"
