"""W9, W11, W12 by real processes: what is locked or badly named is missed, listed everywhere, and tried again."""

import contextlib
import os
import subprocess
import sys

import pytest

from strongroom.testing.file_trees import non_utf8_names
from tests.compare_trees import compare

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]
HOLD = {
    "flock": "fcntl.flock(file, fcntl.LOCK_EX)",
    "lockf": "fcntl.lockf(file, fcntl.LOCK_EX)",
    "lockf of a part": "fcntl.lockf(file, fcntl.LOCK_EX, 10, 5)",
    "lease": "fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)",
}
LOCKER = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
{hold}
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def held(path, how):
    """Have another process hold a lock on a file."""
    with subprocess.Popen(
        [sys.executable, "-c", LOCKER.format(hold=HOLD[how]), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as locker:
        try:
            assert locker.stdout.readline() == "held\n"
            yield
        finally:
            locker.stdin.close()


@pytest.fixture(scope="module")
def tree(site):
    """Make one file for each sort of lock, and others that nobody holds."""
    tree = site.folder / "tree"
    tree.mkdir()
    for name in (*HOLD, "free", "shared"):
        (tree / name).write_text(f"content of {name}")
    site.protect("tree", tree)
    return tree


def test_w9_w12_files_locked_by_others_are_missed_and_in_the_next_backup(site, tree):
    """Each sort of write lock makes a missed file, in the host's log and on the server; released, it is backed up."""
    with contextlib.ExitStack() as locks:
        for how in HOLD:
            locks.enter_context(held(tree / how, how))
        job = site.back_up("tree", expect=1)
    assert (job["state"], job["reason"]["code"]) == ("successful_with_errors", "completed_with_missed")
    assert site.missed(job) == {str(tree / how): "locked" for how in HOLD}
    assert job["missed_count"] == len(HOLD)
    assert_log_is_the_list(site, job)
    stored = {entry["name"] for entry in site.cli("snapshot", "ls", job["snapshot_id"], str(tree))}
    assert stored == {"free", "shared"}

    after = site.back_up("tree")
    assert (after["state"], after["missed_count"]) == ("successful", 0)
    assert after["transfer"]["files_read"] == len(HOLD)
    assert not log_of(site, after).exists()
    site.restore(after["snapshot_id"], str(tree), "--to", str(site.folder / "out"))
    assert compare(tree, site.folder / "out" / "tree") == []


def test_w9_a_file_that_is_in_the_snapshot_and_did_not_change_stays_though_it_is_locked(site, tree):
    """Nothing is read, so the lock is in nobody's way."""
    with held(tree / "flock", "flock"):
        job = site.back_up("tree")
    assert (job["state"], job["transfer"]["files_read"]) == ("successful", 0)


def test_w9_a_shared_lock_is_no_lock(site, tree):
    """Whoever only reads locks out writers, not a backup."""
    (tree / "shared").write_text("changed")
    script = LOCKER.format(hold="fcntl.flock(file, fcntl.LOCK_SH)")
    with subprocess.Popen(
        [sys.executable, "-c", script, tree / "shared"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout.readline() == "held\n"
        assert site.back_up("tree")["state"] == "successful"
        reader.stdin.close()


def test_w9_a_set_may_choose_to_read_files_with_advisory_locks(site, tree):
    """The policy's option: only a lease still stands in the way."""
    site.protect("reads", tree, options=("--locked-files", "read", "--exclude", "lease"))
    with held(tree / "flock", "flock"), held(tree / "lockf", "lockf"):
        job = site.back_up("reads")
    assert (job["state"], job["missed_count"]) == ("successful", 0)


def test_w11_w12_names_that_are_not_utf8_are_skipped_and_listed(site):
    """Each bad name is one line, escaped; with the option they are all stored and come back byte for byte."""
    tree = site.folder / "names"
    tree.mkdir()
    bad = [path for path in non_utf8_names(tree) if b"/" not in path]
    (tree / "gut: größe").write_text("fine")
    site.protect("names", tree)
    job = site.back_up("names", expect=1)
    assert set(site.missed(job).values()) == {"name_not_utf8"}
    assert job["missed_count"] == len(bad)
    assert_log_is_the_list(site, job)
    assert [entry["name"] for entry in site.cli("snapshot", "ls", job["snapshot_id"], str(tree))] == ["gut: größe"]

    site.protect("raw names", tree, options=("--raw-names", "--exclude", "another set"))
    raw = site.back_up("raw names")
    site.restore(raw["snapshot_id"], str(tree), "--to", str(site.folder / "raw"))
    assert compare(tree, site.folder / "raw" / "names") == []


def test_an_include_path_that_is_not_there_is_listed_and_one_alone_fails_with_a_reason(site, tree):
    """Something missing is told; nothing at all to back up is a failure that says so, and no empty snapshot."""
    site.protect("half there", tree, site.folder / "nowhere")
    job = site.back_up("half there", expect=1)
    assert site.missed(job) == {str(site.folder / "nowhere"): "not_found"}
    site.protect("nothing", site.folder / "nowhere")
    failed = site.back_up("nothing", expect=3)
    assert failed["state"] == "failed"
    assert str(site.folder / "nowhere") in failed["reason"]["text"]
    assert site.cli("snapshot", "list", "nothing") == []


def log_of(site, job):
    name = f"Strongroom-{job['id']}-MissedFiles.log"
    return site.folder / "log" / "FS" / "backup" / str(job["set_id"]) / name


def assert_log_is_the_list(site, job):
    """The host's log has one line for each missed file, the very list that API and command line give."""
    lines = log_of(site, job).read_text().splitlines()
    assert all(line.count("\t") == 2 for line in lines)
    logged = [tuple(line.split("\t")[:2]) for line in lines]
    told = [(file["path"], file["reason"]) for file in site.cli("job", "missed", str(job["id"]))]
    assert logged == told
    said = site.cli("job", "missed", str(job["id"]), json=False).splitlines()
    assert [line.split("\t")[0] for line in said] == [path for path, _ in told]
    assert os.stat(log_of(site, job)).st_mode & 0o007 == 0
