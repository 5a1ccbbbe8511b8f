"""Opening, creating and counting a vault."""

import random
import re

import msgspec
import pytest

from strongroom.engine.format.vaultfile import decode_vault_file, encode_vault_file
from strongroom.engine.vault.vault import Vault
from strongroom.errors import Conflict, Damaged, Mistake, NotFound, Unavailable
from strongroom.model.cutting import CUTTING, FIRST_CUTTING
from strongroom.testing.memory_ledger import MemoryLedger
from strongroom.testing.memory_storage import MemoryStorage
from strongroom.testing.vault_driver import ROOT_KEY, back_up, read_back


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


def test_a_vault_is_cut_for_ever_as_it_was_made(place):
    """Vaults made by an earlier release have other sizes, and what they hold must go on deduplicating."""
    place.vault.close()
    assert decode_vault_file(place.storage.objects["vault.json"]).cutting == CUTTING
    cut_otherwise(place.storage, FIRST_CUTTING)
    old = Vault.open(place.storage, ROOT_KEY, place.ledger)
    assert old.content_keys.cutting == FIRST_CUTTING
    content = random.Random(1).randbytes(8 << 20)
    snapshot = back_up(old, 1, {b"image": content})
    (entry,) = old.reader(snapshot.id).folder()
    *all_but_last, _ = old.read(entry.content)
    assert len(all_but_last) >= 2
    assert min(map(len, all_but_last)) > FIRST_CUTTING.minimum
    assert read_back(old, snapshot.id) == {b"image": content}


@pytest.mark.parametrize(
    "sizes",
    [
        (0, 2048, 4096),
        (4096, 2048, 8192),
        (2048, 4096, 4096),
        (2000, 3000, 5000),
        (512, 1024, 2048),
        (1024, 2048, 5 << 20),
    ],
)
def test_sizes_nobody_can_cut_by_are_told(place, sizes):
    place.vault.close()
    told = place.storage.objects["vault.json"]
    for name, size in zip(("minimum", "average", "maximum"), sizes, strict=True):
        told = re.sub(rb'("%s": )\d+' % name.encode(), rb"\g<1>%d" % size, told)
    place.storage.objects["vault.json"] = told
    with pytest.raises(Damaged) as damaged:
        Vault.open(place.storage, ROOT_KEY, place.ledger)
    assert damaged.value.code == "bad_vault_file"


def cut_otherwise(storage, cutting):
    """Make a vault one of other sizes."""
    file = decode_vault_file(storage.objects["vault.json"])
    storage.objects["vault.json"] = encode_vault_file(msgspec.structs.replace(file, cutting=cutting))


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
