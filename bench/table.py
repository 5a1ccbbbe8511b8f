"""The table: absolute figures of every system, and the ratio of the better peer to Strongroom, which is the result."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable

from bench.rounds import PHASES, Outcome, SetResult

GIB = 1 << 30
MIB = 1 << 20
MB = 1_000_000
OURS = "strongroom"
Figure = Callable[[Outcome], float | None]


def render(result: SetResult) -> str:
    """Render one data set as a table that reads as text and as Markdown."""
    made = result.made
    rows = [["", *(outcome.name for outcome in result.outcomes), "better peer / strongroom"]]
    for title, figure, unit in figures(result):
        values = [figure(outcome) for outcome in result.outcomes]
        if any(value is not None for value in values):
            rows.append([title, *(show(value, unit) for value in values), ratio(result.outcomes, values)])
    rows.append(["other load meanwhile", *(other_load(outcome) for outcome in result.outcomes), ""])
    rows.append(["restored", *(outcome.restored or "-" for outcome in result.outcomes), ""])
    lines = [f"{result.data_set.name}: {made.files} files in {made.folders} folders, {made.size_bytes / MB:.0f} MB", ""]
    lines += [*align(rows), ""]
    lines += [line for outcome in result.outcomes if (line := own_account(outcome))]
    lines += [f"{one.name} failed at {one.failed}" for one in result.outcomes if one.failed]
    return "\n".join(lines)


def own_account(outcome: Outcome) -> str:
    """Tell what a system reports of its own jobs: without the start of the command and its waiting for the end."""
    told = []
    for phase, job in outcome.job_figures.items():
        if job.get("started") and job.get("ended"):
            began, ended = (dt.datetime.fromisoformat(str(job[moment])) for moment in ("started", "ended"))
            transfer = job.get("transfer")
            sent = transfer.get("bytes_sent", 0) / MB if isinstance(transfer, dict) else 0
            told.append(f"{PHASES[phase]} {(ended - began).total_seconds():.2f} s, {sent:.1f} MB moved")
    return f"By its own account, {outcome.name}: {'; '.join(told)}." if told else ""


def figures(result: SetResult) -> list[tuple[str, Figure, str]]:
    """List the rows: title, how to get the figure of one system, unit."""
    size_gib = max(result.made.size_bytes, 1) / GIB

    def seconds(phase: str) -> Figure:
        return lambda outcome: outcome.measured[phase].seconds if phase in outcome.measured else None

    def cpu(phase: str) -> Figure:
        return lambda outcome: outcome.measured[phase].cpu_seconds / size_gib if phase in outcome.measured else None

    def peak(kind: str) -> Figure:
        return lambda outcome: max((getattr(one, kind) / MIB for one in outcome.measured.values()), default=None)

    rows: list[tuple[str, Figure, str]] = [(title, seconds(phase), "s") for phase, title in PHASES.items()]
    rows.append(("vault after first full", lambda outcome: outcome.vault_bytes / MB or None, "MB"))
    rows.append(("memory, largest process", peak("largest_bytes"), "MiB"))
    rows.append(("memory, all processes", peak("sum_bytes"), "MiB"))
    rows.append(("CPU per GiB, first full", cpu("full"), "s"))
    rows.append(("CPU per GiB, restore", cpu("restore"), "s"))
    return rows


def other_load(outcome: Outcome) -> str:
    """Tell how much of the machine was busy with something else: with much of it, seconds mean little."""
    capacity = sum(one.seconds for one in outcome.measured.values()) * len(os.sched_getaffinity(0))
    other = sum(one.other_cpu_seconds for one in outcome.measured.values())
    return f"{other / capacity:.0%}" if capacity else "-"


def ratio(outcomes: list[Outcome], values: list[float | None]) -> str:
    """Divide the better peer's figure by Strongroom's: above 1, Strongroom is ahead."""
    ours = [value for outcome, value in zip(outcomes, values, strict=True) if outcome.name == OURS]
    peers = [value for outcome, value in zip(outcomes, values, strict=True) if outcome.name != OURS and value]
    if not peers or not ours or not ours[0]:
        return "-"
    return f"{min(peers) / ours[0]:.2f} x"


def show(value: float | None, unit: str) -> str:
    """Show a figure with its unit, or a dash."""
    if value is None:
        return "-"
    return f"{value:.2f} {unit}" if unit == "s" else f"{value:.0f} {unit}"


def align(rows: list[list[str]]) -> list[str]:
    """Lay cells out in columns: the first to the left, all others to the right, as in Markdown."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in (rows[0], rule, *rows[1:]):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
