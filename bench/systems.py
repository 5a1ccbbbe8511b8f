"""What is measured: Strongroom and its peers behind one small port, each driven as its users drive it.

A peer writes straight to a local folder, with a password set and otherwise with its defaults. Strongroom does the whole
road: agent, TLS, server, vault, each a process of its own; its time is that of the command `backup --wait` from start
to end. Server and agent are started for each phase and ended after it, so nothing idles beside a peer.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench.fetch import Program, find_borg, find_installed, find_restic
from bench.meter import Measured, measure
from strongroom.testing.loopback import Loopback

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "only for the benchmark"
HOST = "host"
SET = "bench"


class System(Protocol):
    """One backup system and the one folder it protects. A method that fails raises `Failed`."""

    key: str  # what the command line and the targets call it
    name: str  # what the table calls it
    storage: Path  # everything it keeps

    def awake(self) -> AbstractContextManager[object]:
        """Start what has to run beside the commands, for as long as the block lasts; all else is done in one."""

    def prepare(self) -> None:
        """Make what has to be there before the first backup; not measured."""

    def backup(self) -> Measured:
        """Back the folder up."""

    def restore(self, target: Path) -> Measured:
        """Restore the newest backup below an empty folder, each file under its whole path."""


@dataclass(frozen=True)
class Recipe:
    """How a peer is driven. Words in braces are filled in: see `Peer`."""

    title: str
    find: Callable[[Path], Program]
    environment: Mapping[str, str]
    prepare: tuple[tuple[str, ...], ...]
    backup: tuple[str, ...]
    restore: tuple[str, ...]


def borg(compression: str) -> Recipe:
    """Tell how borg is driven, with one kind of compression. It restores into the folder it stands in."""
    return Recipe(
        title=f"borg {{version}} {compression}",
        find=find_borg,
        environment={
            "BORG_PASSPHRASE": PASSWORD,
            "BORG_REPO": "{storage}",
            "BORG_BASE_DIR": "{work}/base",
            "LC_CTYPE": "C.UTF-8",
        },
        prepare=(("init", "--encryption", "repokey-blake2"),),
        backup=("create", "--compression", compression, "::{backup}", "{data}"),
        restore=("extract", "--sparse", "::{backup}"),
    )


PEERS: dict[str, Recipe] = {
    "restic": Recipe(
        title="restic {version}",
        find=find_restic,
        environment={
            "RESTIC_PASSWORD": PASSWORD,
            "RESTIC_REPOSITORY": "{storage}",
            "RESTIC_CACHE_DIR": "{work}/cache",
        },
        prepare=(("init",),),
        backup=("backup", "--quiet", "{data}"),
        restore=("restore", "--quiet", "latest", "--target", "{target}"),
    ),
    "borg-lz4": borg("lz4"),
    "borg-zstd": borg("zstd,3"),
    "kopia": Recipe(  # compresses nothing unless told to
        title="kopia {version} zstd",
        find=lambda _: find_installed("kopia"),
        environment={
            "KOPIA_PASSWORD": PASSWORD,
            "KOPIA_CONFIG_PATH": "{work}/config/repository.config",
            "KOPIA_CACHE_DIRECTORY": "{work}/cache",
            "KOPIA_LOG_DIR": "{work}/log",
            "KOPIA_CHECK_FOR_UPDATES": "false",
        },
        prepare=(
            ("repository", "create", "filesystem", "--path", "{storage}"),
            ("policy", "set", "--global", "--compression", "zstd"),
        ),
        backup=("snapshot", "create", "--no-progress", "{data}"),
        restore=("restore", "--no-progress", "{data}", "{place}"),
    ),
    "rustic": Recipe(
        title="rustic {version}",
        find=lambda _: find_installed("rustic"),
        environment={
            "RUSTIC_PASSWORD": PASSWORD,
            "RUSTIC_REPOSITORY": "{storage}",
            "RUSTIC_CACHE_DIR": "{work}/cache",
            "XDG_CONFIG_HOME": "{work}/config",
        },
        prepare=(("init",),),
        backup=("backup", "{data}"),
        restore=("restore", "latest:{data}", "{place}"),
    ),
}
USUAL_PEERS = ("restic", "borg-lz4", "borg-zstd")


class Peer:
    """A peer with a local repository.

    Its recipe may use `data` (what is protected), `storage`, `work` (a folder of its own), `backup` (the number of the
    newest), `target` (the empty folder to restore below) and `place` (where in it the data is to be).
    """

    def __init__(self, key: str, program: Program, data: Path, work: Path) -> None:
        """Name the data and the folder for everything of the peer's."""
        self._recipe = PEERS[key]
        self.key, self.name = key, self._recipe.title.format(version=program.version)
        self.storage = work / "repository"
        self._words = {"data": str(data), "storage": str(self.storage), "work": str(work)}
        self._program, self._data, self._backups = program.path, data, 0
        work.mkdir(parents=True)
        self._environment = {
            **os.environ,
            **{name: self._fill(text) for name, text in self._recipe.environment.items()},
        }

    def awake(self) -> AbstractContextManager[object]:
        """Start nothing."""
        return nullcontext()

    def prepare(self) -> None:
        """Make the repository."""
        for command in self._recipe.prepare:
            self._run(command)

    def backup(self) -> Measured:
        """Back up."""
        self._backups += 1
        return self._run(self._recipe.backup)

    def restore(self, target: Path) -> Measured:
        """Restore the newest backup."""
        place = target / self._data.relative_to("/")
        return self._run(self._recipe.restore, folder=target, target=str(target), place=str(place))

    def _run(self, command: tuple[str, ...], folder: Path | None = None, **words: str) -> Measured:
        """Run the peer and measure it."""
        filled = [self._fill(word, **words) for word in command]
        return measure([self._program, *filled], environment=self._environment, folder=folder)

    def _fill(self, text: str, **words: str) -> str:
        """Fill in the words in braces."""
        return text.format(backup=self._backups, **self._words, **words)


