"""Peculiar to the local folder: the order of fsync and rename, what a crash leaves, what the system's errors become."""

import errno
import os
import pathlib
import subprocess
import sys

import pytest

from strongroom.engine.vault.storage.local import STAGINGS, LocalStorage
from strongroom.errors import Conflict, Damaged, Unavailable


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "vault")


def test_bytes_are_durable_before_their_name_and_the_name_before_the_return(storage, tmp_path, monkeypatch):
    storage.put("packs/ab/first", [b"makes the folder"])
    calls = record_calls(monkeypatch)
    storage.put("packs/ab/second", [b"data"])
    folder = str(tmp_path / "vault" / "packs" / "ab")
    kinds = [(call, "folder" if path == folder else "draft" if "/tmp/" in path else path) for call, path in calls]
    assert kinds == [("fsync", "draft"), ("rename", "draft"), ("fsync", "folder")]


def test_what_went_past_the_cache_is_made_durable_too(storage, tmp_path, monkeypatch):
    storage.put("packs/ab/first", [b"makes the folder"])
    calls = record_calls(monkeypatch)
    draft = storage.draft(is_read_soon=False)
    draft.write(bytes(5 << 20), b"rest")
    draft.publish("packs/ab/second")
    folder = str(tmp_path / "vault" / "packs" / "ab")
    kinds = [(call, "folder" if path == folder else "draft" if "/tmp/" in path else path) for call, path in calls]
    assert kinds == [*[("pwrite", "draft")] * 4, ("fsync", "draft"), ("rename", "draft"), ("fsync", "folder")]


def test_a_disk_that_fails_past_the_cache_fails_the_draft_and_no_other(storage, monkeypatch):
    """What was handed to the disk is heard of with the next part, or when the draft is published."""

    def full(handle, data, offset):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        for _ in range(2 * STAGINGS):
            draft = storage.draft(is_read_soon=False)
            draft.write(bytes(3 << 20))
            with pytest.raises(Unavailable, match="full") as caught:
                draft.publish("packs/ab/x")
            assert caught.value.code == "storage_full"
            draft.discard()
    assert not storage.exists("packs/ab/x")
    draft = storage.draft(is_read_soon=False)
    draft.write(b"y" * (3 << 20))
    draft.publish("packs/ab/y")
    assert storage.read("packs/ab/y", 0, 3 << 20) == b"y" * (3 << 20)


def test_a_new_folder_is_durable_in_its_parent_before_it_is_used(storage, tmp_path, monkeypatch):
    root = tmp_path / "vault"
    calls = record_calls(monkeypatch)
    storage.put("packs/ab/first", [b"data"])
    order = [path for call, path in calls if call == "fsync"]
    assert order[1:] == [str(root), str(root / "packs"), str(root / "packs" / "ab")]
    assert calls.index(("fsync", str(root / "packs"))) < [call for call, _ in calls].index("rename")


def record_calls(monkeypatch):
    calls = []
    fsync, pwrite, rename = os.fsync, os.pwrite, pathlib.Path.rename

    def recorded_pwrite(file, data, offset):
        calls.append(("pwrite", os.readlink(f"/proc/self/fd/{file}")))
        return pwrite(file, data, offset)

    def recorded_fsync(file):
        calls.append(("fsync", os.readlink(f"/proc/self/fd/{file}")))
        fsync(file)

    def recorded_rename(path, target):
        calls.append(("rename", str(path)))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "pwrite", recorded_pwrite)
    monkeypatch.setattr(pathlib.Path, "rename", recorded_rename)
    return calls


def test_drafts_that_a_crash_left_are_dropped_when_it_is_claimed(storage, tmp_path):
    storage.draft().write(b"half")
    assert len(list((tmp_path / "vault" / "tmp").iterdir())) == 1
    again = LocalStorage(tmp_path / "vault")
    again.claim()
    assert list((tmp_path / "vault" / "tmp").iterdir()) == []
    again.close()


def test_what_others_left_in_the_folder_is_passed_over(storage, tmp_path):
    storage.put("index/0-1", [b"data"])
    for name in ("README", ".nfs0001", "lost+found", "a b"):
        (tmp_path / "vault" / "index" / name).write_bytes(b"not ours")
    assert list(storage.names("index/")) == ["index/0-1"]


def test_nobody_else_can_read_it(storage, tmp_path):
    storage.put("packs/ab/x", [b"data"])
    for path in (tmp_path / "vault").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_another_process_is_kept_out_until_this_one_ends(tmp_path):
    program = (
        "import pathlib, sys\n"
        "from strongroom.engine.vault.storage.local import LocalStorage\n"
        "storage = LocalStorage(pathlib.Path(sys.argv[1])); storage.claim()\n"
        "print('claimed', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "vault"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline() == b"claimed\n"
    storage = LocalStorage(tmp_path / "vault")
    with pytest.raises(Conflict) as refused:
        storage.claim()
    assert refused.value.code == "vault_in_use"
    other.kill()
    other.communicate()
    storage.claim()
    storage.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("call", ["writev", "fsync"])
def test_a_write_that_fails_publishes_nothing_and_may_be_tried_again(storage, tmp_path, monkeypatch, call, number):
    storage.put("packs/ab/before", [b"data"])
    with monkeypatch.context() as patched:
        patched.setattr(os, call, failing(number))
        with pytest.raises(Unavailable) as failed:
            storage.put("packs/ab/x", [b"data"])
    full = number in (errno.ENOSPC, errno.EDQUOT)
    assert failed.value.code == ("storage_full" if full else "storage_failed")
    assert failed.value.retryable
    assert list(storage.names("packs/")) == ["packs/ab/before"]
    assert list((tmp_path / "vault" / "tmp").iterdir()) == []
    storage.put("packs/ab/x", [b"data"])


def test_a_medium_that_does_not_read_is_damage(storage, monkeypatch):
    storage.put("packs/ab/x", [b"data"])
    monkeypatch.setattr(os, "pread", failing(errno.EIO))
    with pytest.raises(Damaged) as failed:
        storage.read("packs/ab/x", 0, 4)
    assert failed.value.code == "unreadable"


def test_short_writes_and_reads_are_continued(storage, monkeypatch):
    writev, pread = os.writev, os.pread
    monkeypatch.setattr(os, "writev", lambda file, parts: writev(file, [memoryview(parts[0])[:3]]))
    storage.put("packs/ab/x", [b"more than", b" three", b" bytes"])
    monkeypatch.setattr(os, "pread", lambda file, size, offset: pread(file, min(size, 2), offset))
    assert storage.read("packs/ab/x", 0, 21) == b"more than three bytes"


def failing(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail
