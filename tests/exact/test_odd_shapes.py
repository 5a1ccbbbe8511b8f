"""Huge and odd things come back as they were, and cost no more than they must."""

import os
import random

import pytest

from tests.compare_trees import compare
from tests.exact.bring_back import Granted, brought_back
from tests.exact.file_systems import mounted
from tests.workflow.one_host import OneHost

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
TIB = 1 << 40
YEAR_3000_NS = 32_503_680_000 * 10**9


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path / "agent")


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


def comes_back(host, outcome, tree, target, source=None):
    back, listed = brought_back(host, outcome, tree, target, source)
    assert listed == {}
    assert compare(tree, back) == []


def test_a_change_in_a_folder_of_60_000_rewrites_a_few_nodes(host, tree):
    folder = tree / "wide"
    folder.mkdir()
    for number in range(60_000):
        os.close(os.open(folder / f"{number:06d}", os.O_CREAT | os.O_WRONLY))
    first = host.back_up(tree)
    assert first.sink.tree_nodes > 150
    (folder / "030000").write_bytes(b"changed")
    (folder / "brand new").write_bytes(b"new")
    second = host.back_up(tree)
    folders_above = len(tree.parts) + 1
    assert second.report.transfer.files_read == 2
    assert second.sink.sent_bytes < 1000
    assert second.sink.tree_nodes <= 2 * 2 + 1 + folders_above  # for each change a leaf, perhaps in two; one inner node


def test_a_tebibyte_of_hole_is_neither_read_nor_written(host, tree, tmp_path):
    with (tree / "disk").open("wb") as file:
        os.truncate(file.fileno(), TIB)
        os.pwrite(file.fileno(), b"middle", TIB // 2)
        os.pwrite(file.fileno(), b"end", TIB - 3)
    outcome = host.back_up(tree)
    assert outcome.report.transfer.bytes_read < 1 << 20
    comes_back(host, outcome, tree, tmp_path / "back")


def test_space_that_was_reserved_for_a_whole_file_is_taken_again(host, tree, tmp_path):
    with (tree / "database").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 4 << 20)
        os.pwrite(file.fileno(), b"first page", 0)
    back, listed = brought_back(host, host.back_up(tree), tree, tmp_path / "back")
    copy = back / "database"
    assert listed == {}
    assert copy.read_bytes() == (tree / "database").read_bytes()
    assert copy.stat().st_blocks * 512 >= 4 << 20


def test_every_hole_of_very_many_is_kept(host, tree, tmp_path):
    with (tree / "comb").open("wb") as file:
        for number in range(20_000):
            os.pwrite(file.fileno(), b"%8d" % number, number * 16_384)
    comes_back(host, host.back_up(tree), tree, tmp_path / "back")


def test_one_file_with_very_many_names(host, tree, tmp_path):
    for number in range(20):
        (tree / f"{number}").mkdir()
    (tree / "first").write_bytes(b"one file")
    for number in range(5000):
        os.link(tree / "first", tree / f"{number % 20}" / f"{number}")
    outcome = host.back_up(tree)
    assert outcome.report.transfer.files_read == 1
    comes_back(host, outcome, tree, tmp_path / "back")


def test_the_longest_names(host, tree, tmp_path):
    for number in range(3000):
        (tree / f"{number:05d}{'n' * 250}").write_bytes(b"%d" % number)
    comes_back(host, host.back_up(tree), tree, tmp_path / "back")


def test_the_largest_attributes_come_back_and_what_is_beyond_a_mebibyte_is_listed(host, tmp_path):
    with mounted("xfs", tmp_path) as place:
        tree = place / "tree"
        tree.mkdir()
        for number in range(5):
            (tree / f"{number}").write_bytes(b"content")
            os.setxattr(tree / f"{number}", "user.largest", os.urandom(65_536))
        comes_back(host, host.back_up(tree), tree, place / "back")
        (tree / "too much").write_bytes(b"content")
        for number in range(17):
            os.setxattr(tree / "too much", f"user.{number}", bytes(65_536))
        for _ in range(2):  # it is tried each time, and said each time
            outcome = host.back_up(tree)
            assert outcome.reasons == {bytes(tree / "too much"): "unsupported"}
        assert outcome.content(tree / "too much") == b"content"


def test_a_time_that_cannot_be_stored_is_listed(host, tmp_path):
    with mounted("tmpfs", tmp_path) as place:
        tree = place / "tree"
        tree.mkdir()
        (tree / "far").write_bytes(b"from the year 3000")
        os.utime(tree / "far", ns=(YEAR_3000_NS, YEAR_3000_NS))
        for _ in range(2):
            assert host.back_up(tree).reasons == {bytes(tree / "far"): "unsupported"}


def test_a_set_of_which_a_little_changed_on_each_of_many_days(host, tree, tmp_path, monkeypatch):
    """Each batch wants a little of each day's block: what came along with an earlier one is not fetched again."""
    monkeypatch.setattr("strongroom.agent.restore.plan.BATCH_BYTES", 1 << 20)
    files = [tree / f"{number % 11}" / f"{number}" for number in range(4000)]
    for number in range(11):
        (tree / f"{number}").mkdir()
    for day in range(15):
        for file in files[day::20] if day else files:
            file.write_bytes(random.Random(f"{file.name} {day}").randbytes(3000))
        outcome = host.back_up(tree)
    source = Granted(host.vault, outcome.snapshot)
    comes_back(host, outcome, tree, tmp_path / "back", source)
    assert len(source.asked) < len(files) / 2
