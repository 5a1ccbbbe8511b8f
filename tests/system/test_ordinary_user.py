"""Without root: server and agent run as an ordinary user, do what that user may do, and list the rest."""

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.compare_trees import Comparison, compare_trees
from tests.system.site import Site

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]
USER = 65534
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if os.geteuid() == 0 else []


@pytest.fixture(scope="module")
def folder():
    """Make a folder that an ordinary user may enter; pytest's own are closed to others."""
    made = Path(tempfile.mkdtemp(prefix="strongroom-user-"))
    made.chmod(0o755)
    yield made
    subprocess.run(["rm", "-rf", made], check=True)


@pytest.fixture(scope="module")
def site(folder):
    """Run a server and an agent as an ordinary user."""
    home = folder / "home"
    home.mkdir()
    if AS_USER:
        os.chown(home, USER, USER)
    as_user = Site(home / "site", environment={"HOME": str(home)})
    as_user.program = [*AS_USER, *as_user.program]
    if AS_USER:
        os.chown(home / "site", USER, USER)
        os.chown(home / "site" / "port", USER, USER)
    with as_user:
        yield as_user
    assert "Traceback" not in as_user.said()


@pytest.fixture(scope="module")
def tree(folder):
    """Copy files of the system's owner, some with setuid, and add what an ordinary user may not read."""
    tree = folder / "tree"
    tree.mkdir()
    subprocess.run(["cp", "-a", "/usr/share/zoneinfo", "/usr/bin/passwd", tree], check=True)
    (tree / "secret").write_text("nobody may read this")
    (tree / "secret").chmod(0)
    (tree / "closed").mkdir()
    (tree / "closed" / "inside").write_text("nor find this")
    (tree / "closed").chmod(0)
    yield tree
    (tree / "closed").chmod(0o700)


@pytest.fixture(scope="module")
def job(site, tree):
    site.protect("tree", tree)
    return site.back_up("tree", expect=1)


def test_what_may_not_be_read_is_listed_and_the_rest_is_backed_up(site, tree, job):
    """Two places are closed to the user: the job is successful with errors and names both."""
    assert job["state"] == "successful_with_errors"
    assert site.missed(job) == {str(tree / name): "access_denied" for name in ("secret", "closed")}
    assert job["estimate"]["files_scanned"] > 300


def test_owners_that_cannot_be_set_are_listed_and_the_content_is_right(site, tree, job):
    """The files come back as the user's own, never with setuid for the wrong owner, and each is on the list."""
    target = site.folder / "out"
    restored = site.restore(job["snapshot_id"], str(tree), "--to", str(target), expect=1)
    assert restored["state"] == "successful_with_errors"
    assert restored["restore"]["files_failed"] == 0
    missed = site.missed(restored)
    assert set(missed.values()) == ({"metadata"} if AS_USER else missed.values())
    if AS_USER:
        assert len(missed) >= restored["restore"]["files_restored"]
        assert str(target / "tree" / "passwd") in missed
    found = compare_trees(tree, target / "tree", Comparison(frozenset({"atime", "owner"}))).differences
    different = {one.path: one.kind for one in found}
    assert different == {b"secret": "missing", b"closed/inside": "missing", b"passwd": "mode"} or not AS_USER, found
    assert not (target / "tree" / "passwd").stat().st_mode & stat.S_ISUID or not AS_USER


def test_a_place_that_may_not_be_written_fails_with_a_sentence(site, tree, job):
    """No traceback and no half restore: the job says what the system said."""
    failed = site.restore(job["snapshot_id"], str(tree), "--to", "/proc/nowhere", expect=3)
    assert failed["state"] == "failed"
    assert "/proc/nowhere" in failed["reason"]["text"]
    closed = site.restore(job["snapshot_id"], str(tree / "passwd"), "--to", "/usr/share", expect=1)
    assert site.missed(closed) == {"/usr/share/passwd": "access_denied"}
    assert closed["restore"]["files_restored"] == 0


def test_a_second_backup_is_incremental_and_lists_the_same(site, tree, job):
    """What is closed is tried again each time, and told each time."""
    again = site.back_up("tree", expect=1)
    assert again["kind"] == "incremental"
    assert again["transfer"]["files_read"] == 0
    assert site.missed(again) == site.missed(job)
