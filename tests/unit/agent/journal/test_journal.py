"""What was begun and not ended is known after a restart, and what it left is cleared away."""

import stat

import pytest

from strongroom.agent.journal import Journal
from strongroom.agent.keeping import keep
from strongroom.errors import Unavailable


def test_a_job_that_was_not_ended_is_found_once(tmp_path):
    journal = Journal(tmp_path)
    journal.begin(1, "backup")
    journal.begin(2, "restore")
    journal.end(1)
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "left").write_text("over")
    found = Journal(tmp_path).abandoned_jobs()
    assert [(job.job_id, job.type) for job in found] == [(2, "restore")]
    assert not (tmp_path / "spool").exists()
    assert Journal(tmp_path).abandoned_jobs() == []


def test_a_journal_that_cannot_be_read_is_begun_anew(tmp_path):
    (tmp_path / "journal.json").write_text('[{"job_id": "x"')
    journal = Journal(tmp_path)
    assert journal.abandoned_jobs() == []
    journal.begin(3, "backup")
    assert [job.job_id for job in Journal(tmp_path).abandoned_jobs()] == [3]


def test_ending_what_was_not_begun_is_nothing(tmp_path):
    Journal(tmp_path).end(9)
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_is_private_and_replaces_in_one_step(tmp_path):
    path = tmp_path / "new folder" / "file"
    keep(path, b"one")
    (path.parent / "file.new").write_text("left by a crash")
    keep(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        keep(tmp_path / "file" / "below", b"")
