"""`strongroom set`: backup sets, what to protect on a host."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from strongroom.cli.client import Client, find_access
from strongroom.cli.output import AsJson, print_facts, print_json, print_table, say
from strongroom.cli.paths import as_argument
from strongroom.model.policy import LockedFiles

app = typer.Typer(no_args_is_help=True, help="Backup sets.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The set's name.")],
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="The host's name or id.")],
    include: Annotated[
        list[str], typer.Option(metavar="PATH", help="A folder or file to protect; may be given again.")
    ],
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="A pattern to leave out; may be given again.")
    ] = None,
    one_file_system: Annotated[bool, typer.Option("--one-file-system", help="Do not cross mount points.")] = False,
    locked_files: Annotated[
        LockedFiles, typer.Option(help="Miss files with an advisory lock, or read them.")
    ] = LockedFiles.MISS,
    raw_names: Annotated[bool, typer.Option("--raw-names", help="Also keep names that are not UTF-8.")] = False,
    retry_missed: Annotated[
        bool, typer.Option("--retry-missed", help="Try missed files once more at the end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a backup set."""
    body: dict[str, Any] = {
        "name": name,
        "host": host,
        "include": [as_argument(path) for path in include],
        "exclude": [as_argument(pattern) for pattern in exclude or []],
        "one_file_system": one_file_system,
        "options": {"locked_files": locked_files.value, "raw_names": raw_names, "retry_missed": retry_missed},
    }
    made = Client(find_access()).send("sets", body=body)
    if as_json:
        print_json(made)
    else:
        say(f"Set {made['name']} ({made['id']}) protects {', '.join(made['include'])} on {made['host']}.")


@app.command("list")
def list_sets(*, as_json: AsJson = False) -> None:
    """List the backup sets."""
    sets = Client(find_access()).fetch_all("sets")
    if as_json:
        print_json(sets)
        return
    print_table(
        ("id", "name", "host", "include", "last backup"),
        (
            (
                item["id"],
                item["name"],
                item["host"],
                ", ".join(item["include"]),
                item["last_job"]["state"] if item["last_job"] else "never",
            )
            for item in sets
        ),
    )


@app.command()
def show(backup_set: Annotated[str, typer.Argument(metavar="SET")], *, as_json: AsJson = False) -> None:
    """Show one backup set."""
    found = Client(find_access()).fetch("sets", backup_set)
    if as_json:
        print_json(found)
    else:
        print_facts((name.replace("_", " "), value) for name, value in found.items())
