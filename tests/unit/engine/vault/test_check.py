"""Damage: whatever byte of whatever pack is changed, the check names the pack and the snapshots that it hits."""

import random

import pytest

from strongroom.engine.vault.ledger import PackState
from strongroom.engine.vault.storage.local import LocalStorage
from strongroom.engine.vault.vault import Vault
from strongroom.errors import Conflict, Damaged
from strongroom.testing.memory_ledger import MemoryLedger
from strongroom.testing.vault_driver import ROOT_KEY, back_up, commit_folder, ids_of, put_folder, read_back


def noise(seed, size=700):
    return random.Random(seed).randbytes(size)


FOLDER = {b"a": noise(1), b"sub": {b"b": b"text " * 50}}


@pytest.fixture
def row(place):
    return back_up(place.vault, 1, FOLDER)


def change(place, name, at, bits=0x01):
    data = bytearray(place.storage.objects[name])
    data[at] ^= bits
    place.storage.objects[name] = bytes(data)


def test_a_sound_vault_has_no_findings(place, row):
    seen = []
    report = place.vault.check(read_data=True, progress=lambda done, total: seen.append((done, total)))
    assert report.healthy
    assert (report.packs, report.snapshots, report.read_data, report.affected) == (2, 1, True, ())
    assert seen[-1] == (report.size_bytes, report.size_bytes)
    assert report.size_bytes == sum(len(place.storage.objects[name]) for name in place.packs())
    assert place.vault.check(read_data=False).healthy


def test_any_changed_byte_of_any_pack_is_named_with_the_snapshots_it_hits(place, row):
    """Every single byte: header, heads of blocks, blocks, trailer, footer."""
    other = back_up(place.vault, 2, {b"other": noise(9)})
    sound = dict(place.storage.objects)
    for name in place.packs():
        mine = name.rpartition("/")[2]
        for at in range(len(sound[name])):
            change(place, name, at)
            report = place.vault.check(read_data=True)
            assert [(finding.subject, finding.name) for finding in report.findings] == [("pack", mine)], at
            assert set(report.affected) in ({row.id}, {other.id}), at
            place.storage.objects[name] = sound[name]
    assert place.vault.check(read_data=True).healthy
    assert read_back(place.vault, row.id) == FOLDER


@pytest.mark.parametrize("bits", [0x01, 0x80, 0xFF])
def test_reads_give_the_right_bytes_or_raise(place, row, bits):
    sound = dict(place.storage.objects)
    wrong = 0
    for name in place.packs():
        for at in range(0, len(sound[name]), 3):
            change(place, name, at, bits)
            damaged = place.reopen()
            try:
                assert read_back(damaged.vault, row.id) == FOLDER
            except Damaged:
                wrong += 1
            place.storage.objects[name] = sound[name]
    assert wrong > 300


def test_a_longer_shorter_or_missing_pack_is_named(place, row):
    sound = dict(place.storage.objects)
    for name in place.packs():
        for broken in (sound[name] + b"\0", sound[name][:-1], sound[name][:50], b"", None):
            if broken is None:
                del place.storage.objects[name]
            else:
                place.storage.objects[name] = broken
            for read_data in (False, True):
                report = place.vault.check(read_data=read_data)
                assert [finding.name for finding in report.findings] == [name.rpartition("/")[2]]
                assert report.affected == (row.id,)
            place.storage.objects[name] = sound[name]
            assert place.vault.check(read_data=True).healthy


def test_one_pack_in_place_of_another_is_named(place, row):
    first, second = place.packs()
    place.storage.objects[first] = place.storage.objects[second]
    report = place.vault.check(read_data=False)
    assert len(report.findings) == 1


def test_a_changed_or_missing_snapshot_record_is_named(place, row):
    name = f"snapshots/1/{row.id}"
    sound = place.storage.objects[name]
    for at in range(len(sound)):
        change(place, name, at)
        report = place.vault.check(read_data=False)
        assert [(finding.subject, finding.name) for finding in report.findings] == [("snapshot", row.id)]
        place.storage.objects[name] = sound
    del place.storage.objects[name]
    assert place.vault.check(read_data=False).affected == (row.id,)


