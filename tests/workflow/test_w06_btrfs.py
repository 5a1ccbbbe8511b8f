"""W6 on Linux, btrfs: a backup reads a recovery point, whole and with locked files, and leaves none behind (W9, W10).

The file systems are real ones in loop devices; the backups are real jobs of a real agent into a real vault.
"""

import contextlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from strongroom.agent.backup.events import Cancelled
from strongroom.agent.backup.recovery_point import NoRecoveryPoint
from strongroom.agent.platform.linux import LinuxPlatform
from strongroom.model.job import SourceKind
from strongroom.model.policy import RecoveryPointWish
from tests.exact.file_systems import mounted
from tests.workflow.frozen import At, make_subvolume, run, snapshots_on
from tests.workflow.one_host import Heard, OneHost, other_process
from tests.workflow.test_w09_locked_files import HOLDERS

pytestmark = pytest.mark.root
REQUIRED = RecoveryPointWish.REQUIRED


@pytest.fixture
def disk(tmp_path):
    with mounted("btrfs", tmp_path) as place:
        yield place


@pytest.fixture
def data(disk):
    """A subvolume, as a file server has it, with a nested one."""
    make_subvolume(disk / "data")
    (disk / "data/report").write_bytes(b"as it was")
    (disk / "data/folder").mkdir()
    (disk / "data/folder/inner").write_bytes(b"within")
    make_subvolume(disk / "data/folder/nested")
    (disk / "data/folder/nested/deep").write_bytes(b"in a nested subvolume")
    return disk / "data"


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path / "agent")


def areas(outcome):
    """Give each area of a job: its path, what froze it, and why it was live."""
    return {area.path: (area.how, area.why) for area in outcome.report.areas}


def test_files_are_stored_as_they_were_when_the_recovery_point_was_made(host, disk, data):
    def change():
        (data / "report").write_bytes(b"changed since")
        (data / "folder/inner").unlink()
        (data / "folder/nested/deep").write_bytes(b"changed since")
        (data / "new").write_bytes(b"newer")

    outcome = host.back_up(data, heard=At("scan", change), recovery_point=REQUIRED)
    assert outcome.content(data / "report") == b"as it was"
    assert outcome.content(data / "folder/inner") == b"within"
    assert outcome.content(data / "folder/nested/deep") == b"in a nested subvolume"
    assert not outcome.has(data / "new")
    assert outcome.reasons == {}
    assert outcome.report.source is SourceKind.RECOVERY_POINT
    assert areas(outcome) == {str(data): ("btrfs", "")}
    after = host.back_up(data)
    assert after.content(data / "report") == after.content(data / "folder/nested/deep") == b"changed since"
    assert after.has(data / "new")
    assert not after.has(data / "folder/inner")
    assert snapshots_on(disk) == []


@pytest.mark.parametrize("how", HOLDERS)
def test_a_locked_file_is_included(host, data, how):
    with other_process(HOLDERS[how], data / "report") as holder:
        outcome = host.back_up(data)
        holder.stdin.close()
        assert holder.stdout.read() == ""  # a lease is not broken either
    assert outcome.reasons == {}
    assert outcome.content(data / "report") == b"as it was"


def test_locks_matter_where_the_same_set_is_read_live(host, data, tmp_path):
    live = tmp_path / "live"
    live.mkdir()
    (live / "file").write_bytes(b"live")
    with other_process(HOLDERS["flock"], data / "report"), other_process(HOLDERS["flock"], live / "file"):
        outcome = host.back_up(data, live)
    assert outcome.reasons == {bytes(live / "file"): "locked"}
    assert outcome.content(data / "report") == b"as it was"
    assert outcome.report.source is SourceKind.MIXED
    assert areas(outcome)[str(data)] == ("btrfs", "")
    how, why = areas(outcome)[str(live)]
    assert how == ""
    assert "no way to be frozen" in why
    assert str(live) in outcome.report.source_why


def test_nothing_looks_changed_between_live_files_and_recovery_points(host, data):
    os.link(data / "report", data / "folder" / "again")
    host.back_up(data, recovery_point=RecoveryPointWish.NEVER)
    live = host.back_up(data, recovery_point=RecoveryPointWish.NEVER)
    for wish in (REQUIRED, REQUIRED, RecoveryPointWish.NEVER, REQUIRED):
        outcome = host.back_up(data, recovery_point=wish)
        assert (outcome.heard.forecast.files_changed, outcome.heard.forecast.files_added) == (0, 0), wish
        assert outcome.report.transfer.files_read == 0, wish
        assert outcome.entry(data).subtree == live.entry(data).subtree, wish
        assert outcome.entry(data / "report").stat.device == outcome.entry(data / "folder/again").stat.device


