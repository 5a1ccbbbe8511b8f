"""The program `strongroom`: puts the nouns together and turns errors into sentences and exit codes."""

from __future__ import annotations

import gc
import io
import sys
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from strongroom.cli.output import remark, say
from strongroom.errors import StrongroomError

NOUNS: Final = ("server", "agent", "token", "host", "set", "job", "snapshot", "vault")
"""Each is a module beside this one, whose `app` holds what can be done with it."""
VERBS: Final = ("login", "backup", "restore")
"""Each is a module beside this one, with a function of that name."""
RESIDENT: Final = ("server", "agent")
"""These may run for months; the others are gone before it pays to look for garbage as often as Python does by itself:
a tenth of the time that a command takes to start."""
GARBAGE_AFTER: Final = 100_000
STYLE: Final[dict[str, Any]] = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}


class _Commands(TyperGroup):
    """The commands; a module is imported when its command is asked for, so that each starts as fast as it can."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  (typer hides its context's type)
        """Return the names, in the order of the help."""
        return [*NOUNS, *VERBS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401  (the same)
        """Return a command, or None if there is none of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        if cmd_name not in RESIDENT:
            gc.set_threshold(GARBAGE_AFTER)
        module = import_module(f"strongroom.cli.{cmd_name}")
        around = typer.Typer(**STYLE)
        if cmd_name in NOUNS:
            around.add_typer(module.app, name=cmd_name)
        else:
            around.command(cmd_name)(getattr(module, cmd_name))
            around.callback()(lambda: None)  # with one command only, it would be that command
        return typer.main.get_group(around).get_command(ctx, cmd_name)


app = typer.Typer(
    cls=_Commands,
    name="strongroom",
    help="Self-hosted backup for file servers.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    **STYLE,
)


def _print_version(wanted: bool) -> None:
    """Print the release and leave, when `--version` was given."""
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 -- slow, and wanted here only

        say(f"strongroom {version('strongroom')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Self-hosted backup for file servers."""


def main() -> None:
    """Run the command line; errors become one or two lines on standard error, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to fail
    try:
        app()
    except StrongroomError as error:
        remark(f"Error: {error.text}")
        if error.hint:
            remark(f"{error.hint}")
        import logging  # noqa: PLC0415 -- slow, and wanted here only

        logging.getLogger(__name__).debug("%s", error.code, exc_info=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(3)
    finally:
        gc.freeze()  # nor does it pay at the very end: as long again as a short answer of the server takes


if __name__ == "__main__":
    main()
