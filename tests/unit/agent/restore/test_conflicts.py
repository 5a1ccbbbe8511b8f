"""What a restore does where something is there already, and where it goes."""

import os
import re

import pytest

from strongroom.agent.restore.aim import Aim
from strongroom.agent.restore.aside import kept_label, move_aside
from strongroom.clock import now
from strongroom.errors import Mistake
from strongroom.model.policy import ConflictMode
from tests.unit.agent.restore.taken import TakenSnapshot, look_at

KEPT = re.compile(r"^(.*) \(kept \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d(, \d+)?\)$")


@pytest.fixture
def source(tmp_path):
    top = tmp_path / "source"
    (top / "sub").mkdir(parents=True)
    (top / "same").write_text("same")
    (top / "older there").write_text("from the snapshot")
    (top / "newer there").write_text("from the snapshot")
    (top / "sub" / "file").write_text("in sub")
    for name, when in (("same", 1000), ("older there", 2000), ("newer there", 2000)):
        os.utime(top / name, (when, when))
    return TakenSnapshot().take(top)


@pytest.fixture
def target(tmp_path, source):
    """A target in which other things are already."""
    there = tmp_path / "target"
    (there / "sub").mkdir(parents=True, mode=0o711)
    for name, text, when in (
        ("same", "same", 1000),
        ("older there", "mine, old", 1500),
        ("newer there", "mine, new", 2500),
        ("other", "mine", 1),
    ):
        (there / name).write_text(text)
        os.utime(there / name, (when, when))
    return there


