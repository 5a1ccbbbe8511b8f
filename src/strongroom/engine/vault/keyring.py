"""The keys of one vault, derived when they are needed.

Why: the root key stays in one object of the server; everything else asks it for the seal of one pack or one record.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from strongroom.engine.format.keys import derive_content_keys, derive_data_key, derive_notes_key, pack_key
from strongroom.engine.format.pack import PackHeader, PackSeal
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from strongroom.engine.format.block import BlockKind
    from strongroom.engine.format.vaultfile import VaultFile


class Keyring:
    """Derives the keys of a vault. Safe to use from several threads."""

    def __init__(self, root_key: bytes, file: VaultFile) -> None:
        """Take the root key, and what the vault says of itself."""
        self.vault_id = file.vault_id
        self.epoch = file.epoch
        self.content = derive_content_keys(root_key, file.vault_id, file.cutting)
        self.notes_key = derive_notes_key(root_key, file.vault_id)
        self._root_key = root_key
        self._data_keys: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def seal_new_pack(self, kind: BlockKind) -> PackSeal:
        """Return the seal of a pack that does not exist yet; its uuid, and so its key, is new."""
        return self.pack_seal(PackHeader(kind, self.epoch, self.vault_id, secrets.token_bytes(16)))

    def pack_seal(self, header: PackHeader) -> PackSeal:
        """Return the seal of the pack with this header.

        Raises:
            Damaged: the pack says that it belongs to another vault or to a time to come (code `bad_pack`).
        """
        if header.vault_id != self.vault_id or not 0 < header.epoch <= self.epoch:
            raise Damaged("A pack does not belong to this vault.", code="bad_pack")
        return PackSeal(header, pack_key(self.data_key(header.epoch), header.uuid))

    def data_key(self, epoch: int) -> bytes:
        """Return the master key of an epoch."""
        with self._lock:
            if epoch not in self._data_keys:
                self._data_keys[epoch] = derive_data_key(self._root_key, self.vault_id, epoch)
            return self._data_keys[epoch]
