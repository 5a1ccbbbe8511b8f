"""Opening, creating and counting a vault."""

import pytest

from strongroom.engine.vault.vault import Vault
from strongroom.errors import Conflict, Damaged, Mistake, NotFound, Unavailable
from strongroom.testing.memory_ledger import MemoryLedger
from strongroom.testing.memory_storage import MemoryStorage
from strongroom.testing.vault_driver import ROOT_KEY, back_up


def test_a_vault_is_made_once(place):
    with pytest.raises(Conflict) as refused:
        Vault.create(place.storage, ROOT_KEY, place.ledger)
    assert refused.value.code == "vault_exists"


def test_without_a_vault_there_is_nothing_to_open():
    with pytest.raises(NotFound):
        Vault.open(MemoryStorage(), ROOT_KEY, MemoryLedger())


def test_another_root_key_is_told_at_once(place):
    place.vault.close()
    with pytest.raises(Mistake) as refused:
        Vault.open(place.storage, bytes(32), place.ledger)
    assert refused.value.code == "wrong_root_key"
    with pytest.raises(Mistake) as refused:
        Vault.open(place.storage, b"short", place.ledger)
    assert refused.value.code == "bad_key"
    Vault.open(place.storage, ROOT_KEY, place.ledger)


def test_only_one_opens_it(place):
    with pytest.raises(Conflict) as refused:
        Vault.open(place.storage, ROOT_KEY, place.ledger)
    assert refused.value.code == "vault_in_use"


def test_a_failed_opening_lets_the_next_one_try(place):
    class Broken(MemoryLedger):
        def packs(self):
            raise ZeroDivisionError

    place.vault.close()
    with pytest.raises(ZeroDivisionError):
        Vault.open(place.storage, ROOT_KEY, Broken())
    Vault.open(place.storage, ROOT_KEY, place.ledger).close()


@pytest.mark.parametrize("change", [b"", b"{}", b"null", b"\xff", b'{"version": 2}'])
def test_a_damaged_vault_file_is_told(place, change):
    place.vault.close()
    place.storage.objects["vault.json"] = change
    with pytest.raises(Damaged) as damaged:
        Vault.open(place.storage, ROOT_KEY, place.ledger)
    assert damaged.value.code == "bad_vault_file"


def test_a_closed_vault_opens_no_sessions(place):
    place.vault.close()
    with pytest.raises(Unavailable) as refused:
        place.vault.open_session(set_id=1, job_id=1)
    assert refused.value.code == "vault_closed"
    assert place.ledger.open_sessions() == []


def test_two_vaults_share_no_keys():
    vaults = [Vault.create(MemoryStorage(), ROOT_KEY, MemoryLedger()) for _ in range(2)]
    assert vaults[0].content_keys != vaults[1].content_keys


def test_counts(place):
    empty = place.vault.stats()
    assert (empty.packs, empty.chunks, empty.dedup_ratio, empty.compression_ratio) == (0, 0, 1.0, 1.0)
    text = b"the same again " * 10_000
    first = back_up(place.vault, 1, {b"a": text, b"b": text})
    back_up(place.vault, 1, {b"a": text, b"b": text}, base=first.id)
    stats = place.vault.stats()
    assert (stats.packs, stats.bad_packs, stats.chunks, stats.snapshots) == (2, 0, 2, 2)
    assert stats.source_bytes == 4 * len(text)
    assert len(text) < stats.plain_bytes < len(text) + 1000
    assert stats.stored_bytes == sum(len(data) for name, data in place.storage.objects.items() if "packs" in name)
    assert 3.9 < stats.dedup_ratio <= 4.0
    assert stats.compression_ratio > 50
    assert place.reopen().vault.stats() == stats
