"""Recovery points on btrfs: read-only snapshots of the subvolumes that a set lies in, nested ones included.

Where: in the folder `HOLDING` of the file system's own top level, which is usually mounted nowhere; the folder stays,
so that the snapshots never change the times of anybody's folder.
A nested subvolume is an empty folder in the snapshot around it, so each gets a snapshot of its own; one that is
read-only anyhow (the snapshots of others) is read as it is. What cannot be frozen is put there live and named, for
nothing may be missing from a backup in silence.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.agent.platform.mounts import FrozenView
from strongroom.agent.platform.recovery import btrfs_calls as btrfs
from strongroom.agent.platform.recovery.freezer import Shown, said
from strongroom.agent.platform.recovery.survey import is_beneath, joined, rest_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strongroom.agent.platform.recovery.freezer import Work
    from strongroom.agent.platform.recovery.records import Record, Records
    from strongroom.agent.platform.recovery.stage import Stage
    from strongroom.agent.platform.recovery.survey import Place

HOW: Final = "btrfs"
HOLDING: Final = b".strongroom-recovery-points"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclasses.dataclass(slots=True)
class Top:
    """The top level of one file system, mounted where only we see it.

    Args:
        path: where the stage has it.
        handle, holding: of it, and of the folder with our snapshots.
        where: the file system's id.
        made: our snapshots.
    """

    path: bytes
    handle: int
    holding: int
    where: str
    made: list[Record] = dataclasses.field(default_factory=list)

    def open_folder(self, inner: bytes) -> int:
        """Open a folder by its absolute path in the file system."""
        return os.open(inner.lstrip(b"/") or b".", _FOLDER, dir_fd=self.handle)

    def close(self) -> None:
        """Close the handles."""
        os.close(self.holding)
        os.close(self.handle)


class BtrfsFreezer:
    """See `freezer.Freezer`."""

    how = HOW

    def __init__(self, work: Work) -> None:
        self.failed: dict[bytes, str] = {}
        self._work = work
        self._places: Sequence[Place] = ()
        self._tops: dict[int, Top] = {}
        self._snapshots: dict[tuple[str, bytes], tuple[bytes, int]] = {}

    def take(self, places: Sequence[Place]) -> None:
        """Remember the places; all is done on the stage."""
        self._places = places

    def show(self, stage: Stage) -> list[Shown]:
        """Make the snapshots."""
        shown: list[Shown] = []
        for place in self._places:
            try:
                top = self._top(stage, place)
                subvolume = _subvolume_of(top, place.inner)
                source, taken_ns = self._snapshot(top, subvolume)
                view = FrozenView(taken_ns, place.device, place.mount)
                shown.append(Shown(place.path, joined(source, rest_of(place.inner, subvolume)), view))
                shown.extend(self._nested(top, place, inner) for inner in self._inner(top, subvolume, place))
            except OSError as error:
                self.failed[place.path] = f"no btrfs snapshot could be made of it ({said(error)})"
        return [one for one in shown if one.path not in self.failed]

    def release(self) -> list[str]:
        """Delete the snapshots."""
        troubles = []
        for top in self._tops.values():
            troubles += _delete(top, top.made, self._work.records)
            top.close()
        self._tops.clear()
        return troubles

    def _top(self, stage: Stage, place: Place) -> Top:
        """Return the top level of the file system that a place lies on."""
        top = self._tops.get(place.mount.device)
        if top is None:
            if place.mount.is_read_only:  # to mount it writable would make it so
                raise OSError(errno.EROFS, "the file system is read-only")
            top = self._tops[place.mount.device] = open_top(stage, place.mount.source)
        return top

    def _snapshot(self, top: Top, subvolume: bytes) -> tuple[bytes, int]:
        """Return where the snapshot of a subvolume is, and when it was begun; made once."""
        key = (top.where, subvolume)
        if key not in self._snapshots:
            record = self._work.records.begin(HOW, top.where, self._work.wish.job_id)
            top.made.append(record)
            source = top.open_folder(subvolume)
            try:
                taken_ns = clock.now_ns()
                btrfs.create_snapshot(source, top.holding, record.name.encode())
                _require_snapshot(top, record.name.encode(), source)
            finally:
                os.close(source)
            self._snapshots[key] = (b"/".join((top.path, HOLDING, record.name.encode())), taken_ns)
        return self._snapshots[key]

    def _inner(self, top: Top, subvolume: bytes, place: Place) -> Iterator[bytes]:
        """Yield the nested subvolumes that belong to a place, each before those inside it."""
        handle = top.open_folder(subvolume)
        try:
            inner = [joined(subvolume, b"/" + path) for path in btrfs.inner_subvolumes(handle)]
        finally:
            os.close(handle)
        for path in sorted(inner):
            if is_beneath(path, place.inner) and self._belongs(joined(place.path, rest_of(path, place.inner)), place):
                yield path
                yield from self._inner(top, path, place)

    def _belongs(self, path: bytes, place: Place) -> bool:
        """Whether a nested subvolume is part of the backup or leads to it, and nothing is mounted on or above it."""
        wish = self._work.wish
        holds = any(path == root or is_beneath(path, root) for root in wish.roots)
        leads = any(is_beneath(root, path) for root in wish.roots)
        if os.path.basename(os.path.dirname(path)) == HOLDING or not (leads or (holds and not wish.leaves_out(path))):
            return False
        mounted = (point for point in self._work.survey.points if is_beneath(point, place.path))
        return not any(path == point or is_beneath(path, point) for point in mounted)

    def _nested(self, top: Top, place: Place, inner: bytes) -> Shown:
        """Return a nested subvolume: its snapshot, or itself where that cannot change or cannot be frozen."""
        path, itself = joined(place.path, rest_of(inner, place.inner)), top.path + inner
        handle = top.open_folder(inner)
        try:
            device = os.fstat(handle).st_dev
            if btrfs.is_read_only(handle):
                return Shown(path, itself, FrozenView(clock.now_ns(), device, place.mount), is_itself=True)
        finally:
            os.close(handle)
        try:
            source, taken_ns = self._snapshot(top, inner)
        except OSError as error:
            why = f"no snapshot could be made of this nested subvolume ({said(error)})"
            return Shown(path, itself, FrozenView(None, device, place.mount), why)
        return Shown(path, source, FrozenView(taken_ns, device, place.mount))


def open_top(stage: Stage, source: bytes) -> Top:
    """Mount the top level of a btrfs file system on the stage, with our folder in it.

    Raises:
        OSError: it cannot be mounted or written to, or the folder is not ours alone.
    """
    path = stage.mount(source, "btrfs", b"subvolid=5", writable=True)
    handle = stage.open_folder(path)
    try:
        holding = _open_holding(handle)
        return Top(path, handle, holding, btrfs.file_system_id(handle))
    except BaseException:
        os.close(handle)
        raise


def _open_holding(top: int) -> int:
    """Open the folder of our snapshots, made if need be; nobody else may have a say in it."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(HOLDING, 0o700, dir_fd=top)
    holding = os.open(HOLDING, _FOLDER, dir_fd=top)
    found = os.fstat(holding)
    if found.st_uid or found.st_mode & 0o077:
        os.close(holding)
        raise PermissionError(errno.EPERM, f"the folder {HOLDING.decode()} of the top level is not root's alone")
    return holding


