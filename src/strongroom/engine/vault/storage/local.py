"""A vault in a local folder.

Durable means here: written to `tmp/`, fsync, renamed to its name, fsync of the folder; a new folder is made durable in
its parent before anything is put into it.
A lock on the file `lock` keeps a second process out; the system drops it when the process dies.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import secrets
import threading
from typing import TYPE_CHECKING, Final

from strongroom.direct_io import DirectFile, Stagings
from strongroom.engine.vault.storage.base import is_plain, require_name, require_rebuildable
from strongroom.errors import Conflict, Damaged, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from typing_extensions import Buffer

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
STAGINGS: Final = 8
"""So many files are written past the cache at once; with more, those go through it."""
STAGING_BYTES: Final = 2 << 20


class LocalStorage:
    """`Storage` in a folder of the local file system."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it is made when it is not there."""
        self._folder = folder
        self._lock_file = -1
        self._known_folders: set[str] = set()
        self._making_folders = threading.Lock()
        self._stagings = Stagings(STAGINGS, STAGING_BYTES)
        with _translated(str(folder)):
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            sync_folder(folder.parent)
            self._ensure_folder("tmp")

    def claim(self) -> None:
        """Lock the folder and empty `tmp/`; see `Storage.claim`."""
        with _translated("lock"):
            file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(file)
                if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                    raise
                raise Conflict(
                    f"The vault in {self._folder} is in use by another process.",
                    code="vault_in_use",
                    hint="Stop the other server first, or ask the running one.",
                ) from error
            self._lock_file = file
            for left in os.scandir(self._folder / "tmp"):
                os.unlink(left.path)

    def close(self) -> None:
        """Give the lock back."""
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def draft(self, *, is_read_soon: bool = True) -> LocalDraft:
        """Begin a new file in `tmp/`; what is not read soon goes past the system's cache (ADR 74)."""
        return LocalDraft(self._folder, self._ensure_folder, None if is_read_soon else self._stagings)

    def put(self, name: str, parts: Iterable[Buffer], *, replace: bool = False) -> None:
        """Write a whole object."""
        draft = self.draft()
        try:
            for part in parts:
                draft.write(part)
            draft.publish(name, replace=replace)
        finally:
            draft.discard()

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from `offset` on."""
        with self._opened(name) as file, _translated(name, reading=True):
            data = os.pread(file, size, offset)
            while len(data) < size:
                more = os.pread(file, size - len(data), offset + len(data))
                if not more:
                    raise Damaged(f"The stored object {name} is cut short.", code="cut_short")
                data += more
            return data

    def view(self, name: str) -> memoryview:
        """Return the object as a memory map."""
        with self._opened(name) as file, _translated(name):
            if os.fstat(file).st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_READ))

    def size(self, name: str) -> int:
        """Return the file's size."""
        with _translated(name):
            return self._path(name).stat().st_size

    def exists(self, name: str) -> bool:
        """Say whether the file is there."""
        with _translated(name):
            return self._path(name).is_file()

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names of all files below the folder."""
        require_name(prefix.removesuffix("/"))
        with _translated(prefix):
            for parent, _, files in os.walk(self._folder / prefix):
                inner = os.path.relpath(parent, self._folder)
                yield from filter(is_plain, (f"{inner}/{file}" for file in files))

    def discard(self, name: str) -> None:
        """Remove a file from a folder that is `REBUILDABLE`."""
        require_rebuildable(name)
        with _translated(name), contextlib.suppress(FileNotFoundError):
            self._path(name).unlink()

    def _path(self, name: str) -> Path:
        require_name(name)
        return self._folder / name

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        with _translated(name):
            file = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield file
        finally:
            os.close(file)

    def _ensure_folder(self, name: str) -> None:
        # Once per folder and process: a folder that is not durable itself would lose the files in it.
        with self._making_folders:
            if name in self._known_folders:
                return
            path = self._folder
            for part in name.split("/") if name else ():
                (path / part).mkdir(mode=FOLDER_MODE, exist_ok=True)
                sync_folder(path)
                path /= part
            self._known_folders.add(name)


class LocalDraft:
    """A file in `tmp/` that becomes an object when it is published."""

    def __init__(self, folder: Path, ensure_folder: Callable[[str], None], stagings: Stagings | None) -> None:
        """Make the file, empty; with stagings it is written past the system's cache."""
        self._folder = folder
        self._ensure_folder = ensure_folder
        self._stagings = stagings
        self._direct: DirectFile | None = None
        self._path = folder / "tmp" / secrets.token_hex(16)
        with _translated("tmp"):
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        if stagings is not None and (staging := stagings.take()) is not None:
            self._direct = DirectFile(self._file, staging)

    def write(self, *parts: Buffer) -> None:
        """Append the parts without gathering them first."""
        left = [view for part in parts if len(view := memoryview(part).cast("B"))]
        with _translated("tmp"):
            while left and self._direct is not None:
                self._direct.write(left.pop(0))
            while left:
                written = os.writev(self._file, left)
                while left and written >= len(left[0]):
                    written -= len(left.pop(0))
                if left:
                    left[0] = left[0][written:]

    def publish(self, name: str, *, replace: bool = False) -> None:
        """Make the file durable, then its name."""
        require_name(name)
        if replace:
            require_rebuildable(name)
        parent, _, _ = name.rpartition("/")
        with _translated(name):
            if self._direct is not None:
                self._direct.finish()
            os.fsync(self._file)
            self._ensure_folder(parent)
            target = self._folder / name
            if replace or not target.exists():
                self._path.rename(target)
            sync_folder(target.parent)
        self.discard()

    def discard(self) -> None:
        """Close the file and remove what is still in `tmp/`."""
        if self._direct is not None and self._stagings is not None:
            self._direct.give_up()
            self._stagings.give_back(self._direct.staging)
            self._direct = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            with contextlib.suppress(OSError):
                self._path.unlink()


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    file = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextlib.contextmanager
def _translated(name: str, *, reading: bool = False) -> Iterator[None]:
    """Turn the system's errors into ours; a medium that does not give back what it was given is damage."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"There is no stored object {name}.") from error
    except OSError as error:
        if reading and error.errno == errno.EIO:
            raise Damaged(f"The medium does not give back {name}: {error.strerror}.", code="unreadable") from error
        raise _unavailable(name, error) from error


def _unavailable(name: str, error: OSError) -> Unavailable:
    if error.errno in FULL:
        return Unavailable(
            f"The vault's storage is full ({name}).", code="storage_full", hint="Free space where the vault lies."
        )
    return Unavailable(f"The vault's storage failed at {name}: {error.strerror}.", code="storage_failed")
