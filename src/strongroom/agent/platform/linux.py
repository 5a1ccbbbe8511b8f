"""Linux: the machine, and its live files as a source.

Promises: a path of any length and depth is opened handle by handle from the root; at most `MOST_HANDLES` folders are
open at once, however deep the tree.
"""

from __future__ import annotations

import errno
import grp
import os
import platform
import pwd
import threading
from typing import TYPE_CHECKING, Self

from strongroom.agent.platform.base import OsFamily
from strongroom.agent.platform.linux_files import LinuxFolder, open_folder
from strongroom.agent.platform.linux_quiet import QuietLinks
from strongroom.agent.platform.locks import LockTable
from strongroom.agent.platform.mounts import MountTable, Tree, read_mounts
from strongroom.agent.platform.recovery.points import LinuxRecoveryPoints, own_places

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

MOST_HANDLES = 64
_ZONES = "zoneinfo/"


class LinuxPlatform:
    """This machine; see `base.Platform`."""

    family = OsFamily.LINUX

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: dict[Path, LinuxRecoveryPoints] = {}

    def live_source(self) -> LinuxSource:
        """Open the live files."""
        return LinuxSource()

    def recovery_points(self, state: Path) -> LinuxRecoveryPoints:
        """Return those of a state folder."""
        with self._lock:
            return self._points.setdefault(state, LinuxRecoveryPoints(state, LinuxSource))

    def host_name(self) -> str:
        """Return the machine's name."""
        return os.uname().nodename

    def os_version(self) -> str:
        """Return the distribution's name and the kernel's release."""
        try:
            name = platform.freedesktop_os_release()["PRETTY_NAME"]
        except (OSError, KeyError):
            name = "Linux"
        return f"{name}, kernel {os.uname().release}"

    def time_zone(self) -> str:
        """Return the zone that /etc/localtime points to, else the one that /etc/timezone names, else UTC."""
        try:
            place = os.path.realpath("/etc/localtime")
            if _ZONES in place:
                return place.split(_ZONES, 1)[1]
            with open("/etc/timezone", encoding="ascii") as file:
                return file.read().strip() or "UTC"
        except (OSError, UnicodeDecodeError):
            return "UTC"

    def boot_id(self) -> str:
        """Return the kernel's id of this start."""
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()


class LinuxSource:
    """The live files, or a tree that shows recovery points in their place; see `base.Source`."""

    def __init__(self, tree: Tree | None = None) -> None:
        """Open the root folder, or another tree, whose handle becomes the source's own."""
        self._mounts = tree.mounts if tree else MountTable()
        self._resolved = tree.resolved if tree else None
        self._locks = LockTable()
        self._links = QuietLinks()
        self._users: dict[int, str] = {}
        self._groups: dict[int, str] = {}
        self._names: list[bytes] = []
        self._handles: list[int | None] = [tree.root if tree else open_folder(b"/", None)]

    def resolve(self, path: bytes) -> bytes:
        """Return where an absolute path really lies."""
        if self._resolved is not None:
            if path not in self._resolved:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            found = self._resolved[path].strip(b"/")
            os.lstat(found or b".", dir_fd=self._handles[0])
            return found
        folder, name = os.path.split(path.rstrip(b"/"))
        if name in {b"", b".", b".."}:
            return os.path.realpath(path, strict=True).strip(b"/")
        real = os.path.realpath(folder, strict=True).strip(b"/")
        found = real + b"/" + name if real else name
        os.lstat(b"/" + found)
        return found

    def own_places(self) -> frozenset[bytes]:
        """Return where recovery points are seen."""
        return own_places(read_mounts())

    def open_folder(self, path: bytes) -> LinuxFolder:
        """Open a folder from the nearest ancestor that is still open."""
        wanted = path.split(b"/") if path else []
        self._climb_to(wanted)
        handle = self._reopened()
        for name in wanted[len(self._names) :]:
            handle = open_folder(name, handle)
            self._names.append(name)
            self._handles.append(handle)
            self._give_up_oldest()
        return LinuxFolder(handle, self._mounts, self._locks, self._links)

    def _climb_to(self, wanted: list[bytes]) -> None:
        """Close what is not on the way to the wanted folder."""
        shared = 0
        for ours, theirs in zip(self._names, wanted, strict=False):
            if ours != theirs:
                break
            shared += 1
        for handle in self._handles[shared + 1 :]:
            if handle is not None:
                os.close(handle)
        del self._handles[shared + 1 :], self._names[shared:]

    def _reopened(self) -> int:
        """Return the handle of the last folder of the chain, opened again if it had been given up."""
        handle = self._handles[-1]
        if handle is not None:
            return handle
        first = next(at for at in range(len(self._handles) - 1, -1, -1) if self._handles[at] is not None)
        names = self._names[first:]
        del self._handles[first + 1 :], self._names[first:]
        handle = self._handles[-1]
        assert handle is not None
        for name in names:
            handle = open_folder(name, handle)
            self._names.append(name)
            self._handles.append(handle)
            self._give_up_oldest()
        return handle

    def _give_up_oldest(self) -> None:
        """Close the ancestor just out of reach; the root stays open."""
        at = len(self._handles) - MOST_HANDLES
        if at > 0:
            handle = self._handles[at]
            if handle is not None:
                os.close(handle)
                self._handles[at] = None

    def refresh(self) -> None:
        """Read the table of locks anew."""
        self._locks.forget()

    def user_name(self, uid: int) -> str:
        """Return the owner's name, asked for once per source."""
        name = self._users.get(uid)
        if name is None:
            try:
                name = pwd.getpwuid(uid).pw_name
            except (KeyError, OverflowError):
                name = ""
            self._users[uid] = name
        return name

    def group_name(self, gid: int) -> str:
        """Return the group's name, asked for once per source."""
        name = self._groups.get(gid)
        if name is None:
            try:
                name = grp.getgrgid(gid).gr_name
            except (KeyError, OverflowError):
                name = ""
            self._groups[gid] = name
        return name

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all handles."""
        self._links.close()
        for handle in self._handles:
            if handle is not None:
                os.close(handle)
        self._handles.clear()
        self._names.clear()
