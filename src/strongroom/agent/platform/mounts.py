"""The mount table: which file system a folder lies on, from /proc/self/mountinfo.

Why: `stat` gives a device number of its own to every btrfs subvolume, so it tells neither where a file system ends
nor which device /proc/locks speaks of. The mount that an open handle belongs to does.
Promises: the table is read again when an unknown mount appears.
Does not: mount anything.
"""

from __future__ import annotations

import dataclasses
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PSEUDO_FILE_SYSTEMS = frozenset({
    "anon_inodefs", "autofs", "bdev", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs",
    "devfs", "devpts", "devtmpfs", "efivarfs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fusectl",
    "hugetlbfs", "mqueue", "nfsd", "nsfs", "pipefs", "proc", "pstore", "resctrl", "rpc_pipefs", "securityfs",
    "selinuxfs", "smackfs", "sockfs", "sysfs", "tracefs",
})  # fmt: skip
"""File systems that hold no files of anybody; left out unless an include path names one."""


OWN_MOUNTS = "/proc/thread-self/mountinfo"
_ESCAPED = re.compile(rb"\\\\([0-7]{3})")


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """One line of the mount table.

    Args:
        device: `st_dev` of the file system itself, not of a subvolume.
        point: where it is mounted; an absolute path.
        root: which folder of the file system is mounted there; an absolute path in it.
        source: what the file system lies on: a device, a dataset, a server.
        is_read_only: nobody can write to the file system, through this mount or another.
    """

    id: int
    device: int
    kind: str
    point: bytes = b""
    root: bytes = b""
    source: bytes = b""
    is_read_only: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenView:
    """What is to be known of a file system that shows a recovery point instead of live files.

    Args:
        taken_ns: when it began to be taken: a file changed later may change again with the same times; None if what
            is seen is live all the same, and only belongs to a mount that is not its own.
        device: `st_dev` of the live files, so that a file has one number whichever way it is read.
        mount: the live files' mount.
    """

    taken_ns: int | None
    device: int
    mount: Mount


class MountTable:
    """The mounts of a process, or of what one of its threads sees; `views` tells of frozen ones by their `st_dev`."""

    def __init__(self, path: str = OWN_MOUNTS, views: Mapping[int, FrozenView] | None = None) -> None:
        self._path = path
        self._mounts: dict[int, Mount] = {}
        self.views: Mapping[int, FrozenView] = views or {}

    def of_handle(self, handle: int) -> Mount:
        """Return the mount that an open handle belongs to; for a frozen view that of the live files.

        Raises:
            OSError: the system does not tell.
        """
        if self.views and (view := self.views.get(os.fstat(handle).st_dev)) is not None:
            return view.mount
        number = mount_id(handle)
        if number not in self._mounts:
            self._mounts = {mount.id: mount for mount in read_mounts(self._path)}
        try:
            return self._mounts[number]
        except KeyError:  # detached, or in another namespace: all that is known is the device
            return Mount(number, os.fstat(handle).st_dev, "")

    def moment(self, device: int, now_ns: int) -> tuple[int, int]:
        """Return which time counts as now for what lies on this `st_dev`, and the number to give out instead."""
        view = self.views.get(device)
        if view is None or view.taken_ns is None:
            return now_ns, device
        return view.taken_ns, view.device

    def is_frozen(self, device: int) -> bool:
        """Whether this `st_dev` shows a recovery point."""
        view = self.views.get(device)
        return view is not None and view.taken_ns is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """A tree of files that is seen in place of the live one.

    Args:
        root: a handle of its root folder.
        mounts: what is mounted in it.
        resolved: where include paths really lie in it.
    """

    root: int
    mounts: MountTable
    resolved: Mapping[bytes, bytes]


def mount_id(handle: int) -> int:
    """Return the number of the mount that `handle` was opened through."""
    with open(f"/proc/self/fdinfo/{handle}", "rb") as file:
        for line in file:
            if line.startswith(b"mnt_id:"):
                return int(line[7:])
    raise OSError(f"/proc/self/fdinfo/{handle} names no mount")


def read_mounts(path: str = OWN_MOUNTS) -> list[Mount]:
    """Read a table; the fields stand as proc(5) says, with any number of optional ones before a lone dash."""
    mounts = []
    with open(path, "rb") as file:
        for line in file:
            fields = line.split()
            major, minor = fields[2].split(b":")
            kind, source, options = fields[fields.index(b"-", 6) + 1 :][:3]
            device = os.makedev(int(major), int(minor))
            root, point, source = (_plain(field) for field in (fields[3], fields[4], source))
            word, read_only = kind.decode("ascii", "replace"), b"ro" in options.split(b",")
            mounts.append(Mount(int(fields[0]), device, word, point, root, source, read_only))
    return mounts


def _plain(field: bytes) -> bytes:
    """Return a field with its octal escapes undone."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), field)
