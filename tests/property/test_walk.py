"""The walk in C answers bit for bit as its definition does, on real folders of every kind of thing and name."""

import contextlib
import itertools
import os
import socket
import stat as modes
import tempfile
import threading
import time
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.engine.format.tree import ends_part
from strongroom.kernel import walk, walk_reference
from strongroom.model.entry import EntryType, Stat
from strongroom.model.report import HISTOGRAM_LIMITS_BYTES

SECOND = 10**9
NOW = 1_700_000_000 * SECOND
LIMITS = HISTOGRAM_LIMITS_BYTES
decode = msgspec.msgpack.Decoder(list[Stat]).decode

names = st.one_of(
    st.binary(min_size=1, max_size=255),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).map(str.encode),
    st.sampled_from(
        [b"a", b"a.", b"aa", b"A" * 255, b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"..."]
    ),
).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"0")[:255])
makes = st.sampled_from(["file", "sparse", "folder", "link", "fifo", "socket", "hard link", "device"])
times = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, NOW + 10 * SECOND),
    st.sampled_from([0, -1, NOW, NOW + 1, NOW - SECOND, NOW - 2 * SECOND, NOW - 2 * SECOND - 1, 2**31 * SECOND]),
)
things = st.dictionaries(names, st.tuples(makes, times, st.integers(0, 0o7777)), max_size=20)


