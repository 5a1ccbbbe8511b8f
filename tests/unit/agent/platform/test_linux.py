"""Linux folders and files by handle: any depth, any name, and nothing that is swapped in can turn us aside."""

import contextlib
import errno
import os
import resource
import tempfile

import msgspec
import pytest

from strongroom.agent.platform.base import UnreadAttributes
from strongroom.agent.platform.current import current_platform
from strongroom.agent.platform.linux import MOST_HANDLES, LinuxSource
from strongroom.agent.platform.linux_files import stat_of
from strongroom.agent.platform.mounts import FrozenView, Mount, MountTable, Tree
from strongroom.model.entry import EntryType, Stat
from strongroom.model.host import OsFamily

SECOND = 10**9
decode = msgspec.msgpack.Decoder(list[Stat]).decode


@pytest.fixture
def source():
    with LinuxSource() as opened:
        yield opened


def names_in(folder):
    return folder.names()[0].split(b"\0")[:-1]


@contextlib.contextmanager
def few_handles(count):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def deep_folder(top, depth):
    handle = os.open(top, os.O_RDONLY)
    names = [f"level {number:04} of very many" for number in range(depth)]
    for name in names:
        os.mkdir(name, dir_fd=handle)
        below = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    return list(map(os.fsencode, names))


def test_a_tree_deeper_than_any_path_and_with_fewer_handles_than_levels(source, tmp_path):
    names = deep_folder(tmp_path, 300)
    start = bytes(tmp_path)[1:]
    open_now = len(os.listdir("/proc/self/fd"))
    with few_handles(open_now + MOST_HANDLES + 8):
        for depth in range(301):
            folder = source.open_folder(b"/".join([start, *names[:depth]]))
            assert names_in(folder) == names[depth : depth + 1]
        for depth in range(300, -1, -1):
            folder = source.open_folder(b"/".join([start, *names[:depth]]))
            assert names_in(folder) == names[depth : depth + 1]


