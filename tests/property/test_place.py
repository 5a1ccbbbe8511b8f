"""Making many files at once: C and plain Python leave the same files behind and answer the same."""

import errno
import os
import random
import stat
import tempfile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from strongroom.kernel import place_reference
from strongroom.kernel.place_reference import DIRECT_BYTES
from strongroom.kernel.placing import place

ATIME_NS = 1_600_000_000_123_456_789
NAMES = st.sampled_from([b"a", b"b", b"taken", b"folder", b"\xff\xfe", b"n" * 255, b"too long" * 40, b"-", b" "])
OWNERS = st.sampled_from([os.getuid(), os.getuid(), 0, 54_321, 0xFFFF_FFFE])
TIMES = st.sampled_from([0, -1, -(10**18), 10**18 + 7, 2**33 * 10**9, 10**9 - 1]) | st.integers(-(10**18), 2 * 10**18)
FILES = st.lists(
    st.tuples(NAMES, st.binary(max_size=5000), st.integers(0, 0o7777), OWNERS, OWNERS, TIMES),
    max_size=12,
)
WAYS = st.sampled_from([(), (b"folder",), (b"folder", b"deep"), (b"taken",), (b"link",), (b"gone", b"a"), (b"new",)])
FOLDERS = st.lists(st.tuples(WAYS, FILES, st.booleans()).filter(lambda one: one[0] or not one[2]), max_size=4)


def placed(implementation, folders, temporary):
    """Make files in a folder that holds a file, a link and folders already; return the answer and all that is there."""
    with tempfile.TemporaryDirectory() as path:
        os.makedirs(os.path.join(path, "folder", "deep"))
        os.symlink("folder", os.path.join(path, "link"))
        with open(os.path.join(path, "taken"), "wb") as taken:
            taken.write(b"mine")
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            outcomes = implementation(handle, folders, ATIME_NS, temporary)
            found = [
                os.path.join(top, name) for top, below, files in os.walk(os.fsencode(path)) for name in below + files
            ]
            return outcomes, {os.path.relpath(one, os.fsencode(path)): seen(one) for one in found}
        finally:
            os.close(handle)


def seen(path):
    about = os.lstat(path)
    if not stat.S_ISREG(about.st_mode):
        return about.st_mode
    if stat.S_IMODE(about.st_mode) & 0o400 == 0:
        content = about.st_size  # an ordinary user could not read it
    else:
        with open(path, "rb") as file:
            content = file.read()
    if content == b"mine":
        return content  # its time is not ours to say
    return about.st_mode, about.st_uid, about.st_gid, about.st_mtime_ns, about.st_nlink, content


US = (os.getuid(), os.getgid())


@given(FOLDERS, st.sampled_from([b".temporary", b"taken", b"a"]))
@example([((), [(b"empty", b"", 0o4755, *US, 1)], False)], b".temporary")
@example([((), [(b"same", b"1", 0o600, *US, 1), (b"same", b"2", 0o600, *US, 1)], False)], b".temporary")
@example([((b"new",), [(b"same", b"1", 0o666, *US, 1), (b"same", b"2", 0o777, *US, 1)], True)], b".temporary")
@example([((b"folder", b"deep"), [(b"a", b"1", 0o600, *US, 1)], True)], b".temporary")
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_both_leave_the_same_behind(folders, temporary):
    assert placed(place, folders, temporary) == placed(place_reference.place, folders, temporary)


@pytest.mark.parametrize("implementation", [place, place_reference.place])
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_files_get_the_mode_they_should_whatever_the_process_masks(implementation, mask, tmp_path):
    modes = [0o644, 0o666, 0o777, 0o000, 0o4755, 0o2666, 0o1600, 0o444]
    files = [(b"%o" % mode, b"x", mode, *US, 0) for mode in modes]
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    before = os.umask(mask)
    try:
        assert implementation(handle, [((b"new",), files, True), ((), files, False)], 0, b".t") == [[0] * 8] * 2
    finally:
        os.umask(before)
        os.close(handle)
    for folder in (tmp_path, tmp_path / "new"):
        assert [stat.S_IMODE((folder / f"{mode:o}").stat().st_mode) for mode in modes] == modes


