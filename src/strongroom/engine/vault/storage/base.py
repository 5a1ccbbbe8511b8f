"""The storage port: write-once objects by name, as little as a folder or an object store can promise.

Why: the vault's safety rests on a few promises about bytes; they stand here, once, and each implementation keeps them.

The contract, for every implementation:
- Durable: when `publish` or `put` returns, the object survives a power cut, name and content.
- Atomic: an object is there whole or not at all; a draft is not an object and shows up nowhere.
- Write-once: a name that is taken keeps its content and its second writer is told nothing. The vault names objects so
  that a second writer of a name has the same bytes. Only what can be made again (`REBUILDABLE`) may be replaced or
  discarded.
- Exact: `read` gives the bytes that were asked for, all of them, or raises.
- All methods are safe to call from several threads; a draft belongs to one thread at a time.

Errors: NotFound for a name that is not there; Damaged (`cut_short`, `unreadable`) when an object's bytes cannot be had;
Unavailable (`storage_full`, `storage_failed`) for all else, and then nothing was published.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from strongroom.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Buffer

REBUILDABLE: Final = ("index/", "notes/")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9]+)?(/[a-z0-9][a-z0-9_-]*(\.[a-z0-9]+)?)*")


class Draft(Protocol):
    """An object that is being written: no object yet, and lost in a crash."""

    def write(self, *parts: Buffer) -> None:
        """Append the parts, in order."""

    def publish(self, name: str, *, replace: bool = False) -> None:
        """Turn the draft into the object `name`, durably; the draft is used up.

        Args:
            name: see `require_name`.
            replace: take the place of an object of this name; only in a folder that is `REBUILDABLE`.
        """

    def discard(self) -> None:
        """Forget the draft; does nothing when it is used up."""


class Storage(Protocol):
    """See the module's docstring for what every implementation promises."""

    def claim(self) -> None:
        """Become the only user until `close`, and drop the drafts that a crash left behind.

        Raises:
            Conflict: another process uses this storage (code `vault_in_use`).
        """

    def close(self) -> None:
        """Give back what `claim` took."""

    def draft(self, *, is_read_soon: bool = True) -> Draft:
        """Begin a new object; one that is not read soon need not be kept at hand."""

    def put(self, name: str, parts: Iterable[Buffer], *, replace: bool = False) -> None:
        """Write a whole object; see `Draft.publish`."""

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from `offset` on."""

    def view(self, name: str) -> memoryview:
        """Return the whole object for reading here and there; large ones are not held in memory."""

    def size(self, name: str) -> int:
        """Return an object's size in bytes."""

    def exists(self, name: str) -> bool:
        """Say whether there is an object of this name."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names of all objects below the folder `prefix` (which ends with a slash), in no order.

        What lies there under a name that is not plain is not ours, and is passed over.
        """

    def discard(self, name: str) -> None:
        """Remove an object from a folder that is `REBUILDABLE`; does nothing when it is not there."""


def is_plain(name: str) -> bool:
    """Tell whether a name is one that `require_name` lets pass."""
    return _NAME.fullmatch(name) is not None


def require_name(name: str) -> None:
    """Refuse a name that is not plain: lower case letters, digits, `-` and `_`, in folders.

    Names that differ in case only would meet on some file systems, and dots would lead out of the folder.

    Raises:
        Mistake: the name is not plain (code `bad_name`).
    """
    if not is_plain(name):
        raise Mistake(f"{name!r} is no name for a stored object.", code="bad_name")


def require_rebuildable(name: str) -> None:
    """Refuse to replace or discard what cannot be rebuilt.

    Raises:
        Mistake: the name is in no folder that is `REBUILDABLE` (code `write_once`).
    """
    if not name.startswith(REBUILDABLE):
        raise Mistake(f"{name!r} may be neither replaced nor discarded.", code="write_once")
