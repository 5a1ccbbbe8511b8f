"""Compare: a new listing joined with what is known of the last snapshot, both read once, in step.

Why: estimate and fileset ask the same question of every file: is it as it was?
Promises: memory is one part of the listing and what is known of one folder, without its nodes. Where the fingerprint of
a part is the known one, its entries are not even decoded; folders that the listing only counts are not looked at.
An entry is as it was when nothing that `lstat` says of it differs, and its times were old enough to be believed.
Of a part in which few entries differ only those are decoded (joined.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.agent.backup.joined import NewStats, is_unchanged
from strongroom.agent.backup.known import decode_folder
from strongroom.agent.backup.listing import FolderBegins, FolderEnds, SameFolders, order_key
from strongroom.agent.backup.told import ListedPart
from strongroom.errors import Damaged
from strongroom.model.entry import EntryType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.agent.backup.joined import Pair
    from strongroom.agent.backup.known import Known, KnownFolder, KnownPart
    from strongroom.agent.backup.listing import Listed, Listing
    from strongroom.engine.format.splice import EncodedRun
    from strongroom.model.entry import Entry


class PartComparison:
    """A listed part, and what is known of it.

    `same` is the known part when all its entries are as they were; else `pieces` tells of each.
    """

    def __init__(self, listed: ListedPart, same: KnownPart | None, old: _OldFolder) -> None:
        self.listed = listed
        self.same = same
        self._old = old

    def pieces(self, *, apart: bool = False) -> Iterator[EncodedRun | NewStats | Pair]:
        """Yield, in order, runs of known entries that are as they were, and each other stat with what is known of it.

        Where nothing is known of the whole part, its stats as they are. To be used up, once.

        Args:
            apart: every stat by itself, changed or not.
        """
        if self._old.has_nothing_of(self.listed):
            yield NewStats(self.listed.stats)
            return
        joined = None if apart else self._old.joined(self.listed)
        if joined is not None:
            yield from joined
            return
        find = self._old.find
        for stat in self.listed.decoded():
            entry = find(stat.name)
            yield stat, entry, entry is not None and is_unchanged(entry.stat, stat)


class FolderComparison:
    """A listed folder, and what is known of it. `parts` must be used up before the rest is asked for."""

    def __init__(self, listed: _ListedFolders, old: _OldFolder) -> None:
        self.path = listed.path
        self.gone = listed.gone
        self.leads = listed.leads
        self._listed = listed
        self._old = old

    def parts(self) -> Iterator[PartComparison]:
        """Yield the parts in order; use each up before the next."""
        for listed in self._listed.parts():
            yield PartComparison(listed, self._old.same_as(listed), self._old)

    def end(self) -> tuple[bytes, int]:
        """Return the known id of the folder's tree (empty if unknown) and how many known files are no longer listed."""
        return self._old.end()


class RemovedFolder:
    """A known folder that is listed no more."""

    def __init__(self, folder: KnownFolder) -> None:
        self.path = folder.path
        self.files_removed = sum([part.files for part in folder.parts])


class UnchangedFolders:
    """Known folders that are as they were, with all beneath them; `frames`, as they are kept, must be used up."""

    def __init__(self, frames: Iterator[bytes]) -> None:
        self.frames = frames


def compare(listing: Listing, known: Known) -> Iterator[FolderComparison | UnchangedFolders | RemovedFolder]:
    """Yield every folder of both sides in order. Use each up before the next."""
    new = _ListedFolders(listing.records())
    old = _KnownFolders(known)
    while new.advance():
        while old.is_before(new.path):
            yield RemovedFolder(old.take())
        if new.same:
            if old.path != new.path:
                raise _out_of_order()
            frames = old.taken(new.same)
            yield UnchangedFolders(frames)
            for _ in frames:
                pass
        else:
            yield FolderComparison(new, _OldFolder(known, old.take() if old.path == new.path else None))
    while old.path is not None:
        yield RemovedFolder(old.take())


