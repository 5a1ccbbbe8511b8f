"""What is restored is what was there: content, types, modes, owners, times, attributes, lists, links, holes."""

import os
import socket
import struct

import pytest

from tests.unit.agent.restore.taken import TakenSnapshot, look_at


@pytest.fixture
def odd_tree(tmp_path):
    """A tree with every type and awkward name that an ordinary user can make."""
    top = tmp_path / "source"
    top.mkdir()
    (top / "plain").write_bytes(b"content")
    (top / "empty").write_bytes(b"")
    (top / "large").write_bytes(os.urandom(9_000_000))
    (top / "same1").write_bytes(b"twice")
    (top / "same2").write_bytes(b"twice")
    for name in (b"\xff\xfe", b"new\nline", b" blank ", b"-rf", "Größe".encode(), b"\\", b"x" * 255):
        with open(os.path.join(os.fsencode(top), name), "wb") as file:
            file.write(name)
    deep = top / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "leaf").write_text("leaf")
    (top / "a" / "empty folder").mkdir()
    os.link(top / "plain", deep / "second name")
    os.link(top / "plain", top / "a" / "third name")
    os.symlink(b"nowhere/\xff", os.path.join(os.fsencode(top), b"dangling"))
    os.symlink("a", top / "to folder")
    os.link(top / "to folder", top / "same link", follow_symlinks=False)
    os.mkfifo(top / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(top / "sock"))
    with open(top / "holes", "wb") as file:
        file.truncate(5 << 20)
        os.pwrite(file.fileno(), b"a" * 8192, 1 << 20)
        os.pwrite(file.fileno(), b"b" * 70_000, 3 << 20)
    (top / "all hole").touch()
    os.truncate(top / "all hole", 1 << 20)
    (top / "old").write_text("1931")
    os.utime(top / "old", ns=(5, -1_234_567_890_123_456_789))
    os.chmod(top / "plain", 0o4640)
    os.chmod(top / "empty", 0o000)
    os.chmod(top / "a" / "b", 0o3555)
    os.setxattr(top / "large", "user.colour", b"green\0")
    os.setxattr(top / "a", "user.folder", b"x" * 200)
    os.utime(top / "a" / "b", ns=(7, 1_000_000_007))
    os.utime(top / "to folder", ns=(7, 1_000_000_008), follow_symlinks=False)
    return top


def test_an_odd_tree_comes_back_as_it_was(odd_tree, restore, tmp_path):
    report, heard = restore(TakenSnapshot().take(odd_tree), tmp_path / "target")
    assert heard.files == []
    assert look_at(tmp_path / "target") == look_at(odd_tree)
    assert report.state == "successful"
    assert report.restore.files_restored == report.restore.files_total
    assert heard.steps == ["plan", "place", "report"]


def test_large_files_whose_chunks_stand_in_lists(odd_tree, restore, tmp_path):
    restore(TakenSnapshot(lists=True).take(odd_tree), tmp_path / "target")
    assert look_at(tmp_path / "target") == look_at(odd_tree)


def test_again_over_the_same_brings_back_what_was_changed(odd_tree, restore, tmp_path):
    snapshot, target = TakenSnapshot().take(odd_tree), tmp_path / "target"
    restore(snapshot, target)
    (target / "plain").write_bytes(b"changed")
    (target / "a" / "empty folder").rmdir()
    (target / "a" / "empty folder").write_text("a file now")
    os.setxattr(target / "same1", "user.extra", b"1")
    os.unlink(target / "dangling")
    os.chmod(target / "a", 0o700)
    report, heard = restore(snapshot, target)
    assert heard.files == []
    assert look_at(target) == look_at(odd_tree)
    assert report.restore.files_unchanged > 0


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make these")
def test_what_only_root_can_restore(restore, tmp_path):
    top = tmp_path / "source"
    top.mkdir()
    os.mknod(top / "null", 0o20666, os.makedev(1, 3))
    os.mknod(top / "disk", 0o60600, os.makedev(253, 99))
    for name, mode in (("set-uid", 0o4755), ("set-gid", 0o2755)):
        (top / name).write_text(name)
        os.chown(top / name, 12345, 54321)
        os.chmod(top / name, mode)
    os.setxattr(top / "set-uid", "trusted.secret", b"t")
    os.setxattr(top / "set-gid", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    os.symlink("x", top / "link")
    os.chown(top / "link", 12345, 54321, follow_symlinks=False)
    os.setxattr(top / "link", "trusted.on-link", b"l", follow_symlinks=False)
    os.setxattr(top / "disk", "trusted.on-device", b"d")
    (top / "listed").write_text("listed")
    os.setxattr(top / "listed", "system.posix_acl_access", acl())
    (top / "giving").mkdir()
    os.setxattr(top / "giving", "system.posix_acl_default", acl())
    (top / "giving" / "plain").write_text("no list of its own")
    os.removexattr(top / "giving" / "plain", "system.posix_acl_access")
    snapshot = TakenSnapshot().take(top)
    report, heard = restore(snapshot, tmp_path / "target")
    assert heard.files == []
    assert look_at(tmp_path / "target") == look_at(top)
    (tmp_path / "target" / "giving" / "plain").unlink()
    restore(snapshot, tmp_path / "target")
    assert look_at(tmp_path / "target") == look_at(top)
    assert report.state == "successful"


def acl():
    entries = [(1, 6, 0xFFFFFFFF), (2, 7, 4711), (4, 4, 0xFFFFFFFF), (16, 7, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_a_tree_far_deeper_than_a_path_can_be_long(restore, tmp_path):
    top = tmp_path / "source"
    top.mkdir()
    names = [b"d" * 40] * 150
    snapshot = TakenSnapshot()
    (top / "leaf").write_text("at the bottom")
    snapshot.list(b"/".join(names), [snapshot.entry(os.fsencode(top / "leaf"), b"leaf")])
    (top / ("d" * 40)).mkdir()
    for depth in range(len(names) - 1, -1, -1):
        snapshot.list(b"/".join(names[:depth]), [snapshot.entry(os.fsencode(top / ("d" * 40)), b"d" * 40)])
    report, heard = restore(snapshot, tmp_path / "target")
    assert heard.files == []
    assert report.restore.files_restored == 1
    handle = os.open(tmp_path / "target", os.O_RDONLY)
    for name in names:
        below = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    assert os.listdir(handle) == ["leaf"]
    os.close(handle)


def test_many_files_in_one_folder_take_several_nodes_and_batches(restore, tmp_path):
    top = tmp_path / "source"
    top.mkdir()
    for number in range(5000):
        (top / f"{number:05}").write_text(str(number % 7))
    report, _ = restore(TakenSnapshot().take(top), tmp_path / "target")
    assert report.restore.files_restored == 5000
    assert look_at(tmp_path / "target") == look_at(top)
