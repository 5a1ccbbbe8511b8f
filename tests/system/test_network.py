"""W14 by real processes: a network that is cut, silent or gone for a while costs retries and nothing else.

And what happens to files between scan and reading, which only a slow network shows reliably.
"""

import time
from zlib import crc32

import pytest

from tests.compare_trees import compare
from tests.system.site import write_noise

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 1 << 20
SLOW = 4 * MIB
NOISY_FILES = 12
"""Enough that seconds pass, even with what lies in buffers on the way, before the last of it is read."""


@pytest.fixture
def source(far_site, request):
    """Make fresh files, and a set named `files` of the test's own."""
    far_site.network.heal()
    folder = far_site.folder / request.node.name[:40]
    (folder / "noise").mkdir(parents=True)  # a folder is read after what lies beneath it
    for number in range(NOISY_FILES):
        write_noise(folder / "noise" / f"{number}", 4 * MIB, seed=crc32(folder.name.encode()) + number)
    far_site.protect(folder.name, folder)
    return folder


def under_way(site, source):
    """Begin a backup on a slow network; return the job when some of it was sent."""
    site.network.rate = SLOW
    before = site.network.passed
    job = site.begin(source.name)
    site.when(job, lambda _: site.network.passed - before > 2 * MIB)
    site.network.rate = MIB
    return job


def assert_all_is_there(site, source, job):
    assert (job["state"], job["missed_count"]) == ("successful", 0)
    target = site.folder / "out" / source.name
    site.restore(job["snapshot_id"], str(source), "--to", str(target))
    assert compare(source, target / source.name) == []


def test_w14_a_backup_goes_on_after_its_connections_were_cut(far_site, source):
    """All connections are cut at once, twice; the same job ends well and says what it cost."""
    job = under_way(far_site, source)
    assert far_site.network.cut() > 0
    far_site.until(far_site.network.connections)
    far_site.network.rate = SLOW
    assert far_site.network.cut() > 0
    far_site.network.heal()
    done = far_site.ended(job)
    assert done["transfer"]["retries"] >= 1
    assert done["transfer"]["retry_s"] > 0
    assert_all_is_there(far_site, source, done)


def test_w14_a_backup_outlives_some_seconds_without_a_network(far_site, source):
    """Nothing comes through and new connections are refused; the job stays running and then ends well."""
    job = under_way(far_site, source)
    far_site.network.is_down = True
    far_site.network.cut()
    far_site.wait_connected(connected=False)
    assert far_site.job(job)["state"] == "running"
    time.sleep(3)
    far_site.network.heal()
    far_site.wait_connected()
    done = far_site.ended(job)
    assert done["transfer"]["retries"] >= 1
    assert_all_is_there(far_site, source, done)


def test_w14_a_silent_network_is_only_slow(far_site, source):
    """Connections that say nothing for a while are not cut by anybody."""
    job = under_way(far_site, source)
    far_site.network.is_frozen = True
    time.sleep(3)
    assert far_site.job(job)["state"] == "running"
    far_site.network.heal()
    assert_all_is_there(far_site, source, far_site.ended(job))


def test_w14_a_restore_goes_on_after_its_connections_were_cut(far_site, source):
    """Chunks that had arrived are not lost; the tree is whole in the end."""
    snapshot = far_site.back_up(source.name)["snapshot_id"]
    target = far_site.folder / "cut" / source.name
    far_site.network.rate_down = SLOW
    job = far_site.cli("restore", snapshot, str(source), "--to", str(target))
    far_site.when(job, lambda _: any(target.glob("*/noise/[0-9]")))
    assert far_site.network.cut() > 0
    far_site.network.heal()
    done = far_site.ended(job)
    assert (done["state"], done["missed_count"]) == ("successful", 0)
    assert compare(source, target / source.name) == []


def test_a_file_that_vanishes_after_the_scan_is_listed_and_nothing_else_suffers(far_site, source):
    """The estimate counted it; when its turn came it was gone: one missed file, and the rest is there."""
    (source / "zz vanishes").write_text("soon gone")
    (source / "zz stays").write_text("here")
    job = under_way(far_site, source)
    far_site.when(job, lambda seen: seen["estimate"])
    (source / "zz vanishes").unlink()
    far_site.network.heal()
    done = far_site.ended(job)
    assert (done["state"], done["reason"]["code"]) == ("successful_with_errors", "completed_with_missed")
    assert far_site.missed(done) == {str(source / "zz vanishes"): "vanished"}
    listed = far_site.cli("snapshot", "ls", done["snapshot_id"], str(source))
    assert {entry["name"] for entry in listed} == {"noise", "zz stays"}
