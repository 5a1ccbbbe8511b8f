"""The agent's loop: keep the stream of orders open, keep saying that we are here, until told to stop."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom import clock
from strongroom.agent.backup.places import Places
from strongroom.agent.config import load_config
from strongroom.agent.identity import facts_of, load_identity
from strongroom.agent.journal import Journal
from strongroom.agent.link.link import Link
from strongroom.agent.link.patience import wait_before
from strongroom.agent.platform.current import current_platform
from strongroom.agent.restore.unfinished import sweep
from strongroom.agent.service.carry_out import Workshop
from strongroom.agent.service.jobs import Jobs
from strongroom.errors import Conflict, Refused, StrongroomError, Unavailable
from strongroom.memory import collect_seldom, keep_freed_memory
from strongroom.protocol.messages import BackupOrder, CancelOrder, Hello, Order, Report, RestoreOrder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from strongroom.agent.identity import Identity
    from strongroom.agent.link.link import OrderStream

_BEAT_IDLE_S: Final = 5.0
_BEAT_BUSY_S: Final = 2.0
_STEADY_S: Final = 20.0
_REFUSED_S: Final = 30.0
_STOP_S: Final = 8.0
_log: Final = logging.getLogger(__name__)
_order: Final = msgspec.msgpack.Decoder(Order)


def run(state: Path) -> None:
    """Run the agent with its state in a folder, until SIGTERM or SIGINT.

    Raises:
        Mistake: the agent is not activated, or its settings are wrong.
        Conflict: another agent runs with this state folder.
    """
    keep_freed_memory()
    config = load_config(state)
    identity = load_identity(state)
    with _only_agent(state):
        agent = Agent(state, identity, Places(state, config.log_folder()))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda caught, _: _stop_once(agent, caught))
        collect_seldom()
        agent.run()


class Agent:
    """The resident agent."""

    def __init__(self, state: Path, identity: Identity, places: Places) -> None:
        """Prepare; nothing is sent yet."""
        machine = current_platform()
        self._facts = facts_of(machine, name=identity.host_name, instance_id=uuid.uuid4().hex)
        self._identity = identity
        self._link = Link(identity)
        self._journal = Journal(state)
        self._places = places
        self._stop = threading.Event()
        self._news = threading.Event()
        self._points = machine.recovery_points(places.state)
        self._jobs = Jobs(Workshop(self._link, machine, places), self._journal, self._news.set)
        self._stream: OrderStream | None = None
        self._lost: str | None = ""

    def run(self) -> None:
        """Serve until `stop` is called."""
        _log.info("host %s, server %s", self._identity.host_name, self._identity.server_url)
        self._journal.abandoned_jobs()
        self._clear_recovery_points()
        sweep(self._places.spool())
        threads = [
            threading.Thread(target=self._listen, name="orders", daemon=True),
            threading.Thread(target=self._beat, name="heartbeat", daemon=True),
        ]
        for thread in threads:
            thread.start()
        self._stop.wait()
        _log.info("stopping")
        self._jobs.stop(_STOP_S)
        self._link.close()
        for thread in threads:
            thread.join(1.0)

    def stop(self) -> None:
        """Have `run` return soon; safe to call in a signal handler."""
        self._stop.set()
        self._news.set()

    def _clear_recovery_points(self) -> None:
        """Delete what jobs that were cut off left frozen (W10); it must not keep the agent from its work."""
        try:
            self._points.clear()
        except (StrongroomError, OSError):
            _log.exception("recovery points that were left behind could not be deleted")

    def _listen(self) -> None:
        """Keep the stream of orders open; connect again, ever more slowly, when it ends."""
        attempt = 0
        while not self._stop.is_set():
            began = clock.monotonic_s()
            least_s = self._listen_once()
            # One that ends soon after it began counts as a failure: two agents of one identity push each other out.
            attempt = 1 if clock.monotonic_s() - began > _STEADY_S else attempt + 1
            self._stop.wait(max(least_s, wait_before(attempt)))

    def _listen_once(self) -> float:
        """Listen until the stream ends; return how long to wait at least before the next try."""
        try:
            self._stream = self._link.orders(Hello(self._facts, self._jobs.running_ids()))
            self._note_connected()
            for body in self._stream:
                self._take(body)
        except StrongroomError as error:
            self._note_lost(error.text if not error.hint else f"{error.text} {error.hint}")
            return _REFUSED_S if isinstance(error, Refused) else 0.0
        except Exception:  # noqa: BLE001 -- a resident agent goes on
            _log.exception("the stream of orders failed")
            return 0.0
        self._note_lost("The server has ended the stream of orders.")
        return 0.0

    def _take(self, body: bytes) -> None:
        """Act on an order."""
        try:
            order = _order.decode(body)
        except msgspec.DecodeError as error:
            _log.warning("the server sent an order that this release does not know: %s", error)
            return
        if isinstance(order, BackupOrder | RestoreOrder):
            self._jobs.begin(order)
        elif isinstance(order, CancelOrder):
            self._jobs.cancel(order.job_id)

    def _beat(self) -> None:
        """Say every few seconds that we are here, and how the jobs stand."""
        while not self._stop.is_set():
            busy = False
            try:
                busy = self._jobs.tell() > 0
                if not busy:
                    self._link.report(Report())
            except StrongroomError as error:
                _log.debug("heartbeat: %s", error.text)
            except Exception:  # noqa: BLE001 -- a resident agent goes on
                _log.exception("the heartbeat failed")
            self._news.wait(_BEAT_BUSY_S if busy else _BEAT_IDLE_S)
            self._news.clear()

    def _note_connected(self) -> None:
        """Log it once."""
        if self._lost is not None:
            _log.info("connected")
            self._lost = None

    def _note_lost(self, why: str) -> None:
        """Log a reason once, however often it comes again."""
        if why != self._lost and not self._stop.is_set():
            _log.warning("not connected: %s", why)
            self._lost = why


@contextmanager
def _only_agent(state: Path) -> Iterator[None]:
    """Hold the lock of a state folder.

    Raises:
        Conflict: another agent holds it.
    """
    path = state / "agent.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(f"{path} cannot be opened: {error.strerror}.", code="state_unwritable") from error
    try:
        _take_lock(handle, state)
        yield
    finally:
        os.close(handle)


def _take_lock(handle: int, state: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Conflict(f"Another agent is running with its state in {state}.", code="agent_running") from error


def _stop_once(agent: Agent, caught: int) -> None:
    """Stop in good order; the same signal once more ends the program at once."""
    signal.signal(caught, signal.SIG_DFL)
    agent.stop()
