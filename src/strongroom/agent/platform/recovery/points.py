"""Recovery points of this machine: made for a job, opened as a source, released; leftovers deleted.

Promises: `make` never fails for what cannot be frozen, it says so area by area; what it made is gone after `release`,
or stays on record and is deleted by the next `clear`.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Final

from strongroom.agent.platform.base import Area
from strongroom.agent.platform.mounts import Mount, MountTable, Tree, read_mounts
from strongroom.agent.platform.recovery.btrfs import HOLDING, BtrfsFreezer, sweep_btrfs
from strongroom.agent.platform.recovery.freezer import Freezer, Work, said
from strongroom.agent.platform.recovery.lvm import LvmFreezer, sweep_lvm
from strongroom.agent.platform.recovery.records import Record, Records
from strongroom.agent.platform.recovery.scene import Scene, build_scene
from strongroom.agent.platform.recovery.stage import Stage, remove_scratch
from strongroom.agent.platform.recovery.survey import Place, joined, survey
from strongroom.agent.platform.recovery.tools import Tools
from strongroom.agent.platform.recovery.zfs import ZfsFreezer, sweep_zfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from strongroom.agent.platform.base import FreezeWish, Source

    OpenSource = Callable[[Tree | None], Source]

_NOT_ROOT: Final = "the agent does not run as root"
_log: Final = logging.getLogger(__name__)


class LinuxRecoveryPoints:
    """All recovery points of one state folder; safe to use from several threads."""

    def __init__(
        self,
        state: Path,
        open_source: OpenSource,
        *,
        tools: Tools | None = None,
        mounts: Callable[[], list[Mount]] = read_mounts,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            open_source: opens a tree of files; without one, the live files.
            tools, mounts: for tests, which give their own.
        """
        self._open_source = open_source
        self._state = state
        self._tools = tools or Tools()
        self._mounts = mounts
        self._lock = threading.Lock()
        self._records: Records | None = None

    def make(self, wish: FreezeWish) -> LinuxRecoveryPoint:
        """Freeze what can be frozen of a backup's file systems."""
        found = survey(wish, self._mounts())
        work = Work(wish, found, self._own_records(), self._tools)
        point = LinuxRecoveryPoint(work, self._scratch(wish.job_id), self._open_source)
        if os.geteuid() != 0:
            point.why_live = dict.fromkeys([place.path for place in found.places], _NOT_ROOT)
            return point
        try:
            point.freeze(_sorted_out(found.places, work, point.why_live))
        except BaseException:
            point.release()
            raise
        return point

    def clear(self) -> list[str]:
        """Delete the points that no job reads from any more; return what went wrong, as sentences."""
        records = self._own_records()
        leftovers = records.leftovers()
        if not leftovers or os.geteuid() != 0:
            return []
        _log.info("%d recovery points were left behind and are deleted", len(leftovers))
        troubles = sweep_zfs(_of(leftovers, ZfsFreezer.how), records, self._tools)
        troubles += sweep_lvm(_of(leftovers, LvmFreezer.how), records, self._tools)
        on_btrfs = _of(leftovers, BtrfsFreezer.how)
        if on_btrfs:
            troubles += self._clear_btrfs(on_btrfs, records)
        for record in leftovers:
            remove_scratch(self._scratch(record.job_id))
        for trouble in troubles:
            _log.warning("%s It is tried again before the next backup.", trouble)
        return troubles

    def _clear_btrfs(self, leftovers: Sequence[Record], records: Records) -> list[str]:
        """Look for snapshots on all btrfs file systems that are mounted."""
        sources = {mount.device: mount.source for mount in self._mounts() if mount.kind == BtrfsFreezer.how}
        try:
            stage = Stage(self._state / "recovery" / "clear")
        except OSError as error:
            return [f"Recovery points could not be looked for: {said(error)}."]
        try:
            return sweep_btrfs(leftovers, records, stage, list(sources.values()))
        finally:
            stage.close()

    def _scratch(self, job_id: int) -> Path:
        """Return the folder in which a job mounts what only it sees."""
        return self._state / "recovery" / str(job_id)

    def _own_records(self) -> Records:
        """Return the records, read once."""
        with self._lock:
            if self._records is None:
                self._records = Records(self._state)
            return self._records


