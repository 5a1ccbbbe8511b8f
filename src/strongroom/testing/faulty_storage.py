"""Storage and ledger that fail at a chosen step: for proving that a crash at any moment does no harm.

A `Fuse` counts the steps of both. The step it is set to fails; after that nothing works any more, as after a power cut.
With `after` the step takes effect first and only its answer is lost, as when the machine dies between doing and saying.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

from strongroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from typing_extensions import Buffer

    from strongroom.engine.vault.ledger import Ledger, NewPack, PackRow, PackState, SessionRow, SnapshotRow
    from strongroom.engine.vault.storage.base import Draft, Storage

_Result = TypeVar("_Result")


class Fuse:
    """Lets `steps` steps pass and blows at the next one; never blows without a number."""

    def __init__(self, steps: int | None = None, *, after: bool = False) -> None:
        """Set the fuse."""
        self.blown = False
        self.passed = 0
        self.after = after
        self._steps = steps
        self._once = False
        self._lock = threading.Lock()

    def fail_once_after(self, steps: int) -> None:
        """Let so many steps pass from now on and fail one, and then work again: a full disk, not a power cut."""
        self._steps, self._once = self.passed + steps, True

    def step(self, action: Callable[[], _Result]) -> _Result:
        """Carry out a step, unless the fuse blows at it or has blown.

        Raises:
            Unavailable: the fuse has blown (code `power_cut`).
        """
        last = self.blows_now()
        if last and not self.after:
            raise power_cut()
        result = action()
        if last:
            raise power_cut()
        return result

    def blows_now(self) -> bool:
        """Count a step and tell whether the fuse blows at it.

        Raises:
            Unavailable: it had blown before (code `power_cut`).
        """
        with self._lock:
            if self.blown:
                raise power_cut()
            blows = self._steps is not None and self.passed >= self._steps
            self.passed += 1
            if blows and self._once:
                self._steps = None
            else:
                self.blown = blows
            return blows


def power_cut() -> Unavailable:
    """Return the error of everything that happens after the power is cut."""
    return Unavailable("The power is cut.", code="power_cut")


class FaultyStorage:
    """Another storage behind a fuse; each write, publication and removal is a step."""

    def __init__(self, storage: Storage, fuse: Fuse) -> None:
        """Wrap a storage."""
        self._storage = storage
        self._fuse = fuse

    def claim(self) -> None:
        """Pass on."""
        self._fuse.step(self._storage.claim)

    def close(self) -> None:
        """Pass on; giving back always works."""
        self._storage.close()

    def draft(self, *, is_read_soon: bool = True) -> FaultyDraft:
        """Begin a new object."""
        return FaultyDraft(self._fuse.step(lambda: self._storage.draft(is_read_soon=is_read_soon)), self._fuse)

    def put(self, name: str, parts: Iterable[Buffer], *, replace: bool = False) -> None:
        """Write a whole object, step by step."""
        draft = self.draft()
        for part in parts:
            draft.write(part)
        draft.publish(name, replace=replace)

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Pass on."""
        return self._storage.read(name, offset, size)

    def view(self, name: str) -> memoryview:
        """Pass on."""
        return self._storage.view(name)

    def size(self, name: str) -> int:
        """Pass on."""
        return self._storage.size(name)

    def exists(self, name: str) -> bool:
        """Pass on."""
        return self._storage.exists(name)

    def names(self, prefix: str) -> Iterator[str]:
        """Pass on."""
        return self._storage.names(prefix)

    def discard(self, name: str) -> None:
        """Remove an object, as a step."""
        self._fuse.step(lambda: self._storage.discard(name))


class FaultyDraft:
    """A draft whose writes and publication are steps."""

    def __init__(self, draft: Draft, fuse: Fuse) -> None:
        """Wrap a draft."""
        self._draft = draft
        self._fuse = fuse

    def write(self, *parts: Buffer) -> None:
        """Append, as a step."""
        self._fuse.step(lambda: self._draft.write(*parts))

    def publish(self, name: str, *, replace: bool = False) -> None:
        """Publish, as a step."""
        self._fuse.step(lambda: self._draft.publish(name, replace=replace))

    def discard(self) -> None:
        """Leave the draft behind when the power is cut."""
        if not self._fuse.blown:
            self._draft.discard()


class FaultyLedger:
    """Another ledger behind a fuse; each change is a step, and the end of a transaction is one."""

    def __init__(self, ledger: Ledger, fuse: Fuse) -> None:
        """Wrap a ledger."""
        self._ledger = ledger
        self._fuse = fuse

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a transaction whose end is a step: before it all is undone, after it only the answer is lost."""
        with self._ledger.transaction():
            yield
            last = self._fuse.blows_now()
            if last and not self._fuse.after:
                raise power_cut()
        if last:
            raise power_cut()

    def add_pack(self, session: str, pack: NewPack) -> int:
        """Change, as a step."""
        return self._fuse.step(lambda: self._ledger.add_pack(session, pack))

    def packs(self) -> Sequence[PackRow]:
        """Pass on."""
        return self._ledger.packs()

    def mark_pack(self, name: bytes, state: PackState) -> None:
        """Change, as a step."""
        self._fuse.step(lambda: self._ledger.mark_pack(name, state))

    def add_session(self, row: SessionRow) -> None:
        """Change, as a step."""
        self._fuse.step(lambda: self._ledger.add_session(row))

    def session(self, session: str) -> SessionRow:
        """Pass on."""
        return self._ledger.session(session)

    def packs_of_session(self, session: str) -> Sequence[PackRow]:
        """Pass on."""
        return self._ledger.packs_of_session(session)

    def set_reach(self, session: str, reach: bytes) -> None:
        """Change, as a step."""
        self._fuse.step(lambda: self._ledger.set_reach(session, reach))

    def end_session(self, session: str) -> None:
        """Change, as a step."""
        self._fuse.step(lambda: self._ledger.end_session(session))

    def unfinished_sessions(self, set_id: int, since: datetime) -> Sequence[SessionRow]:
        """Pass on."""
        return self._ledger.unfinished_sessions(set_id, since)

    def open_sessions(self) -> Sequence[SessionRow]:
        """Pass on."""
        return self._ledger.open_sessions()

    def add_snapshot(self, session: str, row: SnapshotRow, bitmap: bytes) -> None:
        """Change, as a step."""
        self._fuse.step(lambda: self._ledger.add_snapshot(session, row, bitmap))

    def snapshots(self) -> Sequence[SnapshotRow]:
        """Pass on."""
        return self._ledger.snapshots()

    def snapshot(self, snapshot: str) -> SnapshotRow:
        """Pass on."""
        return self._ledger.snapshot(snapshot)

    def bitmap(self, snapshot: str) -> bytes:
        """Pass on."""
        return self._ledger.bitmap(snapshot)
