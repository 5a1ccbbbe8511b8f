"""Foresight: what a session's base refers to, noted while the session still puts.

Why: the commit walks over the whole tree, and most of it is the base's. In a process that has not seen those nodes
lately each must be read, decrypted and decompressed, and each chunk looked up, which took as long as all else that the
server does for a backup of few changes; and meanwhile the agent waits. Now the set's notes are read (notes.py) while
the agent estimates and the server has little to do, and of nodes only what those leave out (ADR 62, 71).
Promises: nothing is decided here, the walk proves the tree as ever; an error is left for the walk to meet. It begins
when the agent has met a difference, or with the first chunk that the session lacks: a set without a change needs no
walk. It takes one thread, and ends when it is told to, or when there is no room for more notes.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from strongroom.errors import StrongroomError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyroaring import BitMap64

    from strongroom.engine.vault.core import Core


class Foresight:
    """One session's; see the module's docstring. Safe to use from several threads."""

    def __init__(self, core: Core, set_id: int, allowed: BitMap64, find_root: Callable[[], bytes]) -> None:
        """Prepare.

        Args:
            set_id: the set whose session it is.
            allowed: what the base's tree may refer to; not changed any more.
            find_root: gives the id of the base's root node; called by `begin`, in its thread.
        """
        self._core = core
        self._set_id = set_id
        self._allowed = allowed
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
        walker = self._core.walker
        if walker.noted.find(root) is None:
            with contextlib.suppress(StrongroomError):
                self._core.notes.load(self._set_id, walker.noted)
        with contextlib.suppress(StrongroomError):
            walker.foresee(root, self._allowed, self._over.is_set)