class LinuxRecoveryPoint:
    """See `base.RecoveryPoint`."""

    def __init__(self, work: Work, scratch: Path, open_source: OpenSource) -> None:
        self._open_source = open_source
        self._survey = work.survey
        self._include = work.wish.include
        self._scratch = scratch
        self._freezers: list[Freezer] = []
        self._stage: Stage | None = None
        self._scene: Scene | None = None
        self.why_live: dict[bytes, str] = {}
        """Places that are live, and why."""

    @property
    def areas(self) -> tuple[Area, ...]:
        """What the backup reads, and how."""
        scene = self._scene or Scene()
        found = [Area(path, "", why) for path, why in scene.live.items()]
        for path, place in self._survey.parts.items():
            how = scene.frozen.get(place.path, "")
            found.append(Area(path, how, "" if how else self.why_live.get(place.path, "")))
        return tuple(sorted(found, key=lambda area: area.path))

    def freeze(self, freezers: Sequence[tuple[Freezer, list[Place]]]) -> None:
        """Have each freezer make its recovery points, and put them in place."""
        for freezer, places in freezers:
            self._freezers.append(freezer)
            freezer.take(places)
        if any(place.path not in freezer.failed for freezer, places in freezers for place in places):
            try:
                self._stage = Stage(self._scratch)
                self._scene = build_scene(self._stage, self._freezers, self._survey, set(self._include.values()))
            except OSError as error:
                why = f"its recovery point cannot be shown ({said(error)})"
                self.why_live |= {place.path: why for _, places in freezers for place in places}
        for freezer in self._freezers:
            self.why_live |= freezer.failed

    def source(self) -> Source:
        """Open what the stage shows, or the live files if nothing could be frozen."""
        if self._stage is None or self._scene is None:
            return self._open_source(None)
        mounts = MountTable(self._stage.table, self._scene.views)
        return self._open_source(Tree(os.dup(self._stage.root), mounts, self._include))

    def release(self) -> list[str]:
        """Take down what is shown, delete what was made; return what went wrong. A second call does nothing."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None
        troubles: list[str] = []
        while self._freezers:
            try:
                troubles += self._freezers.pop().release()
            except Exception as error:  # noqa: BLE001 -- the others must be released all the same
                _log.exception("a recovery point could not be released")
                troubles.append(f"A recovery point could not be released: {error}.")
        return troubles


def own_places(mounts: Iterable[Mount]) -> frozenset[bytes]:
    """Return the paths, without a leading slash, under which recovery points are seen; they are part of no backup."""
    found = set()
    for mount in mounts:
        if mount.root == b"/" and mount.kind == BtrfsFreezer.how:
            found.add(joined(mount.point, b"/" + HOLDING))
        elif mount.root == b"/" and mount.kind == ZfsFreezer.how:
            found.add(joined(mount.point, b"/.zfs"))
    return frozenset(path.lstrip(b"/") for path in found)


def _sorted_out(places: Iterable[Place], work: Work, why_live: dict[bytes, str]) -> list[tuple[Freezer, list[Place]]]:
    """Hand each place to the freezer of its file system, or say why none is."""
    zfs, lvm, btrfs = ZfsFreezer(work), LvmFreezer(work), BtrfsFreezer(work)
    given: dict[Freezer, list[Place]] = {zfs: [], lvm: [], btrfs: []}
    for place in places:
        if place.mount.kind == zfs.how:
            given[zfs].append(place)
        elif place.mount.kind == btrfs.how:
            given[btrfs].append(place)
        elif place.mount.source.startswith(b"/dev/"):
            given[lvm].append(place)
        else:
            why_live[place.path] = f"{place.mount.kind} has no way to be frozen"
    return [(freezer, its) for freezer, its in given.items() if its]


def _of(records: Iterable[Record], how: str) -> list[Record]:
    """Return the records of one kind."""
    return [record for record in records if record.how == how]
