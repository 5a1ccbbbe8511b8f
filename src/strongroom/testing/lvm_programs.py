"""Doubles of `lvs`, `lvcreate` and `lvremove`, for machines whose kernel has no device mapper.

Why: thin volumes need it, and not every machine that runs the tests has it. A volume here is a file behind a loop
device, with a real file system on it, and a snapshot is a copy of that file behind another, taken as LVM takes it:
while the file system is frozen. So what is mounted from it is what would be on a real one, journal and all.
State is a JSON file: `VOLUMES` maps `group/volume` to its facts. `"fails"` has the next snapshot fail with these words.
Does not: know other options than the agent uses. Runs as root.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

USAGE = 3
FAILED = 5


class Refused(Exception):
    """What the program would say."""


def main(state: Path, program: str, words: list[str]) -> int:
    """Carry out one command."""
    known: dict[str, Any] = json.loads(state.read_text())
    try:
        {"lvs": _lvs, "lvcreate": _lvcreate, "lvremove": _lvremove}[program](known, words)
    except Refused as error:
        sys.stderr.write(f"  {error}\n")
        return FAILED
    except (KeyError, ValueError):
        sys.stderr.write("  Invalid argument.\n")
        return USAGE
    finally:
        state.write_text(json.dumps(known))
    return 0


def _lvs(known: dict[str, Any], words: list[str]) -> None:
    """`lvs --noheadings --separator TAB -o FIELDS NAME-OR-DEVICE`."""
    *options, fields, asked = words
    if options != ["--noheadings", "--separator", "\t", "-o"]:
        raise ValueError(options)
    name, volume = _find(known, asked)
    group, _, own = name.partition("/")
    facts = {
        "vg_name": group,
        "lv_name": own,
        "segtype": volume["segtype"],
        "lv_path": volume["device"],
        "lv_tags": ",".join(volume["tags"]),
    }
    sys.stdout.write("  " + "\t".join(facts[field] for field in fields.split(",")) + "\n")


def _find(known: dict[str, Any], asked: str) -> tuple[str, dict[str, Any]]:
    """Return a volume by its name or device."""
    for name, volume in known["volumes"].items():
        if asked in {name, volume["device"]}:
            return name, volume
    raise Refused(f'Failed to find logical volume "{asked}"')


def _lvcreate(known: dict[str, Any], words: list[str]) -> None:
    """`lvcreate --quiet --snapshot --name N --addtag T --setactivationskip n --activate y --permission rw ORIGIN`."""
    *options, origin = words
    flags = [option for option in options if option in {"--quiet", "--snapshot"}]
    rest = [option for option in options if option not in flags]
    chosen = dict(zip(rest[::2], rest[1::2], strict=True))
    tag, own = chosen.pop("--addtag"), chosen.pop("--name")
    if chosen != {"--setactivationskip": "n", "--activate": "y", "--permission": "rw"}:
        raise ValueError(chosen)
    if told := known.pop("fails", ""):
        raise Refused(told)
    name, volume = _find(known, origin)
    copy = f"{volume['file']}.{own}"
    _call("fsfreeze", "--freeze", volume["mounted"])  # as the device mapper does while it suspends the origin
    try:
        shutil.copyfile(volume["file"], copy)
    finally:
        _call("fsfreeze", "--unfreeze", volume["mounted"])
    device = _call("losetup", "--find", "--show", copy).strip()
    group = name.partition("/")[0]
    known["volumes"][f"{group}/{own}"] = {"segtype": "thin", "device": device, "file": copy, "tags": [tag]}


def _lvremove(known: dict[str, Any], words: list[str]) -> None:
    """`lvremove --quiet --yes NAME`."""
    name, volume = _find(known, words[-1])
    if _is_mounted(volume["device"]):
        raise Refused(f"Logical volume {name} contains a filesystem in use.")
    _call("losetup", "--detach", volume["device"])
    Path(volume["file"]).unlink()
    del known["volumes"][name]


def _is_mounted(device: str) -> bool:
    """Whether anybody, in whatever namespace, has the device open for a file system."""
    probe = "import os, sys; os.close(os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL))"
    command = [sys.executable, "-c", probe, device]
    return subprocess.run(command, check=False, capture_output=True).returncode != 0  # noqa: S603 -- our own


def _call(*command: str) -> str:
    """Run a program of the system; return what it printed."""
    done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)  # noqa: S603
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
