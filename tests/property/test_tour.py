"""Tours in C answer bit for bit as their definition does, on real folders; and passing by believes no bytes."""

import contextlib
import os
import tempfile
import time

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strongroom.kernel import pass_reference, tour, tour_reference
from strongroom.kernel.pass_reference import Passed
from strongroom.kernel.tour_reference import Extent, Tour
from strongroom.model.report import HISTOGRAM_LIMITS_BYTES
from tests.property.test_walk import make, opened

FAR = 2**63 - 1
LIMITS = HISTOGRAM_LIMITS_BYTES
NOW = 1_700_000_000 * 10**9
names = st.sampled_from([b"a", b"b.tmp", b"c", b"caf\xc3\xa9", b"\xff", b"n" * 200, b"tmp", b"z"])
kinds = st.sampled_from(["file", "link", "fifo", "hard link", "sparse"])
files = st.dictionaries(names, st.tuples(kinds, st.integers(0, NOW * 2), st.integers(0, 0o777)), max_size=4)
trees = st.recursive(
    st.tuples(files, st.just({})),
    lambda inner: st.tuples(files, st.dictionaries(names, inner, max_size=4)),
    max_leaves=25,
)
extents = st.builds(
    Extent,
    most=st.sampled_from([1, 3, 10, 1000]),
    until_ns=st.sampled_from([0, FAR]),
    most_names=st.sampled_from([2, 5, 1000]),
    longest_path=st.sampled_from([30, 1000]),
    levels=st.sampled_from([0, 1, 2, 16]),
    any_names=st.booleans(),
    marks=st.lists(
        st.tuples(st.sampled_from([b"", b"tm", b"tmp"]), st.sampled_from([None, b".tmp", b"p"])), max_size=2
    ),
)


def build(folder, tree):
    things, inner = tree
    for name, (kind, mtime_ns, mode) in things.items():
        if name not in inner:
            with contextlib.suppress(FileExistsError):  # two hard links choose the same other name
                make(folder, name, kind, mtime_ns, mode)
    for name, one in inner.items():
        path = os.path.join(os.fsencode(folder), name)
        if not os.path.lexists(path):
            os.mkdir(path)
            build(path, one)


