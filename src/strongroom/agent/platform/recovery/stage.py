"""The stage: a mount namespace that one job has for itself, in which recovery points stand in place of live files.

Why: the scan then reads the very paths it always reads, beneath one handle, and needs not know of recovery points.
Promises: no other process sees any of it, and it is gone with the process, however that ends. What is unmounted on
the host goes here too, so that nobody's disk is kept busy.
Uses a thread of its own, because a namespace is left for good; all that is mounted is mounted by it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from strongroom.agent.platform.recovery import calls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")
_READ_ONLY = calls.MS_RDONLY | calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOATIME


class Stage:
    """A private view of the machine's files; for use by one thread. `root` is the handle of its root folder."""

    def __init__(self, scratch: Path) -> None:
        """Leave the host's namespace; `scratch` is an empty folder of ours, made if need be.

        Raises:
            OSError: the system does not permit it.
        """
        self._scratch = scratch
        self._count = 0
        self._mounted: list[bytes] = []
        self.root = -1
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stage")
        try:
            self._run(calls.leave_namespace)
            self.table = self._run(_own_table)
            self._tree = self._new_folder()
            self._run(lambda: calls.mount(b"/", self._tree, None, calls.MS_BIND | calls.MS_REC))
            self._mounted.append(self._tree)
        except BaseException:
            self.close()
            raise

    def mount(self, source: bytes, kind: str, options: bytes | None = None, *, writable: bool = False) -> bytes:
        """Mount a file system out of everybody's sight; return where it can be reached through `open_folder`."""
        place = self._new_folder()
        flags = calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOATIME if writable else _READ_ONLY
        self._run(lambda: calls.mount(source, place, kind.encode(), flags, options))
        self._mounted.append(place)
        return place

    def open_folder(self, path: bytes) -> int:
        """Open a folder as this stage sees it; the handle is good in every thread."""
        return self._run(lambda: os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))

    def show(self, source: bytes, path: bytes, *, frozen: bool) -> int:
        """Put a folder or file in place of what stands at `path` of the tree; return its `st_dev`.

        Args:
            source: as this stage sees it, outside the tree.
            frozen: nobody may write to it; else it comes with all that is mounted beneath it.

        Raises:
            OSError: there is no such path in the tree, or no such source.
        """
        target = self._tree + (path if path != b"/" else b"")
        return self._run(lambda: _show(source, target, frozen=frozen))

    def finish(self) -> None:
        """Open the root of the tree."""
        self.root = self.open_folder(self._tree)

    def close(self) -> None:
        """Take all of it down."""
        if self.root >= 0:
            os.close(self.root)
            self.root = -1
        for place in reversed(self._mounted):
            with contextlib.suppress(OSError):
                self._run(lambda place=place: _unmount(place))  # type: ignore[misc]
        self._mounted.clear()
        self._thread.shutdown()
        remove_scratch(self._scratch)

    def _new_folder(self) -> bytes:
        """Make a folder to mount on."""
        folder = self._scratch / str(self._count)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._count += 1
        return bytes(folder)

    def _run(self, work: Callable[[], T]) -> T:
        """Do something as the stage's thread."""
        return self._thread.submit(work).result()


def remove_scratch(scratch: Path) -> None:
    """Remove what a stage that is no more was mounted on: empty folders, and nothing that is in them."""
    with contextlib.suppress(OSError):
        for folder in scratch.iterdir():
            folder.rmdir()
        scratch.rmdir()
        scratch.parent.rmdir()


def _own_table() -> str:
    """Return the name of this thread's table of mounts, good while the thread lives."""
    return f"/proc/self/task/{os.path.basename(os.readlink('/proc/thread-self'))}/mountinfo"


def _show(source: bytes, target: bytes, *, frozen: bool) -> int:
    """Mount a folder or file on another."""
    os.lstat(target)  # what is newer than the recovery point around it is not there
    calls.mount(source, target, None, calls.MS_BIND | (0 if frozen else calls.MS_REC))
    if frozen:
        calls.mount(None, target, None, calls.MS_REMOUNT | calls.MS_BIND | _READ_ONLY)
    return os.lstat(target).st_dev


def _unmount(place: bytes) -> None:
    """Take down all that is mounted on a folder; lazily what is still in use. Ends when nothing is left."""
    while True:
        try:
            calls.unmount(place)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return
            calls.unmount(place, lazily=True)
