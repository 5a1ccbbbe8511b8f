"""Making many files at once: C and plain Python leave the same files behind and answer the same."""

import os
import stat
import tempfile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from strongroom.kernel import place_reference
from strongroom.kernel.placing import place

ATIME_NS = 1_600_000_000_123_456_789
NAMES = st.sampled_from([b"a", b"b", b"taken", b"folder", b"\xff\xfe", b"n" * 255, b"too long" * 40, b"-", b" "])
OWNERS = st.sampled_from([os.getuid(), os.getuid(), 0, 54_321, 0xFFFF_FFFE])
TIMES = st.sampled_from([0, -1, -(10**18), 10**18 + 7, 2**33 * 10**9, 10**9 - 1]) | st.integers(-(10**18), 2 * 10**18)
FILES = st.lists(
    st.tuples(NAMES, st.binary(max_size=5000), st.integers(0, 0o7777), OWNERS, OWNERS, TIMES),
    max_size=12,
)


def placed(implementation, files, temporary):
    """Make files in a folder that holds a file and a folder already; return the answer and all that is there then."""
    with tempfile.TemporaryDirectory() as path:
        os.mkdir(os.path.join(path, "folder"))
        with open(os.path.join(path, "taken"), "wb") as taken:
            taken.write(b"mine")
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            outcomes = implementation(handle, files, ATIME_NS, temporary)
            return outcomes, {
                name: seen(os.path.join(os.fsencode(path), name)) for name in os.listdir(os.fsencode(path))
            }
        finally:
            os.close(handle)


def seen(path):
    about = os.lstat(path)
    if not stat.S_ISREG(about.st_mode) or path.endswith(b"/taken"):
        return stat.S_IFMT(about.st_mode)
    if stat.S_IMODE(about.st_mode) & 0o400 == 0:
        content = about.st_size  # an ordinary user could not read it
    else:
        with open(path, "rb") as file:
            content = file.read()
        about = os.lstat(path)
    return about.st_mode, about.st_uid, about.st_gid, about.st_mtime_ns, about.st_nlink, content


@given(FILES, st.sampled_from([b".temporary", b"taken", b"a"]))
@example([(b"empty", b"", 0o4755, os.getuid(), os.getgid(), 1)], b".temporary")
@example(
    [(b"same", b"1", 0o600, os.getuid(), os.getgid(), 1), (b"same", b"2", 0o600, os.getuid(), os.getgid(), 1)],
    b".temporary",
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_both_leave_the_same_behind(files, temporary):
    assert placed(place, files, temporary) == placed(place_reference.place, files, temporary)


@pytest.mark.parametrize("implementation", [place, place_reference.place])
@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/etc", b"a\0b"])
@pytest.mark.parametrize("temporary", [False, True])
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_made(implementation, name, temporary):
    files = [(b"fine", b"x", 0o600, os.getuid(), os.getgid(), 0)]
    if not temporary:
        files.append((name, b"x", 0o600, os.getuid(), os.getgid(), 0))
    with tempfile.TemporaryDirectory() as path:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        with pytest.raises(ValueError, match="A name"):
            implementation(handle, files, 0, name if temporary else b".temporary")
        os.close(handle)
        assert os.listdir(path) == []


@pytest.mark.parametrize("implementation", [place, place_reference.place])
@pytest.mark.parametrize(("mode", "owner"), [(0o10000, 0), (-1, 0), (0o600, 2**32), (0o600, -1)])
def test_numbers_that_no_system_takes_are_refused(implementation, mode, owner, tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    with pytest.raises(ValueError, match="out of bounds"):
        implementation(handle, [(b"a", b"", mode, owner, 0, 0)], 0, b".temporary")
    os.close(handle)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("implementation", [place, place_reference.place])
def test_what_was_there_is_never_touched(implementation, tmp_path):
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "link").symlink_to("elsewhere")
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    files = [(name, b"theirs", 0o600, os.getuid(), os.getgid(), 0) for name in (b"taken", b"link")]
    assert all(implementation(handle, files, 0, b".temporary"))
    os.close(handle)
    assert (tmp_path / "taken").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["link", "taken"]
