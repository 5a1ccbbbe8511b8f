"""Making ordinary small files ahead of the careful writer: the fetchers do it, whole folders at a time, in the kernel.

Why: most files of most restores are small, have nothing special about them and nothing in their way. For them one call
makes a whole folder's worth, in several threads at once, while the interpreter is free for others (ADR 0047).
Promises: content is verified before it comes here, and is written under a temporary name, with mode 0, that is renamed
when the file is whole.
Whatever does not go smoothly leaves nothing behind and is done once more by the careful writer (`place`), which knows
what each trouble means; so nothing is decided here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from strongroom.agent.restore.folders import Folders
from strongroom.agent.restore.steps import Files, Piece
from strongroom.kernel.placing import place
from strongroom.model.entry import EntryType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strongroom.agent.restore.fetch import Chunks
    from strongroom.agent.restore.folders import Folder
    from strongroom.agent.restore.site import Site
    from strongroom.agent.restore.steps import Batch
    from strongroom.kernel.place_reference import NewFile
    from strongroom.model.entry import ChunkId, Entry

_FILE: Final = EntryType.FILE
_NO_CONTENT: Final = memoryview(b"")


def is_ordinary(entry: Entry) -> bool:
    """Whether an entry is a file that one chunk at most, an owner, a mode and a time say all about."""
    seen = entry.stat
    return (
        seen.type is _FILE
        and seen.nlink == 1
        and len(entry.content) <= 1
        and not entry.depth
        and not entry.xattrs
        and not entry.flags
        and entry.extents is None
    )


class Bulk:
    """Makes the files of batches. Safe to use from several threads; each has its own way through the folders."""

    def __init__(self, site: Site) -> None:
        """Work at this site."""
        self._site = site
        self._own = threading.local()
        self._ways: list[Folders] = []

    def place(self, batch: Batch, chunks: Chunks) -> Chunks:
        """Make what can be made of a batch; return the chunks that are still needed for the rest of it."""
        groups = [step for step in batch.steps if isinstance(step, Files)]
        if not groups:
            return chunks
        with self._site.unfinished.noted([group.parts for group in groups]):
            for group in groups:
                self._group(group, chunks)
        needs_more = any(isinstance(step, Piece) or (isinstance(step, Files) and step.failed) for step in batch.steps)
        return chunks if needs_more else {}

    def close(self) -> None:
        """Close all folders; no thread is at work any more."""
        for way in self._ways:
            way.close()

    def _group(self, group: Files, chunks: Mapping[ChunkId, memoryview]) -> None:
        """Make the files of one folder; those that are not made are noted in it."""
        try:
            folder = self._folder(group)
        except OSError:
            group.failed = list(group.entries)
            return
        if folder.gives:
            group.failed = list(group.entries)
            return
        whole = [entry for entry in group.entries if not entry.content or entry.content[0] in chunks]
        outcomes = place(
            folder.handle,
            [_new_file(entry, chunks) for entry in whole],
            self._site.now_ns,
            self._own.temporary,
        )
        if len(whole) < len(group.entries) or any(outcomes):
            made = {entry.name for entry, outcome in zip(whole, outcomes, strict=True) if not outcome}
            group.failed = [entry for entry in group.entries if entry.name not in made]

    def _folder(self, group: Files) -> Folder:
        """Enter a group's folder by this thread's own way."""
        way: Folders | None = getattr(self._own, "way", None)
        if way is None:
            way = self._own.way = Folders(self._site.target, self._site.into)
            self._own.temporary = self._site.unfinished.new_name()
            self._ways.append(way)
        return way.enter(group.parts)


def _new_file(entry: Entry, chunks: Mapping[ChunkId, memoryview]) -> NewFile:
    """Return a file as the kernel takes it."""
    seen = entry.stat
    content = chunks[entry.content[0]] if entry.content else _NO_CONTENT
    return seen.name, content, seen.mode, seen.uid, seen.gid, seen.mtime_ns
