"""What is written down of a set spares the next commit reading its tree, and decides nothing, whatever became of it."""

import contextlib
import random
from dataclasses import replace

import pytest

from strongroom.engine.format.notes import MOST_STORED_BYTES, decode_notes
from strongroom.engine.vault.bitmaps import decode_bitmap, encode_bitmap
from strongroom.engine.vault.vault import Vault
from strongroom.errors import Damaged, StrongroomError, Unavailable
from strongroom.testing.memory_ledger import MemoryLedger
from strongroom.testing.memory_storage import MemoryStorage
from strongroom.testing.vault_driver import ROOT_KEY, back_up, read_back
from tests.unit.engine.vault.conftest import Place
from tests.unit.engine.vault.test_noted import changed, forbid_reading, some_folder

NOTES = "notes/1"


@pytest.fixture
def later(place):
    """Give a vault as a restarted server opens it, its one snapshot, and what the next is to hold."""
    rng = random.Random(5)
    back_up(place.vault, 2, {b"of another set": b"1"})
    folder = {b"a": some_folder(rng), b"b": some_folder(rng)}
    first = back_up(place.vault, 1, folder)
    return place.reopen(), first, {**folder, b"b": changed(folder[b"b"], rng)}


def back_up_and_compare(place, first, folder):
    """Back up over the first snapshot; what the new one reaches is what reading everything finds."""
    second = back_up(place.vault, 1, folder, base=first.id)
    assert decode_bitmap(place.ledger.bitmap(second.id)) == reached_by_reading(place, second)
    assert read_back(place.vault, second.id) == folder
    return second


def reached_by_reading(place, row):
    return place.reopen().vault._core.walker.reach([row.root], None)


def test_a_restarted_server_reads_no_node_for_a_commit(later, monkeypatch):
    place, first, folder = later
    with monkeypatch.context() as patched:
        forbid_reading(place, patched)
        second = back_up(place.vault, 1, folder, base=first.id)
    assert decode_bitmap(place.ledger.bitmap(second.id)) == reached_by_reading(place, second)
    assert read_back(place.vault, second.id) == folder


def test_each_commit_that_changes_something_writes_the_notes_anew(later):
    place, first, folder = later
    before = place.storage.objects[NOTES]
    second = back_up_and_compare(place, first, folder)
    after = place.storage.objects[NOTES]
    assert after != before
    packs, nodes = decode_notes(after, place.vault._core.keyring.notes_key)
    trees = {note.node: note.tree for note in nodes}
    assert second.root in trees
    assert {tree[at : at + 32] for tree in trees.values() for at in range(0, len(tree), 32)} < trees.keys()
    assert {pack.name for pack in packs} <= {row.name for row in place.ledger.packs()}
    back_up(place.vault, 1, folder, base=second.id)
    assert place.storage.objects[NOTES] is after


def altered(stored, at):
    return stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :]


@pytest.mark.parametrize("at", [0, 8, 20, 24, 60, -40, -1])
def test_altered_notes_are_not_believed(later, at):
    place, first, folder = later
    place.storage.objects[NOTES] = altered(place.storage.objects[NOTES], at % len(place.storage.objects[NOTES]))
    with pytest.raises(Damaged):
        place.vault._core.notes.load(1, place.vault._core.walker.noted)
    back_up_and_compare(place, first, folder)


def test_what_is_too_large_for_notes_is_not_even_read(later, monkeypatch):
    place, first, folder = later
    place.storage.objects[NOTES] = bytes(MOST_STORED_BYTES + 1)
    with monkeypatch.context() as patched:
        patched.setattr(place.storage, "read", None)
        with pytest.raises(Damaged):
            place.vault._core.notes.load(1, place.vault._core.walker.noted)
    back_up_and_compare(place, first, folder)


def test_notes_of_another_vault_are_not_believed(later):
    place, first, folder = later
    other = Vault.create(MemoryStorage(), ROOT_KEY, MemoryLedger())
    back_up(other, 1, folder)
    place.storage.objects[NOTES] = other._core.storage.objects[NOTES]
    with pytest.raises(Damaged):
        place.vault._core.notes.load(1, place.vault._core.walker.noted)
    back_up_and_compare(place, first, folder)


def test_notes_count_only_while_packs_have_the_ordinals_that_they_had(later):
    place, first, folder = later
    place = renumbered(place)
    noted = place.vault._core.walker.noted
    place.vault._core.notes.load(1, noted)
    assert noted.find(first.root) is None
    back_up_and_compare(place, first, folder)
    place.vault._core.notes.load(1, noted)
    assert noted.find(first.root) is not None


def renumbered(place):
    """Open the vault with a catalog that was made anew: the same packs, their ordinals in another order."""
    facts, at = place.ledger.after_crash().facts, 0
    for name, row in reversed(list(facts.packs.items())):
        facts.packs[name] = replace(row, first_ordinal=at)
        at += row.chunks
    facts.next_ordinal = at
    storage, ledger = place.storage.after_crash(), MemoryLedger(facts)
    vault = Vault.open(storage, ROOT_KEY, ledger)
    for row in list(facts.snapshots.values()):
        facts.bitmaps[row.id] = encode_bitmap(vault._core.walker.reach([row.root], None))
    return Place(storage, ledger, vault)


def test_a_commit_succeeds_where_its_notes_cannot_be_written(later, monkeypatch):
    place, first, folder = later
    put = place.storage.put

    def full(name, parts, *, replace=False):
        if name.startswith("notes/"):
            raise Unavailable("The storage is full.", code="storage_full")
        put(name, parts, replace=replace)

    with monkeypatch.context() as patched:
        patched.setattr(place.storage, "put", full)
        second = back_up_and_compare(place, first, folder)
    place = place.reopen()
    back_up_and_compare(place, second, {**folder, b"new": b"2"})


def test_notes_that_are_gone_are_missed_by_nobody(later):
    place, first, folder = later
    place.storage.discard(NOTES)
    with contextlib.suppress(StrongroomError):
        place.vault._core.notes.load(1, place.vault._core.walker.noted)
    back_up_and_compare(place, first, folder)
    assert NOTES in place.storage.objects
