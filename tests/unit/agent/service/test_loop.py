"""The resident agent: connects, carries out what comes, comes back when it is cut off, stops when told."""

import fcntl
import queue
import threading
import time

import msgspec
import pytest

from strongroom.agent.backup.places import Places
from strongroom.agent.identity import save_identity
from strongroom.agent.service import run
from strongroom.agent.service.loop import Agent
from strongroom.engine.format.tree import encode_leaf
from strongroom.errors import Conflict, Mistake
from strongroom.model.policy import ConflictMode
from strongroom.protocol.endpoints import Endpoint
from strongroom.protocol.messages import CancelOrder, Hello, ListedFolder, RestoreOrder, StillThere
from tests.unit.agent.tls_server import BUSY, DROP


class Stage:
    """An agent that runs, and a server whose stream of orders a test fills."""

    def __init__(self, server, state):
        self.server = server
        self.orders = queue.Queue()
        self.hellos = []
        server.answers[Endpoint.ORDERS] = self._stream
        server.answers[Endpoint.FETCH] = lambda _: [msgspec.msgpack.encode(ListedFolder(b"", encode_leaf([])))]
        self.agent = Agent(state, server.identity(), Places(state, state))
        self.thread = threading.Thread(target=self.agent.run)
        self.thread.start()

    def _stream(self, body):
        self.hellos.append(msgspec.msgpack.decode(body, type=Hello))
        return iter(self.orders.get, None)

    def send(self, order):
        self.orders.put(order if isinstance(order, bytes) else msgspec.msgpack.encode(order))

    def end_stream(self):
        self.orders.put(None)

    def finals(self):
        return [report.final for report in self.server.reports if report.final]


@pytest.fixture
def stage(server, tmp_path):
    made = Stage(server, tmp_path / "state")
    yield made
    made.agent.stop()
    made.end_stream()
    made.thread.join(30)
    assert not made.thread.is_alive()


def until(is_so):
    while not is_so():
        time.sleep(0.01)


def restore(tmp_path, job_id=1):
    return RestoreOrder(job_id, "s", (), str(tmp_path / "target"), ConflictMode.OVERWRITE, "g", b"k" * 32)


def test_an_order_is_carried_out_and_reported(stage, tmp_path):
    stage.send(StillThere())
    stage.send(b"an order of a later release")
    stage.send(CancelOrder(99))
    stage.send(restore(tmp_path))
    until(stage.finals)
    assert stage.finals()[0].state == "successful"
    assert stage.hellos[0].running == ()


def test_it_says_that_it_is_there_while_it_has_nothing_to_do(stage):
    until(lambda: any(report.job_id == 0 for report in stage.server.reports))


def test_it_comes_back_with_the_same_instance(stage, tmp_path):
    until(lambda: len(stage.hellos) == 1)
    stage.server.trouble[Endpoint.ORDERS] += [DROP, BUSY]
    stage.end_stream()
    until(lambda: len(stage.hellos) == 2)
    stage.send(restore(tmp_path))
    until(stage.finals)
    assert stage.hellos[0].facts == stage.hellos[1].facts


def test_another_start_is_another_instance(stage, server, tmp_path):
    until(lambda: stage.hellos)
    other = Agent(tmp_path / "other", server.identity(), Places(tmp_path / "other", tmp_path))
    assert other._facts.instance_id != stage.hellos[0].facts.instance_id
    assert other._facts.boot_id == stage.hellos[0].facts.boot_id


def test_only_one_agent_runs_with_a_state_folder(server, tmp_path):
    save_identity(tmp_path, server.identity())
    with open(tmp_path / "agent.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Conflict) as caught:
            run(tmp_path)
    assert caught.value.code == "agent_running"


def test_an_agent_that_is_not_activated_does_not_run(tmp_path):
    with pytest.raises(Mistake) as caught:
        run(tmp_path)
    assert caught.value.code == "not_activated"


def test_a_wrong_setting_is_said_so(tmp_path):
    (tmp_path / "agent.toml").write_text('log_rot = "/x"\n')
    with pytest.raises(Mistake) as caught:
        run(tmp_path)
    assert "log_rot" in caught.value.text
