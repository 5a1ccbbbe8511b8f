"""Several at once: sets side by side on one host, hosts with the same content, one host's files on another."""

import pytest

from strongroom.errors import Conflict
from tests.compare_trees import compare
from tests.system.site import write_noise

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]
HOSTS = ("alpha", "beta")
MIB = 1 << 20


def noisy(folder, seed, count=8):
    folder.mkdir()
    for number in range(count):
        write_noise(folder / f"{number}", 2 * MIB, seed=seed + number)
    return folder


def test_two_sets_of_one_host_are_backed_up_at_once(site):
    """Neither waits for the other, and both snapshots are whole."""
    trees = [noisy(site.folder / name, seed) for name, seed in (("one", 100), ("two", 200))]
    for tree in trees:
        site.protect(tree.name, tree, host="alpha")
    jobs = [site.ended(job) for job in [site.begin(tree.name) for tree in trees]]
    for tree, job in zip(trees, jobs, strict=True):
        assert (job["state"], job["missed_count"]) == ("successful", 0)
        site.restore(job["snapshot_id"], str(tree), "--to", str(site.folder / "out"))
        assert compare(tree, site.folder / "out" / tree.name) == []


def test_a_set_that_is_being_backed_up_is_not_begun_twice(site):
    """The second request is refused with a sentence that names the job."""
    tree = noisy(site.folder / "busy", 300, count=40)
    site.protect("busy", tree, host="alpha")
    job = site.api.send("sets", "busy", "backup")
    with pytest.raises(Conflict, match=str(job["id"])):
        site.api.send("sets", "busy", "backup")
    assert site.ended(job)["state"] == "successful"


def test_two_hosts_with_the_same_content_store_it_once(site):
    """The second host sends it all, for it may not know what others have; the vault hardly grows."""
    tree = noisy(site.folder / "same", 400)
    for host in HOSTS:
        site.protect(f"same of {host}", tree, host=host)
    first = site.back_up("same of alpha")
    before = site.cli("vault", "stats")
    second = site.back_up("same of beta")
    after = site.cli("vault", "stats")
    assert second["kind"] == "full"
    assert second["transfer"]["bytes_sent"] >= first["transfer"]["bytes_sent"] > 16 * MIB
    assert after["stored_bytes"] - before["stored_bytes"] < MIB
    assert after["snapshots"] == before["snapshots"] + 1


def test_one_host_restores_what_another_backed_up(site):
    """Another host may read a snapshot when an administrator says so, for that one job."""
    tree = noisy(site.folder / "from alpha", 500)
    site.protect("of alpha", tree, host="alpha")
    snapshot = site.back_up("of alpha")["snapshot_id"]
    job = site.restore(snapshot, str(tree), "--to", str(site.folder / "at beta"), "--on", "beta")
    assert (job["host"], job["state"]) == ("beta", "successful")
    assert compare(tree, site.folder / "at beta" / tree.name) == []
    assert f"job {job['id']} begins" in (site.folder / "agent-beta.log").read_text()
    assert f"job {job['id']} begins" not in (site.folder / "agent-alpha.log").read_text()
