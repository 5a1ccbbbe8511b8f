"""What the rooms of the vault share: one object with its parts, made when the vault is opened."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from strongroom.engine.vault.index import Index
from strongroom.engine.vault.notes import Notes
from strongroom.engine.vault.packfiles import PackFiles
from strongroom.engine.vault.pending import Pending
from strongroom.engine.vault.reach import Walker

if TYPE_CHECKING:
    from strongroom.engine.vault.keyring import Keyring
    from strongroom.engine.vault.ledger import Ledger, PackRow
    from strongroom.engine.vault.storage.base import Storage


@dataclass(frozen=True)
class Core:
    """The parts of an open vault.

    Args:
        registering: held from a pack's row in the ledger to its run in the index, so that both grow in one order.
    """

    storage: Storage
    ledger: Ledger
    keyring: Keyring
    index: Index
    files: PackFiles
    pending: Pending
    walker: Walker
    notes: Notes
    registering: threading.Lock = field(default_factory=threading.Lock)

    def take_in(self, pack: PackRow) -> None:
        """Index a registered pack that could not be read before; does nothing when it is indexed.

        Raises:
            Damaged: it still cannot be read.
        """
        with self.registering:
            if not self.index.covers(pack.first_ordinal):
                self.index.add(pack, self.files.file(pack.name).table)


def assemble(storage: Storage, ledger: Ledger, keyring: Keyring) -> Core:
    """Put the parts of a vault together; the index is still empty."""
    index = Index(storage)
    files = PackFiles(storage, keyring)
    walker = Walker(index, files, keyring.content.key_ids)
    notes = Notes(storage, index, keyring.notes_key)
    return Core(storage, ledger, keyring, index, files, Pending(index), walker, notes)
