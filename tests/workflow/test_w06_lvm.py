"""W6 on Linux, thin LVM: snapshots of the volume, mounted where only the job sees them.

The programs are doubles, the file systems and what is mounted of the snapshots are real: ext4 and xfs, copied while
they were frozen, which is what the device mapper does to them.
"""

import json
import os
import stat
import subprocess
import sys

import pytest

from strongroom.agent.platform.linux import LinuxPlatform, LinuxSource
from strongroom.agent.platform.recovery.points import LinuxRecoveryPoints
from strongroom.agent.platform.recovery.tools import Tools
from strongroom.model.job import SourceKind
from strongroom.model.policy import RecoveryPointWish
from tests.exact.file_systems import PATH, mounted
from tests.workflow.frozen import At
from tests.workflow.frozen import run as said_by
from tests.workflow.one_host import OneHost, other_process
from tests.workflow.test_w09_locked_files import HOLDERS

pytestmark = pytest.mark.root
REQUIRED = RecoveryPointWish.REQUIRED


class Group:
    """A volume group of one volume, as the doubles know it."""

    def __init__(self, folder):
        self.state = folder / "lvm.json"
        self.tools = folder / "bin"
        self.tools.mkdir()
        for name in ("lvs", "lvcreate", "lvremove"):
            program = self.tools / name
            program.write_text(
                f"#!/bin/sh\nPATH={PATH} PYTHONPATH={os.pathsep.join(sys.path)} exec {sys.executable} "
                f'-m strongroom.testing.lvm_programs {self.state} {name} "$@"\n'
            )
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.write({"volumes": {}})

    def add(self, name, place, segtype="thin"):
        """Make a mounted file system a volume."""
        device = said_by("findmnt", "-no", "SOURCE", place).strip()
        volume = {"segtype": segtype, "device": device, "file": f"{place}.image", "tags": [], "mounted": str(place)}
        known = self.known()
        known["volumes"][name] = volume
        self.write(known)

    def known(self):
        return json.loads(self.state.read_text())

    def write(self, known):
        self.state.write_text(json.dumps(known))

    def volumes(self):
        return sorted(self.known()["volumes"])


class Machine(LinuxPlatform):
    """A machine with such a group."""

    def __init__(self, group):
        super().__init__()
        self._tools = Tools(str(group.tools))
        self._made = {}

    def recovery_points(self, state):
        return self._made.setdefault(state, LinuxRecoveryPoints(state, LinuxSource, tools=self._tools))


@pytest.fixture
def group(tmp_path):
    return Group(tmp_path)


@pytest.fixture(params=["ext4", "xfs"])
def data(request, tmp_path, group):
    with mounted(request.param, tmp_path) as place:
        (place / "file").write_bytes(b"as it was")
        os.link(place / "file", place / "twin")
        if (place / "lost+found").exists():
            (place / "lost+found").rmdir()  # its whole seconds would be too young to be believed
        group.add("vg/data", place)
        yield place


@pytest.fixture
def host(tmp_path, group):
    one = OneHost(tmp_path / "agent")
    one.machine = Machine(group)
    return one


def test_a_volume_is_read_as_it_was_and_nothing_stays(host, group, data):
    seen = []

    def change():
        seen.extend(group.volumes())
        (data / "file").write_bytes(b"changed since")

    with other_process(HOLDERS["posix"], data / "file"):
        outcome = host.back_up(data, heard=At("scan", change), recovery_point=REQUIRED)
    assert outcome.content(data / "file") == b"as it was"
    assert outcome.reasons == {}
    assert outcome.report.source is SourceKind.RECOVERY_POINT
    assert [(area.path, area.how) for area in outcome.report.areas] == [(str(data), "lvm")]
    assert len(seen) == 2
    assert group.volumes() == ["vg/data"]


def test_what_was_under_way_is_finished_by_the_journal(host, group, data):
    """An open file that was deleted is what leaves a journal with work to do."""
    held = open(data / "deleted", "wb")  # noqa: SIM115 -- it must stay open without a name
    with held:
        held.write(b"x" * 5000)
        held.flush()
        (data / "deleted").unlink()
        outcome = host.back_up(data, recovery_point=REQUIRED)
    assert not outcome.has(data / "deleted")
    assert outcome.reasons == {}


def test_nothing_looks_changed_between_live_files_and_recovery_points(host, data):
    host.back_up(data, recovery_point=RecoveryPointWish.NEVER)
    live = host.back_up(data, recovery_point=RecoveryPointWish.NEVER)
    for wish in (REQUIRED, RecoveryPointWish.NEVER, REQUIRED):
        outcome = host.back_up(data, recovery_point=wish)
        assert outcome.report.transfer.files_read == 0, wish
        assert outcome.entry(data).subtree == live.entry(data).subtree, wish


@pytest.mark.parametrize("data", ["ext4"], indirect=True)
def test_why_it_was_read_live(host, group, data):
    known = group.known()
    group.write({**known, "fails": "Insufficient free space in thin pool vg/pool."})
    assert "Insufficient free space" in host.back_up(data).report.source_why
    group.add("vg/data", data, segtype="linear")
    assert "not a thin one" in host.back_up(data).report.source_why
    group.write({"volumes": {}})
    assert "no way to be frozen" in host.back_up(data).report.source_why
    for name in ("lvs", "lvcreate", "lvremove"):
        (group.tools / name).unlink()
    outcome = host.back_up(data)
    assert "no way to be frozen" in outcome.report.source_why
    assert outcome.content(data / "file") == b"as it was"


@pytest.mark.parametrize("data", ["ext4"], indirect=True)
def test_leftovers_are_removed_by_record_and_tag_and_no_others(host, group, data):
    records = host.machine.recovery_points(host.places.state)._own_records()
    tools = Tools(str(group.tools))
    ours, stolen = records.begin("lvm", "vg", 7), records.begin("lvm", "vg", 7)
    options = ("--setactivationskip", "n", "--activate", "y", "--permission", "rw", "vg/data")
    for name, tag in ((ours.name, records.prefix), (stolen.name, "theirs"), (f"{records.prefix}-9-0", records.prefix)):
        tools.run("lvcreate", "--quiet", "--snapshot", "--name", name, "--addtag", tag, *options)
    try:
        troubles = Machine(group).recovery_points(host.places.state).clear()
        assert len(troubles) == 1
        assert "not this agent's" in troubles[0]
        assert group.volumes() == ["vg/data", f"vg/{stolen.name}", f"vg/{records.prefix}-9-0"]
    finally:
        for name in (stolen.name, f"{records.prefix}-9-0"):
            subprocess.run([group.tools / "lvremove", "--quiet", "--yes", f"vg/{name}"], check=True)
