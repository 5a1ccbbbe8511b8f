"""The test trees hold what they promise: the same each time, every oddity present, nothing left out in silence."""

import os
import stat
import subprocess
import sys

import pytest

from strongroom.testing.file_trees import (
    awkward_tree,
    change_share,
    non_utf8_names,
    office_tree,
    small_tree,
    tiny_tree,
    vm_tree,
)
from tests.compare_trees import Comparison, compare_trees

MIB = 1 << 20


def everything(root):
    """Give every path below a folder, through handles, with its status."""
    found = {}
    stack = [(b"", os.open(root, os.O_RDONLY))]
    while stack:
        parent, folder = stack.pop()
        for name in map(os.fsencode, os.listdir(folder)):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            found[parent + name] = status
            if stat.S_ISDIR(status.st_mode):
                stack.append((parent + name + b"/", os.open(name, os.O_RDONLY, dir_fd=folder)))
        os.close(folder)
    return found


def test_the_awkward_tree_has_every_type_and_property(tmp_path):
    left_out = {line.split(":")[0] for line in awkward_tree(tmp_path / "tree")}
    if os.geteuid() == 0:
        assert left_out == set()
    found = everything(tmp_path / "tree")
    types = {stat.S_IFMT(status.st_mode) for status in found.values()}
    assert {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO} <= types
    assert ({stat.S_IFCHR, stat.S_IFBLK} <= types) == ("devices" not in left_out)
    assert {stat.S_ISUID, stat.S_ISGID, stat.S_ISVTX} <= {
        bit for status in found.values() for bit in (2048, 1024, 512) if status.st_mode & bit
    }
    linked = {stat.S_IFMT(status.st_mode) for status in found.values() if status.st_nlink > 1}
    assert {stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO} <= linked
    assert any(status.st_blocks == 0 < status.st_size for status in found.values() if stat.S_ISREG(status.st_mode))
    assert min(status.st_mtime_ns for status in found.values()) < 0
    assert max(status.st_mtime_ns for status in found.values()) > 2**32 * 10**9
    assert max(len(path) for path in found) > 8192
    assert max(len(path.rpartition(b"/")[2]) for path in found) == 255
    assert all(path.decode() for path in found)


def test_the_awkward_tree_is_the_same_each_time(tmp_path):
    for side in ("left", "right"):
        awkward_tree(tmp_path / side)
    found = compare_trees(tmp_path / "left", tmp_path / "right", Comparison(frozenset({"mtime", "atime"})))
    assert [str(difference) for difference in found.differences] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_an_ordinary_user_is_told_what_was_left_out(tmp_path):
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents[:-1]:
        folder.chmod(folder.stat().st_mode | 0o011)
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(65_534)
        os.setuid(65_534)
        left_out = {line.split(":")[0] for line in awkward_tree(tmp_path / "tree")}
        os._exit(0 if left_out == {"devices", "privileged attributes", "closed", "owners"} else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_names_that_are_not_utf8_are_all_returned(tmp_path):
    names = non_utf8_names(tmp_path / "tree")
    assert sorted(everything(tmp_path / "tree")) == names
    for name in names:
        with pytest.raises(UnicodeDecodeError):
            name.decode()


MAKERS = {
    "small": lambda root, seed: small_tree(root, files=300, seed=seed),
    "office": lambda root, seed: office_tree(root, files=120, total_bytes=4 * MIB, seed=seed),
    "vm": lambda root, seed: vm_tree(root, files=2, total_bytes=6 * MIB, seed=seed),
    "tiny": lambda root, seed: tiny_tree(root, files=300, seed=seed),
}


@pytest.mark.parametrize("name", MAKERS)
def test_large_trees_depend_on_their_seed_alone(tmp_path, name):
    for side, seed in (("left", 1), ("right", 1), ("other", 2)):
        made = MAKERS[name](tmp_path / side, seed)
    found = compare_trees(tmp_path / "left", tmp_path / "right", Comparison(frozenset({"mtime", "atime"})))
    assert found.differences == []
    assert compare_trees(tmp_path / "left", tmp_path / "other", Comparison()).differences != []
    files = [status for status in everything(tmp_path / "other").values() if stat.S_ISREG(status.st_mode)]
    assert (made.files, made.size_bytes) == (len(files), sum(status.st_size for status in files))


def test_large_trees_are_the_same_in_another_process(tmp_path):
    code = "import sys, pathlib, strongroom.testing.file_trees as t; t.small_tree(pathlib.Path(sys.argv[1]), 50)"
    other_salt = {**os.environ, "PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-c", code, tmp_path / "left"], check=True, env=other_salt)
    small_tree(tmp_path / "right", 50)
    found = compare_trees(tmp_path / "left", tmp_path / "right", Comparison(frozenset({"mtime", "atime"})))
    assert found.differences == []


def test_the_office_keeps_to_its_size(tmp_path):
    made = office_tree(tmp_path / "tree", files=2000, total_bytes=64 * MIB)
    assert 50 * MIB < made.size_bytes < 76 * MIB


@pytest.mark.parametrize(("name", "changed"), [("small", 3), ("vm", 2)])
def test_one_percent_is_changed(tmp_path, name, changed):
    for side in ("left", "right"):
        MAKERS[name](tmp_path / side, 1)
    assert change_share(tmp_path / "right", 0.01) == changed
    found = compare_trees(tmp_path / "left", tmp_path / "right", Comparison(frozenset({"mtime", "atime"})))
    assert [difference.kind for difference in found.differences] == ["content"] * changed
