"""`strongroom agent`: register this host with a server, and run the agent. Needs only the agent's parts."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom import log
from strongroom.cli.output import AsJson, LogLevel, print_json, say

app = typer.Typer(no_args_is_help=True, help="The agent of this file server.")

StateFolder = Annotated[Path | None, typer.Option("--state", metavar="DIR", help="The agent's state folder.")]


@app.command()
def activate(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="An activation token, from `strongroom token create`.")],
    state: StateFolder = None,
    *,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="The host's name on the server [this machine's name].")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Give up an identity that is already there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Register this host with the server that made the token."""
    folder = state or _agent_part("config").default_state_folder()
    identity = _agent_part("activate").activate(token, folder, name=name, force=force)
    if as_json:
        print_json({"host": identity.host_name, "id": identity.host_id, "server": identity.server_url})
        return
    say(f"This host is {identity.host_name} on {identity.server_url}.")
    say("Next: strongroom agent run" + (f" --state {state}" if state else ""))


@app.command()
def run(
    state: StateFolder = None,
    *,
    log_level: Annotated[LogLevel, typer.Option(help="What to log.")] = LogLevel.INFO,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Run the agent until it is told to stop."""
    log.configure(level=log_level.value, json_lines=log_json)
    _agent_part("service").run(state or _agent_part("config").default_state_folder())


def _agent_part(name: str) -> Any:  # noqa: ANN401  (a module that is imported only when it is wanted)
    """Import a module of the agent; most commands never need one, and start faster without."""
    return import_module(f"strongroom.agent.{name}")