def test_a_change_right_after_the_recovery_point_is_found_by_the_next_backup(host, data):
    """With the very same times: what is so young that a second change may share its times is never believed."""
    (data / "report").write_bytes(b"young one")

    def change():
        at = os.stat(data / "report")
        with open(data / "report", "r+b") as file:
            file.write(b"YOUNG")
        os.utime(data / "report", ns=(at.st_atime_ns, at.st_mtime_ns))

    first = host.back_up(data, settle=False, heard=At("scan", change), recovery_point=REQUIRED)
    assert first.content(data / "report") == b"young one"
    assert host.back_up(data, recovery_point=REQUIRED).content(data / "report") == b"YOUNG one"


def test_never_makes_none(host, disk, data):
    heard = Heard()
    outcome = host.back_up(data, heard=heard, recovery_point=RecoveryPointWish.NEVER)
    assert outcome.report.source is SourceKind.LIVE
    assert "wants no recovery point" in outcome.report.source_why
    assert not (disk / ".strongroom-recovery-points").exists()
    assert (heard.told[0], heard.told[-3]) == ("recovery_point", "release")


@pytest.mark.parametrize("kind", ["ext4", "tmpfs"])
def test_required_fails_with_the_reason_where_nothing_can_be_frozen(host, disk, data, tmp_path, kind):
    with mounted(kind, tmp_path) as other:
        (other / "file").write_bytes(b"x")
        heard = Heard()
        with pytest.raises(NoRecoveryPoint, match=f"{other}.*{kind}.*no way to be frozen"):
            host.back_up(data, other, heard=heard, recovery_point=REQUIRED)
        assert heard.told == ["recovery_point"]
        assert snapshots_on(disk) == []
        assert host.base == ""


def test_a_file_system_mounted_beneath_is_read_live_and_named(host, data, tmp_path):
    """It stands where it stood: the frozen folder beneath it is not what people see there."""
    (data / "folder/hidden").write_bytes(b"nobody sees this")
    other = data / "folder"
    run("mount", "-t", "tmpfs", "tmpfs", other)
    try:
        (other / "on top").write_bytes(b"live")
        outcome = host.back_up(data)
        assert outcome.report.source is SourceKind.MIXED
        assert areas(outcome) == {str(data): ("btrfs", ""), str(other): ("", "tmpfs has no way to be frozen")}
        assert outcome.content(other / "on top") == b"live"
        assert not outcome.has(other / "hidden")
        assert not outcome.has(other / "nested")
        stayed = host.back_up(data, one_file_system=True)
        assert stayed.report.source is SourceKind.RECOVERY_POINT
        assert not stayed.has(other / "on top")
        assert not stayed.has(other / "hidden")
        excluded = host.back_up(data, exclude=[str(other)], recovery_point=REQUIRED)
        assert areas(excluded) == {str(data): ("btrfs", "")}
    finally:
        run("umount", other)


def test_one_file_system_takes_nested_subvolumes_along_as_a_live_scan_does(host, data):
    for wish in (RecoveryPointWish.NEVER, REQUIRED):
        outcome = host.back_up(data, one_file_system=True, recovery_point=wish)
        assert outcome.content(data / "folder/nested/deep") == b"in a nested subvolume"


def test_nested_subvolumes_each_get_a_snapshot_but_not_excluded_or_read_only_ones(host, disk, data):
    make_subvolume(data / "folder/nested/further")
    (data / "folder/nested/further/file").write_bytes(b"two deep")
    make_subvolume(data / "left out")
    run("btrfs", "subvolume", "snapshot", "-r", data / "folder/nested", data / "kept")
    seen = []
    outcome = host.back_up(data, exclude=["left out"], heard=At("scan", lambda: seen.extend(snapshots_on(disk))))
    assert len(seen) == 4  # the top level that leads to it, data, nested, further
    assert outcome.content(data / "folder/nested/further/file") == b"two deep"
    assert outcome.content(data / "kept/deep") == b"in a nested subvolume"
    assert outcome.report.source is SourceKind.RECOVERY_POINT


def test_the_whole_file_system_without_our_own_folder(host, disk, data):
    for wish in (REQUIRED, RecoveryPointWish.NEVER):
        outcome = host.back_up(disk, recovery_point=wish)
        assert outcome.content(data / "report") == b"as it was"
        assert not outcome.has(disk / ".strongroom-recovery-points")


