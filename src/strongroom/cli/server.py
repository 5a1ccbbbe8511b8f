"""`strongroom server`: set up a server and run it. The only commands that open its data folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom import log
from strongroom.cli.client import data_folder
from strongroom.cli.output import AsJson, print_json, remark, say
from strongroom.errors import Mistake

app = typer.Typer(no_args_is_help=True, help="Set up and run the server.")

DataFolder = Annotated[
    Path | None, typer.Option("--data", help="The server's data folder [STRONGROOM_DATA, /var/lib/strongroom].")
]
SERVER_PARTS = "django"


@app.command()
def init(
    data: DataFolder = None,
    *,
    admin: Annotated[str, typer.Option(help="Name of the administrator.")] = "admin",
    ask_password: Annotated[
        bool, typer.Option("--ask-password", help="Ask for the administrator's password instead of making one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a data folder: keys, certificate authority, catalog, vault, and an administrator."""
    setup: Any = _server_part("setup")
    password = ""
    if ask_password:
        password = typer.prompt("Password for the administrator", hide_input=True, confirmation_prompt=True, err=True)
    folder = data or data_folder()
    made = setup.init(folder, admin_name=admin, password=password)
    if as_json:
        print_json({"data": str(folder), "admin": admin, "password": made if not password else None})
        return
    say(f"The server's data folder is {folder}.")
    if not password:
        say(f"Administrator: {admin}   password: {made}   (shown only now)")
    say(f"Keep a copy of {folder / 'root.key'} somewhere else: without it nobody can read the vault.")
    say(f"Next: strongroom server run --data {folder}")


@app.command()
def run(
    data: DataFolder = None,
    *,
    listen: Annotated[str, typer.Option(help="HOST:PORT to listen on.")] = "0.0.0.0:8440",
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Run the server until it is told to stop."""
    log.configure(level=log_level.upper(), json_lines=log_json)
    _server_part("app").run(data or data_folder(), listen)


def _server_part(name: str) -> Any:  # noqa: ANN401  (a module that is imported only when it is wanted)
    """Import a module of the server, or say that the server's parts are not installed.

    Raises:
        Mistake: only the agent is installed here.
    """
    try:
        __import__(SERVER_PARTS)
    except ModuleNotFoundError as error:
        remark("This installation has only the agent's parts.")
        raise Mistake("The server's parts are not installed.", hint="pip install 'strongroom[server]'") from error
    module = f"strongroom.server.{name}"
    __import__(module)
    return sys.modules[module]
