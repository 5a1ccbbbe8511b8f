"""What comes back is what was there: restores are judged by a comparer that shares no code with the product."""

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from strongroom.testing.file_trees import awkward_tree
from tests.compare_trees import compare

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]
PARTS_OF_USR = ("sbin", "share/zoneinfo", "lib/python3", "share/perl5", "share/bash-completion")
MOST_SETUID = 20
ONE_CHUNK_BYTES = 256 << 10


@pytest.fixture(scope="module")
def awkward(site):
    """Make a tree with every file type and name, and back it up."""
    tree = site.folder / "awkward"
    tree.mkdir()
    print("left out:", awkward_tree(tree))
    site.protect("awkward", tree)
    return tree, site.back_up("awkward")


@pytest.fixture(scope="module")
def usr(site):
    """Copy some thousand files of /usr as they are, and back them up."""
    tree = site.folder / "usr"
    (tree / "setuid").mkdir(parents=True)
    programs = itertools.islice((Path(f) for f in found("/usr", "-perm", "-4000")), MOST_SETUID)
    copy(programs, tree / "setuid")
    copy([Path("/usr") / part for part in PARTS_OF_USR if (Path("/usr") / part).is_dir()], tree)
    for number, file in enumerate(sorted(tree.glob("sbin/*"))[:10]):
        os.link(file, tree / f"twin {number}", follow_symlinks=False)
    site.protect("usr", tree)
    return tree, site.back_up("usr")


def found(folder, *conditions):
    return subprocess.run(
        ["find", folder, "-xdev", "-type", "f", *conditions], capture_output=True, text=True, check=False
    ).stdout.splitlines()


def copy(sources, target):
    subprocess.run(["cp", "-a", *map(str, sources), str(target)], check=True)


@pytest.mark.parametrize("name", ["awkward", "usr"])
def test_a_tree_comes_back_identical_in_another_folder(site, name, request):
    """Every type, mode, owner, time, attribute, link group and hole of the tree is there again elsewhere."""
    tree, job = request.getfixturevalue(name)
    assert (job["state"], job["kind"], job["missed_count"]) == ("successful", "full", 0)
    restored = site.restore(job["snapshot_id"], str(tree), "--to", str(site.folder / "other"))
    assert (restored["state"], restored["missed_count"]) == ("successful", 0)
    assert restored["restore"]["files_restored"] == job["estimate"]["files_scanned"]
    assert compare(tree, site.folder / "other" / name) == []


@pytest.mark.parametrize("name", ["awkward", "usr"])
def test_a_deleted_tree_comes_back_identical_where_it_was(site, name, request):
    """After everything was deleted, a restore to the original place makes it as it was, the top folder too."""
    tree, job = request.getfixturevalue(name)
    kept = site.folder / f"kept {name}"
    tree.rename(kept)
    restored = site.restore(job["snapshot_id"], str(tree), "--original")
    assert (restored["state"], restored["missed_count"]) == ("successful", 0)
    assert compare(kept, tree) == []


def test_a_second_restore_over_the_first_changes_nothing(site, usr):
    """A small file that is right already is left alone, and the tree is identical all the same."""
    tree, job = usr
    site.restore(job["snapshot_id"], str(tree), "--to", str(site.folder / "twice"))
    again = site.restore(job["snapshot_id"], str(tree), "--to", str(site.folder / "twice"))
    counts = again["restore"]
    assert counts["files_unchanged"] + counts["files_restored"] == counts["files_total"]  # links are made anew
    sizes = [file.lstat().st_size for file in tree.rglob("*") if file.is_file() and not file.is_symlink()]
    assert counts["bytes_restored"] <= sum(size for size in sizes if size > ONE_CHUNK_BYTES)
    assert counts["files_failed"] == 0
    assert compare(tree, site.folder / "twice" / tree.name) == []


def test_a_restore_mends_what_was_changed_by_hand(site, usr):
    """Changed content, a wrong mode, a deleted file and a folder in a file's place are all put right."""
    tree, job = usr
    target = site.folder / "mended"
    site.restore(job["snapshot_id"], str(tree), "--to", str(target))
    files = [file for file in sorted((target / "usr" / "sbin").iterdir()) if file.is_file() and not file.is_symlink()]
    files[0].write_bytes(b"changed")
    files[1].chmod(0o600)
    files[2].unlink()
    shutil.rmtree(target / "usr" / "setuid")
    (target / "usr" / "setuid").write_text("a file where a folder was")
    site.restore(job["snapshot_id"], str(tree), "--to", str(target))
    assert compare(tree, target / "usr") == []
