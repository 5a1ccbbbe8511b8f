"""Recovery points on ZFS: snapshots of the datasets that a set lies in, made and deleted by the program `zfs`.

Where: `dataset@NAME`, seen in `.zfs/snapshot/NAME` of the dataset's mount point, whether that folder is listed or not.
The datasets of one pool are frozen at one moment. Each snapshot carries the property `OWNER`, and is deleted only
while that says so.
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

HOW: Final = "zfs"
OWNER: Final = "org.strongroom:owner"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class ZfsFreezer:
    """See `freezer.Freezer`."""

    how = HOW

    def __init__(self, work: Work) -> None:
        self.failed: dict[bytes, str] = {}
        self._work = work
        self._places: Sequence[Place] = ()
        self._made: dict[str, tuple[Record, int]] = {}
        self._seen: dict[bytes, tuple[int, bytes]] = {}

    def take(self, places: Sequence[Place]) -> None:
        """Make the snapshots, and look into each so that the system mounts it."""
        self._places = places
        by_pool: dict[str, set[str]] = {}
        for place in places:
            dataset = os.fsdecode(place.mount.source)
            by_pool.setdefault(dataset.partition("/")[0], set()).add(dataset)
        for datasets in by_pool.values():
            self._snapshot(sorted(datasets))
        for place in places:
            try:
                self._look_into(place)
            except OSError as error:
                self.failed.setdefault(place.path, f"its ZFS snapshot cannot be seen ({said(error)})")

    def show(self, stage: Stage) -> list[Shown]:  # noqa: ARG002 -- the stage has what the host had when it was made
        """Return what was looked into."""
        shown = []
        for place in self._places:
            if place.path in self._seen:
                handle, source = self._seen.pop(place.path)
                os.close(handle)
                _, taken_ns = self._made[os.fsdecode(place.mount.source)]
                shown.append(Shown(place.path, source, FrozenView(taken_ns, place.device, place.mount)))
        return shown

    def release(self) -> list[str]:
        """Destroy the snapshots."""
        for handle, _ in self._seen.values():
            os.close(handle)
        self._seen.clear()
        made = [record for record, _ in self._made.values()]
        self._made.clear()
        return sweep_zfs(made, self._work.records, self._work.tools)

    def _snapshot(self, datasets: Sequence[str]) -> None:
        """Snapshot datasets of one pool at one moment."""
        records = self._work.records
        made = [records.begin(HOW, dataset, self._work.wish.job_id) for dataset in datasets]
        taken_ns = clock.now_ns()
        self._made |= {record.where: (record, taken_ns) for record in made}
        names = [f"{record.where}@{record.name}" for record in made]
        try:
            self._work.tools.run("zfs", "snapshot", "-o", f"{OWNER}={records.owner}", *names)
        except OSError as error:
            for place in self._places:
                if os.fsdecode(place.mount.source) in datasets:
                    self.failed[place.path] = f"no ZFS snapshot could be made of it ({said(error)})"

    def _look_into(self, place: Place) -> None:
        """Open the folder of a place in its snapshot."""
        if place.path in self.failed:
            return
        record, _ = self._made[os.fsdecode(place.mount.source)]
        whole = [mount for mount in self._work.survey.mounts if mount.device == place.mount.device]
        points = [mount.point for mount in whole if mount.root == b"/" and mount.point in self._work.survey.points]
        if not points:
            raise FileNotFoundError(errno.ENOENT, "the root of its dataset is mounted nowhere")
        source = joined(points[0], b"/.zfs/snapshot/" + record.name.encode())
        source = joined(source, rest_of(place.inner, b"/"))
        handle = os.open(source, _FOLDER)
        if os.fstat(handle).st_dev == place.device:
            os.close(handle)
            raise OSError(errno.EIO, "it shows the live files")
        self._seen[place.path] = (handle, source)


def sweep_zfs(leftovers: Sequence[Record], records: Records, tools: Tools) -> list[str]:
    """Destroy snapshots that are on record and carry our property."""
    broom = Broom(
        kind="ZFS",
        joint="@",
        marks=lambda name: [_owner(tools, name)],
        mark=records.owner,
        delete=lambda name: tools.run("zfs", "destroy", name),
        absent=("does not exist", "not found"),
        busy=("busy",),
    )
    return broom.sweep(leftovers, records)


def _owner(tools: Tools, name: str) -> str:
    """Return whose a snapshot is, by its property."""
    return tools.run("zfs", "get", "-H", "-o", "value", OWNER, name).decode("utf-8", "replace").strip()
