"""The survey: which file systems a backup will read, before any of them is frozen.

Promises: asks the mount table and looks at single paths; never lists a folder. A mount that another one hides, that
holds no files of anybody, or that the set leaves out is no area.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat as modes
from typing import TYPE_CHECKING

from strongroom.agent.platform.mounts import PSEUDO_FILE_SYSTEMS, Mount, mount_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from strongroom.agent.platform.base import FreezeWish


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A folder that is to be frozen with all beneath it on its file system.

    Args:
        path: the real path of the folder.
        mount: what it lies on.
        device: `st_dev` of it.
        inner: where it is in the file system, whose root is `/`.
    """

    path: bytes
    mount: Mount
    device: int
    inner: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Survey:
    """What was found.

    Args:
        places: to be frozen; one that lies in another on the same mount is not named twice.
        points: where anything visible is mounted, in order.
        mounts: the whole table.
    """

    places: tuple[Place, ...]
    points: tuple[bytes, ...]
    mounts: tuple[Mount, ...]


def survey(wish: FreezeWish, mounts: Sequence[Mount]) -> Survey:
    """Find the places of a backup. An include path that is not there, or cannot be looked at, has none."""
    visible = {mount.point: mount for mount in mounts if mount.kind != "autofs" and _is_visible(mount)}
    found: dict[bytes, Place] = {}
    for root in wish.roots:
        with contextlib.suppress(OSError):
            _add(found, _folder_of(root), mounts)
    for point in sorted(visible):
        mount = visible[point]
        if mount.kind in PSEUDO_FILE_SYSTEMS or point in found or not _belongs(point, wish):
            continue
        with contextlib.suppress(OSError):
            if modes.S_ISDIR(os.lstat(point).st_mode):
                _add(found, point, mounts)
    places = [place for place in found.values() if not _is_covered(place, found.values())]
    return Survey(tuple(sorted(places, key=_depth)), tuple(sorted(visible)), tuple(mounts))


def is_beneath(path: bytes, folder: bytes) -> bool:
    """Whether an absolute path lies in a folder, however deep, and is not the folder."""
    return path != folder and path.startswith(folder if folder == b"/" else folder + b"/")


def joined(folder: bytes, rest: bytes) -> bytes:
    """Return the absolute path `rest` (empty, or beginning with a slash) taken within a folder."""
    return (folder.rstrip(b"/") + rest) or b"/"


def rest_of(path: bytes, folder: bytes) -> bytes:
    """Return the part of a path beyond a folder: empty, or beginning with a slash."""
    return path[len(folder.rstrip(b"/")) :].rstrip(b"/")


def _add(found: dict[bytes, Place], path: bytes, mounts: Iterable[Mount]) -> None:
    """Add a folder."""
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        number, device = mount_id(handle), os.fstat(handle).st_dev
    finally:
        os.close(handle)
    for mount in mounts:
        if mount.id == number:
            found[path] = Place(path, mount, device, joined(mount.root, rest_of(path, mount.point)))


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
        handle = os.open(mount.point, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return mount_id(handle) == mount.id
    except OSError:
        return False
    finally:
        os.close(handle)


def _is_covered(place: Place, others: Iterable[Place]) -> bool:
    """Whether another place on the same mount shows this one as well."""
    return any(other.mount.id == place.mount.id and is_beneath(place.path, other.path) for other in others)


def _depth(place: Place) -> tuple[int, bytes]:
    """Return what places are ordered by: what lies beneath another comes after it."""
    return depth_of(place.path)


def depth_of(path: bytes) -> tuple[int, bytes]:
    """Return what absolute paths are ordered by, from the root down."""
    return (path.rstrip(b"/").count(b"/"), path)
