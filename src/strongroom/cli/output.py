"""What commands print: JSON for programs, tables and sentences for people.

Promises: with `--json` exactly one JSON value goes to standard output; progress and remarks go to standard error.
Nothing that comes from a host can steer the terminal: control characters are shown, never sent.
"""

from __future__ import annotations

import enum
import getpass
import json
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strongroom.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

KIB = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class LogLevel(enum.StrEnum):
    """The lowest level that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def print_json(value: object) -> None:
    """Print one JSON value."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their column names; only long cells are broken into lines, and only on a terminal."""
    from strongroom.cli.drawing import draw_table  # noqa: PLC0415 -- see there

    cells = [["" if cell is None else harmless(str(cell)) for cell in row] for row in rows]
    draw_table(columns, cells, is_terminal=sys.stdout.isatty())


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print name and value pairs, one per line; pairs without a value are left out."""
    shown = [(name, readable(value)) for name, value in facts if value not in (None, "", (), [])]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        say(f"{name:<{width}}  {value}")


def readable(value: object) -> str:
    """Return a value of the API as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{str(name).replace('_', ' ')} {readable(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(readable(part) for part in value)
    return moment(str(value)) if _TIME.match(str(value)) else str(value)


def say(*fields: str) -> None:
    """Print one line for a person; several fields are parted by tabs."""
    sys.stdout.write("\t".join(map(harmless, fields)) + "\n")


def remark(text: str) -> None:
    """Print one line to standard error."""
    sys.stderr.write(harmless(text) + "\n")


def harmless(text: str) -> str:
    """Return text on one line, with control characters shown instead of sent."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def ask(question: str, *, hidden: bool = False, twice: bool = False) -> str:
    """Ask a person for a line of text, or read it from a program's pipe. The question goes to standard error.

    Raises:
        Mistake: there is no answer, or two that differ.
    """
    answer = _hidden_answer(question) if hidden and sys.stdin.isatty() else _answer(question)
    if not answer:
        raise Mistake("A question was not answered.", code="no_answer")
    if twice and sys.stdin.isatty() and ask(f"{question}, again", hidden=hidden) != answer:
        raise Mistake("The two answers differ.", code="no_answer")
    return answer


def confirm(question: str) -> bool:
    """Ask a person to say yes or no.

    Raises:
        Mistake: there is no answer.
    """
    return ask(f"{question} [y/N]").lower() in {"y", "yes"}


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
    """Return an ISO time without its fraction."""
    return "" if not text else text[:19].replace("T", " ") + (" UTC" if text.endswith(("Z", "+00:00")) else "")


def minute(text: str | None) -> str:
    """Return an ISO time to the minute, for tables whose column says that it is UTC."""
    return moment(text)[:16]


def reason(job: dict[str, Any]) -> str:
    """Return the sentence of a job's reason."""
    return str((job.get("reason") or {}).get("text", ""))


def _hidden_answer(question: str) -> str:
    """Return what a person types, without showing it."""
    try:
        return getpass.getpass(f"{question}: ", stream=sys.stderr)
    except EOFError:
        return ""


def _answer(question: str) -> str:
    """Return a line of standard input."""
    sys.stderr.write(f"{question}: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip("\r\n")