class _ListedFolders:
    """Reads a listing folder by folder. `same` is how many folders from `path` on are as they were, else 0."""

    def __init__(self, records: Iterator[Listed]) -> None:
        self._records = records
        self._open = False
        self.path = b""
        self.gone = self.leads = False
        self.same = 0

    def advance(self) -> bool:
        """Go to the next folder, past what is left of this one; False at the end."""
        for _ in self.parts():
            pass
        record = next(self._records, None)
        if record is None:
            return False
        if isinstance(record, SameFolders):
            self.path, self.same = record.first, record.count
        elif isinstance(record, FolderBegins):
            self.path, self.gone, self.leads, self.same = record.path, record.gone, record.leads, 0
            self._open = True
        else:
            raise _out_of_order()
        return True

    def parts(self) -> Iterator[ListedPart]:
        """Yield the parts that are left of this folder."""
        while self._open:
            record = next(self._records, None)
            if isinstance(record, FolderEnds):
                self._open = False
            elif isinstance(record, ListedPart):
                yield record
            else:
                raise _out_of_order()


class _KnownFolders:
    """Reads a known listing folder by folder. `path` is None at the end."""

    def __init__(self, known: Known) -> None:
        self._rest = known.frames()
        self._look_at()

    def is_before(self, path: bytes) -> bool:
        """Whether the folder comes before one of that path."""
        return self.path is not None and self.path != path and order_key(self.path) < order_key(path)

    def take(self) -> KnownFolder:
        """Return the folder and go to the next."""
        folder = self._folder
        assert folder is not None
        self._rest.step()
        self._look_at()
        return folder

    def taken(self, count: int) -> Iterator[bytes]:
        """Yield `count` folders as they are kept, from this one on, and go to the one after them."""
        yield from self._rest.take(count)
        self._look_at()

    def _look_at(self) -> None:
        """Look at the next folder."""
        body = self._rest.body()
        self._folder = decode_folder(body) if body else None
        self.path = self._folder.path if self._folder is not None else None


class _OldFolder:
    """The known parts of one folder, read in step with the listed ones."""

    def __init__(self, known: Known, folder: KnownFolder | None) -> None:
        self._known = known
        self._root = folder.root if folder is not None else b""
        self._parts = iter(folder.parts if folder is not None else ())
        self._part = next(self._parts, None)
        self._following = next(self._parts, None)
        self._entries: list[Entry] = []  # of `_part`, once it had to be decoded
        self._at = 0
        self._removed = 0

    def same_as(self, listed: ListedPart) -> KnownPart | None:
        """Return the known part that was made of exactly these stats, if there is one."""
        while self._part is not None and self._part.last < listed.first:
            self._pass_by()
        part = self._part
        if part is None or self._entries or not part.fingerprint or part.fingerprint != listed.fingerprint:
            return None
        self._next()
        return part

    def has_nothing_of(self, listed: ListedPart) -> bool:
        """Whether no known part meets a listed one, for which `same_as` was asked."""
        return self._part is None or self._part.first > listed.last

    def joined(self, listed: ListedPart) -> list[EncodedRun | Pair] | None:
        """Return what became of a listed part; None unless it meets exactly one known part, which ends with it."""
        part, following = self._part, self._following
        if part is None or self._entries or not part.first <= part.last <= listed.last:
            return None
        if following is not None and following.first <= listed.last:
            return None
        joined = self._known.join(part, listed.stats)
        if joined is None:
            return None
        pieces, gone = joined
        self._removed += gone
        self._next()
        return pieces

    def find(self, name: bytes) -> Entry | None:
        """Return the known entry of a name; names must be asked for in order."""
        while self._part is not None and self._part.last < name:
            self._pass_by()
        if self._part is None or self._part.first > name:
            return None
        if not self._entries:
            self._entries, self._at = self._known.entries(self._part), 0
        while (entry := self._entries[self._at]).stat.name < name:
            self._removed += entry.stat.type is not EntryType.FOLDER
            self._at += 1
        if entry.stat.name != name:
            return None
        self._at += 1
        if self._at == len(self._entries):
            self._next()
        return entry

    def end(self) -> tuple[bytes, int]:
        """Pass by what is left; return the known root and how many files were passed by."""
        while self._part is not None:
            self._pass_by()
        return self._root, self._removed

    def _pass_by(self) -> None:
        """Leave the part behind; what was not found in it is gone."""
        if self._entries:
            left = self._entries[self._at :]
            self._removed += sum([entry.stat.type is not EntryType.FOLDER for entry in left])
        elif self._part is not None:
            self._removed += self._part.files
        self._next()

    def _next(self) -> None:
        """Go to the next part."""
        self._part, self._following = self._following, next(self._parts, None)
        self._entries, self._at = [], 0


def _out_of_order() -> Damaged:
    """Say that a listing is not made as it must be."""
    return Damaged("A listing of the agent is out of order.", code="damaged_spool")
