"""A double of the program `zfs`, for machines without ZFS: `snapshot`, `get` and `destroy` of made datasets.

Why: ZFS is no part of the kernel, so most machines that run the tests have none. What is documented of the program's
words, exit codes and answers is done here on folders: a snapshot is a small file system of its own, filled with a copy
and mounted at `.zfs/snapshot/NAME`, read-only, as ZFS does it.
State is a JSON file: dataset or snapshot name to its facts. `ZFS_DOUBLE` names it; the tests set it in the program
they put on the search path. `"fails"` in it has the next snapshot fail with these words; `"busy"` so many destroys.
Does not: know any other command. Runs as root.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

USAGE = 2
_FOLDER = ".zfs"


class Refused(Exception):
    """What the program would say, after its own name."""


def main(state: Path, words: list[str]) -> int:
    """Carry out one command."""
    known: dict[str, Any] = json.loads(state.read_text())
    commands = {"snapshot": _snapshot, "get": _get_property, "destroy": _destroy}
    if not words or words[0] not in commands:
        sys.stderr.write("missing or unknown command\n")
        return USAGE
    try:
        commands[words[0]](known, words[1:])
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        state.write_text(json.dumps(known))
    return 0


def _snapshot(known: dict[str, Any], words: list[str]) -> None:
    """`zfs snapshot -o PROPERTY=VALUE NAME...`: all of them or none."""
    properties: dict[str, str] = {}
    while words[0] == "-o":
        name, _, value = words[1].partition("=")
        properties[name] = value
        words = words[2:]
    if told := known.pop("fails", ""):
        raise Refused(f"cannot create snapshot '{words[0]}': {told}")
    for word in words:
        dataset = word.partition("@")[0]
        if dataset not in known:
            raise Refused(f"cannot open '{dataset}': dataset does not exist")
        if word in known:
            raise Refused(f"cannot create snapshot '{word}': dataset already exists")
    for word in words:
        dataset, _, name = word.partition("@")
        place = Path(known[dataset]["mountpoint"])
        view = place / _FOLDER / "snapshot" / name
        view.mkdir(parents=True)
        _call("mount", "-t", "tmpfs", dataset, view)
        for item in place.iterdir():
            if item.name != _FOLDER:
                _call("cp", "-a", item, view)
        _call("touch", "-r", place, view)
        _call("mount", "-o", "remount,ro", view)
        known[word] = {"properties": properties, "view": str(view)}


def _get_property(known: dict[str, Any], words: list[str]) -> None:
    """`zfs get -H -o value PROPERTY NAME`."""
    *options, name, dataset = words
    if options != ["-H", "-o", "value"]:
        raise Refused("invalid option")
    if dataset not in known:
        raise Refused(f"cannot open '{dataset}': dataset does not exist")
    sys.stdout.write(known[dataset]["properties"].get(name, "-") + "\n")


def _destroy(known: dict[str, Any], words: list[str]) -> None:
    """`zfs destroy NAME` of a snapshot."""
    (name,) = words
    if name not in known or "@" not in name:
        raise Refused("could not find any snapshots to destroy; check snapshot names.")
    if known.get("busy", 0) > 0:
        known["busy"] -= 1
        raise Refused(f"cannot destroy snapshot {name}: dataset is busy")
    view = known.pop(name)["view"]
    _call("umount", view)
    shutil.rmtree(view)


def _call(*command: str | Path) -> None:
    """Run a program of the system."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)  # noqa: S603 -- a double on a machine for tests


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
