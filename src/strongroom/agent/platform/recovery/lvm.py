"""Recovery points on thin LVM volumes: thin snapshots, made and deleted by the LVM programs.

Whatever file system lies on the volume: LVM has it write out and hold still for the moment of the snapshot. The
snapshot is activated writable and mounted read-only, so that the file system can finish by its journal what was under
way; a read-only device, or a mount that skips the journal, would show half of it. It is mounted on the stage only.
Each snapshot carries a tag, and is deleted only while it does.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.agent.platform.mounts import FrozenView
from strongroom.agent.platform.recovery.freezer import Shown, said
from strongroom.agent.platform.recovery.survey import joined, rest_of
from strongroom.agent.platform.recovery.sweeping import Broom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.agent.platform.recovery.freezer import Work
    from strongroom.agent.platform.recovery.records import Record, Records
    from strongroom.agent.platform.recovery.stage import Stage
    from strongroom.agent.platform.recovery.survey import Place
    from strongroom.agent.platform.recovery.tools import Tools

HOW: Final = "lvm"
_OPTIONS: Final = {"xfs": b"nouuid"}  # its origin is mounted with the same id


class LvmFreezer:
    """See `freezer.Freezer`."""

    how = HOW

    def __init__(self, work: Work) -> None:
        self.failed: dict[bytes, str] = {}
        self._work = work
        self._places: Sequence[Place] = ()
        self._made: dict[int, tuple[Record, int]] = {}
        self._mounted: dict[int, bytes] = {}

    def take(self, places: Sequence[Place]) -> None:
        """Make the snapshots, one for each file system."""
        self._places = places
        refused: dict[int, str] = {}
        for place in places:
            device = place.mount.device
            if device not in self._made and device not in refused:
                try:
                    self._snapshot(place)
                except OSError as error:
                    refused[device] = said(error)
            if device in refused:
                self.failed[place.path] = refused[device]

    def show(self, stage: Stage) -> list[Shown]:
        """Mount the snapshots."""
        shown = []
        for place in self._places:
            if place.path in self.failed:
                continue
            record, taken_ns = self._made[place.mount.device]
            try:
                source = joined(self._mount(stage, place, record), rest_of(place.inner, b"/"))
            except OSError as error:
                self.failed[place.path] = f"its LVM snapshot could not be mounted ({said(error)})"
                continue
            shown.append(Shown(place.path, source, FrozenView(taken_ns, place.device, place.mount)))
        return shown

    def release(self) -> list[str]:
        """Remove the snapshots."""
        made = [record for record, _ in self._made.values()]
        self._made.clear()
        return sweep_lvm(made, self._work.records, self._work.tools)

    def _snapshot(self, place: Place) -> None:
        """Make the snapshot of the volume that a file system lies on."""
        kind, device = place.mount.kind, os.fsdecode(place.mount.source)
        try:
            group, volume, segment = _lvs(self._work.tools, device, "vg_name,lv_name,segtype")
        except (OSError, ValueError) as error:
            raise OSError(errno.ENOTSUP, f"{kind} on {device} has no way to be frozen") from error
        if segment != "thin":
            raise OSError(errno.ENOTSUP, f"the LVM volume {group}/{volume} it lies on is not a thin one")
        record = self._work.records.begin(HOW, group, self._work.wish.job_id)
        self._made[place.mount.device] = (record, clock.now_ns())
        try:
            self._work.tools.run(
                "lvcreate", "--quiet", "--snapshot", "--name", record.name, "--addtag", self._work.records.prefix,
                "--setactivationskip", "n", "--activate", "y", "--permission", "rw", f"{group}/{volume}",
            )  # fmt: skip
        except OSError as error:
            raise OSError(errno.EIO, f"no LVM snapshot could be made of {group}/{volume} ({said(error)})") from error

    def _mount(self, stage: Stage, place: Place, record: Record) -> bytes:
        """Return where the snapshot of a place's file system is mounted."""
        device = place.mount.device
        if device not in self._mounted:
            kind = place.mount.kind
            (path,) = _lvs(self._work.tools, f"{record.where}/{record.name}", "lv_path")
            self._mounted[device] = stage.mount(os.fsencode(path), kind, _OPTIONS.get(kind))
        return self._mounted[device]


def sweep_lvm(leftovers: Sequence[Record], records: Records, tools: Tools) -> list[str]:
    """Delete snapshots that are on record and carry our tag."""
    broom = Broom(
        kind="LVM",
        joint="/",
        marks=lambda name: _lvs(tools, name, "lv_tags")[0].split(","),
        mark=records.prefix,
        delete=lambda name: tools.run("lvremove", "--quiet", "--yes", name),
        absent=("Failed to find", "not found"),
        busy=("in use", "busy"),
    )
    return broom.sweep(leftovers, records)


def _lvs(tools: Tools, name: str, fields: str) -> list[str]:
    """Ask for some facts of one volume.

    Raises:
        OSError: there is no such volume.
        ValueError: the answer is not one line with so many fields.
    """
    answer = tools.run("lvs", "--noheadings", "--separator", "\t", "-o", fields, name)
    (line,) = answer.decode("utf-8", "surrogateescape").splitlines()
    found = [field.strip() for field in line.split("\t")]
    if len(found) != fields.count(",") + 1:
        raise ValueError(line)
    return found
