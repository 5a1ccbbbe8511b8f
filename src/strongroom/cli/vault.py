"""`strongroom vault`: is all that is stored still there and right, and how much is it?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from strongroom.cli.client import Client, find_access
from strongroom.cli.output import AsJson, moment, print_facts, print_json, say, size

app = typer.Typer(no_args_is_help=True, help="The vault: check it, count it.")


@app.command()
def check(
    *,
    read_data: Annotated[bool, typer.Option("--read-data", help="Read and verify every byte.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the vault; name what is damaged and which snapshots it hits.

    Ends with 0 when all is well and 3 when something is damaged.
    """
    report: dict[str, Any] = Client(find_access()).send("vault", "check", body={"read_data": read_data})
    if as_json:
        print_json(report)
    else:
        _print_report(report, read_data=read_data)
    if not report["ok"]:
        raise typer.Exit(3)


def _print_report(report: dict[str, Any], *, read_data: bool) -> None:
    """Print what a check found."""
    read = f", {size(report['bytes_read'])} read" if read_data else ""
    say(f"{report['packs_checked']} packs checked{read}.")
    for item in report["damaged"]:
        hit = ", ".join(snapshot[:12] for snapshot in item["snapshots"]) or "none"
        say(f"Damaged: {item['subject']} {item['name']}: {item['problem'].rstrip('.')}. Snapshots hit: {hit}.")
    for snapshot in report["snapshots_hit"]:
        say(
            f"Snapshot {snapshot['id'][:12]} of {snapshot['set_name']}, {moment(snapshot['time'])}: not whole any more."
        )
    if report["ok"]:
        say("All is well.")
    elif not read_data:
        say("Run with --read-data to find every damaged byte.")


@app.command()
def stats(*, as_json: AsJson = False) -> None:
    """Show how much is stored and how much that saves."""
    found: dict[str, Any] = Client(find_access()).fetch("vault", "stats")
    if as_json:
        print_json(found)
        return
    print_facts(
        (name.replace("_bytes", "").replace("_", " "), size(value) if name.endswith("_bytes") else value)
        for name, value in found.items()
    )
