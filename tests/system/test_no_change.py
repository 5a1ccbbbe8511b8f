"""What did not change costs nothing: nothing is opened, nothing is sent; a little change costs little."""

import os

import pytest

from strongroom.testing.file_trees import awkward_tree
from tests.compare_trees import compare
from tests.system.opens import watched
from tests.system.site import write_noise

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 1 << 20


@pytest.fixture(scope="module")
def tree(site):
    """Make a tree of awkward files and many plain ones; back it up, and once more when its times are no longer new."""
    tree = site.folder / "tree"
    tree.mkdir()
    awkward_tree(tree)
    for folder in range(20):
        (tree / f"{folder}").mkdir()
        for file in range(100):
            (tree / f"{folder}" / f"{file}").write_bytes(os.urandom(200))
    site.protect("tree", tree)
    assert site.back_up("tree")["kind"] == "full"
    site.back_up("tree")
    return tree


def test_the_second_backup_of_an_unchanged_tree_opens_no_file_and_sends_nothing(site, tree):
    """Seen from outside: no file of the tree is opened by anybody while an incremental backup runs."""
    with watched(tree) as watch:
        job = site.back_up("tree")
        assert watch.opened() == []
        (tree / "0" / "0").read_bytes()
        assert watch.opened() == [os.fsencode(tree / "0" / "0")]  # the watch does see what is opened
    assert (job["kind"], job["state"]) == ("incremental", "successful")
    assert (job["transfer"]["files_read"], job["transfer"]["bytes_read"], job["transfer"]["bytes_sent"]) == (0, 0, 0)
    estimate = job["estimate"]
    assert (estimate["files_added"], estimate["files_changed"], estimate["files_removed"]) == (0, 0, 0)
    assert estimate["files_scanned"] > 2000


def test_only_the_changed_file_is_opened(site, tree):
    """One new, one changed and one removed file: two are opened, and the counts say so."""
    (tree / "3" / "new").write_bytes(b"new")
    (tree / "4" / "44").write_bytes(b"changed")
    (tree / "5" / "55").unlink()
    with watched(tree) as watch:
        job = site.back_up("tree")
        assert {os.path.relpath(os.fsdecode(path), tree) for path in watch.opened()} == {"3/new", "4/44"}
    estimate = job["estimate"]
    assert (estimate["files_added"], estimate["files_changed"], estimate["files_removed"]) == (1, 1, 1)
    assert job["transfer"]["files_read"] == 2
    site.restore(job["snapshot_id"], str(tree), "--to", str(site.folder / "out"))
    assert compare(tree, site.folder / "out" / "tree") == []


def test_an_agent_that_lost_its_state_of_a_set_still_reads_and_sends_nothing(site, tree):
    """The agent's listing is only a memory: the server's takes its place."""
    site.back_up("tree")
    for listing in site.state().glob("sets/*/listing"):
        listing.unlink()
    with watched(tree) as watch:
        job = site.back_up("tree")
        assert watch.opened() == []
    assert (job["kind"], job["transfer"]["files_read"], job["transfer"]["bytes_sent"]) == ("incremental", 0, 0)


def test_content_that_changed_behind_an_old_time_is_seen(site, tree):
    """A program that sets the modification time back deceives nobody: the change time tells."""
    file = tree / "6" / "66"
    before = file.stat()
    file.write_bytes(b"x" * before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    job = site.back_up("tree")
    assert (job["estimate"]["files_changed"], job["transfer"]["files_read"]) == (1, 1)


def test_one_changed_byte_in_a_large_file_sends_a_few_mib_at_most(site):
    """Content is cut where it says so itself, so a changed byte costs a chunk and an inserted one hardly more."""
    file = site.folder / "large" / "image"
    file.parent.mkdir()
    write_noise(file, 256 * MIB)
    site.protect("large", file.parent)
    first = site.back_up("large")
    assert first["transfer"]["bytes_sent"] > 256 * MIB
    with file.open("r+b") as opened:
        opened.seek(100 * MIB)
        byte = opened.read(1)
        opened.seek(100 * MIB)
        opened.write(bytes([byte[0] ^ 1]))
    changed = site.back_up("large")
    assert changed["transfer"]["bytes_read"] == 256 * MIB
    assert 0 < changed["transfer"]["bytes_sent"] < 5 * MIB
    with file.open("r+b") as opened:
        opened.seek(200 * MIB)
        rest = opened.read()
        opened.seek(200 * MIB)
        opened.write(b"+" + rest)
    inserted = site.back_up("large")
    assert inserted["transfer"]["bytes_read"] == 256 * MIB + 1
    assert 0 < inserted["transfer"]["bytes_sent"] < 6 * MIB
    site.restore(inserted["snapshot_id"], str(file.parent), "--to", str(site.folder / "out"))
    assert compare(file.parent, site.folder / "out" / "large") == []
