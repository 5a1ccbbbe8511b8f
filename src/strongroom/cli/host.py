"""`strongroom host`: the file servers that are protected."""

from __future__ import annotations

from typing import Annotated

import typer

from strongroom.cli.client import Client, find_access
from strongroom.cli.output import AsJson, minute, print_facts, print_json, print_table, say

app = typer.Typer(no_args_is_help=True, help="Protected hosts.")

HostName = Annotated[str, typer.Argument(metavar="HOST", help="The host's name or id.")]


@app.command("list")
def list_hosts(*, as_json: AsJson = False) -> None:
    """List the hosts, and whether their agents are connected."""
    hosts = Client(find_access()).fetch_all("hosts")
    if as_json:
        print_json(hosts)
        return
    print_table(
        ("name", "connected", "last seen (UTC)", "system", "agent"),
        (
            (
                host["name"],
                "revoked" if host["revoked"] else "yes" if host["connected"] else "no",
                minute(host["last_seen"]),
                host["os_version"],
                host["agent_version"],
            )
            for host in hosts
        ),
    )


@app.command()
def show(host: HostName, *, as_json: AsJson = False) -> None:
    """Show one host."""
    found = Client(find_access()).fetch("hosts", host)
    if as_json:
        print_json(found)
    else:
        sets = [backup_set["name"] for backup_set in found.pop("sets")]
        print_facts((name.replace("_", " "), value) for name, value in {**found, "sets": sets}.items())


@app.command()
def revoke(host: HostName, *, as_json: AsJson = False) -> None:
    """Revoke a host's access at once. Nothing that it stored is deleted."""
    revoked = Client(find_access()).send("hosts", host, "revoke")
    if as_json:
        print_json(revoked)
    else:
        say(f"{revoked['name']} has no access any more; its snapshots stay.")
