"""The lock table: which files another process holds a lock on, from /proc/locks.

Why: a locked file is a missed file in a live scan (W9), and trying its lock would disturb its owner.
Promises: sees write locks of every sort (POSIX, open-file-description, `flock`) and leases; asks no file anything.
The table is read at most once a second, and less often where it is so long that reading it would cost time.
Does not: see locks that processes on other machines hold on a network file system.
"""

from __future__ import annotations

import os
import re
from array import array
from typing import TYPE_CHECKING

from strongroom import clock
from strongroom.agent.platform.base import Locks

if TYPE_CHECKING:
    from collections.abc import Iterable

Locked = dict[int, set[int]]
"""The devices on which each inode is locked."""

_LINE = re.compile(
    rb"^\d+: (?:(?:POSIX|OFDLCK|FLOCK) +\S+ +WRITE|(LEASE) +(?:\S+ +WRITE|BREAKING +\S+)) +"
    rb"(-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) ",
    re.MULTILINE,
)  # a line with an arrow is a process that waits; it holds nothing
_FRESH_S = 1.0
_SHARE = 50  # reading the table takes at most one part in so many of the time


class LockTable:
    """The locks of all other processes."""

    def __init__(self, path: str = "/proc/locks") -> None:
        self._path = path
        self._read_again_s = 0.0
        self._locked: dict[Locks, Locked] = {}
        self._inodes: dict[Locks, array[int]] = {}

    def devices_of(self, inode: int, by: Locks) -> set[int]:
        """Return the devices on which a file with this inode number is locked; nearly always none."""
        return self._fresh(by).get(inode, _NONE)

    def may_hold(self, inodes: Iterable[int], by: Locks) -> bool:
        """Whether a file with one of these inode numbers is locked on some device."""
        return not self._fresh(by).keys().isdisjoint(inodes)

    def inodes(self, by: Locks) -> array[int]:
        """Return the inode numbers of all locked files on whatever device, in order, 64 bits each."""
        locked = self._fresh(by)
        if by not in self._inodes:
            self._inodes[by] = array("Q", sorted(locked))
        return self._inodes[by]

    def forget(self) -> None:
        """Read the table before the next answer."""
        self._read_again_s = 0.0

    def _fresh(self, by: Locks) -> Locked:
        """Return the table as it was a moment ago."""
        if clock.monotonic_s() >= self._read_again_s:
            self._read()
        return self._locked[by]

    def _read(self) -> None:
        """Read the table anew."""
        started = clock.monotonic_s()
        try:
            with open(self._path, "rb") as file:
                self._locked = parse_locks(file.read(), os.getpid())
        except OSError:  # a machine without the table: what is locked shows when it is opened
            self._locked = parse_locks(b"", 0)
        self._inodes.clear()
        now = clock.monotonic_s()
        self._read_again_s = now + max(_FRESH_S, (now - started) * _SHARE)


def parse_locks(table: bytes, own_pid: int) -> dict[Locks, Locked]:
    """Return what is locked and what is leased, without the locks of process `own_pid`."""
    locked: dict[Locks, Locked] = {Locks.ANY: {}, Locks.LEASES: {}}
    for lease, pid, major, minor, inode in _LINE.findall(table):
        if int(pid) != own_pid:
            device = os.makedev(int(major, 16), int(minor, 16))
            for by in Locks if lease else (Locks.ANY,):
                locked[by].setdefault(int(inode), set()).add(device)
    return locked


_NONE: set[int] = set()
