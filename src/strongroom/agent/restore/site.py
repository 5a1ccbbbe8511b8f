"""The site of a restore: what all that write into one target share.

It opens folders, and remembers one of each file system so that all can be flushed at the end.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from strongroom import clock
from strongroom.agent.platform import linux_place as system
from strongroom.agent.restore.folders import Folder

if TYPE_CHECKING:
    from typing import Self

    from strongroom.agent.restore.unfinished import Unfinished


class Site:
    """An opened target. Safe to use from several threads.

    Args:
        unfinished: the notes of what is being written.
        now_ns: the time of access that files get; a snapshot keeps none.
    """

    def __init__(self, target: int, unfinished: Unfinished) -> None:
        """Begin at the opened target, whose handle stays the caller's."""
        self.target = target
        self.unfinished = unfinished
        self.now_ns = clock.now_ns()
        self._lock = threading.Lock()
        self._flushable = {os.fstat(target).st_dev: os.dup(target)}

    def into(self, parent: Folder, name: bytes) -> Folder:
        """Step down into a folder.

        Raises:
            OSError: it is not there, no folder, or may not be entered.
        """
        handle = system.open_folder(parent.handle, name)
        device = os.fstat(handle).st_dev
        if device not in self._flushable:
            with self._lock:
                if device not in self._flushable:
                    self._flushable[device] = os.dup(handle)
        return Folder(name, handle, gives=system.gives_on(handle))

    def flush(self) -> None:
        """Wait until all that was written is on disk, on each file system that was entered.

        Raises:
            OSError: it could not be written.
        """
        for handle in self._flushable.values():
            system.flush(handle)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all."""
        for handle in self._flushable.values():
            os.close(handle)
        self._flushable.clear()
