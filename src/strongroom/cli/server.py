"""`strongroom server`: set up a server and run it. The only commands that open its data folder."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom import clock, log
from strongroom.cli.client import data_folder
from strongroom.cli.output import AsJson, LogLevel, ask, print_json, say
from strongroom.errors import Mistake

app = typer.Typer(no_args_is_help=True, help="Set up and run the server.")

DataFolder = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The server's data folder [STRONGROOM_DATA, /var/lib/strongroom]."),
]
SERVER_PARTS = "django"


@app.command()
def init(
    data: DataFolder = None,
    *,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name or address that hosts will call the server by; may be given again."),
    ] = None,
    ask_password: Annotated[
        bool, typer.Option("--ask-password", help="Ask for the administrator's password instead of making one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a data folder: keys, certificate authority, catalog, vault, and an administrator."""
    init_server, config = _server_part("setup.init").init_server, _server_part("config")
    password = None
    if ask_password:
        password = ask("Password for the administrator", hidden=True, twice=True)
    folder = data or data_folder()
    made = init_server(config.DataFolder(folder), now=clock.now(), password=password, names=tuple(name or ()))
    if as_json:
        print_json({"data": str(folder), "admin": made.administrator, "password": made.password})
        return
    say(f"The server's data folder is {folder}.")
    say(f"Administrator: {made.administrator}" + (f"   password: {made.password}" if made.password else ""))
    if made.password:
        say("The password is shown only now.")
    say(f"Keep a copy of {folder / 'root.key'} somewhere else: without it nobody can read the vault.")
    say(f"Next: strongroom server run --data {folder}")


@app.command()
def run(
    data: DataFolder = None,
    *,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to listen.")] = "0.0.0.0:8440",
    log_level: Annotated[LogLevel | None, typer.Option(help="What to log [INFO, or as server.toml says].")] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Run the server until it is told to stop."""
    run_server, folder = _server_part("app").run, data or data_folder()
    settings = _server_part("config").DataFolder(folder).config()
    log.configure(level=log_level.value if log_level else settings.log_level, json_lines=log_json or settings.log_json)
    run_server(folder, listen)


def _server_part(name: str) -> Any:  # noqa: ANN401  (a module that is imported only when it is wanted)
    """Import a module of the server, or say that the server's parts are not installed.

    Raises:
        Mistake: only the agent is installed here.
    """
    if find_spec(SERVER_PARTS) is None:
        raise Mistake(
            "The server's parts are not installed here; only the agent's are.",
            code="no_server_parts",
            hint="Install them with: pip install 'strongroom[server]'",
        )
    return import_module(f"strongroom.server.{name}")
