"""The server's data folder and its place on the disk: who else holds it, and what happens when there is no room."""

import os
import socket
import subprocess

import pytest

from tests.compare_trees import compare
from tests.system.site import Site, write_noise

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 1 << 20


def test_a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on(site):
    """Two servers would ruin the vault: the second says who is there and ends."""
    second = site.run("server", "run", "--data", str(site.data), "--listen", "127.0.0.1:0")
    assert second.returncode not in {0, 1}
    assert second.stdout == ""
    assert str(site.data) in second.stderr
    assert "Traceback" not in second.stderr
    assert site.cli("host", "list")[0]["connected"]


def test_a_second_agent_on_the_same_folder_is_refused_and_the_first_goes_on(site):
    """The same for agents."""
    second = site.run("agent", "run", "--state", str(site.state()))
    assert second.returncode not in {0, 1}
    assert str(site.state()) in second.stderr
    assert site.cli("host", "list")[0]["connected"]


def test_a_port_that_is_taken_is_said_plainly(tmp_path):
    """The address, and that something else listens there."""
    other = Site(tmp_path / "other")
    other.run("server", "init", "--data", str(other.data), expect=(0,))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = other.run("server", "run", "--data", str(other.data), "--listen", address)
    assert refused.returncode not in {0, 1}
    assert address.replace(":", " port ") in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_folder_that_is_no_servers_is_said_plainly(site, tmp_path):
    """Neither an empty folder nor one that is not there is a server; a used one is not initialised again."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        refused = site.run("server", "run", "--data", str(folder), "--listen", "127.0.0.1:0")
        assert refused.returncode not in {0, 1}
        assert "server init" in refused.stderr
    again = site.run("server", "init", "--data", str(site.data))
    assert again.returncode not in {0, 1}
    assert "Traceback" not in again.stderr


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_fails_the_backup_in_plain_words_and_costs_nothing_else(tmp_path):
    """The server lives on; when there is room again the next backup works and the vault is sound."""
    with Site(tmp_path / "site") as site:
        site.stop_server()
        vault = site.data / "vault"
        vault.rename(site.data / "kept")
        vault.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m,mode=700", "tmpfs", str(vault)], check=True)
        try:
            subprocess.run(["cp", "-a", f"{site.data / 'kept'}/.", str(vault)], check=True)
            site.start_server()
            fill_and_recover(site, vault)
        finally:
            site.stop_server()
            subprocess.run(["umount", str(vault)], check=True)
    assert "Traceback" not in site.said()


def fill_and_recover(site, vault):
    """Back up more than there is room for, make room, back up again."""
    site.wait_connected()
    tree = site.folder / "tree"
    tree.mkdir()
    write_noise(tree / "small", MIB, seed=1)
    site.protect("tree", tree)
    first = site.back_up("tree")
    write_noise(tree / "large", 64 * MIB, seed=2)
    server = site.pids()["server"]
    failed = site.back_up("tree", expect=3)
    assert failed["state"] == "failed"
    assert "The vault's storage is full" in failed["reason"]["text"]
    assert "Free space where the vault lies." in failed["reason"]["text"]
    assert site.pids()["server"] == server
    assert site.cli("vault", "check", "--read-data")["ok"]
    subprocess.run(["mount", "-o", "remount,size=200m", str(vault)], check=True)
    job = site.back_up("tree")
    assert (job["state"], job["kind"]) == ("successful", "incremental")
    assert site.cli("vault", "check", "--read-data")["ok"]
    for snapshot, names in ((first["snapshot_id"], ["small"]), (job["snapshot_id"], ["large", "small"])):
        site.restore(snapshot, str(tree), "--to", str(site.folder / snapshot))
        assert sorted(os.listdir(site.folder / snapshot / "tree")) == names
    assert compare(tree, site.folder / job["snapshot_id"] / "tree") == []