def inner_names(folder):
    found = sorted(os.fsencode(entry.name) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    return b"".join(name + b"\0" for name in found)


def records(told):
    """What a tour told, decoded by another hand."""
    found, at = [], 0
    while at < len(told):
        size = int.from_bytes(told[at : at + 4], "little")
        found.append(msgspec.msgpack.decode(told[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def as_known(told, root=b"root"):
    """What would be known of the folders that a tour told of."""
    frames = []
    for record in records(told):
        if record[0] == tour_reference.ENDS:
            parts = [[first, last, count, mark, b"leaf", 7, 70_000] for _, first, last, count, mark, _ in record[2]]
            body = msgspec.msgpack.encode([record[1], root, parts])
            frames.append(len(body).to_bytes(4, "little") + body)
    return b"".join(frames)


def both(handle, path, packed, extent, **more):
    """The answer that both give."""
    asked = {"now_ns": time.time_ns() + 3 * 10**9, "device": 0, "limits": LIMITS, **more}
    answer = tour.tour(handle, path, packed, extent, **asked)
    assert answer == tour_reference.tour(handle, path, packed, extent, **asked)
    return answer


def both_pass(told, told_at, known, known_at):
    passed = tour.pass_known(told, told_at, known, known_at)
    assert passed == pass_reference.pass_known(told, told_at, known, known_at)
    return passed


@settings(deadline=None, max_examples=60)
@given(trees, extents, st.sampled_from([b"", b"a/b"]), st.sampled_from([0, NOW, FAR]))
def test_both_tell_the_same_of_any_folders(tree, extent, path, now_ns):
    with tempfile.TemporaryDirectory() as folder, opened(folder) as handle:
        build(folder, tree)
        both(handle, path, inner_names(folder), extent, now_ns=now_ns, device=5)


@settings(deadline=None, max_examples=40)
@given(trees, extents)
def test_each_folder_is_told_of_once_and_what_was_not_gone_into_is_named(tree, extent):
    """Whatever ends a tour early: who goes on with what it left has seen all folders."""
    with tempfile.TemporaryDirectory() as folder:
        build(folder, tree)
        seen, todo = [], [(b"", inner_names(folder))]
        while todo:
            path, packed = todo.pop()
            with opened(os.path.join(os.fsencode(folder), path)) as handle:
                told = records(both(handle, path, packed, extent).told)
            open_folders = 0
            for what, *rest in told:
                if what == tour_reference.BEGINS:
                    open_folders += 1
                elif what == tour_reference.ENDS:
                    open_folders -= 1
                    seen.append(rest[0])
                elif what == tour_reference.LEFT:
                    seen.append(rest[0])
                    todo.append((rest[0], inner_names(os.path.join(os.fsencode(folder), rest[0]))))
                else:
                    todo.append((rest[0], rest[1]))
            assert open_folders == 0
        there = [os.fsencode(os.path.relpath(at, folder)) for at, _, _ in os.walk(folder)]
        assert sorted(seen) == sorted(set(there) - {b"."})


def usual(**more):
    return Extent(
        **{
            "most": 10**6,
            "until_ns": FAR,
            "most_names": 1000,
            "longest_path": 4000,
            "levels": 16,
            "any_names": False,
            "marks": (),
            **more,
        }
    )


@settings(deadline=None, max_examples=40)
@given(trees, st.integers(0, 40), st.integers(0, 3))
def test_what_is_as_it_is_known_is_passed_by(tree, changed, how):
    with tempfile.TemporaryDirectory() as folder, opened(folder) as handle:
        build(folder, tree)
        found = both(handle, b"base", inner_names(folder), usual(any_names=True))
    known = as_known(found.told)
    assert both_pass(found.told, 0, known, 0) == Passed(len(found.told), len(known), found.folders, 0)
    folders = [msgspec.msgpack.encode(record) for record in records(known)]
    if changed < len(folders):
        path, root, parts = msgspec.msgpack.decode(folders[changed])
        other = [
            [path + b"x", root, parts],
            [path, b"", parts],
            [path, root, [*parts, [b"", b"", 0, bytes(16), b"", 0, 0]]],
            [path, root, [[*part[:3], b"other fingerprin", *part[4:]] for part in parts]],
        ][how]
        folders[changed] = msgspec.msgpack.encode(other)
        altered = b"".join(len(body).to_bytes(4, "little") + body for body in folders)
        passed = both_pass(found.told, 0, altered, 0)
        assert passed.folders == (changed if other != [path, root, parts] else found.folders)


def test_what_is_too_young_is_never_as_it_is_known(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").touch()
    with opened(tmp_path) as handle:
        found = both(handle, b"", b"inner\0", usual(), now_ns=time.time_ns())
    assert records(found.told)[-1][2][0][4] == b""
    assert both_pass(found.told, 0, as_known(found.told), 0).folders == 0


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({}, "ends"),
        ({"marks": [(b"so", b"me")]}, "left"),
        ({"marks": [(b"some", b"")]}, "left"),
        ({"marks": [(b"", b"some")]}, "left"),
        ({"marks": [(b"some", None)]}, "left"),
        ({"marks": [(b"so", None), (b"som", b"me"), (b"", b"so")]}, "ends"),
        ({"most_names": 1}, "left"),
        ({"longest_path": 4}, "left"),
    ],
)
def test_a_folder_with_something_unusual_is_left_alone(tmp_path, more, what):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "some").touch()
    (tmp_path / "inner" / "thing").touch()
    with opened(tmp_path) as handle:
        told = records(both(handle, b"", b"inner\0", usual(**more)).told)
    assert told[-1][0] == {"ends": tour_reference.ENDS, "left": tour_reference.LEFT}[what]


def test_what_cannot_be_opened_or_lies_on_another_device_is_left_alone(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    with opened(tmp_path) as handle:
        told = records(both(handle, b"x", b"file\0gone\0link\0", usual()).told)
    assert told == [[tour_reference.LEFT, path] for path in (b"x/file", b"x/gone", b"x/link")]
    with opened("/") as handle:
        assert records(both(handle, b"", b"proc\0", usual()).told) == [[tour_reference.LEFT, b"proc"]]


def test_a_tour_of_nothing_finds_nothing(tmp_path):
    with opened(tmp_path) as handle:
        assert both(handle, b"", b"", usual()) == Tour(b"", 0, 0, 0, [0] * (len(LIMITS) + 1))


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 220), st.binary(max_size=200), st.integers(0, 220))
@example(b"\x02\0\0\0\x91\1\x03\0\0\0\x93\2\xdd", 0, b"\x01\0\0\0\x93", 0)
@example(b"\x02\0\0\0\x91\1\x05\0\0\0\x93\2\xc4\0\x90", 0, b"\x06\0\0\0\x93\xc4\0\xc4\1a", 0)
def test_no_bytes_are_believed(told, told_at, known, known_at):
    both_pass(told, told_at, known, known_at)
    assert tour.skip(told, told_at, 3) == pass_reference.skip(told, told_at, 3)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_no_altered_record_is_believed(data):
    """Records of the right shape, but for some bytes."""
    part = [2, b"a", b"b", 300, bytes(16), b"stats"]
    known_part = [b"a", b"b", 300, bytes(16), b"leaf", 70_000, 2**40]
    count = data.draw(st.sampled_from([0, 1, 20]))
    ends = msgspec.msgpack.encode([2, b"path", [part] * count])
    old = msgspec.msgpack.encode([b"path", b"root", [known_part] * count])
    told = bytearray(b"\2\0\0\0\x91\1" + len(ends).to_bytes(4, "little") + ends)
    known = bytearray(len(old).to_bytes(4, "little") + old)
    for row in data.draw(st.lists(st.sampled_from([told, known]), max_size=2)):
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 3))
    both_pass(bytes(told), 0, bytes(known)[: len(known) - cut], 0)


@given(st.lists(st.binary(max_size=5), max_size=6), st.integers(0, 8))
def test_whole_records_are_skipped_up_to_an_empty_one(bodies, count):
    packed = b"".join(len(body).to_bytes(4, "little") + body for body in bodies)
    at, skipped = tour.skip(packed, 0, count)
    assert (at, skipped) == pass_reference.skip(packed, 0, count)
    assert skipped == min(count, [*bodies, b""].index(b""))


@pytest.mark.parametrize("kernel", [tour, tour_reference])
@pytest.mark.parametrize("packed", [b"a", b"\0", b"a\0\0", b"a\0\0b\0"])
def test_arguments_that_make_no_sense_are_refused(kernel, packed, tmp_path):
    with opened(tmp_path) as handle:
        with pytest.raises(ValueError, match="Packed names"):
            kernel.tour(handle, b"", packed, usual(), now_ns=NOW, device=0, limits=LIMITS)
        with pytest.raises(ValueError, match="limits"):
            kernel.tour(handle, b"", b"a\0", usual(), now_ns=NOW, device=0, limits=range(16))