def texts(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_overwrite_replaces_files_and_merges_folders(source, target, restore, tmp_path):
    report, heard = restore(source, target)
    assert texts(target) == {
        "same": "same",
        "older there": "from the snapshot",
        "newer there": "from the snapshot",
        "other": "mine",
    }
    assert (report.restore.files_restored, report.restore.files_unchanged) == (3, 1)
    assert heard.files == []
    assert oct((target / "sub").stat().st_mode) == oct((tmp_path / "source" / "sub").stat().st_mode)


def test_skip_leaves_what_is_there(source, target, restore):
    report, _ = restore(source, target, conflict=ConflictMode.SKIP)
    assert texts(target)["older there"] == "mine, old"
    assert (target / "sub" / "file").read_text() == "in sub"
    assert (report.restore.files_restored, report.restore.files_skipped) == (1, 3)
    assert report.state == "successful"
    assert (target / "sub").stat().st_mode & 0o777 == 0o711
    assert [one for ids in source.asked for one in ids] == [source.entry_ids("sub/file")]


def test_keep_both_moves_what_is_there_aside_unless_it_is_the_same(source, target, restore):
    report, _ = restore(source, target, conflict=ConflictMode.KEEP_BOTH)
    found = texts(target)
    assert found["older there"] == found["newer there"] == "from the snapshot"
    kept = {KEPT.match(name)[1]: text for name, text in found.items() if KEPT.match(name)}
    assert kept == {"older there": "mine, old", "newer there": "mine, new"}
    assert report.restore.files_unchanged == 1


def test_overwrite_older_replaces_only_what_is_older(source, target, restore):
    report, _ = restore(source, target, conflict=ConflictMode.OVERWRITE_OLDER)
    found = texts(target)
    assert (found["older there"], found["newer there"]) == ("from the snapshot", "mine, new")
    assert report.restore.files_skipped == 2


def test_a_file_that_only_looks_the_same_is_replaced(source, target, restore):
    (target / "same").write_text("SAME")
    os.utime(target / "same", (1000, 1000))
    restore(source, target)
    assert (target / "same").read_text() == "same"


def test_a_full_folder_in_the_way_of_a_file_is_listed_and_kept(source, target, restore):
    (target / "older there").unlink()
    (target / "older there").mkdir()
    (target / "older there" / "mine").write_text("mine")
    report, heard = restore(source, target)
    assert (target / "older there" / "mine").read_text() == "mine"
    assert heard.reasons() == {os.fsencode(target / "older there"): "write_error"}
    assert (report.state, report.restore.files_failed) == ("successful_with_errors", 1)
    assert [name for name in os.listdir(target) if name.startswith(".strongroom")] == []


def test_an_empty_folder_in_the_way_of_a_file_makes_way(source, target, restore):
    (target / "older there").unlink()
    (target / "older there").mkdir()
    _, heard = restore(source, target)
    assert heard.files == []
    assert (target / "older there").read_text() == "from the snapshot"


@pytest.mark.parametrize(
    ("mode", "listed"),
    [
        (ConflictMode.OVERWRITE, False),
        (ConflictMode.KEEP_BOTH, False),
        (ConflictMode.SKIP, True),
        (ConflictMode.OVERWRITE_OLDER, True),
    ],
)
def test_a_file_in_the_way_of_a_folder(source, target, restore, mode, listed):
    (target / "sub").rmdir()
    (target / "sub").write_text("mine")
    report, heard = restore(source, target, conflict=mode)
    assert heard.reasons() == ({os.fsencode(target / "sub"): "write_error"} if listed else {})
    assert report.restore.files_failed == listed
    if mode is ConflictMode.KEEP_BOTH:
        assert "mine" in texts(target).values()
    assert (target / "sub").is_file() == listed


@pytest.mark.parametrize("mode", list(ConflictMode))
def test_a_symbolic_link_in_the_way_of_a_folder_is_never_followed(source, target, restore, tmp_path, mode):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (target / "sub").rmdir()
    (target / "sub").symlink_to(elsewhere)
    report, heard = restore(source, target, conflict=mode)
    assert list(elsewhere.iterdir()) == []
    assert heard.reasons() == {os.fsencode(target / "sub"): "outside_target"}
    assert (report.state, report.restore.files_failed) == ("successful_with_errors", 1)


def test_a_symbolic_link_in_the_way_of_a_file_is_replaced_not_written_through(source, target, restore, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (target / "older there").unlink()
    (target / "older there").symlink_to(victim)
    restore(source, target)
    assert victim.read_text() == "untouched"
    assert not (target / "older there").is_symlink()


def test_a_hard_link_is_restored_over_itself(tmp_path, restore):
    top = tmp_path / "source"
    top.mkdir()
    (top / "a").write_text("both")
    os.link(top / "a", top / "b")
    snapshot = TakenSnapshot().take(top)
    for _ in range(2):
        _, heard = restore(snapshot, tmp_path / "target")
        assert heard.files == []
        assert look_at(tmp_path / "target") == look_at(top)


def test_asked_paths_go_by_their_last_name_into_a_folder(tmp_path, restore):
    top = tmp_path / "source"
    (top / "deep").mkdir(parents=True)
    (top / "deep" / "file").write_text("x")
    (top / "one").write_text("1")
    snapshot = TakenSnapshot().take(top, b"srv/data").lead(b"srv", b"data")
    report, heard = restore(snapshot, tmp_path / "t", "/srv/data/deep", "srv/data/one", "srv/data/gone")
    assert sorted(os.listdir(tmp_path / "t")) == ["deep", "one"]
    assert (tmp_path / "t" / "deep" / "file").read_text() == "x"
    assert heard.reasons() == {b"/srv/data/gone": "not_found"}
    assert report.restore.files_restored == 2


def test_with_nothing_asked_the_whole_tree_goes_below_the_folder(tmp_path, restore):
    top = tmp_path / "source"
    top.mkdir()
    (top / "one").write_text("1")
    snapshot = TakenSnapshot().take(top, b"srv/data").lead(b"srv", b"data")
    restore(snapshot, tmp_path / "t")
    assert (tmp_path / "t" / "srv" / "data" / "one").read_text() == "1"
    assert (tmp_path / "t" / "srv").stat().st_mode & 0o7777 == 0o750


def test_to_the_original_place_folders_above_are_made_or_left_as_they_are(tmp_path, restore):
    """The original place is below the host's root; the test's own folder serves as a part of it."""
    top = tmp_path / "was" / "data"
    top.mkdir(parents=True)
    (top / "one").write_text("1")
    at = os.fsencode(top).strip(b"/")
    snapshot = TakenSnapshot().take(top, at).lead(*at.split(b"/"))
    (top / "one").unlink()
    top.rmdir()
    top.parent.rmdir()
    before = tmp_path.stat()
    report, heard = restore(snapshot, "", os.fsdecode(b"/" + at), conflict=ConflictMode.SKIP)
    assert heard.files == []
    assert (top / "one").read_text() == "1"
    assert top.parent.stat().st_mode & 0o7777 == 0o750, "made, so it gets what the snapshot says"
    assert tmp_path.stat().st_mode == before.st_mode, "was there, and only leads to what was asked"
    assert report.restore.files_restored == 1


def test_two_paths_of_one_name_cannot_go_into_one_folder():
    with pytest.raises(Mistake) as caught:
        Aim(("/a/data", "/b/data"), "/target")
    assert caught.value.code == "ambiguous_paths"
    assert Aim(("/a/data", "/b/data"), "").landing(b"b/data").parts == (b"b", b"data")
    assert Aim(("/a", "/a/data"), "/target").landing(b"a/data").parts == (b"a", b"data")


@pytest.mark.parametrize("path", ["a/../b", "a//b", "./a", r"a\x00"])
def test_a_path_that_no_snapshot_has_is_a_mistake(path):
    with pytest.raises(Mistake):
        Aim((path,), "/target")


def test_a_target_that_is_not_absolute_is_a_mistake(source, restore):
    with pytest.raises(Mistake):
        restore(source, "relative")


def test_a_target_that_is_a_file_is_a_mistake(source, restore, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Mistake):
        restore(source, tmp_path / "file")


def test_a_name_too_long_to_get_an_ending_is_cut_between_characters(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    name = ("ä" * 127).encode()
    label = kept_label(now())
    for _ in range(2):
        (tmp_path / os.fsdecode(name)).write_text("")
        move_aside(handle, name, label)
    os.close(handle)
    assert len(os.listdir(tmp_path)) == 2
    for kept in os.listdir(os.fsencode(tmp_path)):
        assert len(kept) <= 255
        assert set(kept.decode().partition(" ")[0]) == {"ä"}
