"""Making ordinary small files ahead of the careful writer: the fetchers do it, many folders at a time, in the kernel.

Why: most files of most restores are small, have nothing special about them and nothing in their way. One call makes
those of all folders of a batch, in several threads at once, while the interpreter is free for others (ADR 0047, 0056).
Promises: content is verified before it comes here. A final name is given in one step to what is whole: to a file, or
to a folder that was not there before, with all its ordinary files.
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

    from strongroom.agent.restore.aim import Parts
    from strongroom.agent.restore.fetch import Chunks
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
        places = {group.parts for group in groups if not group.is_new}
        above_new = {group.parts[:-1] for group in groups if group.is_new}
        with self._site.unfinished.noted(places, above_new):
            self._make(self._site.target, [(group.parts, group) for group in groups if group.is_own], chunks)
            for group in groups:
                if not group.is_own:
                    self._make_beside_others(group, chunks)
        needs_more = any(isinstance(step, Piece) or (isinstance(step, Files) and step.failed) for step in batch.steps)
        return chunks if needs_more else {}

    def close(self) -> None:
        """Close all folders; no thread is at work any more."""
        for way in self._ways:
            way.close()

    def _make_beside_others(self, group: Files, chunks: Mapping[ChunkId, memoryview]) -> None:
        """Make the files of a folder that was there, or may give something on to what is made in it."""
        try:
            folder = self._way().enter(group.parts)
        except OSError:
            group.failed = list(group.entries)
            return
        if folder.gives:
            group.failed = list(group.entries)
        else:
            self._make(folder.handle, [((), group)], chunks)

    def _make(self, start: int, groups: list[tuple[Parts, Files]], chunks: Mapping[ChunkId, memoryview]) -> None:
        """Make the files of folders, given with their ways from `start`; what is not made is noted in the groups."""
        whole = [_whole(group.entries, chunks) for _, group in groups]
        folders = [
            (parts, _new_files(entries, chunks), group.is_new)
            for (parts, group), entries in zip(groups, whole, strict=True)
        ]
        outcomes = place(start, folders, self._site.now_ns, self._temporary())
        for (_, group), entries, outcome in zip(groups, whole, outcomes, strict=True):
            if len(entries) < len(group.entries) or any(outcome):
                made = {entry.name for entry, failed in zip(entries, outcome, strict=True) if not failed}
                group.failed = [entry for entry in group.entries if entry.name not in made]

    def _way(self) -> Folders:
        """Return this thread's own way through the folders."""
        way: Folders | None = getattr(self._own, "way", None)
        if way is None:
            way = self._own.way = Folders(self._site.target, self._site.into)
            self._ways.append(way)
        return way

    def _temporary(self) -> bytes:
        """Return this thread's own temporary name."""
        name: bytes | None = getattr(self._own, "temporary", None)
        if name is None:
            name = self._own.temporary = self._site.unfinished.new_name()
        return name


def _whole(entries: list[Entry], chunks: Mapping[ChunkId, memoryview]) -> list[Entry]:
    """Return the files whose content could be had."""
    return [entry for entry in entries if not entry.content or entry.content[0] in chunks]


def _new_files(entries: list[Entry], chunks: Mapping[ChunkId, memoryview]) -> list[NewFile]:
    """Return files as the kernel takes them."""
    return [
        (
            seen.name,
            chunks[entry.content[0]] if entry.content else _NO_CONTENT,
            seen.mode,
            seen.uid,
            seen.gid,
            seen.mtime_ns,
        )
        for entry in entries
        for seen in (entry.stat,)
    ]
