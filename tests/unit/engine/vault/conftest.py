"""A small open vault in memory, whose storage and ledger a test can reach."""

from dataclasses import dataclass

import pytest

from strongroom.engine.vault.vault import Vault
from strongroom.testing.memory_ledger import MemoryLedger
from strongroom.testing.memory_storage import MemoryStorage
from strongroom.testing.vault_driver import ROOT_KEY


@dataclass
class Place:
    storage: MemoryStorage
    ledger: MemoryLedger
    vault: Vault

    @property
    def keys(self):
        return self.vault.content_keys

    def reopen(self):
        """Open again what a crash would leave."""
        storage, ledger = self.storage.after_crash(), self.ledger.after_crash()
        return Place(storage, ledger, Vault.open(storage, ROOT_KEY, ledger))

    def packs(self):
        return sorted(name for name in self.storage.objects if name.startswith("packs/"))


@pytest.fixture
def place():
    storage, ledger = MemoryStorage(), MemoryLedger()
    return Place(storage, ledger, Vault.create(storage, ROOT_KEY, ledger))
