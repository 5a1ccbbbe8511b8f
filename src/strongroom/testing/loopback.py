"""A real server and real agents as processes of their own on this machine, for system tests, benchmark and demo.

They are driven only the way a person drives them: through the command line, in folders and with an environment of
their own, so that nothing of the user's is touched and several loopbacks can run side by side.

    with Loopback(folder) as loop:                        # server started, agent "host" activated and connected
        made = loop.cli("set", "create", "docs", "--host", "host", "--include", "/usr/share/doc")
        job = loop.cli("backup", "docs", "--wait")        # parsed JSON; raises unless it exits with 0
        loop.kill_agent()                                 # as a power cut would

A folder that was used before goes on where it was: same server, same hosts. On leaving, every process is ended.
Everything the processes say is in `server.log` and `agent-NAME.log` in the folder.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from strongroom import clock
from strongroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HOST = "host"
PATIENCE_S = 60.0
POLL_S = 0.05
FIRST_LINE_OF_TAIL = -15


class Loopback:
    """One server and its agents in one folder. Not for use from several threads at once."""

    def __init__(
        self,
        folder: Path,
        *,
        hosts: Sequence[str] = (HOST,),
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = (),
    ) -> None:
        """Name the folder; nothing is started yet. Without a port, one that is free is chosen and kept."""
        self.folder = folder.absolute()
        self.data = self.folder / "server"
        self.hosts = tuple(hosts)
        self.program = list(program) or _program()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or _kept_port(self.folder / "port")
        self.url = f"https://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,  # noqa: TID251  (handed on to the processes, not read)
            "STRONGROOM_DATA": str(self.data),
            "STRONGROOM_SERVER": self.url,
            "STRONGROOM_LOG_ROOT": str(self.folder / "log"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            **(environment or {}),
        }
        self.environment.pop("STRONGROOM_TOKEN", None)  # the local administrator needs none

    def __enter__(self) -> Self:
        """Start everything."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self.stop()

    # ------------------------------------------------------------------------------------------------------------------
    # All together

    def start(self) -> None:
        """Start the server and every agent, setting up what is new; return when all hosts are connected."""
        self.start_server()
        for name in self.hosts:
            self.activate(name)
            self.start_agent(name)

    def stop(self) -> None:
        """End agents, then server; whoever does not end in good time is killed."""
        for name in sorted(self.processes, key=lambda name: name == "server"):
            self._end(name, signal.SIGTERM)

    def pids(self) -> dict[str, int]:
        """Give the process ids of what runs now: `server` and `agent-NAME`."""
        return {name: process.pid for name, process in self.processes.items() if process.poll() is None}

    # ------------------------------------------------------------------------------------------------------------------
    # The server

    def start_server(self) -> None:
        """Start the server, initialising its folder the first time; return when it answers."""
        if not self.data.exists():
            made = loads(self.run("server", "init", "--data", str(self.data), "--json", expect=(0,)).stdout)
            (self.folder / "password").touch(mode=0o600)
            (self.folder / "password").write_text(made["password"])
        self._begin("server", "server", "run", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}")
        self._wait_until(lambda: self.run("host", "list", "--json").returncode == 0, "server", "answer")

    def password(self) -> str:
        """Give the password of the administrator, who is called admin."""
        return (self.folder / "password").read_text()

    def stop_server(self) -> None:
        """Ask the server to end, and wait until it has."""
        self._end("server", signal.SIGTERM)

    def kill_server(self) -> None:
        """Kill the server and whatever it started, with no chance to tidy up."""
        self._end("server", signal.SIGKILL)

    # ------------------------------------------------------------------------------------------------------------------
    # The agents

    def state(self, name: str = HOST) -> Path:
        """Give the agent's state folder."""
        return self.folder / f"agent-{name}"

    def activate(self, name: str = HOST) -> None:
        """Register an agent with the server, unless it is."""
        if not self.state(name).exists():
            token = self.cli("token", "create", "--uses", "1")["token"]
            self.run("agent", "activate", token, "--state", str(self.state(name)), "--name", name, expect=(0,))

    def start_agent(self, name: str = HOST, *, wait: bool = True) -> None:
        """Start an agent; return when the server sees it."""
        self._begin(f"agent-{name}", "agent", "run", "--state", str(self.state(name)))
        if wait:
            self.wait_connected(name)

    def stop_agent(self, name: str = HOST) -> None:
        """Ask an agent to end, and wait until it has."""
        self._end(f"agent-{name}", signal.SIGTERM)

    def kill_agent(self, name: str = HOST) -> None:
        """Kill an agent with no chance to tidy up."""
        self._end(f"agent-{name}", signal.SIGKILL)

    def wait_connected(self, name: str = HOST, *, connected: bool = True) -> None:
        """Wait until the server sees the host as connected, or as gone."""

        def seen() -> bool:
            return any(host["name"] == name and host["connected"] == connected for host in self.cli("host", "list"))

        self._wait_until(seen, f"agent-{name}" if connected else "server", "connect" if connected else "notice")

    # ------------------------------------------------------------------------------------------------------------------
    # The command line

    def cli(self, *arguments: str, json: bool = True, expect: tuple[int, ...] = (0,)) -> Any:  # noqa: ANN401  (JSON)
        """Run a command as the local administrator; return its parsed JSON, or its text when `json` is False.

        Raises:
            Unavailable: it ended with an exit code that is not expected; the text has what it said.
        """
        answer = self.run(*arguments, *(["--json"] if json else []), expect=expect)
        return loads(answer.stdout) if json else answer.stdout

    def run(self, *arguments: str, expect: tuple[int, ...] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command and return its exit code and all it said; with `expect`, insist on the exit code."""
        answer = subprocess.run(  # noqa: S603  (our own program)
            self.command(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if expect is not None and answer.returncode not in expect:
            told = f"{answer.stdout}{answer.stderr}".strip()
            shown = " ".join(arguments)
            raise Unavailable(f"strongroom {shown} ended with {answer.returncode}: {told}", code="loopback")
        return answer

    def command(self, *arguments: str) -> list[str]:
        """Give the command line for callers that start the process themselves, with `environment`."""
        return [*self.program, *arguments]

    # ------------------------------------------------------------------------------------------------------------------
    # Processes

    def _begin(self, name: str, *arguments: str) -> None:
        """Start a process that stays, in a process group of its own, its output appended to a log."""
        if name in self.pids():
            return
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603  (our own program)
                self.command(*arguments),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _end(self, name: str, how: signal.Signals) -> None:
        """End a process and wait; if asking does not help, kill its whole group."""
        process = self.processes.pop(name, None)
        if process is None:
            return
        if process.poll() is None and how == signal.SIGTERM:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                sys.stderr.write(f"{name} did not end when asked, and was killed.\n")
        with contextlib.suppress(ProcessLookupError):  # nobody of the group is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _wait_until(self, condition: Callable[[], bool], name: str, verb: str) -> None:
        """Poll until the condition holds.

        Raises:
            Unavailable: the process ended, or time is up; the text has the end of its log.
        """
        began = clock.monotonic_s()
        while not condition():
            ended = name not in self.pids()
            if ended or clock.monotonic_s() - began > PATIENCE_S:
                log = self.folder / f"{name}.log"
                said = log.read_text("utf-8", "replace").splitlines()[FIRST_LINE_OF_TAIL:] if log.exists() else []
                fault = "ended" if ended else f"did not {verb} within {PATIENCE_S:.0f} s"
                raise Unavailable("\n".join([f"{name} {fault}. Its log ends with:", *said]), code="loopback")
            clock.wait_s(POLL_S)


def _program() -> list[str]:
    """Find the program that belongs to this interpreter."""
    beside = Path(sys.executable).parent / "strongroom"
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "strongroom.cli.main"]


def _kept_port(file: Path) -> int:
    """Give the port this folder used before, or one that is free now, and keep it: agents remember the address."""
    if not file.exists():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            file.write_text(str(probe.getsockname()[1]))
    return int(file.read_text())
