"""Folders that are made at once with their files: whole or not there; what goes wrong in one costs only itself."""

import os
import stat

import pytest

from strongroom.agent.restore import fetch, plan, spool
from strongroom.model.entry import Entry, EntryType, Stat
from tests.unit.agent.restore import taken
from tests.unit.agent.restore.taken import TakenSnapshot, look_at


@pytest.fixture
def top(tmp_path):
    """Make a tree in which folders hold files only, folders only, both, links too, and nothing."""
    top = tmp_path / "source"
    for number in range(60):
        folder = top / "a" / f"leaf{number % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"n{number:03}").write_bytes(b"%d" % number * number)
    (top / "a" / "beside").write_text("beside folders")
    (top / "a" / "leaf1" / "link").symlink_to("n001")
    os.link(top / "a" / "leaf1" / "n001", top / "a" / "leaf2" / "again")
    (top / "a" / "leaf3" / "large").write_bytes(os.urandom(3 * taken.CHUNK))
    (top / "a" / "empty").mkdir()
    (top / "a" / "leaf0" / "n004").chmod(0o600)
    (top / "a" / "leaf2").chmod(0o500)
    os.utime(top / "a" / "leaf2", ns=(1, 1_000_000_007))
    return top


def names_below(folder):
    return [name for _, below, files in os.walk(folder) for name in below + files]


@pytest.mark.parametrize("together", [4096, 7, 1])
@pytest.mark.parametrize("part", [1000, 5])
def test_a_tree_comes_back_however_its_folders_come_in_parts(top, tmp_path, restore, monkeypatch, together, part):
    monkeypatch.setattr(spool, "_MOST_TOGETHER", together)
    monkeypatch.setattr(taken, "PART", part)
    report, heard = restore(TakenSnapshot().take(top), tmp_path / "target")
    assert heard.files == []
    assert look_at(tmp_path / "target") == look_at(top)
    assert report.restore.files_restored == report.restore.files_total == 64


def test_again_over_what_is_there_changes_nothing(top, tmp_path, restore):
    restore(TakenSnapshot().take(top), tmp_path / "target")
    report, heard = restore(TakenSnapshot().take(top), tmp_path / "target")
    assert heard.files == []
    assert look_at(tmp_path / "target") == look_at(top)
    assert (
        report.restore.files_unchanged == 60
    )  # not the link, the two names of one file, and what is cut otherwise than by us


def test_a_chunk_that_is_lost_costs_only_its_file(top, tmp_path, restore):
    snapshot = TakenSnapshot().take(top)
    snapshot.spoiled.add(snapshot.entry_ids("a/leaf0/n004"))
    _, heard = restore(snapshot, tmp_path / "target")
    lost = tmp_path / "target" / "a" / "leaf0" / "n004"
    assert heard.reasons() == {os.fsencode(lost): "read_error"}
    assert sorted(names_below(tmp_path / "target")) == sorted(set(names_below(top)) - {"n004"})


def test_a_folder_all_of_whose_chunks_are_lost_is_there_and_empty(top, tmp_path, restore):
    snapshot = TakenSnapshot().take(top)
    names = [name for name in os.listdir(top / "a" / "leaf0") if name != "n000"]
    snapshot.spoiled |= {snapshot.entry_ids(f"a/leaf0/{name}") for name in names}
    _, heard = restore(snapshot, tmp_path / "target")
    made = tmp_path / "target" / "a" / "leaf0"
    assert heard.reasons() == {os.fsencode(made / name): "read_error" for name in names}
    assert os.listdir(made) == ["n000"]  # it had no chunk
    assert made.stat().st_mtime_ns != 0


def test_what_is_held_at_once_is_bounded_for_large_and_for_many_new_folders(tmp_path, restore, monkeypatch):
    """A fetcher refuses a batch beyond its bound, and then files would be missing."""
    monkeypatch.setattr(plan, "BATCH_BYTES", 20_000)
    monkeypatch.setattr(plan, "_BATCH_STEPS", 50)
    monkeypatch.setattr(fetch, "MOST_BYTES", 20_000 + taken.CHUNK)
    sizes = []
    batches = plan.Planner.batches

    def watched(*arguments):
        for batch in batches(*arguments):
            sizes.append((batch.bytes, batch.size))
            yield batch

    monkeypatch.setattr(plan.Planner, "batches", watched)
    top = tmp_path / "source"
    for number in range(400):
        folder = top / "large" if number < 100 else top / f"small{number // 10}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}").write_bytes(os.urandom(1000 if number < 100 else 10))
    _, heard = restore(TakenSnapshot().take(top), tmp_path / "target")
    assert heard.files == []
    assert look_at(tmp_path / "target") == look_at(top)
    assert max(held for held, _ in sizes) <= 20_000 + 1000
    assert max(count for _, count in sizes) <= 50 + 10


def test_a_temporary_name_that_is_taken_by_a_folder_does_not_matter(top, tmp_path, restore, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda _: "same")
    (top / "a" / ".strongroom-restore-7-same").mkdir()
    (top / "a" / ".strongroom-restore-7-same" / "file").write_text("its own")
    _, heard = restore(TakenSnapshot().take(top), tmp_path / "target")
    assert heard.files == []
    assert look_at(tmp_path / "target") == look_at(top)


def test_a_folder_that_is_told_twice_holds_both(tmp_path, restore):
    def told(name):
        seen = Stat(name, EntryType.FILE, 0o600, os.getuid(), os.getgid(), 0, 10**18, 0, 5)
        snapshot.list(b"a/b", [Entry(seen)])

    snapshot = TakenSnapshot()
    told(b"first")
    snapshot.list(b"a/c", [])
    told(b"second")
    snapshot.lead(b"a", b"b")
    restore(snapshot, tmp_path / "target")
    assert sorted(os.listdir(tmp_path / "target" / "a" / "b")) == ["first", "second"]
    assert stat.S_IMODE((tmp_path / "target" / "a" / "b").stat().st_mode) == 0o750
