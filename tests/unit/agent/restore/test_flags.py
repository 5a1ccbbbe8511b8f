"""Inode flags come back, those that lock a thing last of all; what is locked in the target gives way to overwriting."""

import os
import shutil
import subprocess
import tempfile

import pytest

from strongroom.agent.platform.linux_flags import read_flags, set_flags
from strongroom.model.policy import ConflictMode
from strongroom.testing.file_trees import locked_tree, unlock_tree
from tests.unit.agent.restore.taken import TakenSnapshot, flags_of, look_at

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may lock files")
IMMUTABLE, APPEND_ONLY, NO_DUMP = 0x10, 0x20, 0x40


@pytest.fixture
def locked(tmp_path):
    """Make a tree with immutable and append-only files and folders; all is unlocked at the end."""
    locked_tree(tmp_path / "source")
    yield tmp_path / "source"
    unlock_tree(tmp_path)


def mark(*paths, flags="+d"):
    subprocess.run(["chattr", flags, *paths], check=True)


def test_flags_of_files_and_folders_come_back(tmp_path, restore):
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    for name in ("file", "folder/file"):
        (source / name).write_bytes(b"content")
    mark(source / "file", source / "folder", flags="+dA")
    report, heard = restore(TakenSnapshot().take(source), tmp_path / "target")
    assert (heard.files, report.state) == ([], "successful")
    assert look_at(tmp_path / "target") == look_at(source)
    assert flags_of(tmp_path / "target" / "folder") == 0xC0


def test_flags_that_the_target_passes_on_do_not_stay(tmp_path, restore):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "file").write_bytes(b"content")
    target.mkdir()
    mark(target)
    restore(TakenSnapshot().take(source), target)
    assert look_at(target) == look_at(source)


def test_flags_are_mended_on_what_is_right_otherwise(tmp_path, restore):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name in ("marked", "plain"):
        (source / name).write_bytes(b"content")
    mark(source / "marked")
    restore(TakenSnapshot().take(source), target)
    mark(target / "marked", flags="-d")
    mark(target / "plain")
    report, _ = restore(TakenSnapshot().take(source), target)
    assert report.restore.files_unchanged == 2
    assert look_at(target) == look_at(source)


@needs_root
def test_what_an_ordinary_user_may_not_set_is_told_and_the_rest_is_set():
    place = tempfile.mkdtemp()
    os.chown(place, 65_534, 65_534)
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(65_534)
        os.setuid(65_534)
        handle = os.open(place + "/file", os.O_CREAT | os.O_RDWR)
        told = set_flags(handle, IMMUTABLE | NO_DUMP)
        os._exit(0 if (told, read_flags(handle)) == (["flags immutable: EPERM"], NO_DUMP) else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    shutil.rmtree(place)
    assert code == 0


@needs_root
def test_locked_files_and_folders_come_back_locked(locked, restore, tmp_path):
    report, heard = restore(TakenSnapshot().take(locked), tmp_path / "target")
    assert (heard.files, report.state) == ([], "successful")
    assert look_at(tmp_path / "target") == look_at(locked)


@needs_root
def test_overwriting_unlocks_what_is_replaced_and_locks_it_again(locked, restore, tmp_path):
    target = tmp_path / "target"
    taken = TakenSnapshot().take(locked)
    restore(taken, target)
    unlock_tree(target)
    (target / "kept" / "file").write_bytes(b"changed")
    (target / "growing" / "log").unlink()
    mark(target / "kept" / "file", target / "growing", target / "kept", flags="+i")
    report, heard = restore(taken, target)
    assert (heard.files, report.state) == ([], "successful")
    assert look_at(target) == look_at(locked)


@needs_root
def test_a_locked_folder_that_is_only_passed_through_is_locked_again(locked, restore):
    unlock_tree(locked / "kept" / "inner")
    inner = os.fsencode(locked / "kept" / "inner").lstrip(b"/")
    taken = TakenSnapshot().take(locked / "kept" / "inner", inner).lead(*inner.split(b"/"))
    (locked / "kept" / "inner" / "file").unlink()
    mark(locked / "kept" / "inner", flags="+a")
    report, heard = restore(taken, "", str(locked / "kept" / "inner" / "file"))
    assert (heard.files, report.restore.files_restored) == ([], 1)
    assert (flags_of(locked / "kept"), flags_of(locked / "kept" / "inner")) == (IMMUTABLE, APPEND_ONLY)


@needs_root
@pytest.mark.parametrize("conflict", [ConflictMode.SKIP, ConflictMode.KEEP_BOTH])
def test_whoever_keeps_what_is_there_finds_it_locked_as_it_was(locked, restore, tmp_path, conflict):
    target = tmp_path / "target"
    restore(TakenSnapshot().take(locked), target)
    before = look_at(target)
    unlock_tree(locked)
    (locked / "kept" / "file").write_bytes(b"newer")
    (locked / "kept" / "more").write_bytes(b"new")
    report, heard = restore(TakenSnapshot().take(locked), target, conflict=conflict)
    assert report.state == "successful_with_errors"
    assert set(heard.reasons().values()) <= {"access_denied", "metadata"}
    assert look_at(target) == before


@needs_root
def test_other_names_of_a_replaced_file_stay_locked(tmp_path, restore):
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target):
        folder.mkdir()
        (folder / "file").write_bytes(folder.name.encode())
    os.link(target / "file", tmp_path / "elsewhere")
    mark(target / "file", flags="+i")
    try:
        _, heard = restore(TakenSnapshot().take(source), target)
        assert heard.files == []
        assert (target / "file").read_bytes() == b"source"
        assert (flags_of(tmp_path / "elsewhere"), flags_of(target / "file")) == (IMMUTABLE, 0)
    finally:
        unlock_tree(tmp_path)
