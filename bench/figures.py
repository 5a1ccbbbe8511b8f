"""What is read off a result: one figure for each row of the table, of each system and, where there is one, its limit.

Two further things are read that nothing is compared by: what each program alone needs, and whether a restore was
identical.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.rounds import PHASES, Outcome, SetResult

GIB = 1 << 30
MIB = 1 << 20
MB = 1_000_000
OURS = "strongroom"


@dataclass(frozen=True)
class Figure:
    """A row of the table."""

    title: str
    unit: str
    read: Callable[[Outcome, SetResult], float | None]
    limit: str = ""  # the bare program that does the least there is to do

    def of(self, result: SetResult, key: str) -> float | None:
        """Give one system's figure, or nothing."""
        return next((self.read(outcome, result) for outcome in result.outcomes if outcome.key == key), None)

    def of_machine(self, result: SetResult) -> float | None:
        """Give the bare machine's figure, or nothing."""
        return result.limits.seconds.get(self.limit)

    def ratio(self, result: SetResult, *peers: str) -> float | None:
        """Divide a peer's figure, or the better of several, by Strongroom's: above 1, Strongroom is ahead."""
        keys = peers or tuple(outcome.key for outcome in result.outcomes if outcome.key != OURS)
        theirs = [value for key in keys if (value := self.of(result, key))]
        ours = self.of(result, OURS)
        return min(theirs) / ours if theirs and ours else None


def seconds(phase: str, limit: str) -> Figure:
    """Read the wall time of a phase."""
    return Figure(
        PHASES[phase], "s", lambda one, _: one.measured[phase].seconds if phase in one.measured else None, limit
    )


def cpu(phase: str) -> Figure:
    """Read the CPU time of a phase per GiB of data."""

    def read(outcome: Outcome, result: SetResult) -> float | None:
        size_gib = max(1, result.made.size_bytes) / GIB
        return outcome.measured[phase].cpu_seconds / size_gib if phase in outcome.measured else None

    return Figure(f"CPU per GiB, {PHASES[phase]}", "s", read)


def peak(title: str, attribute: str) -> Figure:
    """Read the most memory of any phase."""
    return Figure(
        title,
        "MiB",
        lambda one, _: max((getattr(cost, attribute) / MIB for cost in one.measured.values()), default=None),
    )


FIGURES = {
    "full": seconds("full", "read"),
    "same": seconds("same", "walk"),
    "changed": seconds("changed", "walk"),
    "restore": seconds("restore", "create"),
    "durable": Figure(
        "restore, and on the disk",
        "s",
        lambda one, _: one.measured["restore"].seconds + one.flush_s if "restore" in one.measured else None,
    ),
    "vault": Figure("vault after first full", "MB", lambda one, _: one.vault_bytes / MB or None),
    "largest": peak("memory, largest process", "largest_bytes"),
    "together": peak("memory, all processes", "shared_out_bytes"),
    "cpu full": cpu("full"),
    "cpu restore": cpu("restore"),
}


def programs_mib(result: SetResult, key: str = OURS) -> dict[str, float]:
    """Tell the most memory that each program of a system had in any phase, each by itself."""
    costs = [cost for outcome in result.outcomes if outcome.key == key for cost in outcome.measured.values()]
    names = sorted({name for cost in costs for name in cost.resident_bytes})
    return {name: max(cost.resident_bytes.get(name, 0) / MIB for cost in costs) for name in names}


def restored(result: SetResult) -> str | None:
    """Tell what the comparer said of Strongroom's restore."""
    return next((outcome.restored for outcome in result.outcomes if outcome.key == OURS and outcome.restored), None)
