"""`strongroom restore`: bring files back, through an agent."""

from __future__ import annotations

import os
import secrets
from typing import Annotated, Any

import typer

from strongroom.cli.backup import Wait
from strongroom.cli.client import Client, find_access
from strongroom.cli.output import AsJson
from strongroom.cli.paths import as_argument
from strongroom.cli.wait import finish
from strongroom.errors import Mistake
from strongroom.model.policy import ConflictMode


def restore(
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", help="The snapshot's id, or its first digits.")],
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="Folders or files in it [all].")
    ] = None,
    *,
    to: Annotated[str, typer.Option("--to", metavar="DIR", help="Restore into this folder on the host.")] = "",
    original: Annotated[bool, typer.Option("--original", help="Restore to where the files were.")] = False,
    on: Annotated[str, typer.Option("--on", metavar="HOST", help="Another host to restore on.")] = "",
    conflict: Annotated[
        ConflictMode, typer.Option(help="What to do where something is there already.")
    ] = ConflictMode.OVERWRITE,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Restore a snapshot, or paths of it."""
    if bool(to) == original:
        raise Mistake("Say where to restore to.", hint="Give either --to DIR or --original.")
    target = as_argument(os.path.normpath(to)) if to else None
    if to and not os.path.isabs(to):
        raise Mistake(f"{to} is not an absolute path.", hint="The folder is meant on the host; give its whole path.")
    body: dict[str, Any] = {
        "paths": [as_argument(path) for path in paths or []],
        "target": target,
        "host": on or None,
        "conflict": conflict.value,
    }
    client = Client(find_access())
    job = client.send("snapshots", snapshot, "restore", body=body, key=secrets.token_hex(16))
    finish(client, job, wait=wait, as_json=as_json)
