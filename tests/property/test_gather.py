"""Small files read in a batch: the C answers as the definition does, on trees with whatever may stand in a folder."""

import os
import socket
import tempfile
import threading
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.kernel import gather_reference
from strongroom.kernel.gather import gather

ROOM = 6000
DAY_NS = 86_400 * 1_000_000_000
TIMES = (0, 1, 17 * 365 * DAY_NS + 123_456_789, -DAY_NS, (1 << 33) * 1_000_000_000 - 1, (1 << 33) * 1_000_000_000)

makers = st.one_of(
    st.tuples(st.just("file"), st.integers(0, 3000), st.sampled_from((0o644, 0o4711, 0o000)), st.sampled_from(TIMES)),
    st.tuples(st.sampled_from(("folder", "link", "pipe", "socket", "nothing", "two names", "attribute", "holes"))),
)


def make(folder, name, what):
    """Put something under a name of the folder."""
    path = os.path.join(folder, os.fsdecode(name))
    match what:
        case ("file", size, mode, time_ns):
            write(path, os.urandom(size))
            os.chmod(path, mode)
            with suppress(OSError):  # a file system that has no such times
                os.utime(path, ns=(time_ns, time_ns))
        case ("folder",):
            os.mkdir(path)
        case ("link",):
            os.symlink("elsewhere", path)
        case ("pipe",):
            os.mkfifo(path)
        case ("socket",):
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path)
        case ("two names",):
            write(path, b"linked")
            os.link(path, path + " too")
        case ("attribute",):
            write(path, b"tagged")
            with suppress(OSError):  # not every file system has them
                os.setxattr(path, "user.tag", b"1")
        case ("holes",):
            write(path, b"")
            os.truncate(path, 1 << 20)


def write(path, data):
    with open(path, "xb") as file:
        file.write(data)


@contextmanager
def opened(folder):
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


@given(st.lists(makers, max_size=12), st.integers(0, ROOM), st.integers(0, 4000))
def test_the_c_reads_what_the_definition_reads(things, room, limit):
    names = [b"%03d" % number for number in range(len(things))]
    with tempfile.TemporaryDirectory() as folder:
        for name, what in zip(names, things, strict=True):
            make(folder, name, what)
        with opened(folder) as handle:
            ours, theirs = bytearray(room), bytearray(room)
            found = gather(handle, names, ours, limit)
            assert found == gather_reference.gather(handle, names, theirs, limit)
            filled = sum(one[3] for one in found if one is not None)
            assert ours[:filled] == theirs[:filled]
            content = b"".join(read(folder, name) for name, one in zip(names, found, strict=False) if one is not None)
            assert ours[:filled] == content


def read(folder, name):
    with open(os.path.join(folder, os.fsdecode(name)), "rb") as file:
        return file.read()


