"""The comparer finds every kind of difference: each test plants one in a copy and expects exactly that one back."""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.testing.file_trees import encode_posix_acl
from tests import compare_trees
from tests.compare_trees import Comparison, compare

PROGRAM = Path(compare_trees.__file__)
DAY_NS = 86_400_000_000_000
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make this")
ACCESS = encode_posix_acl(
    [(1, 6, 0xFFFFFFFF), (2, 4, 1234), (4, 4, 0xFFFFFFFF), (16, 4, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
)


@pytest.fixture
def trees(tmp_path):
    """Two equal trees with a bit of everything."""
    for side in ("left", "right"):
        make(tmp_path / side)
    return tmp_path / "left", tmp_path / "right"


def make(top):
    (top / "folder" / "inner").mkdir(parents=True)
    (top / "file").write_bytes(bytes(range(256)) * 20_000)
    (top / "empty").touch()
    (top / "folder" / "one").write_text("linked")
    os.link(top / "folder" / "one", top / "two")
    (top / "three").write_text("linked")
    os.symlink(b"caf\xe9", top / "link")
    os.mkfifo(top / "pipe")
    with (top / "sparse").open("wb") as file:
        file.write(b"x" * 65_536)
        file.seek(8 << 20)
        file.write(b"y" * 65_536)
    settle(top)


def settle(top):
    """Give everything the same time, folders last."""
    for path, folders, files in os.walk(top, topdown=False):
        for name in (*folders, *files):
            os.utime(os.path.join(path, name), ns=(DAY_NS, DAY_NS), follow_symlinks=False)
    os.utime(top, ns=(DAY_NS, DAY_NS))


def kinds(left, right):
    return [line.split(": ")[:2] for line in compare(left, right)]


def test_equal_trees_are_equal(trees):
    assert compare(*trees) == []


def test_a_missing_file_and_a_missing_folder(trees):
    (trees[1] / "empty").unlink()
    (trees[1] / "folder" / "inner").rmdir()
    for side in trees:
        settle(side)
    assert kinds(*trees) == [["missing", "empty"], ["missing", "folder/inner"]]


def test_an_extra_name_that_is_no_text(trees):
    with open(os.fsencode(trees[1]) + b"/\xff\n", "wb"):
        pass
    settle(trees[1])
    assert kinds(*trees) == [["extra", "\\xff\\n"]]


def test_another_type(trees):
    (trees[1] / "empty").unlink()
    (trees[1] / "empty").mkdir()
    settle(trees[1])
    assert kinds(*trees) == [["type", "empty"]]


@pytest.mark.parametrize("place", [0, 4_999_999, 5_119_999])
def test_one_changed_byte_at_the_right_place(trees, place):
    with (trees[1] / "file").open("r+b") as file:
        file.seek(place)
        old = file.read(1)
        file.seek(place)
        file.write(bytes([old[0] ^ 1]))
    settle(trees[1])
    assert compare(*trees) == [f"content: file: bytes differ from {place} on"]


def test_a_changed_byte_behind_a_hole(trees):
    with (trees[1] / "sparse").open("r+b") as file:
        file.seek((8 << 20) + 5)
        file.write(b"!")
    settle(trees[1])
    assert compare(*trees) == [f"content: sparse: bytes differ from {(8 << 20) + 5} on"]


def test_another_size(trees):
    os.truncate(trees[1] / "file", 5_000_000)
    settle(trees[1])
    assert kinds(*trees) == [["content", "file"]]


@pytest.mark.parametrize("mode", [0o600, 0o4644, 0o2644, 0o1644])
def test_another_mode_special_bits_too(trees, mode):
    (trees[1] / "file").chmod(mode)
    assert kinds(*trees) == [["mode", "file"]]


@needs_root
@pytest.mark.parametrize(("owner", "group"), [(7, 0), (0, 7)])
@pytest.mark.parametrize("name", ["file", "link", "pipe", "folder"])
def test_another_owner_or_group(trees, name, owner, group):
    os.chown(trees[1] / name, owner, group, follow_symlinks=False)
    assert kinds(*trees) == [["owner", name]]


@pytest.mark.parametrize("name", ["file", "link", "pipe", "folder"])
def test_one_nanosecond(trees, name):
    os.utime(trees[1] / name, ns=(DAY_NS, DAY_NS + 1), follow_symlinks=False)
    assert kinds(*trees) == [["mtime", name]]


def test_the_root_folders_are_compared_unless_told_otherwise(trees):
    os.utime(trees[1], ns=(0, 0))
    assert kinds(*trees) == [["mtime", "."]]
    assert compare_trees.compare_trees(*trees, Comparison(ignore_root=True)).differences == []


def test_access_times_only_when_asked(trees):
    os.utime(trees[1] / "pipe", ns=(0, DAY_NS))
    assert compare(*trees) == []
    found = compare_trees.compare_trees(*trees, Comparison(ignored=frozenset()))
    assert "pipe" in {difference.path.decode() for difference in found.differences if difference.kind == "atime"}


def test_another_link_target(trees):
    (trees[1] / "link").unlink()
    os.symlink(b"caf\xe8", trees[1] / "link")
    settle(trees[1])
    assert compare(*trees) == ["target: link: caf\\xe9 became caf\\xe8"]


@pytest.mark.parametrize("name", ["file", "folder"])
@pytest.mark.parametrize(("left", "right"), [(None, b"new"), (b"old", None), (b"old", b"new"), (None, b"")])
def test_attributes_lost_gained_or_changed(trees, name, left, right):
    for side, value in zip(trees, (left, right), strict=True):
        if value is not None:
            os.setxattr(side / name, "user.test", value)
    assert kinds(*trees) == [["xattr", name]]


def test_attribute_names_that_are_no_text(trees):
    os.setxattr(trees[0] / "file", b"user.\xff", b"")
    assert compare(*trees) == ["xattr: file: user.\\xff is missing"]


@pytest.mark.parametrize(("name", "which"), [("file", "access"), ("folder", "default")])
def test_access_lists(trees, name, which):
    for side in trees:
        os.chmod(side / name, 0o640 if which == "access" else 0o755)
    os.setxattr(trees[0] / name, f"system.posix_acl_{which}", ACCESS)
    assert kinds(*trees) == [["xattr", name]]


@needs_root
def test_capabilities_and_trusted_attributes_on_links_and_pipes(trees):
    os.setxattr(trees[0] / "file", "security.capability", bytes.fromhex("0100000200040000" + "00" * 12))
    os.setxattr(trees[0] / "link", "trusted.test", b"", follow_symlinks=False)
    os.setxattr(trees[0] / "pipe", "trusted.test", b"")
    assert kinds(*trees) == [["xattr", "file"], ["xattr", "link"], ["xattr", "pipe"]]


def test_a_hard_link_that_became_a_copy(trees):
    (trees[1] / "two").unlink()
    (trees[1] / "two").write_text("linked")
    settle(trees[1])
    assert kinds(*trees) == [["links", "folder/one"], ["links", "two"]]


def test_a_copy_that_became_a_hard_link(trees):
    (trees[1] / "three").unlink()
    os.link(trees[1] / "two", trees[1] / "three")
    settle(trees[1])
    assert [kind for kind, _ in kinds(*trees)] == ["links", "links", "links"]


def test_link_groups_that_are_as_large_but_other(trees):
    for side, name in zip(trees, ("two", "three"), strict=True):
        os.link(side / name, side / "four")
        settle(side)
    assert ["links", "four"] in kinds(*trees)


def test_a_hole_that_was_filled(trees):
    with (trees[1] / "sparse").open("r+b") as file:
        file.seek(1 << 20)
        file.write(bytes(4096))
    settle(trees[1])
    assert kinds(*trees) == [["sparse", "sparse"]]


def test_a_copy_that_takes_much_more_room(trees):
    (trees[1] / "sparse").write_bytes((trees[0] / "sparse").read_bytes())
    settle(trees[1])
    lines = compare(*trees)
    assert [line.split(":")[0] for line in lines] == ["sparse", "sparse"]
    assert "takes" in lines[0]


def test_a_hole_at_the_end_and_nothing_but_a_hole(trees):
    for number, side in enumerate(trees):
        for name, data in (("end", b"z" * 4096), ("nothing", b"")):
            with (side / name).open("wb") as file:
                file.write(data)
                file.truncate(1 << 20)
                if number and name == "nothing":
                    os.pwrite(file.fileno(), b"\0", 500_000)
        settle(side)
    assert kinds(*trees) == [["sparse", "nothing"]]


@needs_root
def test_device_numbers_and_device_types(trees):
    for number, side in enumerate(trees):
        os.mknod(side / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3 + number))
        os.mknod(side / "same", stat.S_IFBLK | 0o600, os.makedev(7, 300))
        os.mknod(side / "type", (stat.S_IFBLK if number else stat.S_IFCHR) | 0o600, os.makedev(1, 5))
        settle(side)
    assert kinds(*trees) == [["device", "null"], ["type", "type"]]


def test_sockets_are_compared_like_everything_else(trees, monkeypatch):
    for side, name, mode in ((0, "talk", 0o600), (1, "talk", 0o666), (0, "left only", 0o600)):
        monkeypatch.chdir(trees[side])
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
        os.chmod(name, mode)
    for side in trees:
        settle(side)
    assert kinds(*trees) == [["missing", "left only"], ["mode", "talk"]]


def test_inode_flags(trees):
    for side in trees:
        (side / "file").write_bytes(b"")
    subprocess.run(["chattr", "+d", trees[0] / "file", trees[1] / "folder"], check=True)
    for side in trees:
        settle(side)
    assert kinds(*trees) == [["flags", "file"], ["flags", "folder"]]


def test_paths_longer_than_the_system_takes(trees):
    for number, side in enumerate(trees):
        handle = os.open(side, os.O_RDONLY)
        for _ in range(25):
            os.mkdir("d" * 200, dir_fd=handle)
            below = os.open("d" * 200, os.O_RDONLY, dir_fd=handle)
            os.close(handle)
            handle = below
        file = os.open("deep", os.O_WRONLY | os.O_CREAT, dir_fd=handle)
        os.write(file, b"%d" % number)
        os.close(file)
        os.close(handle)
    found = compare_trees.compare_trees(*trees, Comparison(ignored=frozenset({"mtime", "atime"})))
    assert [(one.kind, len(one.path)) for one in found.differences] == [("content", 25 * 201 + 4)]
    assert len(str(found.differences[0])) < 400


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_reported(trees):
    for side in trees:
        (side / "file").chmod(0)
    assert kinds(*trees) == [["unreadable", "file"]]


def run(*arguments):
    return subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=False)


def test_the_program_stands_alone_and_tells_by_its_exit_code(trees):
    assert run(*trees).returncode == 0
    (trees[1] / "file").chmod(0o600)
    answer = run(*trees)
    assert (answer.returncode, answer.stdout) == (1, "mode: file: 0644 became 0600\n")
    assert run(*trees, "--ignore-mode").returncode == 0
    assert run(trees[0]).returncode == 2
    assert run(trees[0], trees[1] / "nowhere").returncode == 2


def test_the_program_speaks_json(trees):
    (trees[1] / "file").chmod(0o600)
    told = json.loads(run(*trees, "--json").stdout)
    assert not told["identical"]
    assert told["differences"] == [{"kind": "mode", "path": "file", "detail": "0644 became 0600"}]


def test_it_shares_no_code_with_the_product():
    assert "import strongroom" not in PROGRAM.read_text()
    assert "from strongroom" not in PROGRAM.read_text()
    code = f"import runpy, sys; runpy.run_path({str(PROGRAM)!r}); sys.exit('strongroom' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
