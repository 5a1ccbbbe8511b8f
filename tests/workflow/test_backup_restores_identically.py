"""What a backup takes is what a restore gives: the awkward tree, taken live, brought back, judged by a third party."""

import os

import pytest

from strongroom.testing.file_trees import awkward_tree, non_utf8_names
from tests.compare_trees import compare
from tests.exact.bring_back import brought_back
from tests.workflow.one_host import OneHost


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path / "agent")


@pytest.fixture
def tree(tmp_path):
    top = tmp_path / "tree"
    top.mkdir()
    for line in awkward_tree(top / "awkward"):
        print("left out:", line)
    non_utf8_names(top / "names")
    return top


def restored(host, outcome, tree, target):
    back, listed = brought_back(host, outcome, tree, target)
    assert listed == {}
    return back


def test_the_awkward_tree_comes_back_identical(host, tree, tmp_path):
    outcome = host.back_up(tree, raw_names=True)
    assert outcome.reasons == {}
    assert compare(tree, restored(host, outcome, tree, tmp_path / "back")) == []


def test_so_it_does_after_a_second_backup_that_took_everything_over(host, tree, tmp_path):
    host.back_up(tree, raw_names=True)
    second = host.back_up(tree, raw_names=True)
    assert second.report.transfer.files_read == 0
    assert compare(tree, restored(host, second, tree, tmp_path / "back")) == []


def test_and_after_one_that_had_to_ask_the_server(host, tree, tmp_path):
    host.back_up(tree, raw_names=True)
    for path in host.places.set_folder(5).iterdir():
        path.unlink()
    second = host.back_up(tree, raw_names=True)
    assert second.sink.base_read
    assert second.report.transfer.files_read == 0
    assert compare(tree, restored(host, second, tree, tmp_path / "back")) == []


def test_a_hard_linked_file_is_read_once(host, tree):
    top = tree / "linked"
    top.mkdir()
    (top / "one").write_bytes(b"shared" * 1000)
    os.link(top / "one", top / "two")
    os.link(top / "one", top / "three")
    assert host.back_up(top).report.transfer.files_read == 1


def test_reading_leaves_access_times_alone(host, tmp_path):
    top = tmp_path / "read"
    (top / "inner").mkdir(parents=True)
    (top / "inner" / "small").write_bytes(b"small")
    (top / "inner" / "large").write_bytes(b"large" * 100_000)
    (top / "inner" / "link").symlink_to("small")
    paths = [top / "inner" / "small", top / "inner" / "large", top / "inner", top]
    paths += [top / "inner" / "link"] if os.geteuid() == 0 else []  # others cannot read a link in secret
    for path in paths:
        os.utime(path, ns=(10**18, path.lstat().st_mtime_ns), follow_symlinks=False)
    host.back_up(top)
    assert [path for path in paths if path.lstat().st_atime_ns != 10**18] == []
