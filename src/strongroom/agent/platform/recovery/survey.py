"""The survey: which file systems a backup will read, before any of them is frozen.

Promises: asks the mount table and looks at single paths; never lists a folder. A mount that another one hides, that
holds no files of anybody, or that the set leaves out is no area.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import stat as modes
from typing import TYPE_CHECKING

from strongroom.agent.platform.mounts import PSEUDO_FILE_SYSTEMS, Mount, mount_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from strongroom.agent.platform.base import FreezeWish


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A mount that is to be frozen, or what can be seen of its file system there.

    It is frozen from its mount point on, however deep the include paths lie: what is a mount point on the host cannot
    be renamed or removed while the backup reads.

    Args:
        path: where it is mounted.
        device: `st_dev` of what is found there.
        inner: what is mounted there: a path in the file system, whose root is `/`.
    """

    path: bytes
    mount: Mount
    device: int
    inner: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Survey:
    """What was found.

    Args:
        parts: what is read: each include path, and each mount point beneath one; with its place.
        points: where anything visible is mounted.
        mounts: the whole table.
    """

    parts: dict[bytes, Place]
    points: frozenset[bytes]
    mounts: tuple[Mount, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        """What is to be frozen, from the root down."""
        return tuple(sorted(set(self.parts.values()), key=lambda place: depth_of(place.path)))


def survey(wish: FreezeWish, mounts: Sequence[Mount]) -> Survey:
    """Find the places of a backup. An include path that is not there, or cannot be looked at, has none."""
    visible = {mount.point: mount for mount in mounts if mount.kind != "autofs" and _is_visible(mount)}
    parts: dict[bytes, Place] = {}
    for root in wish.roots:
        with contextlib.suppress(OSError):
            parts[root] = _place_of(_folder_of(root), mounts)
    for point, mount in visible.items():
        if mount.kind not in PSEUDO_FILE_SYSTEMS and point not in parts and _belongs(point, wish):
            with contextlib.suppress(OSError):
                if modes.S_ISDIR(os.lstat(point).st_mode):
                    parts[point] = _place_of(point, mounts)
    return Survey(parts, frozenset(visible), tuple(mounts))


def is_beneath(path: bytes, folder: bytes) -> bool:
    """Whether an absolute path lies in a folder, however deep, and is not the folder."""
    return path != folder and path.startswith(folder if folder == b"/" else folder + b"/")


def joined(folder: bytes, rest: bytes) -> bytes:
    """Return the absolute path `rest` (empty, or beginning with a slash) taken within a folder."""
    return (folder.rstrip(b"/") + rest) or b"/"


def rest_of(path: bytes, folder: bytes) -> bytes:
    """Return the part of a path beyond a folder: empty, or beginning with a slash."""
    return path[len(folder.rstrip(b"/")) :].rstrip(b"/")


def _place_of(path: bytes, mounts: Iterable[Mount]) -> Place:
    """Return the place that a folder belongs to."""
    number = _mount_of(path)
    for mount in mounts:
        if mount.id == number:
            return Place(mount.point, mount, os.lstat(mount.point).st_dev, mount.root)
    raise OSError(errno.ENOENT, "its mount is not in the table")


def _folder_of(root: bytes) -> bytes:
    """Return an include path if it is a folder, else the folder it stands in."""
    return root if modes.S_ISDIR(os.lstat(root).st_mode) else os.path.dirname(root)


def _belongs(point: bytes, wish: FreezeWish) -> bool:
    """Whether what is mounted there is part of the backup."""
    return (
        not wish.one_file_system and any(is_beneath(point, root) for root in wish.roots) and not wish.leaves_out(point)
    )


def _is_visible(mount: Mount) -> bool:
    """Whether what one finds at its mount point is really this mount."""
    try:
        return _mount_of(mount.point) == mount.id
    except OSError:
        return False


def _mount_of(path: bytes) -> int:
    """Return the number of the mount that a path leads to."""
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return mount_id(handle)
    finally:
        os.close(handle)


def depth_of(path: bytes) -> tuple[int, bytes]:
    """Return what absolute paths are ordered by, from the root down."""
    return (path.rstrip(b"/").count(b"/"), path)