def test_two_sets_at_once_do_not_see_each_others_recovery_points(host, disk, data, tmp_path):
    inner = []
    other = OneHost(tmp_path / "other")
    outcome = host.back_up(disk, heard=At("scan", lambda: inner.append(other.back_up(disk))))
    for one in (outcome, *inner):
        assert one.content(data / "report") == b"as it was"
        assert not one.has(disk / ".strongroom-recovery-points")
    assert snapshots_on(disk) == []


def test_an_include_path_may_be_a_file_or_a_folder_deep_inside_or_gone(host, data):
    outcome = host.back_up(data / "report", data / "folder/nested", data / "gone", recovery_point=REQUIRED)
    assert outcome.content(data / "report") == b"as it was"
    assert outcome.content(data / "folder/nested/deep") == b"in a nested subvolume"
    assert not outcome.has(data / "folder/inner")
    assert outcome.reasons == {bytes(data / "gone"): "not_found"}


def test_a_folder_of_a_subvolume_mounted_elsewhere_by_its_own(host, disk, data, tmp_path):
    """As `/home` of many systems is: what is mounted is not the top level, and nobody sees our folder."""
    home = tmp_path / "home"
    home.mkdir()
    device = run("findmnt", "-no", "SOURCE", disk).strip()
    run("mount", "-o", "subvol=data", device, home)
    try:
        outcome = host.back_up(home, recovery_point=REQUIRED)
        assert outcome.content(home / "report") == b"as it was"
        assert outcome.content(home / "folder/nested/deep") == b"in a nested subvolume"
        bind = tmp_path / "bind"
        bind.mkdir()
        run("mount", "--bind", home / "folder", bind)
        try:
            outcome = host.back_up(bind, recovery_point=REQUIRED)
            assert outcome.content(bind / "nested/deep") == b"in a nested subvolume"
        finally:
            run("umount", bind)
    finally:
        run("umount", home)


class Stops(Heard):
    """Cancels the job in the middle of a step."""

    def __init__(self, step, seen, look):
        super().__init__()
        self._at, self._seen, self._look = step, seen, look

    def check(self):
        if self.told[-1] == self._at:
            self._seen.extend(self._look())
            raise Cancelled("The job was told to stop.")


@pytest.mark.parametrize("step", ["recovery_point", "scan", "transmit"])
def test_a_cancelled_job_releases_it(host, disk, data, step):
    seen = []
    with pytest.raises(Cancelled):
        host.back_up(data, heard=Stops(step, seen, lambda: snapshots_on(disk)))
    assert seen
    assert snapshots_on(disk) == []
    assert json.loads((host.places.state / "recovery-points.json").read_text())["records"] == []


def test_a_failed_job_releases_it(host, disk, data):
    def fail():
        raise RuntimeError("as a defect would")

    with pytest.raises(RuntimeError):
        host.back_up(data, heard=At("estimate", fail))
    assert snapshots_on(disk) == []


CUT_OFF = """
    import os, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[3])
    from tests.workflow.frozen import At
    from tests.workflow.one_host import OneHost
    def stop():
        print("ready", flush=True)
        sys.stdin.read()
        os._exit(9)
    OneHost(Path(sys.argv[1])).back_up(sys.argv[2], heard=At("transmit", stop))
"""


@pytest.fixture
def left_behind(host, disk, data, request):
    """What a job left that was cut off in the middle, and the same names as others would give them."""
    with other_process(CUT_OFF, host.places.state.parent, data, request.config.rootpath):
        pass
    (first, second, _) = names = snapshots_on(disk)
    holding = disk / ".strongroom-recovery-points"
    agent = re.fullmatch(r"(strongroom-[0-9a-f]{16})-1-0", first)[1]
    foreign = [holding / f"{agent}-1-7", holding / "strongroom-0123456789abcdef-1-0", disk / first, data / second]
    for path in foreign:
        run("btrfs", "subvolume", "snapshot", "-r", data, path)
    return names, foreign


def test_what_a_crash_left_is_deleted_at_the_next_start_and_nothing_else(host, disk, left_behind):
    """Not by the look of a name: only what is on record, at the place that is on record."""
    names, foreign = left_behind
    assert LinuxPlatform().recovery_points(host.places.state).clear() == []
    assert snapshots_on(disk) == sorted(path.name for path in foreign[:2])
    assert not {*names} & {*snapshots_on(disk)}
    assert all((path / "report").exists() for path in foreign)
    assert list((host.places.state / "recovery").glob("*")) == []


