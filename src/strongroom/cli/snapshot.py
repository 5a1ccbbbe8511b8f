"""`strongroom snapshot`: what can be restored."""

from __future__ import annotations

import stat
from typing import Annotated

import typer

from strongroom.cli.client import Client, find_access
from strongroom.cli.output import AsJson, minute, moment, print_json, print_table, say, size
from strongroom.cli.paths import as_argument

app = typer.Typer(no_args_is_help=True, help="Snapshots, and what is in them.")

_FORMATS = {
    "file": stat.S_IFREG,
    "folder": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "char_device": stat.S_IFCHR,
    "block_device": stat.S_IFBLK,
    "socket": stat.S_IFSOCK,
}


@app.command("list")
def list_snapshots(
    backup_set: Annotated[str, typer.Argument(metavar="SET", help="The set's name or id.")], *, as_json: AsJson = False
) -> None:
    """List the snapshots of a set, newest first."""
    snapshots = Client(find_access()).fetch_all("sets", backup_set, "snapshots")
    if as_json:
        print_json(snapshots)
        return
    print_table(
        ("id", "time (UTC)", "kind", "files", "size", "new", "missed"),
        (
            (
                item["id"][:12],
                minute(item["time"]),
                item["kind"],
                item["files"],
                size(item["size_bytes"]),
                size(item["new_bytes"]),
                item["missed_count"] or "",
            )
            for item in snapshots
        ),
    )


@app.command("ls")
def list_entries(
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", help="The snapshot's id, or its first digits.")],
    path: Annotated[str, typer.Argument(metavar="[PATH]", help="A folder or file in it.")] = "/",
    *,
    as_json: AsJson = False,
) -> None:
    """List a folder of a snapshot."""
    entries = Client(find_access()).fetch_each("snapshots", snapshot, "entries", path=as_argument(path))
    if as_json:
        print_json(list(entries))
        return
    for entry in entries:
        mode = stat.filemode(_FORMATS[entry["type"]] | int(entry["mode"]))
        owner = f"{entry['user'] or entry['uid']}:{entry['group'] or entry['gid']}"
        arrow = f" -> {entry['target']}" if entry.get("target") else ""
        say(f"{mode}  {owner:<16} {entry['size']:>14}  {moment(entry['mtime'])}  {entry['name']}{arrow}")
