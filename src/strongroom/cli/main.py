"""The program `strongroom`: puts the nouns together and turns errors into sentences and exit codes."""

from __future__ import annotations

import io
import logging
import sys
from importlib.metadata import version as release
from typing import Annotated

import typer

from strongroom.cli import agent, backup, host, job, login, restore, server, snapshot, token, vault
from strongroom.cli import set as backup_set
from strongroom.cli.output import remark, say
from strongroom.errors import StrongroomError

app = typer.Typer(
    name="strongroom",
    help="Self-hosted backup for file servers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(server.app, name="server")
app.add_typer(agent.app, name="agent")
app.add_typer(token.app, name="token")
app.add_typer(host.app, name="host")
app.add_typer(backup_set.app, name="set")
app.add_typer(job.app, name="job")
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(vault.app, name="vault")
app.command("login")(login.login)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)


def _print_version(wanted: bool) -> None:
    """Print the release and leave, when `--version` was given."""
    if wanted:
        say(f"strongroom {release('strongroom')}")
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
        logging.getLogger(__name__).debug("%s", error.code, exc_info=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(3)


if __name__ == "__main__":
    main()
