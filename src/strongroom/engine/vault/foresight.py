"""Foresight: what a session's base refers to, noted while the session still puts.

Why: the commit walks over the whole tree, and most of it is the base's. In a process that has not seen those nodes
lately each must be read, decrypted and decompressed, which took as long as all else that the server does for a backup
of few changes; and meanwhile the agent waits. While it still reads and sends, the server has little to do (ADR 62).
Promises: nothing is decided here, the walk proves the tree as ever; an error is left for the walk to meet. It begins
with the first chunk that the session lacks, for a set without a change needs no walk; it takes one thread, and ends
when it is told to, or when there is no room for more notes.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from strongroom.errors import StrongroomError

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.engine.vault.reach import Walker


class Foresight:
    """One session's; see the module's docstring. Safe to use from several threads."""

    def __init__(self, walker: Walker, find_root: Callable[[], bytes]) -> None:
        """Prepare.

        Args:
            find_root: gives the id of the base's root node; called by `begin`, in its thread.
        """
        self._walker = walker
        self._find_root = find_root
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Begin to read, unless that was done before or it is over."""
        with self._lock:
            if self._thread is not None or self._over.is_set():
                return
            root = self._find_root()
            self._thread = threading.Thread(target=self._read, args=(root,), name="foresight", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Stop reading, and wait until no more is read."""
        self._over.set()
        with self._lock:
            if self._thread is not None:
                self._thread.join()

    def _read(self, root: bytes) -> None:
        with contextlib.suppress(StrongroomError):
            self._walker.foresee(root, self._over.is_set)