def test_damage_is_healed_by_the_next_backup(place, row):
    change(place, next(name for name in place.packs() if len(place.storage.objects[name]) > 900), 200)
    assert place.vault.check(read_data=True).affected == (row.id,)
    assert [pack.state for pack in place.ledger.packs()].count(PackState.BAD) == 1
    assert not place.vault.is_whole(row.id)
    place = place.reopen()
    assert not place.vault.is_whole(row.id)
    session = place.vault.open_session(set_id=1, job_id=2, base=row.id)
    assert any(session.missing(ids_of(place.keys, noise(1), b"text " * 50)))
    healed = commit_folder(place.vault, session, FOLDER)
    report = place.vault.check(read_data=True)
    assert len(report.findings) == 1
    assert report.affected == ()
    for snapshot in (row, healed):
        assert read_back(place.vault, snapshot.id) == FOLDER


def test_a_commit_cannot_build_on_what_is_damaged(place, row):
    for name in place.packs():
        change(place, name, 100)
    place.vault.check(read_data=True)
    session = place.vault.open_session(set_id=1, job_id=2, base=row.id)
    with pytest.raises(Conflict) as refused:
        session.commit(row.root, None)
    assert refused.value.code == "incomplete_tree"


def test_an_unfinished_sessions_damaged_chunks_are_missing(place):
    session = place.vault.open_session(set_id=1, job_id=1)
    put_folder(place.keys, session, FOLDER)
    session.end()
    for name in place.packs():
        change(place, name, 100)
    assert place.vault.check(read_data=True).affected == ()
    again = place.vault.open_session(set_id=1, job_id=2)
    assert again.missing(ids_of(place.keys, noise(1))) == [True]
    row = commit_folder(place.vault, again, FOLDER)
    assert read_back(place.vault, row.id) == FOLDER


def test_most_of_a_damaged_pack_can_still_be_read(place):
    folder = {b"%d" % number: noise(number, 250_000) for number in range(12)}
    row = back_up(place.vault, 1, folder)
    large = max(place.packs(), key=lambda name: len(place.storage.objects[name]))
    change(place, large, 500)
    place.vault.check(read_data=True)
    readable = damaged = 0
    for number in range(12):
        try:
            assert list(place.vault.read(ids_of(place.keys, noise(number, 250_000)))) == [folder[b"%d" % number]]
            readable += 1
        except Damaged:
            damaged += 1
    assert readable == 4
    assert damaged == 8  # those that share a block with the changed byte
    assert place.vault.coverage(row.id, [b"5"])


def test_a_pack_that_comes_back_is_trusted_again_only_when_all_of_it_was_read(place, row):
    name = place.packs()[0]
    sound = place.storage.objects.pop(name)
    place.vault.check(read_data=False)
    place = place.reopen()
    place.storage.objects[name] = sound
    assert place.vault.check(read_data=False).affected == (row.id,)
    assert place.vault.check(read_data=True).healthy
    assert place.vault.is_whole(row.id)
    assert read_back(place.vault, row.id) == FOLDER


def test_a_pack_that_could_not_be_read_at_the_start_is_found_by_the_check(place, row):
    for name in list(place.storage.objects):
        if name.startswith("index/"):
            del place.storage.objects[name]
    name = place.packs()[0]
    sound = place.storage.objects[name]
    place.storage.objects[name] = sound[:-1]
    place = place.reopen()
    assert not place.vault.is_whole(row.id)
    assert place.vault.check(read_data=False).affected == (row.id,)
    place.storage.objects[name] = sound
    assert place.vault.check(read_data=True).healthy
    assert read_back(place.vault, row.id) == FOLDER


def test_packs_and_records_that_no_row_names_are_harmless(place, row):
    place.storage.put("packs/ff/" + "ff" * 32, [b"garbage of a crash"])
    place.storage.put("snapshots/1/" + "ff" * 16, [b"garbage of a crash"])
    assert place.vault.check(read_data=True).healthy
    assert read_back(place.reopen().vault, row.id) == FOLDER


def test_damage_on_a_real_disk_is_found(tmp_path):
    storage = LocalStorage(tmp_path)
    with Vault.create(storage, ROOT_KEY, MemoryLedger()) as vault:
        row = back_up(vault, 1, FOLDER)
        path = max((tmp_path / "packs").rglob("*/*"), key=lambda path: path.stat().st_size)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x10
        path.write_bytes(data)
        report = vault.check(read_data=True)
        assert [finding.name for finding in report.findings] == [path.name]
        assert report.affected == (row.id,)
        path.unlink()
        (finding,) = vault.check(read_data=False).findings
        assert finding.problem == "The file is missing."
