"""Long rows of ids as a tree of nodes whose boundaries are chosen by content.

Why: the parts of a huge folder and the chunks of a huge file are too many for one node, and one change among them must
make few new nodes.
Promises: the nodes depend on the row alone; each level is at most a sixteenth of the one below (and one more).
Memory is what is not yet in a node: some hundred ids a level, however long the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from strongroom.engine.format.tree import ends_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.model.entry import ChunkId

Note = TypeVar("Note")


class RunBuilder(Generic[Note]):
    """Takes ids one by one and makes nodes of them, level upon level, until few enough remain.

    Args:
        most: as many ids may remain.
        make: makes the node of a run (level, ids, notes), and returns its id and its own note.
    """

    def __init__(self, most: int, make: Callable[[int, list[ChunkId], list[Note]], tuple[ChunkId, Note]]) -> None:
        self._most = most
        self._make = make
        self._levels: list[_Level[Note]] = [_Level()]

    def add(self, chunk: ChunkId, note: Note) -> None:
        """Append an id and what its node must know of it."""
        self._add(0, chunk, note)

    def finish(self) -> tuple[list[ChunkId], int]:
        """Return the ids that remain, and how many levels of nodes lie between them and the row."""
        depth = 0
        while self._levels[depth].total > self._most:
            if self._levels[depth].ids:
                self._close_run(depth, len(self._levels[depth].ids))
            depth += 1
        return self._levels[depth].ids, depth

    def _add(self, depth: int, chunk: ChunkId, note: Note) -> None:
        if depth == len(self._levels):
            self._levels.append(_Level())
        level = self._levels[depth]
        level.ids.append(chunk)
        level.notes.append(note)
        level.total += 1
        if level.total == self._most + 1:
            self._close_first_runs(depth)
        elif level.total > self._most and ends_run(chunk, len(level.ids)):
            self._close_run(depth, len(level.ids))

    def _close_first_runs(self, depth: int) -> None:
        """Make the nodes that were held back while all ids might still have remained."""
        level = self._levels[depth]
        count = 0
        for chunk in level.ids.copy():
            count += 1
            if ends_run(chunk, count):
                self._close_run(depth, count)
                count = 0

    def _close_run(self, depth: int, count: int) -> None:
        """Make a node of the first `count` ids that wait at a level."""
        level = self._levels[depth]
        ids, notes = level.ids[:count], level.notes[:count]
        del level.ids[:count], level.notes[:count]
        self._add(depth + 1, *self._make(depth, ids, notes))


class _Level(Generic[Note]):
    """Ids that wait for their node, and how many there were of this level in all."""

    def __init__(self) -> None:
        self.ids: list[ChunkId] = []
        self.notes: list[Note] = []
        self.total = 0
