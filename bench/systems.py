"""What is measured: Strongroom and its peers behind one small port, each driven as its users drive it.

A peer writes straight to a local folder, with a password set and otherwise with its defaults. Strongroom does the whole
road: agent, TLS, server, vault, each a process of its own; its time is that of the command `backup --wait` from start
to end. Server and agent are started before each measurement and ended after it, so nothing idles beside a peer.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Protocol

from bench.meter import Measured, measure
from strongroom.testing.loopback import Loopback

if TYPE_CHECKING:
    from pathlib import Path

    from bench.fetch import Program

PASSWORD = "only for the benchmark"
HOST = "host"
SET = "bench"


class System(Protocol):
    """One backup system and the one folder it protects. A method that fails raises `Failed`."""

    name: str

    def prepare(self) -> None:
        """Make what has to be there before the first backup; not measured."""

    def backup(self) -> Measured:
        """Back the folder up."""

    def restore(self, target: Path) -> Measured:
        """Restore the newest backup below an empty folder, each file under its whole path."""

    def stored_bytes(self) -> int:
        """Count what lies in storage now."""

    def job_figures(self) -> dict[str, object]:
        """Give the system's own report of the last job, where it has one."""


class Restic:
    """restic with a local repository."""

    def __init__(self, program: Program, data: Path, work: Path) -> None:
        """Name the data and the folder for everything of restic's."""
        self.name = f"restic {program.version}"
        self._path, self._data, self._repository = program.path, data, work / "repository"
        work.mkdir(parents=True)
        self._environment = {
            **os.environ,
            "RESTIC_PASSWORD": PASSWORD,
            "RESTIC_REPOSITORY": str(self._repository),
            "RESTIC_CACHE_DIR": str(work / "cache"),
        }

    def prepare(self) -> None:
        """Make the repository."""
        self._run("init")

    def backup(self) -> Measured:
        """Back up."""
        return self._run("backup", "--quiet", str(self._data))

    def restore(self, target: Path) -> Measured:
        """Restore the newest snapshot."""
        return self._run("restore", "--quiet", "latest", "--target", str(target))

    def stored_bytes(self) -> int:
        """Count the repository."""
        return size_of(self._repository)

    def job_figures(self) -> dict[str, object]:
        """Give nothing."""
        return {}

    def _run(self, *arguments: str) -> Measured:
        """Run restic and measure it."""
        return measure([self._path, *arguments], environment=self._environment)


class Borg:
    """borg with a local repository and one kind of compression."""

    def __init__(self, program: Program, compression: str, data: Path, work: Path) -> None:
        """Name the data and the folder for everything of borg's."""
        self.name = f"borg {program.version} {compression}"
        self._path, self._compression, self._data, self._repository = (
            program.path,
            compression,
            data,
            work / "repository",
        )
        self._backups = 0
        work.mkdir(parents=True)
        self._environment = {
            **os.environ,
            "BORG_PASSPHRASE": PASSWORD,
            "BORG_REPO": str(self._repository),
            "BORG_BASE_DIR": str(work / "base"),
            "LC_CTYPE": "C.UTF-8",
        }

    def prepare(self) -> None:
        """Make the repository."""
        self._run("init", "--encryption", "repokey-blake2")

    def backup(self) -> Measured:
        """Back up."""
        self._backups += 1
        return self._run("create", "--compression", self._compression, f"::{self._backups}", str(self._data))

    def restore(self, target: Path) -> Measured:
        """Restore the newest archive."""
        return self._run("extract", "--sparse", f"::{self._backups}", folder=target)

    def stored_bytes(self) -> int:
        """Count the repository."""
        return size_of(self._repository)

    def job_figures(self) -> dict[str, object]:
        """Give nothing."""
        return {}

    def _run(self, *arguments: str, folder: Path | None = None) -> Measured:
        """Run borg and measure it."""
        return measure([self._path, *arguments], environment=self._environment, folder=folder)


class Strongroom:
    """The whole product on this machine: server, agent and command line as processes of their own."""

    name = "strongroom"

    def __init__(self, data: Path, work: Path) -> None:
        """Name the data and the folder for everything of Strongroom's."""
        self._data = data
        self._loop = Loopback(work, hosts=(HOST,))

    def prepare(self) -> None:
        """Make server, agent and backup set."""
        with self._loop as loop:
            loop.cli("set", "create", SET, "--host", HOST, "--include", str(self._data))

    def backup(self) -> Measured:
        """Back up."""
        return self._measure("backup", SET, "--wait")

    def restore(self, target: Path) -> Measured:
        """Restore the newest snapshot."""
        with self._loop as loop:
            newest = max(loop.cli("snapshot", "list", SET), key=lambda snapshot: snapshot["time"])["id"]
        return self._measure("restore", newest, "--to", str(target), "--wait")

    def stored_bytes(self) -> int:
        """Count everything the server keeps, catalog and keys included."""
        return size_of(self._loop.data)

    def job_figures(self) -> dict[str, object]:
        """Give the last job's record."""
        with self._loop as loop:
            newest = max(loop.cli("job", "list"), key=lambda job: job["id"])
            return dict(loop.cli("job", "show", str(newest["id"])))

    def _measure(self, *arguments: str) -> Measured:
        """Measure one command together with server and agent."""
        with self._loop as loop:
            command = loop.command(*arguments)
            return measure(command, environment=loop.environment, residents=loop.pids().values())


def size_of(folder: Path) -> int:
    """Add up the sizes of all files below a folder."""
    return sum(os.lstat(os.path.join(path, name)).st_size for path, _, names in os.walk(folder) for name in names)


def compare(comparer: Path, python: str, left: Path, right: Path) -> str:
    """Let the independent comparer judge a restore; say `identical`, or what differs and how often."""
    done = measure([python, str(comparer), str(left), str(right), "--json"], environment=os.environ, expect=(0, 1))
    differences = json.loads(done.output[done.output.index("{") :])["differences"]
    kinds = sorted({one["kind"] for one in differences})
    return "identical" if not differences else f"{len(differences)} differ: {', '.join(kinds)}"
