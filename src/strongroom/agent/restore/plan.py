"""Step PLAN: entry by entry, what is to be done; in the order of the listing, a folder's children before the folder.

Why: what is skipped or right already must not be fetched, so the decision runs ahead of the fetchers, and they ahead of
the writer. Folders are made here, for their files must have a place to be compared with and written to.
Promises: only folders are made, and only things in the way of a folder are moved or removed, as the conflict mode says.
Memory does not grow with the listing, but for the names of hard-linked files that have not all been seen.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from strongroom.agent.platform import linux_place as system
from strongroom.agent.platform.linux_flags import LOCKING, read_flags
from strongroom.agent.platform.linux_unlock import unlock
from strongroom.agent.restore.aside import move_aside
from strongroom.agent.restore.bulk import is_ordinary
from strongroom.agent.restore.content import content_of
from strongroom.agent.restore.folders import Folder, Folders
from strongroom.agent.restore.judge import Verdict, is_same_file, judge, judge_in_way
from strongroom.agent.restore.steps import (
    Batch,
    Finish,
    HardLink,
    HardLinkGroup,
    Piece,
    Refresh,
    Relock,
    Special,
    group_of,
)
from strongroom.errors import Damaged, Mistake
from strongroom.model.entry import EntryType
from strongroom.model.missed import Reason
from strongroom.model.policy import ConflictMode

if TYPE_CHECKING:
    from strongroom.agent.restore.aim import Aim, Landing, Parts
    from strongroom.agent.restore.already import Already
    from strongroom.agent.restore.fetch import Fetcher
    from strongroom.agent.restore.spool import Listing
    from strongroom.agent.restore.tally import Tally
    from strongroom.model.entry import Entry

BATCH_BYTES: Final = 24 << 20
_FIRST_BATCH_BYTES: Final = 1 << 20
"""The others wait for the first one, of which nobody can tell what comes along (`spares`)."""
_BATCH_IDS: Final = 16_384
_BATCH_STEPS: Final = 16_384
_FILE: Final = EntryType.FILE
_FOLDER: Final = EntryType.FOLDER
_OWN: Final = 0o700


@dataclass(frozen=True, slots=True)
class Rules:
    """How this restore treats what is there: the conflict mode, the label of things moved aside, what is right."""

    conflict: ConflictMode
    kept_label: bytes
    already: Already

    @property
    def overwrites(self) -> bool:
        """Whether things there are replaced, so that flags which lock them may be removed."""
        return self.conflict in {ConflictMode.OVERWRITE, ConflictMode.OVERWRITE_OLDER}


class Planner:
    """Turns a listing into batches of steps."""

    def __init__(self, aim: Aim, target: int, rules: Rules, tally: Tally, fetcher: Fetcher) -> None:
        """Plan for the opened target."""
        self._aim = aim
        self._rules = rules
        self._tally = tally
        self._fetcher = fetcher
        self._folders = Folders(target, self._make_or_open)
        self._blocked: set[Parts] = set()
        self._groups: dict[HardLinkGroup, int] = {}
        self._batch = Batch()
        self._full_bytes = min(_FIRST_BATCH_BYTES, BATCH_BYTES)

    def batches(self, listing: Listing) -> Iterator[Batch]:
        """Yield the steps of the whole restore, in batches small enough to hold their content in memory."""
        try:
            for path, entries, is_whole in listing.folders():
                landing = self._landing(path)
                if landing is not None:
                    meant = entries
                    if landing.only is not None:
                        meant = [entry for entry in entries if self._is_meant(landing.only, path, entry)]
                    yield from self._folder(landing, meant, is_whole=is_whole)
        finally:
            self._folders.close()
        self._note_left()
        for missing in self._aim.unseen():
            self._tally.list_path(missing, Reason.NOT_FOUND, "it is not in the snapshot")
        yield self._batch

    def _folder(self, landing: Landing, entries: list[Entry], *, is_whole: bool) -> Iterator[Batch]:
        """Plan (a part of) a folder."""
        ordinary, rest = _parted(entries) if is_whole else ([], entries)
        folder = self._new_leaf(landing) if is_whole and _bytes_of(ordinary) <= BATCH_BYTES else None
        if folder is not None:
            yield from self._fill(landing.parts, ordinary)
        else:
            folder, rest = self._enter(landing.parts), entries
        for entry in rest:
            if folder is not None and folder.fresh and is_ordinary(entry):
                self._batch.add_file(landing.parts, entry, is_own=not folder.gives)
            else:
                yield from self._one(landing, folder, entry)
            if self._is_full():
                yield self._take_batch()

    def _landing(self, path: bytes) -> Landing | None:
        """Return where a folder goes; a path that cannot be is listed."""
        try:
            return self._aim.landing(path)
        except Mistake as error:
            self._tally.list_path(path, Reason.OUTSIDE_TARGET, error.text)
            return None

    def _is_meant(self, only: dict[bytes, bool], path: bytes, entry: Entry) -> bool:
        """Whether the entry was asked for or leads to what was."""
        asked = only.get(entry.name)
        if asked:
            self._aim.note_seen(path, entry.name)
        return bool(asked) or (asked is not None and entry.stat.type is _FOLDER)

    def _enter(self, parts: Parts) -> Folder | None:
        """Enter a folder, making what is missing; what keeps us out is listed once."""
        if self._blocked and any(parts[:depth] in self._blocked for depth in range(1, len(parts) + 1)):
            return None
        try:
            return self._folders.enter(parts)
        except _InTheWay as error:
            self._block(parts, error.reason, error.detail)
        except PermissionError as error:
            self._block(parts, Reason.ACCESS_DENIED, system.reason_of(error))
        except OSError as error:
            self._block(parts, Reason.WRITE_ERROR, system.reason_of(error))
        finally:
            self._note_left()
        return None

    def _new_leaf(self, landing: Landing) -> Folder | None:
        """Return a folder that is yet to be made at once with its files; None when this one cannot be.

        Folders in it would have been entered before. In the one above nobody else can be, for this restore has made it
        and not finished it; so nobody can put anything in the place of what has a temporary name there.
        """
        parts = landing.parts
        if not parts or landing.only is not None or self._folders.is_within(parts):
            return None
        above = self._enter(parts[:-1])
        if above is None or not above.fresh or above.gives or parts[-1] in above.made:
            return None
        above.made.add(parts[-1])
        return Folder(parts[-1], -1, fresh=True)

    def _fill(self, parts: Parts, ordinary: list[Entry]) -> Iterator[Batch]:
        """Plan a new leaf with its ordinary files, in one batch."""
        if self._batch.bytes + _bytes_of(ordinary) > BATCH_BYTES or self._is_full():
            yield self._take_batch()
        self._batch.add_folder(parts, ordinary)

    def _block(self, parts: Parts, reason: Reason, detail: str) -> None:
        """List the component that could not be entered; nothing below it is tried again."""
        blocked = parts[: self._folders.depth + 1]
        self._blocked.add(blocked)
        self._tally.list(blocked, reason, f"nothing below it was restored: {detail}")

    def _note_left(self) -> None:
        """Have folders locked again that were opened up, after all that is written into them."""
        self._batch.steps += [Relock(*left) for left in self._folders.take_left()]

    def _make_or_open(self, parent: Folder, name: bytes) -> Folder:
        """Step down into a folder; it is made when nothing is there."""
        may_be_there = not parent.fresh or name in parent.made
        if may_be_there and (folder := self._open(parent, name)) is not None:
            return folder
        system.make_folder(parent.handle, name)
        parent.made.add(name)
        handle = system.open_folder(parent.handle, name)
        return Folder(name, handle, fresh=True, gives=parent.gives if parent.fresh else system.gives_on(handle))

    def _open(self, parent: Folder, name: bytes) -> Folder | None:
        """Open a folder that is there; None when the name is free (now)."""
        try:
            folder = Folder(name, system.open_folder(parent.handle, name))
        except FileNotFoundError:
            return None
        except OSError:
            existing = system.look(parent.handle, name)
            if existing is None:
                return None
            if stat.S_ISDIR(existing.st_mode):
                raise
            self._clear(parent, name, existing)
            return None
        _unlock(folder)
        self._take_locks(folder)
        return folder

    def _take_locks(self, folder: Folder) -> None:
        """Unlock a folder for as long as we are in it, where that is permitted to us."""
        locks = read_flags(folder.handle) & LOCKING
        if locks and self._rules.overwrites:
            folder.locks = unlock(folder.handle)
        folder.is_locked = locks != folder.locks

    def _clear(self, parent: Folder, name: bytes, existing: os.stat_result) -> None:
        """Clear away something that has the name of a folder and is none, if the conflict mode says so."""
        verdict = judge_in_way(self._rules.conflict, existing)
        if verdict is Verdict.REPLACE:
            system.remove(parent.handle, name)
        elif verdict is Verdict.ASIDE:
            move_aside(parent.handle, name, self._rules.kept_label)
        elif stat.S_ISLNK(existing.st_mode):
            raise _InTheWay(Reason.OUTSIDE_TARGET, "a symbolic link is in the place of the folder")
        else:
            raise _InTheWay(Reason.WRITE_ERROR, "something that is no folder is in its place")

    def _finish(self, landing: Landing, folder: Folder | None, entry: Entry) -> None:
        """Plan a folder's metadata: of those made here, and, when overwriting, of those asked for."""
        if folder is None or (self._blocked and (*landing.parts, entry.name) in self._blocked):
            return
        made = entry.name in folder.made
        folder.made.discard(entry.name)
        leads_only = landing.only is not None and not landing.only[entry.name]
        if made or folder.fresh or (self._rules.conflict is ConflictMode.OVERWRITE and not leads_only):
            self._batch.steps.append(Finish(landing.parts, entry))

    def _one(self, landing: Landing, folder: Folder | None, entry: Entry) -> Iterator[Batch]:
        """Plan one entry with care; a large file may fill several batches."""
        if entry.stat.type is _FOLDER:
            self._finish(landing, folder, entry)
        elif folder is None:
            self._tally.failed += 1
        else:
            yield from self._place(landing.parts, folder, entry)

    def _place(self, parts: Parts, folder: Folder, entry: Entry) -> Iterator[Batch]:
        """Plan one entry that is no folder."""
        existing = None if folder.fresh else system.look(folder.handle, entry.name)
        verdict = judge(self._rules.conflict, existing, entry)
        is_file = entry.stat.type is _FILE
        if verdict is Verdict.SKIP:
            self._tally.skipped += 1
            self._batch.passed_over += 1
        elif is_file and self._is_right(folder, existing, entry):
            self._batch.steps.append(Refresh(parts, entry, self._rules.overwrites))
            self._batch.passed_over += 1
        elif folder.is_locked:
            self._tally.fail((*parts, entry.name), Reason.ACCESS_DENIED, "the folder is immutable or append-only")
        elif entry.stat.nlink > 1 and self._is_known_group(entry):
            self._batch.steps.append(HardLink(parts, entry, verdict))
        elif verdict is Verdict.NEW and is_ordinary(entry):
            self._batch.add_file(parts, entry)
        elif not is_file:
            self._batch.steps.append(Special(parts, entry, verdict))
        elif entry.depth == 0 and entry.stat.size <= BATCH_BYTES:
            self._batch.steps.append(Piece(parts, entry, verdict, entry.content))
            self._batch.ids += entry.content
            self._batch.bytes += entry.stat.size
        else:
            yield from self._large_file(parts, entry, verdict)

    def _is_right(self, folder: Folder, existing: os.stat_result | None, entry: Entry) -> bool:
        """Whether the file that is there has the entry's bytes.

        Where things are replaced anyway, its time need not be the entry's: a kill may have come before it was set.
        """
        return (
            existing is not None
            and is_same_file(existing, entry, at_any_time=self._rules.overwrites)
            and self._rules.already.has_content(folder, entry)
        )

    def _is_known_group(self, entry: Entry) -> bool:
        """Whether an earlier entry is the same file; groups are forgotten when all names were seen."""
        group = group_of(entry)
        assert group is not None
        left = self._groups.pop(group, None)
        if left is None:
            self._groups[group] = entry.stat.nlink - 1
            return False
        if left > 1:
            self._groups[group] = left - 1
        return True

    def _large_file(self, parts: Parts, entry: Entry, verdict: Verdict) -> Iterator[Batch]:
        """Plan a file that is written piece by piece."""
        piece = Piece(parts, entry, verdict, (), last=False)
        try:
            for one, size in content_of(entry, self._fetcher):
                batch = self._batch
                if batch.bytes and (batch.bytes + size > BATCH_BYTES or len(batch.ids) >= _BATCH_IDS):
                    self._batch.steps.append(piece)
                    yield self._take_batch()
                    piece = Piece(parts, entry, verdict, (), first=False, last=False)
                piece.ids += (one,)
                self._batch.ids.append(one)
                self._batch.bytes += size
        except Damaged as error:
            piece.lost = error.text
        piece.last = True
        self._batch.steps.append(piece)

    def _is_full(self) -> bool:
        """Whether the batch is large enough."""
        batch = self._batch
        return (
            batch.bytes >= self._full_bytes
            or len(batch.ids) >= _BATCH_IDS
            or batch.size >= _BATCH_STEPS
            or len(batch.steps) >= _BATCH_STEPS
        )

    def _take_batch(self) -> Batch:
        """Return the batch and begin the next."""
        batch, self._batch = self._batch, Batch()
        self._full_bytes = BATCH_BYTES
        return batch


class _InTheWay(Exception):
    """Something that is no folder has a folder's name, and stays."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _parted(entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return the ordinary files, and all else."""
    ordinary: list[Entry] = []
    rest: list[Entry] = []
    for entry in entries:
        (ordinary if is_ordinary(entry) else rest).append(entry)
    return ordinary, rest


def _bytes_of(entries: list[Entry]) -> int:
    """Return how much content entries have."""
    return sum([entry.stat.size for entry in entries])


def _unlock(folder: Folder) -> None:
    """Let an ordinary user write into a folder of their own that is read-only; root needs no leave."""
    if os.geteuid() == 0:
        return
    seen = os.fstat(folder.handle)
    mode = stat.S_IMODE(seen.st_mode)
    if seen.st_uid == os.geteuid() and mode & _OWN != _OWN:
        os.fchmod(folder.handle, mode | _OWN)
        folder.relock = mode