def sweep_btrfs(leftovers: Sequence[Record], records: Records, stage: Stage, sources: Sequence[bytes]) -> list[str]:
    """Delete snapshots that are on record; those of a file system that is not mounted now stay on record."""
    troubles: list[str] = []
    for source in sources:
        try:
            top = open_top(stage, source)
        except OSError as error:
            troubles.append(f"The btrfs file system on {os.fsdecode(source)} could not be looked into: {said(error)}.")
            continue
        try:
            troubles += _delete(top, [record for record in leftovers if record.where == top.where], records)
        finally:
            top.close()
    return troubles


def _delete(top: Top, made: Sequence[Record], records: Records) -> list[str]:
    """Delete snapshots, durably, and strike them out."""
    gone, troubles = [], []
    for record in made:
        try:
            if record.name.startswith(records.prefix + "-"):
                btrfs.delete_subvolume(top.holding, record.name.encode())
            gone.append(record)
        except FileNotFoundError:
            gone.append(record)
        except OSError as error:
            troubles.append(f"The btrfs snapshot {record.name} could not be deleted: {said(error)}.")
    records.give_up(made)
    if gone:
        try:
            btrfs.sync(top.holding)
        except OSError as error:
            return [*troubles, f"The deletion of btrfs snapshots could not be made durable: {said(error)}."]
        records.end(gone)
    return troubles


def _require_snapshot(top: Top, name: bytes, source: int) -> None:
    """Refuse what is not a read-only snapshot of this very subvolume."""
    handle = os.open(name, _FOLDER, dir_fd=top.holding)
    try:
        _, parent = btrfs.ids(handle)
        own, _ = btrfs.ids(source)
        if not (btrfs.is_subvolume(handle) and btrfs.is_read_only(handle) and parent == own):
            raise OSError(errno.EIO, "what was made is not a snapshot of it")
    finally:
        os.close(handle)


def _subvolume_of(top: Top, inner: bytes) -> bytes:
    """Return the path of the subvolume that a folder lies in."""
    path = inner
    while path != b"/":
        found = os.lstat(path.lstrip(b"/"), dir_fd=top.handle)
        if found.st_ino == btrfs.SUBVOLUME_INODE:
            return path
        path = os.path.dirname(path)
    return path