@pytest.mark.parametrize("implementation", [gather, gather_reference.gather], ids=["native", "reference"])
class TestBoth:
    """What both promise by name."""

    def test_a_plain_file_is_told_as_stat_tells_it(self, implementation, tmp_path):
        (tmp_path / "a").write_bytes(b"hello")
        (tmp_path / "b").write_bytes(b"")
        (tmp_path / "c").write_bytes(b"world")
        buffer = bytearray(100)
        with opened(tmp_path) as handle:
            found = implementation(handle, [b"a", b"b", b"c"], buffer, 100)
        assert buffer[:10] == b"helloworld"
        for name, told in zip("abc", found, strict=True):
            seen = os.stat(tmp_path / name)
            assert told[:7] == (
                seen.st_mode & 0o7777, seen.st_uid, seen.st_gid, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns,
                seen.st_ino,
            )  # fmt: skip

    @pytest.mark.parametrize(
        "what", ["folder", "link", "pipe", "socket", "nothing", "two names", "holes", "too large", "device"]
    )
    def test_what_is_not_plain_is_left_to_the_caller(self, implementation, tmp_path, what):
        if what == "too large":
            (tmp_path / "a").write_bytes(bytes(101))
        elif what == "device":
            os.symlink("/dev/tty", tmp_path / "a")
        else:
            make(tmp_path, b"a", (what,))
        (tmp_path / "b").write_bytes(b"plain")
        buffer = bytearray(200)
        with opened(tmp_path) as handle:
            found = implementation(handle, [b"a", b"b"], buffer, 100)
        assert found[0] is None
        assert found[1] is not None
        assert buffer[:5] == b"plain"

    def test_without_room_for_the_next_it_ends(self, implementation, tmp_path):
        for name in "abc":
            (tmp_path / name).write_bytes(bytes(40))
        with opened(tmp_path) as handle:
            assert len(implementation(handle, [b"a", b"b", b"c"], bytearray(100), 50)) == 2
            assert implementation(handle, [b"a"], bytearray(39), 50) == []
            assert implementation(handle, [b"a", b"b"], bytearray(0), 39) == [None, None]

    @pytest.mark.parametrize("name", [b"", b"a/b", b"a\0b", b"/"])
    def test_what_is_no_name_is_refused(self, implementation, tmp_path, name):
        with opened(tmp_path) as handle, pytest.raises(ValueError, match="name"):
            implementation(handle, [b"a", name], bytearray(10), 10)

    @pytest.mark.parametrize("limit", [-1, (1 << 30) + 1])
    def test_a_limit_out_of_bounds_is_refused(self, implementation, tmp_path, limit):
        with opened(tmp_path) as handle, pytest.raises(ValueError, match="at most"):
            implementation(handle, [b"a"], bytearray(10), limit)

    def test_a_folder_that_is_no_longer_open_has_no_plain_files(self, implementation, tmp_path):
        (tmp_path / "a").write_bytes(b"a")
        with opened(tmp_path) as handle:
            pass
        assert implementation(handle, [b"a"], bytearray(10), 10) == [None]

    def test_no_handle_stays_open(self, implementation, tmp_path):
        for what in ("folder", "link", "pipe", "nothing", "two names", "holes"):
            make(tmp_path, what.encode(), (what,))
        (tmp_path / "file").write_bytes(bytes(50))
        with opened(tmp_path) as handle:
            before = len(os.listdir("/proc/self/fd"))
            implementation(handle, sorted(map(os.fsencode, os.listdir(tmp_path))), bytearray(10), 100)
            assert len(os.listdir("/proc/self/fd")) == before

    def test_a_file_that_grows_and_shrinks_is_taken_at_one_moment_or_not_at_all(self, implementation, tmp_path):
        """Its lines are whole: were a part of it read before and a part after a change, the end would not fit."""
        lines = [b"%06d\n" % number for number in range(2000)]
        (tmp_path / "log").write_bytes(b"")
        done = threading.Event()

        def grow():
            while not done.is_set():
                with open(tmp_path / "log", "ab", buffering=0) as file:
                    file.writelines(lines)
                    file.truncate(0)

        writer = threading.Thread(target=grow)
        writer.start()
        try:
            with opened(tmp_path) as handle:
                buffer = bytearray(20_000)
                for _ in range(2000):
                    (found,) = implementation(handle, [b"log"], buffer, 20_000)
                    if found is not None:
                        assert bytes(buffer[: found[3]]) == b"".join(lines)[: found[3]]
        finally:
            done.set()
            writer.join()

    def test_what_is_replaced_by_anything_meanwhile_neither_blocks_nor_fails(self, implementation, tmp_path):
        done = threading.Event()
        target = tmp_path / "a"

        def swap():
            number = 0
            while not done.is_set():
                for what in (("file", 5, 0o644, 0), ("pipe",), ("link",), ("nothing",)):
                    number += 1
                    make(tmp_path, b"new%d" % number, what)
                    with suppress(FileNotFoundError):
                        os.replace(tmp_path / f"new{number}", target)

        swapper = threading.Thread(target=swap)
        swapper.start()
        try:
            with opened(tmp_path) as handle:
                for _ in range(3000):
                    (found,) = implementation(handle, [b"a"], bytearray(10), 10)
                    assert found is None or found[3] == 5
        finally:
            done.set()
            swapper.join()
