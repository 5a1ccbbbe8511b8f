"""Everything the awkward tree holds comes back, from and to several real file systems; what one cannot keep is listed.

The judge shares no code with the product. On one kind of file system nothing differs and nothing is listed. Between two
kinds, what differs is exactly what the restore listed: nothing is hidden, and nothing is claimed that is not so.
"""

import errno
import os
import random
import stat

import pytest

from strongroom.kernel import placing
from strongroom.kernel.place_reference import DIRECT_BYTES
from strongroom.testing.file_trees import awkward_tree, locked_tree, non_utf8_names
from tests.compare_trees import Comparison, compare_trees
from tests.exact.bring_back import brought_back
from tests.exact.file_systems import mounted
from tests.workflow.one_host import OneHost

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ONE_KIND = ["ext4", "xfs", "btrfs", "tmpfs"]
CONSEQUENCES = {("xattr", "btrfs.compression is extra")}  # btrfs shows the flag for compression as an attribute too
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME
TWO_KINDS = [("ext4", "btrfs"), ("btrfs", "xfs"), ("xfs", "ext4"), ("ext4", "tmpfs"), ("btrfs", "ext2")]


@pytest.mark.parametrize("kind", ONE_KIND)
def test_it_comes_back_on_the_same_kind(kind, tmp_path):
    with mounted(kind, tmp_path) as place:
        tree = everything(place / "tree")
        host = OneHost(tmp_path / "agent")
        before = access_times(tree)
        outcome = host.back_up(tree, raw_names=True)
        assert outcome.reasons == {}
        assert access_times(tree) == before
        back, listed = brought_back(host, outcome, tree, place / "back")
        assert listed == {}
        assert differences(tree, back) == {}


@pytest.mark.parametrize(("source", "target"), TWO_KINDS)
def test_what_another_kind_cannot_keep_is_listed(source, target, tmp_path):
    with mounted(source, tmp_path) as source_place, mounted(target, tmp_path) as target_place:
        tree = everything(source_place / "tree")
        host = OneHost(tmp_path / "agent")
        outcome = host.back_up(tree, raw_names=True)
        back, listed = brought_back(host, outcome, tree, target_place / "back")
        found = differences(tree, back)
        assert {path: kinds for path, kinds in found.items() if path not in listed} == {}
        assert {path: detail for path, detail in listed.items() if path not in found} == {}
        print(f"{len(listed)} listed, for example {list(listed.values())[:5]}")


@pytest.mark.parametrize("kind", ONE_KIND)
def test_files_that_are_written_past_the_cache_come_back(kind, tmp_path):
    """Whatever the file system thinks of it, and of a last piece that fills no unit of its."""
    with mounted(kind, tmp_path) as place:
        tree = place / "tree"
        tree.mkdir()
        for size in [least + more for least in (DIRECT_BYTES, 600_000, 5 << 20) for more in (-1, 0, 1, 4096, 4097)]:
            (tree / f"{size}").write_bytes(random.Random(size).randbytes(size))
        host = OneHost(tmp_path / "agent")
        back, listed = brought_back(host, host.back_up(tree), tree, place / "back")
        assert listed == {}
        assert differences(tree, back) == {}


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_a_disk_that_fills_up_holds_whole_files_only(kind, tmp_path):
    """Each of them is written past the cache."""
    with mounted(kind, tmp_path) as place:
        full = os.statvfs(place)
        with open(place / "filling", "wb") as filling:
            os.posix_fallocate(filling.fileno(), 0, full.f_bavail * full.f_frsize * 9 // 10)
        content = random.Random(1).randbytes(200_001)
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            files = [(b"%d" % number, content, 0o600, 0, 0, 0) for number in range(500)]
            (outcomes,) = placing.place(handle, [((), files, False)], 0, b".temporary")
        finally:
            os.close(handle)
        assert {0, errno.ENOSPC} == set(outcomes)
        there = {one.name: one.read_bytes() for one in place.iterdir() if one.name.isdecimal()}
        assert there == {f"{number}": content for number, outcome in enumerate(outcomes) if not outcome}
        assert not (place / ".temporary").exists()


def everything(top):
    """Make all that is awkward."""
    top.mkdir()
    for line in awkward_tree(top / "awkward"):
        print("left out:", line)
    non_utf8_names(top / "names")
    locked_tree(top / "locked")
    return top


def differences(tree, back):
    """Give what differs: for each path its kinds of difference."""
    found = {}
    for one in compare_trees(tree, back, Comparison()).differences:
        if (one.kind, one.detail) not in CONSEQUENCES:
            found.setdefault(one.path, set()).add(f"{one.kind} {one.detail}")
    return found


def access_times(top):
    """Look at the access time of everything, without touching one."""
    times = {b".": os.stat(top).st_atime_ns}
    way = [(b"", os.open(top, FOLDER))]
    while way:
        path, handle = way.pop()
        for name in map(os.fsencode, os.listdir(handle)):
            seen = os.stat(name, dir_fd=handle, follow_symlinks=False)
            times[path + b"/" + name] = seen.st_atime_ns
            if stat.S_ISDIR(seen.st_mode):
                way.append((path + b"/" + name, os.open(name, FOLDER, dir_fd=handle)))
        os.close(handle)
    return times
