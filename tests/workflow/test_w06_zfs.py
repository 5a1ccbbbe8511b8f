"""W6 on Linux, ZFS: recovery points through the program `zfs`, here a double that does as its manual says.

The datasets are folders on a small file system whose line in the mount table is told to be one of ZFS. What cannot be
shown so is that the real program and kernel answer as documented.
"""

import contextlib
import dataclasses
import json
import os
import stat
import sys

import pytest

from strongroom.agent.backup.recovery_point import NoRecoveryPoint
from strongroom.agent.platform.linux import LinuxPlatform, LinuxSource
from strongroom.agent.platform.mounts import read_mounts
from strongroom.agent.platform.recovery.points import LinuxRecoveryPoints
from strongroom.agent.platform.recovery.tools import Tools
from strongroom.model.job import SourceKind
from strongroom.model.policy import RecoveryPointWish
from tests.exact.file_systems import PATH, mounted, run
from tests.workflow.frozen import At
from tests.workflow.one_host import OneHost

pytestmark = pytest.mark.root
REQUIRED = RecoveryPointWish.REQUIRED


class Pool:
    """Datasets that the double knows, and a machine that takes their mounts for ZFS."""

    def __init__(self, folder):
        self.state = folder / "zfs.json"
        self.tools = folder / "bin"
        self.tools.mkdir()
        program = self.tools / "zfs"
        program.write_text(
            f"#!/bin/sh\nPATH={PATH} PYTHONPATH={os.pathsep.join(sys.path)} exec {sys.executable} "
            f'-m strongroom.testing.zfs_program {self.state} "$@"\n'
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.datasets = {}
        self.write({})

    def add(self, name, place):
        """Make a mounted file system a dataset."""
        self.datasets[bytes(place)] = name.encode()
        self.write({**self.known(), name: {"mountpoint": str(place)}})

    def known(self):
        return json.loads(self.state.read_text())

    def write(self, known):
        self.state.write_text(json.dumps(known))

    def snapshots(self):
        return sorted(name for name in self.known() if "@" in name)

    def points(self, state):
        return LinuxRecoveryPoints(state, LinuxSource, tools=Tools(str(self.tools)), mounts=self._mounts)

    def _mounts(self):
        return [
            dataclasses.replace(mount, kind="zfs", source=self.datasets[mount.point])
            if mount.point in self.datasets
            else mount
            for mount in read_mounts()
        ]


class Machine(LinuxPlatform):
    """A machine with such a pool."""

    def __init__(self, pool):
        super().__init__()
        self._pool = pool
        self._made = {}

    def recovery_points(self, state):
        return self._made.setdefault(state, self._pool.points(state))


@pytest.fixture
def pool(tmp_path):
    return Pool(tmp_path)


@pytest.fixture
def data(tmp_path, pool):
    """A dataset with another mounted in it."""
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(mounted("tmpfs", tmp_path))
        (place / "file").write_bytes(b"as it was")
        (place / "child").mkdir()
        run("mount", "-t", "tmpfs", "child", place / "child")
        stack.callback(run, "umount", place / "child")
        (place / "child" / "inner").write_bytes(b"in a child dataset")
        pool.add("tank/data", place)
        pool.add("tank/data/child", place / "child")
        yield place


@pytest.fixture
def host(tmp_path, pool):
    one = OneHost(tmp_path / "agent")
    one.machine = Machine(pool)
    return one


def test_datasets_are_read_as_they_were_and_nothing_stays(host, pool, data):
    seen = []

    def change():
        seen.extend(pool.snapshots())
        (data / "file").write_bytes(b"changed since")
        (data / "child/inner").write_bytes(b"changed since")

    outcome = host.back_up(data, heard=At("scan", change), recovery_point=REQUIRED)
    assert outcome.content(data / "file") == b"as it was"
    assert outcome.content(data / "child/inner") == b"in a child dataset"
    assert outcome.report.source is SourceKind.RECOVERY_POINT
    assert [(area.path, area.how) for area in outcome.report.areas] == [
        (str(data), "zfs"),
        (str(data / "child"), "zfs"),
    ]
    assert len(seen) == 2
    assert pool.snapshots() == []
    assert not outcome.has(data / ".zfs")


def test_what_zfs_says_is_the_reason(host, pool, data):
    pool.write({**pool.known(), "fails": "out of space"})
    outcome = host.back_up(data)
    assert outcome.report.source is SourceKind.LIVE
    assert "out of space" in outcome.report.source_why
    assert outcome.content(data / "child/inner") == b"in a child dataset"
    pool.write({**pool.known(), "fails": "out of space"})
    with pytest.raises(NoRecoveryPoint, match="out of space"):
        host.back_up(data, recovery_point=REQUIRED)
    assert pool.snapshots() == []


def test_zfs_is_not_installed(host, pool, data):
    (pool.tools / "zfs").unlink()
    outcome = host.back_up(data)
    assert outcome.report.source is SourceKind.LIVE
    assert "zfs is not installed" in outcome.report.source_why


def test_a_snapshot_that_is_busy_for_a_while_is_destroyed_all_the_same(host, pool, data):
    pool.write({**pool.known(), "busy": 2})
    host.back_up(data, recovery_point=REQUIRED)
    assert pool.snapshots() == []


def test_leftovers_are_destroyed_by_record_and_property_and_no_others(host, pool, data, tmp_path):
    state = host.places.state
    records = pool.points(state)._own_records()
    ours = records.begin("zfs", "tank/data", 7)
    stolen = records.begin("zfs", "tank/data/child", 7)
    gone = records.begin("zfs", "tank/data", 8)
    tools = Tools(str(pool.tools))
    tools.run("zfs", "snapshot", "-o", f"org.strongroom:owner={records.owner}", f"tank/data@{ours.name}")
    tools.run("zfs", "snapshot", "-o", "org.strongroom:owner=another", f"tank/data/child@{stolen.name}")
    tools.run("zfs", "snapshot", f"tank/data@{records.prefix}-9-0")
    try:
        troubles = pool.points(state).clear()
        assert len(troubles) == 1
        assert "not this agent's" in troubles[0]
        assert pool.snapshots() == [f"tank/data/child@{stolen.name}", f"tank/data@{records.prefix}-9-0"]
        kept = json.loads((state / "recovery-points.json").read_text())["records"]
        assert [record["name"] for record in kept] == [stolen.name]
        assert gone.name not in str(kept)
    finally:
        for name in pool.snapshots():
            tools.run("zfs", "destroy", name)
