"""What commands print: JSON for programs, tables and sentences for people.

Promises: with `--json` exactly one JSON value goes to standard output; progress and remarks go to standard error.
"""

from __future__ import annotations

import enum
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from strongroom.errors import Mistake


class LogLevel(enum.StrEnum):
    """The lowest level that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

out = Console(soft_wrap=True, highlight=False)
remarks = Console(stderr=True, soft_wrap=True, highlight=False)

KIB = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def print_json(value: object) -> None:
    """Print one JSON value."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their column names; cells are plain text, never markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    out.print(table)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print name and value pairs, one per line; pairs without a value are left out."""
    shown = [(name, value) for name, value in facts if value not in (None, "", (), [])]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        out.print(Text(f"{name:<{width}}  {value}"))


def say(text: str) -> None:
    """Print one sentence for a person."""
    out.print(Text(text))


def remark(text: str) -> None:
    """Print one sentence to standard error."""
    remarks.print(Text(text))


def ask(question: str, *, hidden: bool = False, twice: bool = False) -> str:
    """Ask a person for a line of text.

    Raises:
        Mistake: there is nobody to ask, or no answer.
    """
    try:
        return str(typer.prompt(question, hide_input=hidden, confirmation_prompt=twice, err=True))
    except typer.Abort as error:
        raise _no_answer() from error


def confirm(question: str) -> bool:
    """Ask a person to say yes or no.

    Raises:
        Mistake: there is nobody to ask, or no answer.
    """
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as error:
        raise _no_answer() from error


def _no_answer() -> Mistake:
    """Return the error for a question that nobody answered."""
    return Mistake("A question was not answered.", code="no_answer")


def size(count: float | None) -> str:
    """Return a number of bytes as a person reads it."""
    if count is None:
        return ""
    value = float(count)
    for unit in _UNITS:
        if value < KIB or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= KIB
    raise AssertionError


def moment(text: str | None) -> str:
    """Return an ISO time without its fraction, for tables."""
    return "" if not text else text[:19].replace("T", " ") + (" UTC" if text.endswith(("Z", "+00:00")) else "")


def reason(job: dict[str, Any]) -> str:
    """Return the sentence of a job's reason."""
    return str((job.get("reason") or {}).get("text", ""))
