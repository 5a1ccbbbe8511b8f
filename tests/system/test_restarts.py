"""W1, W2, W3, W7 by real processes: agents and servers that stop, are killed in the middle, and come back.

The network between them is slow while a test needs the backup to be under way, so that nothing hangs on who is faster.
"""

import os

import pytest

from tests.compare_trees import Comparison, compare, compare_trees
from tests.system.packs import packs_of
from tests.system.site import write_noise

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 1 << 20
SIZE = 60 * MIB
SLOW = 32 * MIB
ALMOST_NOTHING = MIB
ANOTHER_BOOT = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'


@pytest.fixture(scope="module")
def source(far_site):
    """Make files that take a while to send on a slow network."""
    folder = far_site.folder / "source"
    folder.mkdir()
    for number in range(12):
        write_noise(folder / f"{number}", SIZE // 12, seed=number)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "small").write_text("small")
    return folder


@pytest.fixture
def a_set(far_site, source, request):
    """Give a backup set of its own to each test, with what the agent and the server know nothing of."""
    far_site.network.heal()
    for name in ("server", "agent-host"):
        if name not in far_site.pids():
            far_site.start()
    name = request.node.name.removeprefix("test_")[:40]
    renew(source)
    far_site.protect(name, source, options=("--exclude", f"not there for {name}"))
    return name


def renew(source):
    """Give every large file new content, so that no test profits from the one before."""
    renew.count += 1
    for number in range(12):
        write_noise(source / f"{number}", SIZE // 12, seed=1000 * renew.count + number)


renew.count = 0


def in_transmission(site, name):
    """Begin a backup over a slow network; return the job when a pack of it is stored. The rest would take long."""
    site.network.rate = SLOW
    before = set(packs_of(site))
    job = site.begin(name)
    site.when(job, lambda _: set(packs_of(site)) - before)
    site.network.rate = ALMOST_NOTHING
    return site.when(job, lambda seen: seen["step"] == "transmit")


def assert_next_backup_works(site, name, source):
    """What was stored before is not sent again, and what comes back is what is there."""
    site.network.heal()
    job = site.back_up(name)
    assert (job["state"], job["kind"], job["missed_count"]) == ("successful", "full", 0)
    assert job["transfer"]["bytes_read"] > SIZE
    assert job["transfer"]["bytes_sent"] < SIZE - 20 * MIB
    target = site.folder / "restored" / name
    site.restore(job["snapshot_id"], str(source), "--to", str(target))
    assert compare(source, target / "source") == []
    assert site.cli("vault", "check", "--read-data")["ok"]


def test_w1_an_agent_killed_in_the_middle_aborts_the_job_and_the_next_backup_works(far_site, a_set, source):
    """The server notices the loss; the agent's return closes the job as aborted; nothing stored is sent again."""
    job = in_transmission(far_site, a_set)
    far_site.kill_agent()
    far_site.wait_connected(connected=False)
    assert far_site.job(job)["state"] == "running"  # it may be only the network
    far_site.start_agent()
    aborted = far_site.ended(job)
    assert (aborted["state"], aborted["reason"]["code"]) == ("aborted", "agent_restarted")
    assert "restarted" in aborted["reason"]["text"]
    assert aborted["snapshot_id"] is None
    assert_next_backup_works(far_site, a_set, source)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can pretend that the machine was started anew")
def test_w1_a_host_that_was_restarted_in_the_middle_is_told_from_an_agent_that_was(far_site, a_set, tmp_path):
    """When the agent comes back on a machine with another boot id, that is the reason the job ended."""
    job = in_transmission(far_site, a_set)
    far_site.kill_agent()
    (tmp_path / "boot_id").write_text("00000000-1111-2222-3333-444444444444\n")
    program = far_site.program
    far_site.program = ["unshare", "--mount", "sh", "-c", ANOTHER_BOOT, str(tmp_path / "boot_id"), *program]
    far_site.start_agent()
    far_site.program = program
    aborted = far_site.ended(job)
    assert (aborted["state"], aborted["reason"]["code"]) == ("aborted", "host_restarted")
    far_site.network.heal()
    assert far_site.back_up(a_set)["state"] == "successful"


def test_w1_a_server_killed_in_the_middle_aborts_the_job_and_the_next_backup_works(far_site, a_set, source):
    """The agent outlives the server, finds the new one by itself, and carries out the next backup."""
    agent = far_site.pids()["agent-host"]
    job = in_transmission(far_site, a_set)
    far_site.kill_server()
    far_site.start_server()
    aborted = far_site.ended(job)
    assert (aborted["state"], aborted["reason"]["code"]) == ("aborted", "server_restarted")
    far_site.wait_connected()
    assert far_site.pids()["agent-host"] == agent
    assert_next_backup_works(far_site, a_set, source)


def test_w1_an_agent_that_is_stopped_in_the_middle_says_so_itself(far_site, a_set, source):
    """A planned stop of the agent closes the job at once, not only when the agent comes back."""
    job = in_transmission(far_site, a_set)
    far_site.stop_agent()
    aborted = far_site.ended(job)
    assert (aborted["state"], aborted["reason"]["code"]) == ("aborted", "agent_restarted")
    far_site.start_agent()
    assert_next_backup_works(far_site, a_set, source)


def test_w1_a_server_that_is_stopped_in_the_middle_stops_soon_and_the_next_backup_works(far_site, a_set, source):
    """A planned stop of the server does not wait for a backup to end; what had arrived is kept."""
    job = in_transmission(far_site, a_set)
    far_site.stop_server()
    far_site.start_server()
    aborted = far_site.ended(job)
    assert (aborted["state"], aborted["reason"]["code"]) == ("aborted", "server_restarted")
    far_site.wait_connected()
    assert_next_backup_works(far_site, a_set, source)


def test_w1_a_restore_whose_agent_is_killed_is_aborted_and_leaves_no_half_file(far_site, a_set, source):
    """Under a final name there is a whole file or none; a second restore makes all of it good."""
    snapshot = far_site.back_up(a_set)["snapshot_id"]
    target = far_site.folder / "cut off"
    far_site.network.rate_down = SLOW
    job = far_site.cli("restore", snapshot, str(source), "--to", str(target))
    far_site.when(job, lambda _: any(target.glob("source/[0-9]*")))
    far_site.kill_agent()
    named = [file for file in (target / "source").iterdir() if file.name[0] != "." and file.is_file()]
    assert named
    assert all(file.read_bytes() == (source / file.name).read_bytes() for file in named)
    far_site.network.heal()
    far_site.start_agent()
    assert far_site.ended(job)["reason"]["code"] == "agent_restarted"
    far_site.restore(snapshot, str(source), "--to", str(target))
    for left in target.glob("source/.strongroom-restore-*"):  # what a power cut leaves has a name that says what it is
        left.unlink()
    assert compare_trees(source, target / "source", Comparison(ignore_root=True)).differences == []


def test_w2_w7_a_backup_runs_at_once_and_shows_its_estimate_while_it_sends(far_site, a_set):
    """The estimate is there before the end: how many files, how much, and how it is spread over sizes."""
    job = in_transmission(far_site, a_set)
    seen = far_site.when(job, lambda seen: seen["progress"]["bytes"] > 0)
    assert seen["reason"]["code"] == "agent_running"
    assert (seen["estimate"]["files_scanned"], seen["estimate"]["files_added"]) == (13, 13)
    assert seen["estimate"]["source_bytes"] == SIZE + len("small")
    assert sum(seen["estimate"]["histogram"]) == 13
    far_site.network.heal()
    assert far_site.ended(job)["state"] == "successful"


def test_a_backup_is_cancelled_in_the_middle(far_site, a_set, source):
    """A cancelled job ends soon, makes no snapshot, and what it had stored is not sent again."""
    job = in_transmission(far_site, a_set)
    far_site.cli("job", "cancel", str(job["id"]))
    cancelled = far_site.ended(job)
    assert (cancelled["state"], cancelled["reason"]["code"]) == ("cancelled", "cancelled_by_user")
    assert far_site.cli("snapshot", "list", a_set) == []
    assert_next_backup_works(far_site, a_set, source)


def test_w3_without_its_agent_a_backup_is_queued_and_runs_when_the_agent_starts(far_site, a_set):
    """On Linux a backup that is asked for now waits for the agent; the reason says so."""
    far_site.stop_agent()
    far_site.wait_connected(connected=False)
    job = far_site.begin(a_set)
    assert (job["state"], job["reason"]["code"]) == ("queued", "agent_away_queued")
    assert "queued" in job["reason"]["text"]
    far_site.start_agent()
    assert far_site.ended(job)["state"] == "successful"


def test_a_queued_backup_can_be_cancelled_and_survives_a_restart_of_the_server(far_site, a_set):
    """A request is recorded before anything else, so a killed server still knows of it."""
    far_site.stop_agent()
    far_site.wait_connected(connected=False)
    kept, dropped = far_site.begin(a_set), None
    far_site.kill_server()
    far_site.start_server()
    assert far_site.job(kept)["state"] == "queued"
    dropped = far_site.cli("job", "cancel", str(kept["id"]))
    assert dropped["state"] == "cancelled"
    kept = far_site.begin(a_set)
    far_site.start_agent()
    assert far_site.ended(kept)["state"] == "successful"


def test_presence_is_known_soon_after_an_agent_was_killed(far_site, a_set):
    """No patience of minutes: the broken connection itself tells."""
    far_site.kill_agent()
    far_site.wait_connected(connected=False)
    far_site.start_agent()


def test_a_revoked_host_is_refused_at_once_and_its_running_backup_ends(far_site, a_set):
    """Revocation is a row: the next request is refused, the backup is aborted, the snapshots stay."""
    far_site.activate("second")
    far_site.start_agent("second")
    source = far_site.folder / "source"
    far_site.protect("of the second", source, host="second")
    snapshot = far_site.back_up("of the second")["snapshot_id"]
    renew(source)
    job = in_transmission(far_site, "of the second")
    far_site.cli("host", "revoke", "second")
    revoked = far_site.ended(job)
    assert (revoked["state"], revoked["reason"]["code"]) == ("aborted", "host_revoked")
    far_site.network.heal()
    assert [one["id"] for one in far_site.cli("snapshot", "list", "of the second")] == [snapshot]
    refused = far_site.run("backup", "of the second")
    assert refused.returncode != 0
    assert "revoked" in refused.stderr
    far_site.stop_agent("second")
    far_site.start_agent("second", wait=False)
    far_site.until(lambda: "revoked" in (far_site.folder / "agent-second.log").read_text())
    assert not any(host["connected"] for host in far_site.cli("host", "list") if host["name"] == "second")
