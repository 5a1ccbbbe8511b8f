"""`strongroom backup`: back up a set now."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from strongroom.cli.client import Client, find_access
from strongroom.cli.output import AsJson
from strongroom.cli.wait import finish

Wait = Annotated[bool, typer.Option("--wait", help="Show progress until the job ends; the exit code tells how.")]


def backup(
    backup_set: Annotated[str, typer.Argument(metavar="SET", help="The set's name or id.")],
    *,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Back up a set now."""
    client = Client(find_access())
    job = client.send("sets", backup_set, "backup", key=secrets.token_hex(16))
    finish(client, job, wait=wait, as_json=as_json)
