"""Small files read in a batch: the C answers as the definition does, on trees with whatever may stand in a folder."""

import os
import socket
import tempfile
import threading
from array import array
from contextlib import contextmanager, suppress

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strongroom.kernel import gather_reference
from strongroom.kernel.gather import gather
from strongroom.kernel.walk import list_names, look

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


def seen(handle, *, now_ns=1 << 62):
    """What the scan sees in a folder: encoded stats, all of them old enough to be believed."""
    names, _ = list_names(handle, 0)
    parts = look(handle, names, 0, most=len(names) + 1, now_ns=now_ns, device=0, limits=(1,)).parts
    return msgspec.msgpack.encode([stat for part in parts for stat in msgspec.msgpack.decode(part.stats)])


def gathered(implementation, handle, stats, room, limit=1 << 20, start=0, most=100, kept=0xFFFF_FFFF, avoided=()):
    """The rows that are plain, by name; where to go on; and the content of each."""
    buffer = bytearray(room)
    rows, end = implementation(
        handle, stats, start, buffer, most=most, limit=limit, kept=kept, avoided=array("Q", sorted(avoided))
    )
    told, at = {}, 0
    for row in rows:
        name = msgspec.msgpack.decode(stats[row[0] : row[1]])[0]
        told[name] = None if row[2] < 0 else (row, bytes(buffer[at : at + row[2]]))
        at += max(row[2], 0)
    return told, end


@given(
    st.lists(makers, max_size=12), st.integers(0, ROOM), st.integers(0, 4000), st.integers(1, 12),
    st.sampled_from((1 << 62, 0)), st.booleans(), st.booleans(),
)  # fmt: skip
def test_the_c_reads_what_the_definition_reads(things, room, limit, most, now_ns, avoids, changes):
    names = [b"%03d" % number for number in range(len(things))]
    with tempfile.TemporaryDirectory() as folder:
        for name, what in zip(names, things, strict=True):
            make(folder, name, what)
        with opened(folder) as handle:
            stats = seen(handle, now_ns=now_ns)
            if changes:
                for name in names[::3]:
                    with suppress(OSError):
                        os.chmod(os.path.join(folder, os.fsdecode(name)), 0o640)
            avoided = [os.lstat(os.path.join(folder, one)).st_ino for one in os.listdir(folder)[:2] if avoids]
            start = 0
            while start < len(stats):
                asked = (handle, stats, room, limit, start, most, 0xFFFF_FFFF, avoided)
                told = gathered(gather, *asked)
                assert told == gathered(gather_reference.gather, *asked)
                for name, found in told[0].items():
                    assert found is None or found[1] == read(folder, name)
                if told[1] == start or not told[0]:
                    break
                start = told[1]


encoded_stats = st.lists(
    st.tuples(
        st.binary(max_size=300), *[st.integers(-(1 << 63), (1 << 64) - 1) | st.integers(0, 3)] * 11, st.booleans()
    ),
    max_size=3,
).map(msgspec.msgpack.encode)


def cut_and_spoil(whole):
    return st.tuples(st.just(whole), st.integers(0, len(whole)), st.binary(max_size=3)).map(
        lambda one: one[0][: one[1]] + one[2] + one[0][one[1] + len(one[2]) :]
    )


@given(encoded_stats.flatmap(cut_and_spoil) | st.binary(max_size=60) | encoded_stats, st.integers(0, 20))
@example(b"\x91\x9d\xc4\x01a\x01\x00\x00\x00\xd1\xff\xff\x00\x00\x00\x01\x00\x00\xc2", 0)
def test_arbitrary_stats_are_read_or_refused_alike(stats, start):
    answers = []
    for implementation in (gather, gather_reference.gather):
        try:
            with opened("/") as handle:
                rows, end = implementation(
                    handle, stats, start, bytearray(10), most=4, limit=10, kept=0, avoided=array("Q")
                )
            answers.append((rows, end))
        except ValueError as error:
            answers.append(str(error))
    assert answers[0] == answers[1]


