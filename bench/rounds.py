"""The rounds: each system does the same work on the same data, one after the other, phase by phase.

Going phase by phase, every system meets the same state of the data, and a slow minute of the machine hits
neighbours alike. Data is read once before each phase; what was written is synced, and the disk gets a moment to settle,
before the next system begins. Nothing is deleted within a set: a mass delete slows creating files for a while.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.meter import Failed, Measured
from bench.sets import DataSet, count, read_all
from bench.systems import System, compare
from strongroom.errors import StrongroomError
from strongroom.testing.file_trees import Made, change_share

COMPARER = Path(__file__).resolve().parents[1] / "tests" / "compare_trees.py"
LONGEST_PAUSE_S = 2.0
GIB = 1 << 30
PHASES = {"full": "first full", "same": "no change", "changed": "1 % change", "restore": "restore"}
SystemMaker = Callable[[Path, Path], System]


@dataclass
class Outcome:
    """What one system did with one data set."""

    name: str
    measured: dict[str, Measured] = field(default_factory=dict)
    vault_bytes: int = 0
    restored: str = ""
    failed: str = ""
    job_figures: dict[str, dict[str, object]] = field(default_factory=dict)


@dataclass
class SetResult:
    """What all systems did with one data set."""

    data_set: DataSet
    made: Made
    outcomes: list[Outcome]

    def as_json(self) -> dict[str, object]:
        """Give everything in raw units."""
        return {
            "set": self.data_set.name,
            "about": self.data_set.about,
            **asdict(self.made),
            "systems": [asdict(outcome) for outcome in self.outcomes],
        }


def run_set(data_set: DataSet, scale: float, makers: Sequence[SystemMaker], work: Path) -> SetResult:
    """Make the data, let every system do every phase, clean up."""
    tell(f"{data_set.name}: making the data")
    data = data_set.existing or work / "data"
    made = data_set.make(data, scale) if data_set.make else count(data)
    pause_s = min(LONGEST_PAUSE_S, 0.3 + made.size_bytes / GIB + made.files / 50_000)
    systems = [maker(data, work / f"system-{number}") for number, maker in enumerate(makers)]
    result = SetResult(data_set, made, [Outcome(system.name) for system in systems])
    for system, outcome in zip(systems, result.outcomes, strict=True):
        attempt(outcome, "prepare", system.prepare)
    for phase, title in PHASES.items():
        if phase == "changed":
            if data_set.existing:
                continue  # what is not ours is not changed
            change_share(data, 0.01)
        read_all(data)
        for number, (system, outcome) in enumerate(zip(systems, result.outcomes, strict=True)):
            if outcome.failed:
                continue
            settle(pause_s)
            run_phase(phase, system, outcome, data, work / f"restored-{number}")
            if not outcome.failed:
                tell(f"{data_set.name}: {title}: {outcome.name}: {outcome.measured[phase].seconds:.2f} s")
    return result


def run_phase(phase: str, system: System, outcome: Outcome, data: Path, target: Path) -> None:
    """Let one system do one phase, and note what there is to note after it."""

    def step() -> None:
        if phase == "restore":
            target.mkdir()
            outcome.measured[phase] = system.restore(target)
            outcome.restored = compare(COMPARER, sys.executable, data, target / data.relative_to("/"))
        else:
            outcome.measured[phase] = system.backup()
        if phase == "full":
            outcome.vault_bytes = system.stored_bytes()
        outcome.job_figures[phase] = system.job_figures()

    attempt(outcome, PHASES[phase], step)


def attempt(outcome: Outcome, title: str, step: Callable[[], None]) -> None:
    """Do one step; a failure ends this system's part in the set and is told in the table."""
    try:
        step()
    except (Failed, StrongroomError) as failure:
        tell(f"{outcome.name}: {title}: {failure}")
        outcome.failed = f"{title}: {str(failure).strip().splitlines()[-1]}"


def settle(pause_s: float) -> None:
    """Write out what is still in memory and give the disk a moment."""
    os.sync()
    time.sleep(pause_s)


def clear(work: Path) -> None:
    """Remove everything of one set, and let the disk come to rest."""
    for item in work.iterdir():
        shutil.rmtree(item)
    settle(LONGEST_PAUSE_S)


def tell(text: str) -> None:
    """Show progress on standard error."""
    print(text, file=sys.stderr, flush=True)
