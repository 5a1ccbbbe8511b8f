"""Step PLACE: write what was planned.

Promises: a final name appears in one step and only with the whole, verified content under it, its owner, mode and times
set (`bulk`, which makes small files ahead, says what holds there).
What fails is listed and leaves nothing behind; one file's trouble never stops the others. A full disk stops all.
Nothing is flushed file by file: the site does it once for each file system, at the end.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final, TypeVar

from strongroom.agent.platform import linux_place as system
from strongroom.agent.platform.linux_flags import KEPT, LOCKING, SHAPING, read_flags, set_flags
from strongroom.agent.platform.linux_unlock import unlock
from strongroom.agent.restore.aside import move_aside
from strongroom.agent.restore.content import content_of
from strongroom.agent.restore.folders import Folders
from strongroom.agent.restore.judge import Verdict
from strongroom.agent.restore.locking import Locking
from strongroom.agent.restore.nearby import Written
from strongroom.agent.restore.steps import (
    Files,
    Finish,
    HardLink,
    HardLinkGroup,
    Piece,
    Refresh,
    Relock,
    Special,
    group_of,
)
from strongroom.agent.restore.trouble import reason_of_step, require_room
from strongroom.agent.restore.writing import Writing
from strongroom.direct_io import Staging
from strongroom.errors import Damaged
from strongroom.model.entry import EntryType
from strongroom.model.missed import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from strongroom.agent.platform.linux_place import Identity
    from strongroom.agent.restore.aim import Parts
    from strongroom.agent.restore.fetch import Fetcher
    from strongroom.agent.restore.folders import Folder
    from strongroom.agent.restore.nearby import Nearby
    from strongroom.agent.restore.site import Site
    from strongroom.agent.restore.steps import Batch, OneStep, Step
    from strongroom.agent.restore.tally import Tally
    from strongroom.model.entry import ChunkId, Entry

Made = TypeVar("Made")

_SHOW_EVERY: Final = 256
_PIECE_IDS: Final = 4


class Placer:
    """Carries out the steps, one after the other, in one thread."""

    def __init__(self, site: Site, kept_label: bytes, tally: Tally, fetcher: Fetcher, nearby: Nearby) -> None:
        """Place below the site's target; what is large is noted as nearby."""
        self._folders = Folders(site.target, site.into)
        self._other_folders = Folders(site.target, site.into)
        self._site = site
        self._unfinished = site.unfinished
        self._now_ns = site.now_ns
        self._temporary = self._unfinished.new_name()
        self._kept_label = kept_label
        self._tally = tally
        self._fetcher = fetcher
        self._nearby = nearby
        self._writing: Writing | None = None
        self._written = Written((), b"")
        self._staging = Staging()
        self._locking = Locking(self._other_folders, tally)
        self._groups: dict[HardLinkGroup, tuple[Parts, bytes, Identity, str]] = {}

    def place(self, batches: Iterable[tuple[Batch, Mapping[ChunkId, memoryview]]]) -> None:
        """Carry out all batches.

        Raises:
            TargetFull: there is no room for more.
        """
        try:
            for batch, chunks in batches:
                with self._unfinished.noted(_written_in(batch)):
                    for number, step in enumerate(batch.steps):
                        if number % _SHOW_EVERY == 0 or isinstance(step, Files):
                            self._tally.show(step.parts)
                        self._carry_out(step, chunks)
            self._locking.lock_rest()
        finally:
            if self._writing is not None:
                self._writing.give_up()

    def close(self) -> None:
        """Close all folders, and end the thread that writes."""
        self._staging.close()
        self._folders.close()
        self._other_folders.close()

    def _carry_out(self, step: Step, chunks: Mapping[ChunkId, memoryview]) -> None:
        """Carry out one step; its failure becomes a line in the list."""
        if isinstance(step, Files):
            self._files(step, chunks)
            return
        try:
            match step:
                case Piece():
                    self._piece(step, chunks)
                case Finish():
                    self._finish(step)
                case Special():
                    self._special(step)
                case HardLink():
                    self._hard_link(step)
                case Refresh():
                    self._refresh(step)
                case Relock():
                    self._relock(step)
        except Damaged as error:
            self._fail(step, Reason.READ_ERROR, error.text)
        except OSError as error:
            require_room(error)
            self._fail(step, *reason_of_step(step, error))

    def _fail(self, step: OneStep, reason: Reason, detail: str) -> None:
        """List what a step was for; its temporary file goes."""
        if self._writing is not None:
            detail += self._writing.give_up()
            self._writing = None
        if isinstance(step, Relock):
            self._tally.list(step.parts, Reason.METADATA, detail)
        elif isinstance(step, Finish):
            self._tally.list((*step.parts, step.entry.name), reason, detail)
        else:
            self._tally.fail((*step.parts, step.entry.name), reason, detail)

    def _files(self, step: Files, chunks: Mapping[ChunkId, memoryview]) -> None:
        """Count files that were made ahead, and do with care what was not."""
        self._tally.restored += len(step.entries) - len(step.failed)
        size_bytes = sum([entry.stat.size for entry in step.entries])
        self._tally.bytes_restored += size_bytes
        self._site.note_written(size_bytes)
        if step.failed and step.is_new:
            self._make_folder(step.parts)
        for entry in step.failed:
            self._tally.bytes_restored -= entry.stat.size
            self._carry_out(Piece(step.parts, entry, Verdict.NEW, entry.content), chunks)

    def _make_folder(self, parts: Parts) -> None:
        """Make a folder that could not be made ahead; if that fails, the first file in it will say why."""
        try:
            system.make_folder(self._folders.enter(parts[:-1]).handle, parts[-1])
        except FileExistsError:
            pass  # only some of its files could not be made
        except OSError as error:
            require_room(error)

    def _piece(self, piece: Piece, chunks: Mapping[ChunkId, memoryview]) -> None:
        """Write a file, or a part of it."""
        entry = piece.entry
        if piece.first:
            self._writing = self._begin(self._folders.enter(piece.parts), entry)
            self._written = Written(piece.parts, entry.name)
        writing = self._writing
        if writing is None:
            return  # an earlier piece failed
        for one in piece.ids:
            data = chunks.get(one)
            if data is None:
                raise Damaged("A chunk of it is damaged or missing in the vault.")
            if writing.is_direct:
                self._nearby.note(self._written, one, writing.written, len(data))
            writing.write(data)
        if piece.lost:
            raise Damaged(piece.lost)
        if piece.last:
            troubles = writing.finish(entry, self._now_ns)
            self._publish(writing.folder, writing.temporary, entry, piece.verdict)
            self._writing = None
            self._written.is_there = True
            self._tally.bytes_restored += writing.written
            self._restored(piece.parts, entry, writing.identity, troubles)

    def _begin(self, folder: Folder, entry: Entry) -> Writing:
        """Make a temporary file."""
        return self._made(lambda name: Writing(folder, name, entry, self._staging))

    def _made(self, make: Callable[[bytes], Made]) -> Made:
        """Make something under the temporary name, or under a new one when somebody has taken it."""
        try:
            return make(self._temporary)
        except FileExistsError:
            self._temporary = self._unfinished.new_name()
            return make(self._temporary)

    def _publish(self, folder: Folder, temporary: bytes, entry: Entry, verdict: Verdict) -> None:
        """Give a finished thing its final name."""
        if verdict is Verdict.REPLACE:
            system.replace(folder.handle, temporary, entry.name)
            return
        if verdict is Verdict.ASIDE:
            move_aside(folder.handle, entry.name, self._kept_label)
        system.rename_new(folder.handle, temporary, entry.name)

    def _restored(self, parts: Parts, entry: Entry, identity: Identity, troubles: list[str]) -> None:
        """Count an entry, and list what of it could not be set."""
        self._tally.restored += 1
        self._locking.lock(parts, entry, identity)
        told = "; ".join(troubles)
        if entry.stat.nlink > 1 and (group := group_of(entry)) is not None:
            self._groups[group] = (parts, entry.name, identity, told)
        if told:
            self._tally.list((*parts, entry.name), Reason.METADATA, told)

    def _special(self, step: Special) -> None:
        """Make a link, FIFO, socket or device node."""
        folder = self._folders.enter(step.parts)
        self._made(lambda name: system.make_special(folder.handle, name, step.entry))
        try:
            troubles, identity = self._set_held(folder, self._temporary, step.entry, shed=folder.gives)
            self._publish(folder, self._temporary, step.entry, step.verdict)
        except OSError:
            system.remove(folder.handle, self._temporary)
            raise
        self._restored(step.parts, step.entry, identity, troubles)

    def _set_held(self, folder: Folder, name: bytes, entry: Entry, *, shed: bool) -> tuple[list[str], Identity]:
        """Set the metadata of something that is not opened."""
        handle = system.hold(folder.handle, name)
        try:
            troubles = system.set_metadata(system.held_path(handle), entry, self._now_ns, shed=shed)
            return troubles, system.identity_of(os.fstat(handle))
        finally:
            os.close(handle)

    def _hard_link(self, step: HardLink) -> None:
        """Link to the name that was restored first; make a file of its own when there is none."""
        first = self._groups.get(group_of(step.entry) or (0, 0, 0))
        if first is None:
            self._alone(step)
            return
        folder = self._folders.enter(step.parts)
        beside = self._other_folders.enter(first[0])
        try:
            self._link(beside, folder, *first[1:3])
            self._publish(folder, self._temporary, step.entry, step.verdict)
        except OSError as error:
            system.remove(folder.handle, self._temporary)
            self._alone(step)
            detail = f"not a hard link: {system.reason_of(error)}"
            self._tally.list((*step.parts, step.entry.name), Reason.METADATA, detail)
        else:
            self._tally.restored += 1
            if first[3]:
                self._tally.list((*step.parts, step.entry.name), Reason.METADATA, first[3])
        finally:
            # Renaming one name of a file over another of the same file does nothing, and leaves both.
            system.remove(folder.handle, self._temporary)

    def _link(self, beside: Folder, folder: Folder, first: bytes, identity: Identity) -> None:
        """Make the temporary name one more name of a file that was restored; nothing else gets it.

        Raises:
            OSError: ESTALE when whoever may write beside it has put something else in its place since.
        """
        self._made(lambda name: system.make_link(beside.handle, first, folder.handle, name))
        linked = system.look(folder.handle, self._temporary)
        if linked is None or system.identity_of(linked) != identity:
            raise OSError(errno.ESTALE, "the first name was given to something else")

    def _alone(self, step: HardLink) -> None:
        """Restore one name of a hard-link group as a file of its own."""
        entry, parts = step.entry, step.parts
        if entry.stat.type != EntryType.FILE:
            self._special(Special(parts, entry, step.verdict))
            return
        ids = [one for one, _ in content_of(entry, self._fetcher)]
        for start in range(0, len(ids) or 1, _PIECE_IDS):
            some = tuple(ids[start : start + _PIECE_IDS])
            last = start + _PIECE_IDS >= len(ids)
            self._piece(Piece(parts, entry, step.verdict, some, start == 0, last), self._fetcher.fetch(some))

    def _refresh(self, step: Refresh) -> None:
        """Set the metadata of a file whose content is right."""
        folder, entry = self._folders.enter(step.parts), step.entry
        try:
            handle = system.open_plain(folder.handle, entry.name)
        except PermissionError:  # empty, and closed even to its owner
            troubles, _ = self._set_held(folder, entry.name, entry, shed=True)
        else:
            # Flags that shape the data stay: it is not written again.
            troubles = self._set_opened(handle, entry, KEPT & ~SHAPING, unlocks=step.unlocks)
        self._tally.unchanged += 1
        if troubles:
            self._tally.list((*step.parts, entry.name), Reason.METADATA, "; ".join(troubles))

    def _set_opened(self, handle: int, entry: Entry, among: int, *, unlocks: bool = True) -> list[str]:
        """Set metadata and flags of something opened, and close it; what still locks it stays."""
        try:
            if unlocks:
                unlock(handle)
            among &= ~(read_flags(handle) & LOCKING)
            return system.set_metadata(handle, entry, self._now_ns, shed=True) + set_flags(handle, entry.flags, among)
        finally:
            os.close(handle)

    def _finish(self, step: Finish) -> None:
        """Set the metadata of a folder."""
        folder = self._folders.enter(step.parts)
        try:
            handle = system.open_folder(folder.handle, step.entry.name)
        except FileNotFoundError:
            system.make_folder(folder.handle, step.entry.name)
            handle = system.open_folder(folder.handle, step.entry.name)
        troubles = self._set_opened(handle, step.entry, KEPT)
        if troubles:
            self._tally.list((*step.parts, step.entry.name), Reason.METADATA, "; ".join(troubles))

    def _relock(self, step: Relock) -> None:
        """Give a folder back what was taken from it."""
        handle = self._folders.enter(step.parts).handle
        if step.mode is not None:
            os.fchmod(handle, step.mode)
        if step.locks and (troubles := set_flags(handle, step.locks, step.locks)):
            self._tally.list(step.parts, Reason.METADATA, "; ".join(troubles))


def _written_in(batch: Batch) -> set[Parts]:
    """Return the folders in which this batch needs temporary names."""
    return {
        step.parts
        for step in batch.steps
        if isinstance(step, Piece | Special | HardLink) or (isinstance(step, Files) and step.failed)
    }