def read(folder, name):
    with open(os.path.join(folder, os.fsdecode(name)), "rb") as file:
        return file.read()


@pytest.mark.parametrize("implementation", [gather, gather_reference.gather], ids=["native", "reference"])
class TestBoth:
    """What both promise by name."""

    def test_a_plain_file_is_told_as_stat_tells_it(self, implementation, tmp_path):
        for name, content in (("a", b"hello"), ("b", b""), ("c", b"world")):
            (tmp_path / name).write_bytes(content)
        with opened(tmp_path) as handle:
            stats = seen(handle)
            found, end = gathered(implementation, handle, stats, 100)
        assert end == len(stats)
        for name, (row, content) in found.items():
            raw = os.stat(tmp_path / name.decode())
            assert row[2:6] == (raw.st_size, raw.st_uid, raw.st_gid, raw.st_ino)
            assert content == (tmp_path / name.decode()).read_bytes()

    @pytest.mark.parametrize(
        "what", ["folder", "link", "pipe", "socket", "nothing", "two names", "holes", "too large", "device"]
    )
    def test_what_is_not_plain_is_left_to_the_caller(self, implementation, tmp_path, what):
        if what == "too large":
            (tmp_path / "a").write_bytes(bytes(101))
        elif what == "device":
            os.symlink("/dev/tty", tmp_path / "a")
        elif what == "nothing":
            (tmp_path / "a").write_bytes(b"gone soon")
        else:
            make(tmp_path, b"a", (what,))
        (tmp_path / "b").write_bytes(b"plain")
        with opened(tmp_path) as handle:
            stats = seen(handle)
            if what == "nothing":
                (tmp_path / "a").unlink()
            found, _ = gathered(implementation, handle, stats, 200, limit=100)
        assert found[b"a"] is None
        assert found[b"b"][1] == b"plain"

    @pytest.mark.parametrize("change", ["mode", "time", "size", "replaced", "a link to it", "attribute"])
    def test_what_is_not_as_the_scan_saw_it_is_left_to_the_caller(self, implementation, tmp_path, change):
        file = tmp_path / "a"
        file.write_bytes(b"before")
        with opened(tmp_path) as handle:
            stats = seen(handle)
            match change:
                case "mode":
                    file.chmod(0o600)
                case "time":
                    os.utime(file, ns=(1, 1))
                case "size":
                    file.write_bytes(b"afterwards")
                case "replaced":
                    (tmp_path / "b").write_bytes(b"behind")
                    (tmp_path / "b").replace(file)
                case "a link to it":
                    file.rename(tmp_path / "b")
                    file.symlink_to("b")
                case "attribute":
                    os.setxattr(file, "user.tag", b"1")
            assert gathered(implementation, handle, stats, 100)[0] == {b"a": None}

    def test_what_was_not_settled_is_left_to_the_caller(self, implementation, tmp_path):
        (tmp_path / "a").write_bytes(b"young")
        with opened(tmp_path) as handle:
            assert gathered(implementation, handle, seen(handle, now_ns=0), 100)[0] == {b"a": None}

    def test_what_must_not_be_opened_is_left_to_the_caller(self, implementation, tmp_path):
        for name in "abc":
            (tmp_path / name).write_bytes(b"text")
        inodes = [os.stat(tmp_path / name).st_ino for name in "ac"]
        with opened(tmp_path) as handle:
            found, _ = gathered(implementation, handle, seen(handle), 100, avoided=[1, *inodes, 1 << 63])
        assert [name for name, one in found.items() if one is not None] == [b"b"]

    def test_of_the_flags_only_those_asked_for_are_told(self, implementation, tmp_path):
        (tmp_path / "a").write_bytes(b"a")
        with opened(tmp_path) as handle:
            stats = seen(handle)
            told = [gathered(implementation, handle, stats, 9, kept=kept)[0][b"a"][0][6] for kept in (0, 0xFFFF_FFFF)]
            assert told[0] == 0
            assert gathered(implementation, handle, stats, 9, kept=told[1])[0][b"a"][0][6] == told[1]

    def test_without_room_for_the_next_it_ends_and_goes_on_there(self, implementation, tmp_path):
        for name in "abc":
            (tmp_path / name).write_bytes(bytes(40))
        with opened(tmp_path) as handle:
            stats = seen(handle)
            found, end = gathered(implementation, handle, stats, 100, limit=50)
            assert list(found) == [b"a", b"b"]
            assert list(gathered(implementation, handle, stats, 100, limit=50, start=end)[0]) == [b"c"]
            assert gathered(implementation, handle, stats, 39, limit=50, start=end) == ({}, end)
            assert list(gathered(implementation, handle, stats, 0, limit=39)[0].values()) == [None, None, None]

    def test_it_looks_at_no_more_than_it_is_asked_to(self, implementation, tmp_path):
        for name in "abc":
            (tmp_path / name).write_bytes(b"")
        with opened(tmp_path) as handle:
            stats = seen(handle)
            found, end = gathered(implementation, handle, stats, 9, most=2)
            assert list(found) == [b"a", b"b"]
            assert gathered(implementation, handle, stats, 9, most=2, start=end)[1] == len(stats)

    @pytest.mark.parametrize("name", [b"", b"a/b", b"a\0b", b"/", b".", b"..", b"x" * 256])
    def test_what_is_no_name_is_never_opened(self, implementation, tmp_path, name):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "b").write_bytes(b"beneath")
        raw = os.stat(tmp_path / "a" / "b")
        stats = msgspec.msgpack.encode(
            [(name, 1, raw.st_mode & 0o7777, raw.st_uid, raw.st_gid, raw.st_size, raw.st_mtime_ns, raw.st_ctime_ns,
              raw.st_ino, 1, 0, 0, False)]
        )  # fmt: skip
        with opened(tmp_path) as handle:
            assert gathered(implementation, handle, stats, 100)[0] == {name: None}

    @pytest.mark.parametrize(
        "wrong",
        [{"limit": -1}, {"limit": (1 << 30) + 1}, {"most": 0}, {"most": 1 << 20}, {"start": -1}, {"start": 2},
         {"avoided": b"1234567"}],
    )  # fmt: skip
    def test_an_argument_out_of_bounds_is_refused(self, implementation, tmp_path, wrong):
        asked = {"start": 0, "most": 1, "limit": 1, "kept": 0, "avoided": b""} | wrong
        with opened(tmp_path) as handle, pytest.raises(ValueError, match=r"^[A-Z].*[.]$"):
            implementation(handle, b"\x90", asked.pop("start"), bytearray(10), **asked)

    def test_a_folder_that_is_no_longer_open_has_no_plain_files(self, implementation, tmp_path):
        (tmp_path / "a").write_bytes(b"a")
        with opened(tmp_path) as handle:
            stats = seen(handle)
        assert gathered(implementation, handle, stats, 10)[0] == {b"a": None}

    def test_no_handle_stays_open(self, implementation, tmp_path):
        for what in ("folder", "link", "pipe", "two names", "holes"):
            make(tmp_path, what.encode(), (what,))
        for name in "abc":
            (tmp_path / name).write_bytes(bytes(50))
        with opened(tmp_path) as handle:
            stats = seen(handle)
            (tmp_path / "b").write_bytes(bytes(40))
            before = len(os.listdir("/proc/self/fd"))
            gathered(implementation, handle, stats, 60, limit=100)
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
                for _ in range(2000):
                    found = gathered(implementation, handle, seen(handle), 20_000)[0][b"log"]
                    if found is not None:
                        assert found[1] == b"".join(lines)[: len(found[1])]
        finally:
            done.set()
            writer.join()

    def test_what_is_replaced_by_anything_meanwhile_neither_blocks_nor_fails(self, implementation, tmp_path):
        done = threading.Event()
        target = tmp_path / "a"
        make(tmp_path, b"a", ("file", 5, 0o644, 0))
        with opened(tmp_path) as handle:
            stats = seen(handle)

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
                    gathered(implementation, handle, stats, 10)
        finally:
            done.set()
            swapper.join()
