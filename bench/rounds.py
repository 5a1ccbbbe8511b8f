"""The rounds: each system does the same work on the same data, one after the other, phase by phase.

Going phase by phase, every system meets the same state of the data, and a slow minute of the machine hits neighbours
alike. Who begins changes with each phase. Before each measurement what is to be read is brought into memory, the data
or, for a restore, that system's own storage; what others wrote is synced, and the disk gets a moment to settle. Nothing
is deleted within a set, because a mass delete slows creating files for a while; every restore goes to a fresh folder.

What takes but a moment is done a few times, and the middle one counts: doing nothing, and, with other files changed
each time, the backup of a change.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.bare import Bare, Limits
from bench.meter import Failed, Measured
from bench.sets import DataSet, count
from bench.systems import System, compare, size_of
from strongroom.errors import StrongroomError
from strongroom.testing.file_trees import Made, change_share

COMPARER = Path(__file__).resolve().parents[1] / "tests" / "compare_trees.py"
LONGEST_PAUSE_S = 2.0
MOMENT_S = 5.0
TIMES = 3
GIB = 1 << 30
PHASES = {"full": "first full", "same": "no change", "changed": "1 % change", "restore": "restore"}
SystemMaker = Callable[[Path, Path], System]


@dataclass
class Outcome:
    """What one system did with one data set."""

    key: str
    name: str
    measured: dict[str, Measured] = field(default_factory=dict)
    changes: list[Measured] = field(default_factory=list)  # of which the middle one is measured["changed"]
    vault_bytes: int = 0
    restored: str = ""
    flush_s: float = 0.0  # what a flush of the file system takes after the restore
    failed: str = ""


@dataclass
class SetResult:
    """What all systems, and the bare machine, did with one data set."""

    data_set: DataSet
    made: Made
    outcomes: list[Outcome]
    limits: Limits = field(default_factory=Limits)

    def as_json(self) -> dict[str, object]:
        """Give everything in raw units."""
        return {
            "set": self.data_set.name,
            "about": self.data_set.about,
            **asdict(self.made),
            "machine": asdict(self.limits),
            "systems": [asdict(outcome) for outcome in self.outcomes],
        }


class Round:
    """One data set: the data, the systems that work on it, and what came out so far."""

    def __init__(self, data_set: DataSet, scale: float, makers: Mapping[str, SystemMaker], work: Path) -> None:
        """Make the data and all that has to be there before the first phase."""
        tell(f"{data_set.name}: making the data")
        self.data_set, self.work = data_set, work
        self.data = data_set.existing or work / "data"
        made = data_set.make(self.data, scale) if data_set.make else count(self.data)
        self.bare = Bare(self.data, work / "bare")
        self.pause_s = min(LONGEST_PAUSE_S, 0.3 + made.size_bytes / GIB + made.files / 50_000)
        wanted = [maker for key, maker in makers.items() if key not in data_set.without]
        self.systems = [maker(self.data, work / f"system-{number}") for number, maker in enumerate(wanted)]
        self.result = SetResult(data_set, made, [Outcome(one.key, one.name) for one in self.systems], self.bare.limits)
        for system, outcome in zip(self.systems, self.result.outcomes, strict=True):
            attempt(outcome, "prepare", system, system.prepare)

    def run(self) -> SetResult:
        """Let everyone do every phase."""
        for turn, phase in enumerate(PHASES):
            if phase == "changed":
                self.change(turn)
            else:
                self.measure_machine(phase)
                self.everyone(phase, turn)
        self.bare.measure_speeds()
        return self.result

    def change(self, turn: int) -> None:
        """Change the data and let everyone back that up, a few times if it takes but a moment."""
        if self.data_set.existing:
            return  # what is not ours is not changed
        for number in range(TIMES):
            change_share(self.data, 0.01, seed=number + 1)
            self.everyone("changed", turn + number)
            if min((one.changes[-1].seconds for one in self.result.outcomes if one.changes), default=0) >= MOMENT_S:
                return

    def everyone(self, phase: str, turn: int) -> None:
        """Let everyone do one phase; the turn says who begins."""
        entrants = list(zip(self.systems, self.result.outcomes, strict=True))
        first = turn % max(1, len(entrants))
        for system, outcome in entrants[first:] + entrants[:first]:
            if not outcome.failed:
                attempt(outcome, PHASES[phase], system, functools.partial(self.run_phase, phase, system, outcome))

    def measure_machine(self, phase: str) -> None:
        """Measure the bare machine at what is the least of this phase."""
        self.ready(self.data)
        if phase == "full":
            self.bare.read()
        elif phase == "same":
            self.bare.walk()
        elif phase == "restore":
            self.bare.create(self.work / "created")

    def run_phase(self, phase: str, system: System, outcome: Outcome) -> None:
        """Let one system do one phase, and note what there is to note after it."""
        took = self.restore(system, outcome) if phase == "restore" else self.backup(phase, system, outcome)
        if phase == "full":
            outcome.vault_bytes = size_of(system.storage)
        tell(f"{self.data_set.name}: {PHASES[phase]}: {outcome.name}: {took.seconds:.2f} s {outcome.restored}")

    def backup(self, phase: str, system: System, outcome: Outcome) -> Measured:
        """Let one system back up, several times if there is next to nothing to do; return the time that counts."""
        self.ready(self.data)
        runs = [system.backup()]
        while phase == "same" and len(runs) < TIMES and runs[0].seconds < MOMENT_S:
            runs.append(system.backup())
        took = middle(runs)
        if phase == "changed":
            outcome.changes.append(took)
        outcome.measured[phase] = middle(outcome.changes) if phase == "changed" else took
        return took

    def restore(self, system: System, outcome: Outcome) -> Measured:
        """Let one system restore into a fresh folder, and have the result judged."""
        target = self.work / f"restored-{outcome.key}"
        target.mkdir()
        self.ready(system.storage)
        took = outcome.measured["restore"] = system.restore(target)
        outcome.flush_s = flush()
        outcome.restored = compare(COMPARER, sys.executable, self.data, target / self.data.relative_to("/"))
        return took

    def ready(self, folder: Path) -> None:
        """Bring into memory what is to be read, and let the disk come to rest."""
        self.bare.warm(folder)
        settle(self.pause_s)


def attempt(outcome: Outcome, title: str, system: System, step: Callable[[], None]) -> None:
    """Do one step of a system; a failure ends this system's part in the set and is told in the table."""
    try:
        with system.awake():
            step()
    except (Failed, StrongroomError) as failure:
        tell(f"{outcome.name}: {title}: {failure}")
        outcome.failed = f"{title}: {str(failure).strip().splitlines()[-1]}"


def middle(runs: Sequence[Measured]) -> Measured:
    """Return the one that took neither the longest nor the shortest."""
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]


def settle(pause_s: float = LONGEST_PAUSE_S) -> None:
    """Write out what is still in memory and give the disk a moment."""
    os.sync()
    time.sleep(pause_s)


def flush() -> float:
    """Have everything written to disk; return how many seconds that took."""
    began = time.monotonic()
    os.sync()
    return time.monotonic() - began


def tell(text: str) -> None:
    """Show progress on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {text.rstrip()}", file=sys.stderr, flush=True)
