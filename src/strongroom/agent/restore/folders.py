"""The opened folders from the target down to the one at work.

Why: each step down is made from an opened folder by one name, and never over a symbolic link; so paths may be longer
than any system call takes, and nobody can lead us out of the target.
Promises: at most `MAX_OPEN` folders are open, however deep the tree is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from strongroom.agent.platform import linux_place as system

if TYPE_CHECKING:
    from strongroom.agent.restore.aim import Parts

MAX_OPEN: Final = 96
Into: TypeAlias = Callable[["Folder", bytes], "Folder"]
"""Opens a folder by its name in another."""


@dataclass(slots=True)
class Folder:
    """An opened folder.

    Args:
        handle: -1 while it is closed because too many were open.
        fresh: this restore made it, so nothing else is in it.
        made: names of the folders in it that this restore made.
        gives: what is made in it inherits an access-control list or flags.
        relock: the mode it gets back when we leave it; None when it was not changed.
        locks: the flags it gets back when we leave it.
        is_locked: its flags let nothing in it be named, and must stay.
    """

    name: bytes
    handle: int
    fresh: bool = False
    made: set[bytes] = field(default_factory=set)
    gives: bool = False
    relock: int | None = None
    locks: int = 0
    is_locked: bool = False


class Folders:
    """Walks to one folder after the other, keeping open what the next one shares with the last."""

    def __init__(self, target: int, into: Into | None = None) -> None:
        """Start at the target.

        Args:
            target: its handle; stays the caller's.
            into: opens a folder by its name in another; the default opens what is there.
        """
        self._path: list[Folder] = [Folder(b"", target)]
        self._into = into or _open
        self._left: list[tuple[Parts, int | None, int]] = []
        self._unfinished: dict[Parts, set[bytes]] = {}
        self._at: Parts | None = None

    def enter(self, parts: Parts) -> Folder:
        """Return the folder at this path below the target.

        Raises:
            OSError: a component is missing, no folder, or may not be entered.
        """
        path = self._path
        if parts is self._at:
            return path[-1]
        self._at = None
        common = self._common(parts)
        while len(path) > common + 1:
            self._leave()
        if path[-1].handle < 0:
            self._reopen()
        for name in parts[common:]:
            path.append(self._into(path[-1], name))
            if self._unfinished:
                path[-1].made = self._unfinished.pop(self._parts(), path[-1].made)
            if len(path) > MAX_OPEN:
                self._rest(path[-MAX_OPEN])
        self._at = parts
        return path[-1]

    def is_within(self, parts: Parts) -> bool:
        """Whether we are in the folder at this path, or below it."""
        return len(self._path) > len(parts) and self._common(parts) == len(parts)

    @property
    def depth(self) -> int:
        """How many folders below the target we are."""
        return len(self._path) - 1

    def close(self) -> None:
        """Close all but the target."""
        self._at = None
        while len(self._path) > 1:
            self._leave()

    def take_left(self) -> list[tuple[Parts, int | None, int]]:
        """Return the folders left since the last call that must get their mode or flags back."""
        left, self._left = self._left, []
        return left

    def _common(self, parts: Parts) -> int:
        """Return how many components the path shares with the one we are at."""
        common = 0
        for folder, name in zip(self._path[1:], parts, strict=False):
            if folder.name != name:
                break
            common += 1
        return common

    def _parts(self) -> Parts:
        """Return the path that we are at."""
        return tuple(folder.name for folder in self._path[1:])

    def _leave(self) -> None:
        """Close the deepest folder."""
        folder = self._path[-1]
        if folder.relock is not None or folder.locks:
            self._left.append((self._parts(), folder.relock, folder.locks))
        if folder.made:
            # A listing of several paths comes back to the folders above them: what was made is still to be finished.
            self._unfinished[self._parts()] = folder.made
        self._path.pop()
        if folder.handle >= 0:
            os.close(folder.handle)

    def _rest(self, folder: Folder) -> None:
        """Close a folder for now; the target stays open."""
        if folder is not self._path[0] and folder.handle >= 0:
            os.close(folder.handle)
            folder.handle = -1

    def _reopen(self) -> None:
        """Open the deepest folder again, by walking down from the nearest one that is open."""
        path = self._path
        start = len(path) - 1
        while path[start].handle < 0:
            start -= 1
        for index in range(start + 1, len(path)):
            path[index].handle = system.open_folder(path[index - 1].handle, path[index].name)
            if index >= MAX_OPEN:
                self._rest(path[index - MAX_OPEN + 1])


def _open(parent: Folder, name: bytes) -> Folder:
    """Open a folder that must be there."""
    handle = system.open_folder(parent.handle, name)
    return Folder(name, handle, gives=system.gives_on(handle))