def make(folder, name, kind, mtime_ns, mode):
    path = os.path.join(os.fsencode(folder), name)
    if kind == "folder":
        os.mkdir(path)
    elif kind == "link":
        os.symlink(b"to nowhere", path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one, in_folder(folder):
            one.bind(b"%.80s" % name)
            os.rename(b"%.80s" % name, name)
    elif kind == "device":
        os.mknod(path, modes.S_IFCHR | 0o600, os.makedev(1, 3))
    else:
        with open(path, "wb") as file:
            file.truncate(70_000 if kind == "sparse" else len(name))
        if kind == "hard link":
            os.link(path, path[:-1] + b"~ its other name"[: 255 - len(name)])
    if kind != "link":
        os.chmod(path, mode)
    os.utime(path, ns=(0, mtime_ns), follow_symlinks=False)


@contextlib.contextmanager
def in_folder(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def opened(folder):
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


@settings(deadline=None, max_examples=30)
@given(things, st.integers(1, 40), st.integers(-3 * SECOND, 3 * SECOND), st.sampled_from([0, 7, 2**64 - 1]))
def test_both_see_the_same_of_any_folder(made, most, apart_ns, device):
    with tempfile.TemporaryDirectory() as folder, opened(folder) as handle:
        for name, (kind, mtime_ns, mode) in made.items():
            with contextlib.suppress(OSError, OverflowError):  # a name that is taken, a time that the system refuses
                make(folder, name, kind, mtime_ns, mode)
        packed, is_text = walk.list_names(handle)
        assert (packed, is_text) == walk_reference.list_names(handle)
        for now_ns in (time.time_ns() + apart_ns, NOW):
            start = 0
            while True:
                seen = walk.look(handle, packed, start, most=most, now_ns=now_ns, device=device, limits=LIMITS)
                assert seen == walk_reference.look(
                    handle, packed, start, most=most, now_ns=now_ns, device=device, limits=LIMITS
                )
                if start == len(packed):
                    break
                start = seen.next


@settings(deadline=None, max_examples=30)
@given(things)
def test_the_stats_are_those_that_lstat_gives(made):
    with tempfile.TemporaryDirectory() as folder, opened(folder) as handle:
        for name, (kind, mtime_ns, mode) in made.items():
            with contextlib.suppress(OSError, OverflowError):
                make(folder, name, kind, mtime_ns, mode)
        packed, _ = walk.list_names(handle)
        seen = walk.look(handle, packed, 0, most=len(packed) + 1, now_ns=NOW, device=0, limits=LIMITS)
        found = [stat for part in seen.parts for stat in decode(part.stats)]
        assert [stat.name for stat in found] == sorted(map(os.fsencode, os.listdir(folder)))
        for stat in found:
            raw = os.lstat(stat.name, dir_fd=handle)
            assert (stat.mode, stat.uid, stat.gid, stat.inode) == (
                raw.st_mode & 0o7777, raw.st_uid, raw.st_gid, raw.st_ino
            )  # fmt: skip
            assert stat.size == (raw.st_size if stat.type is EntryType.FILE else 0)
            assert stat.mtime_ns == max(-(2**63), min(raw.st_mtime_ns, 2**64 - 1))
            assert msgspec.msgpack.encode(stat) in b"".join(part.stats for part in seen.parts)
        for part in seen.parts:
            assert msgspec.msgpack.encode(decode(part.stats)) == part.stats


def test_parts_end_where_leaves_do(tmp_path):
    for number in range(3000):
        (tmp_path / f"{number}").touch()
    with opened(tmp_path) as handle:
        packed, _ = walk.list_names(handle)
        seen = walk.look(handle, packed, 0, most=10_000, now_ns=NOW, device=0, limits=LIMITS)
        assert seen == walk_reference.look(handle, packed, 0, most=10_000, now_ns=NOW, device=0, limits=LIMITS)
    count, ends = 0, []
    for name in sorted(os.fsencode(name) for name in os.listdir(tmp_path)):
        count += 1
        if ends_part(name, count):
            ends.append(name)
            count = 0
    assert [part.last for part in seen.parts][: len(ends)] == ends


def test_a_part_is_never_longer_than_a_leaf_may_be(tmp_path):
    names = [name for name in map(str, range(5000)) if zlib.crc32(name.encode()) & 0xFF]
    for name in names:
        (tmp_path / name).touch()
    with opened(tmp_path) as handle:
        packed, _ = walk.list_names(handle)
        seen = walk.look(handle, packed, 0, most=1, now_ns=NOW, device=0, limits=LIMITS)
        assert seen == walk_reference.look(handle, packed, 0, most=1, now_ns=NOW, device=0, limits=LIMITS)
        assert len(decode(seen.parts[0].stats)) == 1024
        whole = walk.look(handle, packed, 0, most=5000, now_ns=NOW, device=0, limits=LIMITS)
    assert [len(decode(part.stats)) for part in whole.parts] == [1024] * (len(names) // 1024) + [len(names) % 1024]


def test_what_vanished_is_told_with_the_reason(tmp_path):
    (tmp_path / "there").touch()
    with opened(tmp_path) as handle:
        for kernel in (walk, walk_reference):
            seen = kernel.look(handle, b"gone\0there\0z\0", 0, most=9, now_ns=NOW, device=0, limits=LIMITS)
            assert seen.failed == [(b"gone", 2), (b"z", 2)]
            assert [part.first for part in seen.parts] == [b"there"]
            assert kernel.look(handle, b"gone\0", 0, most=9, now_ns=NOW, device=0, limits=LIMITS).parts == []


def test_folders_on_other_devices_are_crossings():
    with opened("/") as handle:
        for kernel in (walk, walk_reference):
            folders = kernel.look(handle, b"proc\0usr\0", 0, most=9, now_ns=NOW, device=0, limits=LIMITS).folders
            assert (b"proc", True) in folders


def test_more_names_than_wanted_are_not_given(tmp_path):
    for number in range(20):
        (tmp_path / f"{number}").touch()
    with opened(tmp_path) as handle:
        for kernel in (walk, walk_reference):
            assert kernel.list_names(handle, 19) is None
            assert kernel.list_names(handle, 20) == kernel.list_names(handle)


@pytest.mark.parametrize("kernel", [walk, walk_reference])
def test_wrong_arguments_are_refused(kernel, tmp_path):
    with opened(tmp_path) as handle:
        for names, start, most in ((b"a", 0, 1), (b"a\0", 1, 1), (b"a\0", 3, 1), (b"a\0", 0, 0)):
            with pytest.raises(ValueError, match=r"A look is|Packed names"):
                kernel.look(handle, names, start, most=most, now_ns=NOW, device=0, limits=LIMITS)
        with pytest.raises(ValueError, match="A look is"):
            kernel.look(handle, b"a\0", 0, most=1, now_ns=NOW, device=0, limits=range(16))
    with open(os.devnull, "rb") as file, pytest.raises(OSError, match="ot a directory"):
        kernel.list_names(file.fileno())
    for name in ("/", Path.home()):
        with opened(name) as handle:
            assert kernel.list_names(handle)[1]


def test_a_name_that_the_system_tells_twice_is_listed_once(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "listdir", lambda _: ["b", "a", "b"])
    with opened(tmp_path) as handle:
        assert walk_reference.list_names(handle) == (b"a\0b\0", True)


def test_any_wish_for_more_names_is_served(tmp_path):
    names = b"".join(b"%04d\0" % number for number in range(3000))
    with opened(tmp_path) as handle:
        for kernel in (walk, walk_reference):
            seen = kernel.look(handle, names, 0, most=2**64 - 1, now_ns=NOW, device=0, limits=LIMITS)
            assert len(seen.failed) == 3000


@pytest.mark.parametrize("told", [[["a"], ["a", "b"], ["a", "b"]], [["a"], ["b"], ["a"], ["c"]]])
def test_a_folder_that_changes_while_it_is_read_is_read_again(told, tmp_path, monkeypatch):
    reads = iter(told)
    changes = len(told) - 1 if told[-1] == told[-2] else len(told)

    def listdir(_):
        nonlocal changes
        if changes:
            os.utime(tmp_path, ns=(0, changes))
            changes -= 1
        return next(reads)

    monkeypatch.setattr(os, "listdir", listdir)
    with opened(tmp_path) as handle:
        wanted = sorted(set(told[-1]) if told[-1] == told[-2] else {name for names in told for name in names})
        assert walk_reference.list_names(handle) == ("".join(f"{name}\0" for name in wanted).encode(), True)


def test_a_name_is_listed_once_however_often_it_is_replaced(tmp_path):
    names = [f"a name that is long enough for several answers {number:05}" for number in range(2500)]
    for name in names:
        (tmp_path / name).touch()
    stop = threading.Event()

    def replace_all_the_time():
        for name in itertools.cycle(names[::37]):
            if stop.is_set():
                return
            (tmp_path / "new").touch()
            (tmp_path / "new").rename(tmp_path / name)

    thread = threading.Thread(target=replace_all_the_time)
    thread.start()
    try:
        with opened(tmp_path) as handle:
            for _ in range(10):
                packed, _ = walk.list_names(handle)
                found = packed.decode().split("\0")[:-1]
                assert found == sorted(set(found))
    finally:
        stop.set()
        thread.join()
