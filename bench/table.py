"""The tables, which read as text and as Markdown: the one with all figures, the bare machine's, and the verdict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.figures import FIGURES, MB, programs_mib
from bench.targets import verdict

if TYPE_CHECKING:
    from bench.rounds import Outcome, SetResult

APART = ("restic", "borg-lz4")  # peers that targets name, and that therefore have a ratio of their own


def render(results: Sequence[SetResult], facts: str, notes: Sequence[str]) -> str:
    """Render everything a run found."""
    parts = [facts, *figures_table(results), *notes_below(results, notes)]
    parts += ["The bare machine, one core, on the same data:", machine_table(results), "What was promised:"]
    parts += [verdict_table(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def figures_table(results: Sequence[SetResult]) -> list[str]:
    """Lay out the figures of every set and system in one table."""
    names = {outcome.key: outcome.name for result in results for outcome in result.outcomes}
    apart = [key for key in APART if key in names]
    head = ["", *names.values(), "bare machine", "better peer / ours", *(f"{key} / ours" for key in apart)]
    rows = [head]
    for result in results:
        made = result.made
        rest = [""] * (len(head) - 1 - len(names))
        about = f"**{result.data_set.name}**: {made.files} files, {made.size_bytes / MB:.0f} MB"
        rows.append([about, *[""] * (len(head) - 1)])
        for key, figure in FIGURES.items():
            values = [figure.of(result, key) for key in names]
            if any(value is not None for value in values):
                ratios = [figure.ratio(result), *(figure.ratio(result, key) for key in apart)]
                machine = bare(figure.of_machine(result), figure.limit)
                rows.append([figure.title, *(show(one, figure.unit) for one in values), machine, *map(times, ratios)])
            if key == "largest":
                rows.append(["- each program", *(programs(result, name) for name in names), *rest])
        by_key = {outcome.key: outcome for outcome in result.outcomes}
        rows.append(["other load meanwhile", *(other_load(by_key.get(key)) for key in names), *rest])
        rows.append(["restored", *(by_key[key].restored if key in by_key else "" for key in names), *rest])
    return ["\n".join(align(rows))]


def notes_below(results: Sequence[SetResult], notes: Sequence[str]) -> list[str]:
    """Tell under the table who is not in it and who failed."""
    lines = list(notes)
    for result in results:
        name = result.data_set.name
        if result.data_set.without:
            lines.append(f"{name} is without {' and '.join(result.data_set.without)}: {result.data_set.because}.")
        lines += [f"{name}: {outcome.name} failed at {outcome.failed}" for outcome in result.outcomes if outcome.failed]
    return ["\n".join(f"- {line}" for line in lines)] if lines else []


def machine_table(results: Sequence[SetResult]) -> str:
    """Lay out what the machine does without any backup system."""
    limits = [result.limits for result in results]
    rows = [["", *(result.data_set.name for result in results)]]
    for title, program, count in (("list and look", "walk", "entries"), ("read", "read", "files")):
        rows.append([f"{title}, {count}/s", *(rate(getattr(one, count), one.seconds.get(program)) for one in limits)])
    rows.append(["create and write, files/s", *(rate(one.files, one.seconds.get("create")) for one in limits)])
    for name in dict.fromkeys(name for one in limits for name in one.speeds):
        cells = []
        for one in limits:
            left = f" (to {one.shrunk_to[name]:.0%})" if name in one.shrunk_to else ""
            cells.append(f"{one.speeds[name] / MB:.0f}{left}" if name in one.speeds else "-")
        rows.append([f"{name}, MB/s", *cells])
    return "\n".join(align(rows))


def verdict_table(results: Sequence[SetResult]) -> str:
    """Lay out what was promised of the sets that were run, and count."""
    names = {result.data_set.name for result in results}
    rows = [row for row in verdict(results) if row[0].partition(":")[0] in names]
    if not rows:
        return "nothing for these data sets."
    met = sum(row[3] == "met" for row in rows)
    judged = sum(bool(row[3]) for row in rows)
    table = align([["", "promised", "measured", ""], *map(list, rows)])
    return "\n".join([*table, "", f"{met} of {judged} that could be measured are met."])


def programs(result: SetResult, key: str) -> str:
    """Tell the memory of each program of a system that has several."""
    found = programs_mib(result, key)
    return ", ".join(f"{name} {mib:.0f}" for name, mib in found.items()) + " MiB" if len(found) > 1 else ""


def other_load(outcome: Outcome | None) -> str:
    """Tell how much of the machine was busy with something else: with much of it, seconds mean little."""
    measured = outcome.measured.values() if outcome else ()
    capacity = sum(one.seconds for one in measured) * len(os.sched_getaffinity(0))
    return f"{sum(one.other_cpu_seconds for one in measured) / capacity:.0%}" if capacity else "-"


def rate(count: int, seconds: float | None) -> str:
    """Show how many a second."""
    return f"{count / seconds:,.0f}".replace(",", " ") if seconds else "-"


def bare(seconds: float | None, program: str) -> str:
    """Show a limit and what it is the limit of."""
    return f"{program} {seconds:.2f} s" if seconds else ""


def times(ratio: float | None) -> str:
    """Show a ratio."""
    return f"{ratio:.2f} x" if ratio else "-"


def show(value: float | None, unit: str) -> str:
    """Show a figure with its unit, or a dash."""
    if value is None:
        return "-"
    return f"{value:.2f} {unit}" if unit == "s" else f"{value:.0f} {unit}"


def align(rows: list[list[str]]) -> list[str]:
    """Lay cells out in columns: the first to the left, all others to the right, as in Markdown."""
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in (rows[0], rule, *rows[1:]):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
