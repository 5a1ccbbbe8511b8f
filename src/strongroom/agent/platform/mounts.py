"""The mount table: which file system a folder lies on, from /proc/self/mountinfo.

Why: `stat` gives a device number of its own to every btrfs subvolume, so it tells neither where a file system ends
nor which device /proc/locks speaks of. The mount that an open handle belongs to does.
Promises: the table is read again when an unknown mount appears.
Does not: mount anything.
"""

from __future__ import annotations

import dataclasses
import os

PSEUDO_FILE_SYSTEMS = frozenset({
    "anon_inodefs", "autofs", "bdev", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs",
    "devfs", "devpts", "devtmpfs", "efivarfs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fusectl",
    "hugetlbfs", "mqueue", "nfsd", "nsfs", "pipefs", "proc", "pstore", "resctrl", "rpc_pipefs", "securityfs",
    "selinuxfs", "smackfs", "sockfs", "sysfs", "tracefs",
})  # fmt: skip
"""File systems that hold no files of anybody; left out unless an include path names one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """One line of the mount table; `device` is `st_dev` of the file system itself, not of a subvolume."""

    id: int
    device: int
    kind: str


class MountTable:
    """The mounts of this process."""

    def __init__(self) -> None:
        self._mounts: dict[int, Mount] = {}

    def of_handle(self, handle: int) -> Mount:
        """Return the mount that an open handle belongs to.

        Raises:
            OSError: the system does not tell.
        """
        mount_id = _mount_id(handle)
        if mount_id not in self._mounts:
            self._mounts = _read_mounts()
        try:
            return self._mounts[mount_id]
        except KeyError:  # detached, or in another namespace: all that is known is the device
            return Mount(mount_id, os.fstat(handle).st_dev, "")


def _mount_id(handle: int) -> int:
    """Return the number of the mount that `handle` was opened through."""
    with open(f"/proc/self/fdinfo/{handle}", "rb") as file:
        for line in file:
            if line.startswith(b"mnt_id:"):
                return int(line[7:])
    raise OSError(f"/proc/self/fdinfo/{handle} names no mount")


def _read_mounts() -> dict[int, Mount]:
    """Read the table; the fields stand as proc(5) says, with any number of optional ones before a lone dash."""
    mounts = {}
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            fields = line.split()
            major, minor = fields[2].split(b":")
            kind = fields[fields.index(b"-", 6) + 1].decode("ascii", "replace")
            mounts[int(fields[0])] = Mount(int(fields[0]), os.makedev(int(major), int(minor)), kind)
    return mounts
