"""W6, W9, W10 by real processes on a real btrfs: from the command line to the snapshot on the disk, and by kill -9."""

import fcntl

import pytest

from tests.exact.file_systems import mounted
from tests.system.site import write_noise
from tests.workflow.frozen import make_subvolume, run, snapshots_on

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(300)]
MIB = 1 << 20


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    with mounted("btrfs", tmp_path_factory.mktemp("disk")) as place:
        make_subvolume(place / "data")
        make_subvolume(place / "data/nested")
        (place / "data/file").write_bytes(b"content")
        (place / "data/nested/file").write_bytes(b"content, nested")
        yield place


def test_what_a_set_wishes_reaches_the_agent_and_the_job_says_what_was_read(far_site, disk, tmp_path):
    """A write lock is held all the while; the command line says the same in words."""
    far_site.protect("frozen", disk / "data", options=("--recovery-point", "required"))
    assert far_site.cli("set", "show", "frozen")["options"]["recovery_point"] == "required"
    with open(disk / "data/file", "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        job = far_site.back_up("frozen")
    assert (job["state"], job["missed_count"], job["source"]) == ("successful", 0, "recovery_point")
    assert job["source_areas"] == [{"path": str(disk / "data"), "kind": "recovery_point", "how": "btrfs", "why": ""}]
    assert far_site.cli("snapshot", "list", "frozen")[0]["source"] == "recovery_point"
    target = tmp_path / "out"
    far_site.restore(job["snapshot_id"], str(disk / "data"), "--to", str(target))
    assert (target / "data/nested/file").read_bytes() == b"content, nested"
    assert snapshots_on(disk) == []

    live = tmp_path / "live"
    live.mkdir()
    (live / "file").write_bytes(b"content")
    far_site.protect("both", disk / "data", live)
    both = far_site.back_up("both")
    assert both["source"] == "mixed"
    shown = far_site.cli("job", "show", str(both["id"]), json=False)
    assert f"{disk / 'data'}\trecovery point (btrfs)" in shown
    assert f"{live}\tlive, " in shown

    far_site.protect("impossible", disk / "data", live, options=("--recovery-point=required", "--exclude", "none"))
    failed = far_site.back_up("impossible", expect=3)
    assert (failed["state"], failed["step"]) == ("failed", "recovery_point")
    assert failed["reason"]["code"] == "no_recovery_point"
    assert str(live) in failed["reason"]["text"]

    far_site.protect("live", disk / "data", options=("--recovery-point", "never", "--exclude", "nothing"))
    assert far_site.back_up("live")["source"] == "live"
    assert snapshots_on(disk) == []


def begin_and_wait_until_it_sends(site, disk, name):
    """Begin a backup that takes long; return the job, with its recovery point on the disk."""
    write_noise(disk / "data/large", 40 * MIB, seed=len(name))
    site.network.heal()
    site.protect(name, disk / "data", options=("--recovery-point", "required", "--exclude", f"not {name}"))
    site.network.rate = MIB
    job = site.begin(name)
    site.when(job, lambda seen: seen["step"] == "transmit")
    assert len(snapshots_on(disk)) == 3  # the top level, data, nested
    return job


def test_what_a_killed_agent_left_is_deleted_at_its_start_and_what_is_anothers_stays(far_site, disk):
    job = begin_and_wait_until_it_sends(far_site, disk, "killed")
    ours = snapshots_on(disk)
    foreign = disk / ".strongroom-recovery-points" / ours[0].replace("-0", "-9")
    run("btrfs", "subvolume", "snapshot", "-r", disk / "data", foreign)
    far_site.kill_agent()
    assert {*ours} < {*snapshots_on(disk)}
    far_site.network.heal()
    far_site.start_agent()
    far_site.until(lambda: snapshots_on(disk) == [foreign.name])
    assert far_site.ended(job)["state"] == "aborted"
    again = far_site.back_up("killed")
    assert (again["state"], again["source"]) == ("successful", "recovery_point")
    assert snapshots_on(disk) == [foreign.name]
    run("btrfs", "subvolume", "delete", foreign)


def test_an_agent_that_is_stopped_and_a_job_that_is_cancelled_leave_none(far_site, disk):
    job = begin_and_wait_until_it_sends(far_site, disk, "stopped")
    far_site.stop_agent()
    assert snapshots_on(disk) == []
    far_site.network.heal()
    far_site.start_agent()
    assert far_site.ended(job)["state"] == "aborted"
    job = begin_and_wait_until_it_sends(far_site, disk, "cancelled")
    far_site.cli("job", "cancel", str(job["id"]))
    far_site.network.heal()
    assert far_site.ended(job)["state"] == "cancelled"
    far_site.until(lambda: snapshots_on(disk) == [])