def test_what_a_crash_left_is_deleted_by_the_next_job_too(host, disk, data, left_behind):
    names, foreign = left_behind
    assert host.back_up(data).content(data / "report") == b"as it was"
    assert not {*names} & {*snapshots_on(disk)}
    assert all((path / "report").exists() for path in foreign)


def test_what_cannot_be_deleted_now_stays_on_record(host, disk, data, left_behind):
    """Its file system is not mounted: it is neither forgotten nor mounted for it."""
    names, _ = left_behind
    device = run("losetup", "--list", "--noheadings", "--output", "NAME", "--associated", f"{disk}.image").strip()
    run("losetup", "--find", f"{disk}.image") if not device else None
    run("umount", disk)
    LinuxPlatform().recovery_points(host.places.state).clear()
    kept = json.loads((host.places.state / "recovery-points.json").read_text())["records"]
    assert [record["name"] for record in kept] == names
    run("mount", "-o", "loop", f"{disk}.image", disk)
    LinuxPlatform().recovery_points(host.places.state).clear()
    assert not {*names} & {*snapshots_on(disk)}


def test_the_system_refuses_so_the_files_are_read_live_and_the_report_says_why(host, disk, data):
    """Somebody made our folder's name a place of his own."""
    (disk / ".strongroom-recovery-points").mkdir(mode=0o777)
    (disk / ".strongroom-recovery-points").chmod(0o777)
    outcome = host.back_up(data)
    assert outcome.report.source is SourceKind.LIVE
    assert "not root's alone" in outcome.report.source_why
    assert outcome.content(data / "folder/nested/deep") == b"in a nested subvolume"


def test_no_space_for_a_snapshot_so_the_files_are_read_live(host, tmp_path):
    """A file system that is full to the last byte takes no snapshot."""
    with mounted("btrfs", tmp_path) as place:
        (place / "file").write_bytes(b"small")
        subprocess.run(["dd", "if=/dev/zero", f"of={place}/fill", "bs=1M"], capture_output=True, check=False)
        _fill_with_small_files(place)
        os.sync()
        outcome = host.back_up(place / "file", place / "fill", exclude=["fill"])
        assert outcome.content(place / "file") == b"small"
        if outcome.report.source is SourceKind.LIVE:
            assert "No space" in outcome.report.source_why


def _fill_with_small_files(folder):
    """Write until not even a small file can be."""
    with contextlib.suppress(OSError):
        for number in range(1_000_000):
            (folder / f"{number}").write_bytes(b"x" * 3000)


def test_a_read_only_file_system_is_read_as_it_is_and_stays_read_only(host, disk, data):
    run("mount", "-o", "remount,ro", disk)
    outcome = host.back_up(data)
    assert "read-only" in outcome.report.source_why
    assert outcome.content(data / "report") == b"as it was"
    assert " ro," in run("findmnt", "-no", "FS-OPTIONS,OPTIONS", disk).replace("\n", " ") or run(
        "findmnt", "-no", "FS-OPTIONS", disk
    ).startswith("ro")


def test_the_times_of_peoples_folders_are_left_alone(host, disk, data):
    host.back_up(disk)
    before = [(os.stat(path).st_mtime_ns, os.stat(path).st_ctime_ns) for path in (disk, data)]
    host.back_up(disk)
    assert [(os.stat(path).st_mtime_ns, os.stat(path).st_ctime_ns) for path in (disk, data)] == before


def test_no_mount_is_to_be_seen_by_anybody(host, data):
    def mounts():
        """Return the mounts but for those of tests that run beside this one."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        beside = "/popen-gw"
        own = f"/popen-{os.environ.get('PYTEST_XDIST_WORKER')}/"
        return [line for line in lines if beside not in line or own in line]

    seen = []
    before = mounts()
    host.back_up(data, heard=At("scan", lambda: seen.append(mounts())))
    assert seen == [before]


def test_a_folder_that_is_renamed_meanwhile_is_read_as_it_was(host, data):
    def replace():
        data.rename(data.parent / "away")
        data.mkdir()
        (data / "report").write_bytes(b"not this one")

    outcome = host.back_up(data / "report", data / "folder", heard=At("scan", replace), recovery_point=REQUIRED)
    assert outcome.content(data / "report") == b"as it was"
    assert outcome.content(data / "folder/nested/deep") == b"in a nested subvolume"
    assert outcome.reasons == {}