class Strongroom:
    """The whole product on this machine: server, agent and command line as processes of their own."""

    key = name = "strongroom"

    def __init__(self, data: Path, work: Path) -> None:
        """Name the data and the folder for everything of Strongroom's."""
        self._data = data
        self._loop = Loopback(work, hosts=(HOST,))
        self.storage = self._loop.data  # all the server keeps, catalog and keys included

    def awake(self) -> AbstractContextManager[object]:
        """Start server and agent."""
        return self._loop

    def prepare(self) -> None:
        """Make the backup set."""
        self._loop.cli("set", "create", SET, "--host", HOST, "--include", str(self._data))

    def backup(self) -> Measured:
        """Back up."""
        return self._measure("backup", SET, "--wait")

    def restore(self, target: Path) -> Measured:
        """Restore the newest snapshot."""
        newest = max(self._loop.cli("snapshot", "list", SET), key=lambda snapshot: snapshot["time"])["id"]
        return self._measure("restore", newest, "--to", str(target), "--wait")

    def _measure(self, *arguments: str) -> Measured:
        """Measure one command together with server and agent, and add the job's own record."""
        loop = self._loop
        residents = {name.partition("-")[0]: pid for name, pid in loop.pids().items()}
        found = measure(loop.command(*arguments), environment=loop.environment, residents=residents)
        newest = max(loop.cli("job", "list"), key=lambda job: job["id"])
        return dataclasses.replace(found, job=loop.cli("job", "show", str(newest["id"])))


def size_of(folder: Path) -> int:
    """Add up the sizes of all files below a folder."""
    return sum(os.lstat(os.path.join(path, name)).st_size for path, _, names in os.walk(folder) for name in names)


def compare(comparer: Path, python: str, left: Path, right: Path) -> str:
    """Let the independent comparer judge a restore; say `identical`, or what differs and how often."""
    done = measure([python, str(comparer), str(left), str(right), "--json"], environment=os.environ, expect=(0, 1))
    differences = json.loads(done.output[done.output.index("{") :])["differences"]
    kinds = sorted({one["kind"] for one in differences})
    return "identical" if not differences else f"{len(differences)} differ: {', '.join(kinds)}"
