"""What was promised, as data, and whether a run keeps it.

A target belongs to one data set; a set that was not run, or a peer that could not be had, leaves it not measured.
The promises are made for scale 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench.figures import FIGURES, programs_mib, restored

if TYPE_CHECKING:
    from bench.rounds import SetResult


CLOSE = 0.01  # when two digits could hide on which side of a promise a ratio is


@dataclass(frozen=True)
class Judged:
    """How one wish came out."""

    measured: str
    met: bool


class Wish(Protocol):
    """What a target asks of a result."""

    @property
    def title(self) -> str:
        """Name what is judged."""

    @property
    def text(self) -> str:
        """Say what is asked."""

    def judge(self, result: SetResult) -> Judged | None:
        """Judge it; nothing when what it needs was not measured."""


@dataclass(frozen=True)
class Ahead:
    """Strongroom needs at most one n-th of what a peer needs, or the better of all."""

    figure: str
    times: float
    of: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name what is compared."""
        return FIGURES[self.figure].title

    @property
    def text(self) -> str:
        """Say what is asked."""
        return f"≥ {self.times:g} x {' and '.join(self.of) or 'the better peer'}"

    def judge(self, result: SetResult) -> Judged | None:
        """Compare."""
        ratio = FIGURES[self.figure].ratio(result, *self.of)
        if not ratio:
            return None
        close = abs(ratio - self.times) < CLOSE
        return Judged(f"{ratio:.4f} x" if close else f"{ratio:.2f} x", ratio >= self.times)


@dataclass(frozen=True)
class Near:
    """Strongroom is not much slower than the bare machine."""

    figure: str
    times: float
    plus_s: float = 0

    @property
    def title(self) -> str:
        """Name what is compared."""
        return FIGURES[self.figure].title

    @property
    def text(self) -> str:
        """Say what is asked."""
        return f"≤ {self.times:g} x bare {FIGURES[self.figure].limit}" + (
            f" + {self.plus_s:g} s" if self.plus_s else ""
        )

    def judge(self, result: SetResult) -> Judged | None:
        """Compare; what is told is how many times the limit it is, a fixed part taken off first."""
        ours, limit = FIGURES[self.figure].of(result, "strongroom"), FIGURES[self.figure].of_machine(result)
        if not ours or not limit:
            return None
        ratio = (ours - self.plus_s) / limit
        return Judged(f"{max(0, ratio):.2f} x bare", ratio <= self.times)


@dataclass(frozen=True)
class Either:
    """One of two wishes is enough."""

    one: Wish
    other: Wish

    @property
    def title(self) -> str:
        """Name what is compared."""
        return self.one.title

    @property
    def text(self) -> str:
        """Say what is asked."""
        return f"{self.one.text}, or {self.other.text}"

    def judge(self, result: SetResult) -> Judged | None:
        """Judge both."""
        known = [judged for wish in (self.one, self.other) if (judged := wish.judge(result))]
        return Judged(", ".join(one.measured for one in known), any(one.met for one in known)) if known else None


@dataclass(frozen=True)
class AgentWithin:
    """The agent's memory stays below a bound."""

    most_mib: float
    title = "memory of the agent"

    @property
    def text(self) -> str:
        """Say what is asked."""
        return f"≤ {self.most_mib:g} MiB"

    def judge(self, result: SetResult) -> Judged | None:
        """Compare."""
        found = programs_mib(result).get("agent")
        return Judged(f"{found:.0f} MiB", found <= self.most_mib) if found else None


@dataclass(frozen=True)
class Identical:
    """What was restored is what was backed up."""

    title = "restored"
    text = "identical"

    def judge(self, result: SetResult) -> Judged | None:
        """Ask the comparer's word."""
        said = restored(result)
        return Judged(said, said == "identical") if said else None


@dataclass(frozen=True)
class Target:
    """A wish for one data set."""

    set_name: str
    wish: Wish


EVERY = ("usr", "vm", "office", "small", "tree1m")
TARGETS = (
    Target("tree1m", Ahead("same", 10, ("restic",))),
    Target("tree1m", Near("same", 1.5, plus_s=0.3)),
    Target("small", Ahead("same", 8, ("restic",))),
    Target("small", Ahead("full", 4)),
    *(Target(name, Ahead("full", 2, ("restic",))) for name in ("office", "vm")),
    *(Target(name, Ahead("full", 1, ("borg-lz4",))) for name in ("office", "vm")),
    *(Target(name, Ahead("vault", 1.25 if name == "small" else 1, ("restic",))) for name in EVERY),
    *(Target(name, Either(Ahead("restore", 2 if name == "small" else 1.5), Near("restore", 1.25))) for name in EVERY),
    *(Target(name, Ahead("restore", 1)) for name in EVERY),
    *(Target(name, Ahead("changed", 5, ("restic",))) for name in ("small", "tree1m")),
    *(Target(name, AgentWithin(256)) for name in EVERY),
    *(Target(name, Identical()) for name in EVERY),
)


def verdict(results: Sequence[SetResult]) -> list[tuple[str, str, str, str]]:
    """Judge every target: what it is about, what is asked, what was measured, and whether that is met."""
    by_name = {result.data_set.name: result for result in results}
    rows = []
    for target in TARGETS:
        result = by_name.get(target.set_name)
        judged = target.wish.judge(result) if result else None
        told = (judged.measured, "met" if judged.met else "NOT MET") if judged else ("not measured", "")
        rows.append((f"{target.set_name}: {target.wish.title}", target.wish.text, *told))
    return rows
