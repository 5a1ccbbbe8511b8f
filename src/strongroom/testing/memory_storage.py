"""Storage in memory: for tests that want a vault without a disk, and for tests that break it on purpose.

Objects are plain byte strings in `objects`, so a test can look at them, change a byte, or take one away.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from strongroom.engine.vault.storage.base import require_name, require_rebuildable
from strongroom.errors import Conflict, Damaged, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Buffer


class MemoryStorage:
    """`Storage` in a dictionary. `after_crash` gives what a machine would find when it starts again."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        """Begin with the given objects, or with none."""
        self.objects = {} if objects is None else objects
        self._lock = threading.Lock()
        self._claimed = False

    def after_crash(self) -> MemoryStorage:
        """Return a storage with the same published objects, not claimed by anyone."""
        with self._lock:
            return MemoryStorage(dict(self.objects))

    def claim(self) -> None:
        """Take the storage; drafts are not kept here, so none are left behind."""
        with self._lock:
            if self._claimed:
                raise Conflict("This storage is in use.", code="vault_in_use")
            self._claimed = True

    def close(self) -> None:
        """Give the storage back."""
        self._claimed = False

    def draft(self, *, is_read_soon: bool = True) -> MemoryDraft:  # noqa: ARG002 -- all of it is at hand
        """Begin a new object."""
        return MemoryDraft(self)

    def put(self, name: str, parts: Iterable[Buffer], *, replace: bool = False) -> None:
        """Write a whole object."""
        draft = self.draft()
        for part in parts:
            draft.write(part)
        draft.publish(name, replace=replace)

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from `offset` on."""
        data = self._object(name)[offset : offset + size]
        if len(data) != size:
            raise Damaged(f"The stored object {name} is cut short.", code="cut_short")
        return data

    def view(self, name: str) -> memoryview:
        """Return the whole object."""
        return memoryview(self._object(name))

    def size(self, name: str) -> int:
        """Return an object's size in bytes."""
        return len(self._object(name))

    def exists(self, name: str) -> bool:
        """Say whether there is an object of this name."""
        require_name(name)
        return name in self.objects

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names of all objects below the folder."""
        require_name(prefix.removesuffix("/"))
        with self._lock:
            names = list(self.objects)
        yield from (name for name in names if name.startswith(prefix))

    def discard(self, name: str) -> None:
        """Remove an object from a folder that is `REBUILDABLE`."""
        require_rebuildable(name)
        with self._lock:
            self.objects.pop(name, None)

    def publish(self, name: str, data: bytes, *, replace: bool) -> None:
        """Make a draft's bytes an object."""
        require_name(name)
        if replace:
            require_rebuildable(name)
        with self._lock:
            if replace or name not in self.objects:
                self.objects[name] = data

    def _object(self, name: str) -> bytes:
        require_name(name)
        try:
            return self.objects[name]
        except KeyError:
            raise NotFound(f"There is no stored object {name}.") from None


class MemoryDraft:
    """Bytes that become an object when they are published."""

    def __init__(self, storage: MemoryStorage) -> None:
        """Begin empty."""
        self._storage = storage
        self._data = bytearray()

    def write(self, *parts: Buffer) -> None:
        """Append the parts."""
        for part in parts:
            self._data += part

    def publish(self, name: str, *, replace: bool = False) -> None:
        """Make it an object."""
        self._storage.publish(name, bytes(self._data), replace=replace)

    def discard(self) -> None:
        """Forget the bytes."""
        self._data.clear()
