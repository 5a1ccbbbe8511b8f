"""What a kill leaves behind in a restore's target, and how it is found and removed.

Why: files, and new folders with their files, have temporary names until they are whole, and an agent that is killed
does not remove the last ones. So each batch of work is noted in the agent's own folder before it begins, and the note
goes when it is done; a note that is found at the next start says where to look.
Promises: nothing is removed but names with this job's own prefix.
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom.agent.platform import linux_place as system
from strongroom.agent.restore.aim import Parts
from strongroom.agent.restore.folders import Folders
from strongroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

_FOLDER: Final = "unfinished"
_OWN: Final = 0o700
_log: Final = logging.getLogger(__name__)


class _Note(msgspec.Struct, frozen=True, array_like=True):
    """Where work is being done: folders below the target in which files have temporary names, or new folders have."""

    target: bytes
    prefix: bytes
    places: list[Parts]
    above_new: list[Parts] = []


class Unfinished:
    """The notes of one running restore. Safe to use from several threads."""

    def __init__(self, spool: Path, target: bytes, job_id: int) -> None:
        """Note into the agent's spool folder what is done below a target."""
        self._folder = spool / _FOLDER
        self._target = target
        self._job_id = job_id
        self._prefix = b".strongroom-restore-%d-" % job_id
        self._numbers = itertools.count()

    def new_name(self) -> bytes:
        """Return a temporary name that nobody can foresee, so that nobody can be in the way on purpose."""
        return self._prefix + secrets.token_hex(8).encode()

    @contextmanager
    def noted(self, places: Collection[Parts], above_new: Collection[Parts] = ()) -> Iterator[None]:
        """Keep a note as long as the block runs.

        Args:
            places: folders in which files have temporary names.
            above_new: folders in which folders have; nobody but this restore can be in them.

        Raises:
            Unavailable: the note cannot be written.
        """
        if not places and not above_new:
            yield
            return
        note = _Note(self._target, self._prefix, list(places), list(above_new))
        path = self._folder / f"{self._job_id}-{next(self._numbers)}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(msgspec.msgpack.encode(note))
        except OSError as error:
            raise Unavailable(
                f"What the restore is doing could not be noted in {self._folder}: {error.strerror}.",
                code="spool_unwritable",
                hint="Make room on that file system.",
            ) from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def sweep(spool: Path) -> None:
    """Remove what killed restores left behind; call it while no restore runs.

    What cannot be looked at now (the target's disk is not there) is tried again at the next start.
    """
    with suppress(FileNotFoundError):
        for path in sorted((spool / _FOLDER).iterdir()):
            try:
                _sweep(msgspec.msgpack.decode(path.read_bytes(), type=_Note))
            except OSError as error:
                _log.warning("what a killed restore left behind is not removed yet: %s", error)
                continue
            except ValueError:  # cut off while it was written: the work had not begun
                pass
            path.unlink()


def _sweep(note: _Note) -> None:
    """Clean the folders of one note."""
    target = os.open(note.target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    folders = Folders(target)
    try:
        for places, remove in ((note.places, system.remove), (note.above_new, _remove_new)):
            for parts in places:
                with suppress(FileNotFoundError, NotADirectoryError):
                    _clean(folders.enter(parts).handle, note.prefix, remove)
    finally:
        folders.close()
        os.close(target)


def _clean(folder: int, prefix: bytes, remove: Callable[[int, bytes], None]) -> None:
    """Remove temporary names from one folder; a thing of another kind than was made there stays."""
    for found in map(os.fsencode, os.listdir(folder)):
        if found.startswith(prefix):
            with suppress(IsADirectoryError, NotADirectoryError):
                remove(folder, found)


def _remove_new(parent: int, name: bytes) -> None:
    """Remove a folder that was being filled, if it is as it is made: closed to others, and with only files in it."""
    handle = system.open_folder(parent, name)
    try:
        seen = os.fstat(handle)
        if seen.st_uid == os.geteuid() and seen.st_mode & 0o777 == _OWN:
            for found in os.listdir(handle):
                os.unlink(found, dir_fd=handle)
            os.rmdir(name, dir_fd=parent)
    finally:
        os.close(handle)
