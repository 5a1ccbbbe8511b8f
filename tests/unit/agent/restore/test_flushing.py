"""What was restored is on disk at the end; the disk begins with it before, and a failure is never lost."""

import errno
import os
import threading

import pytest

from strongroom.agent.platform import linux_place
from strongroom.agent.restore import site as site_module
from strongroom.agent.restore.site import Site
from strongroom.errors import Unavailable
from tests.unit.agent.restore.taken import CHUNK, TakenSnapshot, look_at


@pytest.fixture
def top(tmp_path, monkeypatch):
    """Make a tree for which the disk is told to begin several times."""
    monkeypatch.setattr(site_module, "_FLUSH_BYTES", CHUNK)
    monkeypatch.setattr("strongroom.agent.restore.plan.BATCH_BYTES", CHUNK)
    top = tmp_path / "source"
    top.mkdir()
    for number in range(20):
        (top / f"n{number}").write_bytes(os.urandom(CHUNK))
    return top


def test_disks_begin_before_the_end_and_the_end_waits_for_them(top, tmp_path, restore, monkeypatch):
    flushed = []
    really = linux_place.flush

    def flush(handle):
        flushed.append((threading.current_thread().name, sorted(os.listdir(handle))))
        really(handle)

    monkeypatch.setattr(linux_place, "flush", flush)
    restore(TakenSnapshot().take(top), tmp_path / "target")
    assert look_at(tmp_path / "target") == look_at(top)
    assert len(flushed) > 1
    assert flushed[0][0].startswith("flush")
    assert flushed[-1] == (threading.current_thread().name, sorted(os.listdir(top)))


@pytest.mark.parametrize("fails", ["the first", "the last"])
def test_a_disk_that_failed_once_fails_the_job(top, tmp_path, restore, monkeypatch, fails):
    """The system tells of a failure to write once; whoever flushes again is told that all is well."""
    told = []

    def flush(handle):
        told.append(handle)
        in_own_thread = threading.current_thread().name.startswith("flush")
        if in_own_thread if fails == "the first" else not in_own_thread:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(linux_place, "flush", flush)
    with pytest.raises(Unavailable, match="could not be written to disk") as caught:
        restore(TakenSnapshot().take(top), tmp_path / "target")
    assert caught.value.code == "flush_failed"


def test_little_is_left_to_the_end(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(linux_place, "flush", told.append)
    target = os.open(tmp_path, os.O_RDONLY)
    with Site(target, None) as site:
        site.note_written(site_module._FLUSH_BYTES - 1)
    os.close(target)
    assert told == []
