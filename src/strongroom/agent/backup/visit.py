"""Visit: a folder on the way of a scan down, and what of it is still to be done."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.agent.backup.roots import Root
    from strongroom.agent.platform.base import Folder


@dataclasses.dataclass(slots=True)
class Visit:
    """A folder on the way down.

    Args:
        path: from the root.
        root: names beneath it that lead to include paths.
        whole: everything in it belongs to the set, not only what leads to include paths.
        folder: a handle of its own, as long as others are looked into through it.
        names, crossings: of the folders in it, and of those among them that lie on another device.
        inner: those of the folders that are still to be visited, in order.
        gone: it vanished before it could be looked into.
        is_rest: the folder belongs to a tour; only some folders in it are to be visited.
    """

    path: bytes
    root: Root | None
    whole: bool
    folder: Folder | None = None
    names: list[bytes] = dataclasses.field(default_factory=list)
    crossings: set[bytes] = dataclasses.field(default_factory=set)
    inner: Iterator[Visit] = dataclasses.field(default_factory=lambda: iter(()))
    gone: bool = False
    is_rest: bool = False

    def close(self) -> None:
        """Close the handle."""
        if self.folder is not None:
            self.folder.close()
            self.folder = None