@pytest.mark.parametrize("implementation", [place, place_reference.place])
def test_what_a_folder_hands_down_does_not_stay(implementation, tmp_path):
    """Below a folder with set-group-id, files would get its group by themselves."""
    os.chown(tmp_path, -1, 54_321 if os.getuid() == 0 else -1)
    tmp_path.chmod(0o2700)
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    files = [(b"a", b"x", 0o640, *US, 0), (b"b", b"x", 0o640, *US, 0)]
    assert implementation(handle, [((b"new",), files, True), ((), files, False)], 0, b".t") == [[0, 0]] * 2
    os.close(handle)
    made = [tmp_path / "a", tmp_path / "b", tmp_path / "new" / "a", tmp_path / "new" / "b"]
    assert {(one.stat().st_uid, one.stat().st_gid) for one in made} == {US}


@pytest.mark.parametrize("implementation", [place, place_reference.place])
def test_a_folder_that_cannot_have_its_name_leaves_nothing_behind(implementation, tmp_path):
    (tmp_path / "empty").mkdir()
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    files = [(b"a", b"x", 0o600, *US, 0), (b"a", b"y", 0o600, *US, 0)]
    assert implementation(handle, [((b"empty",), files, True)], 0, b".t") == [[errno.EEXIST, errno.EEXIST]]
    os.close(handle)
    assert os.listdir(tmp_path) == ["empty"]
    assert os.listdir(tmp_path / "empty") == []


@pytest.mark.parametrize("implementation", [place, place_reference.place])
@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/etc", b"a\0b"])
@pytest.mark.parametrize("where", ["file", "temporary", "folder", "new folder"])
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_made(implementation, name, where):
    files = [(b"fine", b"x", 0o600, *US, 0)]
    if where == "file":
        files.append((name, b"x", 0o600, *US, 0))
    folders = [((), files, False), ((name,) if "folder" in where else (b"fine",), files, where == "new folder")]
    with tempfile.TemporaryDirectory() as path:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        with pytest.raises(ValueError, match="A name"):
            implementation(handle, folders, 0, name if where == "temporary" else b".temporary")
        os.close(handle)
        assert os.listdir(path) == []


@pytest.mark.parametrize("implementation", [place, place_reference.place])
def test_the_target_itself_cannot_be_new(implementation, tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    with pytest.raises(ValueError, match="needs a name"):
        implementation(handle, [((), [], True)], 0, b".temporary")
    os.close(handle)


@pytest.mark.parametrize("implementation", [place, place_reference.place])
@pytest.mark.parametrize(("mode", "owner"), [(0o10000, 0), (-1, 0), (0o600, 2**32), (0o600, -1)])
def test_numbers_that_no_system_takes_are_refused(implementation, mode, owner, tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    with pytest.raises(ValueError, match="out of bounds"):
        implementation(handle, [((), [(b"a", b"", mode, owner, 0, 0)], False)], 0, b".temporary")
    os.close(handle)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("implementation", [place, place_reference.place])
def test_larger_files_are_exact_whatever_is_left_of_a_unit_of_the_disk(implementation, tmp_path):
    """Those of `DIRECT_BYTES` and more are written past the cache, in pieces of 1 MiB."""
    sizes = [least + more for least in (DIRECT_BYTES, 1 << 20, 3 << 20) for more in (-4096, -1, 0, 1, 4095, 4096, 4097)]
    contents = {b"%d" % size: random.Random(size).randbytes(size + 1)[1:] for size in sizes}
    files = [(name, memoryview(content), 0o640, *US, 5) for name, content in contents.items()]
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    whole = [[0] * len(files)] * 2
    assert implementation(handle, [((b"new",), files, True), ((), files, False)], 0, b".t") == whole
    os.close(handle)
    for folder in (tmp_path, tmp_path / "new"):
        assert {os.fsencode(one.name): one.read_bytes() for one in folder.iterdir() if one.is_file()} == contents


@pytest.mark.parametrize("implementation", [place, place_reference.place])
def test_what_was_there_is_never_touched(implementation, tmp_path):
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "link").symlink_to("elsewhere")
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    files = [(name, b"theirs", 0o600, *US, 0) for name in (b"taken", b"link")]
    ((first, second), (third, _)) = implementation(
        handle, [((), files, False), ((b"taken",), files, True)], 0, b".temporary"
    )
    assert first == second == third == errno.EEXIST
    os.close(handle)
    assert (tmp_path / "taken").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["link", "taken"]
