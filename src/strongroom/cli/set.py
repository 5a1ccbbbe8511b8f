"""`strongroom set`: backup sets, what to protect on a host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from strongroom.cli.client import Client, find_access
from strongroom.cli.output import AsJson, print_facts, print_json, print_table, say
from strongroom.cli.paths import as_argument
from strongroom.model.policy import LockedFiles, RecoveryPointWish

app = typer.Typer(no_args_is_help=True, help="Backup sets.")

_LISTS = frozenset({"--include", "--exclude"})
_SINGLE = frozenset({"--host", "--locked-files", "--recovery-point"})


class SpreadLists(TyperCommand):
    """A command whose lists may be given in one go: `--include A B` is `--include A --include B`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  (typer hides its context's type)
        """Read the arguments."""
        return super().parse_args(ctx, spread(args))


@app.command(cls=SpreadLists)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The set's name.")],
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="The host's name or id.")],
    include: Annotated[list[str], typer.Option(metavar="PATH", help="A folder or file to protect; or several.")],
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="A pattern to leave out; or several.")
    ] = None,
    one_file_system: Annotated[bool, typer.Option("--one-file-system", help="Do not cross mount points.")] = False,
    locked_files: Annotated[
        LockedFiles, typer.Option(help="Miss files with an advisory lock, or read them.")
    ] = LockedFiles.MISS,
    raw_names: Annotated[bool, typer.Option("--raw-names", help="Also keep names that are not UTF-8.")] = False,
    retry_missed: Annotated[
        bool, typer.Option("--retry-missed", help="Try missed files once more at the end.")
    ] = False,
    recovery_point: Annotated[
        RecoveryPointWish,
        typer.Option(help="Read from recovery points where they can be made (btrfs, ZFS, thin LVM), or insist."),
    ] = RecoveryPointWish.AUTO,
    as_json: AsJson = False,
) -> None:
    """Make a backup set."""
    body: dict[str, Any] = {
        "name": name,
        "host": host,
        "include": [as_argument(path) for path in include],
        "exclude": [as_argument(pattern) for pattern in exclude or []],
        "one_file_system": one_file_system,
        "options": {
            "locked_files": locked_files.value,
            "raw_names": raw_names,
            "retry_missed": retry_missed,
            "recovery_point": recovery_point.value,
        },
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


def spread(words: Sequence[str]) -> list[str]:
    """Return the words with each value of a list after its option, as soon as the set's name has been given."""
    out: list[str] = []
    of_list = ""
    is_value = named = False
    for word in words:
        if is_value:
            is_value = False
        elif word.startswith("-"):
            of_list = word if word in _LISTS else ""
            is_value = word in _LISTS | _SINGLE
        elif named and of_list:
            out.append(of_list)
        else:
            named = True
        out.append(word)
    return out
