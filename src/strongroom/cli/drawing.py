"""What is drawn on a terminal: tables, and a line that changes in place.

Why: the library that draws takes longer to load than most commands take to run, so it stands apart, and is imported
only when something is drawn.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SHORT = 32
UNBOUNDED = 10_000


def draw_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, is_terminal: bool) -> None:
    """Draw rows under their column names; only long cells are broken into lines, and only on a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=all(len(row[place]) <= SHORT for row in rows))
    for row in rows:
        table.add_row(*map(Text, row))
    Console(soft_wrap=True, highlight=False, width=None if is_terminal else UNBOUNDED).print(table)


@contextmanager
def changing_line() -> Iterator[Callable[[str], None]]:
    """Keep one line of standard error, which a terminal is; what is yielded sets its text. It is gone at the end."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with Live(Text(""), console=console, refresh_per_second=8, transient=True) as live:
        yield lambda line: live.update(Text(line))