def test_handles_are_given_back(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with LinuxSource() as source:
        source.open_folder(bytes(tmp_path)[1:])
    assert len(os.listdir("/proc/self/fd")) == before


def test_after_a_folder_that_cannot_be_opened_the_next_one_can(source, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "file").touch()
    start = bytes(tmp_path)[1:]
    for wrong in (b"/a/none", b"/a/b/none/deeper", b"/file", b"/a/b/c"):
        with pytest.raises(OSError):
            source.open_folder(start + wrong)
        assert names_in(source.open_folder(start + b"/a")) == [b"b"]


def test_a_link_is_not_a_folder_to_go_through(source, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(OSError) as caught:
        source.open_folder(bytes(tmp_path / "link")[1:])
    assert caught.value.errno in {errno.ELOOP, errno.ENOTDIR}


def test_names_come_sorted_by_their_bytes(source, tmp_path):
    names = [b"a", b"B", b"\xff", "\u00e4".encode(), b"a.b", b"a b", b"new\nline"]
    for name in names:
        with open(bytes(tmp_path) + b"/" + name, "wb"):
            pass
    assert names_in(source.open_folder(bytes(tmp_path)[1:])) == sorted(names)


def test_many_stats_at_once_tell_what_failed(source, tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").mkdir()
    folder = source.open_folder(bytes(tmp_path)[1:])
    seen = folder.look(b"a\0b\0none\0", 0, 9)
    stats = decode(seen.parts[0].stats)
    assert [(stat.name, stat.type, stat.size) for stat in stats] == [
        (b"a", EntryType.FILE, 5),
        (b"b", EntryType.FOLDER, 0),
    ]
    assert stats == [folder.stat(b"a"), folder.stat(b"b")]
    assert seen.failed == [(b"none", errno.ENOENT)]
    assert seen.folders == [(b"b", False)]


def test_a_folder_on_another_device_is_a_crossing(source):
    assert (b"proc", True) in source.open_folder(b"").look(b"proc\0usr\0", 0, 9).folders


def test_what_lies_on_another_device_is_judged_by_its_own_clock_and_number(tmp_path):
    there = os.stat("/proc").st_dev
    mount = Mount(1, 77, "btrfs")
    mounts = MountTable(views={there: FrozenView(1, 77, mount)})
    with LinuxSource(Tree(os.open("/", os.O_RDONLY | os.O_DIRECTORY), mounts, {})) as source:
        stats = decode(source.open_folder(b"").look(b"proc\0", 0, 9).parts[0].stats)
    assert stats[0].unsettled  # changed after what is frozen was taken


def test_a_folder_with_a_handle_of_its_own_outlives_the_source_going_on(source, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    with contextlib.closing(source.open_folder(bytes(tmp_path)[1:]).again()) as top:
        source.open_folder(b"")
        with contextlib.closing(top.inner(b"a")) as inner:
            assert names_in(top) == [b"a"]
            assert names_in(inner) == [b"b"]


def test_no_link_is_followed_to_an_inner_folder(source, tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(NotADirectoryError):
        source.open_folder(bytes(tmp_path)[1:]).inner(b"link")


@pytest.mark.parametrize("kind", ["fifo", "folder", "symlink"])
def test_only_regular_files_are_opened(source, tmp_path, kind):
    place = tmp_path / "x"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/etc/passwd")
    with pytest.raises(OSError) as caught:
        source.open_folder(bytes(tmp_path)[1:]).open_file(b"x")
    assert caught.value.errno in {errno.ESTALE, errno.ELOOP}


def test_reading_pieces_and_noticing_change(source, tmp_path):
    (tmp_path / "x").write_bytes(b"0123456789")
    reader = source.open_folder(bytes(tmp_path)[1:]).open_file(b"x")
    assert reader.stat.size == 10
    assert reader.read_at(3, 4) == b"3456"
    assert reader.read_at(8, 100) == b"89"
    buffer = bytearray(4)
    assert reader.read_into(8, memoryview(buffer)) == 2
    assert reader.is_unchanged()
    (tmp_path / "x").write_bytes(b"0123456780")
    os.utime(tmp_path / "x", ns=(0, reader.stat.mtime_ns + 1))
    assert not reader.is_unchanged()
    reader.close()


def test_extended_attributes_of_files_folders_and_of_nothing(source, tmp_path):
    (tmp_path / "f").touch()
    (tmp_path / "d").mkdir()
    for name in ("f", "d"):
        os.setxattr(tmp_path / name, "user.b", b"\0\xff")
        os.setxattr(tmp_path / name, "user.a", b"")
    folder = source.open_folder(bytes(tmp_path)[1:])
    expected = ((b"user.a", b""), (b"user.b", b"\0\xff"))
    assert folder.xattrs(b"f") == folder.xattrs(b"d") == expected
    reader = folder.open_file(b"f")
    assert reader.xattrs() == expected
    reader.close()
    with pytest.raises(FileNotFoundError):
        folder.xattrs(b"none")


def test_attributes_that_are_there_and_cannot_be_read_are_not_left_out_in_silence(source):
    with unprivileged() as top:
        os.mkdir(os.path.join(top, "d"))
        os.setxattr(os.path.join(top, "d"), "user.secret", b"x")
        os.chmod(os.path.join(top, "d"), 0o311)
        folder = source.open_folder(os.fsencode(top)[1:])
        with pytest.raises(UnreadAttributes) as told:
            folder.xattrs(b"d")
        assert (told.value.errno, told.value.found) == (errno.EACCES, ())


def test_an_unreadable_folder_on_the_way_may_still_be_passed(source):
    with unprivileged() as top:
        (inner,) = deep_folder(top, 1)
        os.chmod(top, 0o311)
        assert names_in(source.open_folder(os.fsencode(top)[1:] + b"/" + inner)) == []
        with pytest.raises(PermissionError):
            source.open_folder(os.fsencode(top)[1:]).names()


def test_other_peoples_files_can_be_read_though_their_access_time_cannot_be_spared(source):
    with unprivileged():
        reader = source.open_folder(b"etc").open_file(b"passwd")
        assert reader.read_at(0, 4)
        reader.close()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("real/inner", "real/inner"),
        ("link/inner", "real/inner"),
        ("link", "link"),
        ("link/../x", "x"),
        ("link/.", "real"),
    ],
)
def test_where_an_include_path_really_is(source, tmp_path, given, expected):
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "x").touch()
    assert source.resolve(f"{tmp_path}/{given}".encode()) == bytes(tmp_path / expected)[1:]


def test_an_include_path_that_is_not_there(source, tmp_path):
    for path in (tmp_path / "none", tmp_path / "none" / "deeper"):
        with pytest.raises(FileNotFoundError):
            source.resolve(bytes(path))


@pytest.mark.parametrize(
    ("age_ns", "fraction", "is_unsettled"),
    [
        (0, 5, True),
        (10_000_000, 5, True),
        (50_000_000, 5, False),
        (1_500_000_000, 0, True),
        (3_000_000_000, 0, False),
        (-5 * SECOND, 5, True),
    ],
)
def test_times_that_are_too_young_prove_nothing(tmp_path, age_ns, fraction, is_unsettled):
    (tmp_path / "x").touch()
    raw = os.lstat(tmp_path / "x")
    ctime = raw.st_ctime_ns // SECOND * SECOND + fraction

    class Aged:
        st_mode, st_uid, st_gid, st_size, st_ino, st_nlink, st_dev = raw[0], 0, 0, 0, 1, 1, 1
        st_mtime_ns, st_ctime_ns = ctime, ctime

    assert stat_of(b"x", Aged, ctime + age_ns).unsettled is is_unsettled


def test_a_modification_time_far_in_the_future_is_somebodys_wish_and_says_nothing(tmp_path):
    (tmp_path / "x").touch()
    os.utime(tmp_path / "x", ns=(0, 4_000_000_000 * SECOND))
    raw = os.lstat(tmp_path / "x")
    assert not stat_of(b"x", raw, raw.st_ctime_ns + 60 * SECOND).unsettled


def test_names_of_owners(source):
    assert (source.user_name(0), source.group_name(0)) == ("root", "root")
    assert source.user_name(4_000_000_000) == source.group_name(4_000_000_000) == ""


def test_the_machine_says_who_it_is():
    machine = current_platform()
    assert machine.family is OsFamily.LINUX
    assert machine.host_name()
    assert "kernel" in machine.os_version()
    assert machine.time_zone()
    assert len(machine.boot_id()) == 36


@contextlib.contextmanager
def unprivileged():
    """A folder of nobody's, while we are nobody."""
    with tempfile.TemporaryDirectory() as top:
        if os.geteuid() != 0:
            yield top
            os.chmod(top, 0o700)
            return
        os.chown(top, 65534, 65534)
        os.seteuid(65534)
        try:
            yield top
        finally:
            os.seteuid(0)
