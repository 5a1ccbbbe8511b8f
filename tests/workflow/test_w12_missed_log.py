"""W12: the missed files of a job stand in a log on the host, a line each with its reason; the server gets the same."""

import os
import stat

import pytest

from strongroom.model.paths import escape_path
from tests.workflow.one_host import SET, Heard, OneHost


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path / "agent")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "fine").write_bytes(b"fine")
    return folder


def spoil(folder, count):
    paths = [bytes(folder) + b"/\xff%05d" % number for number in range(count)]
    for path in paths:
        with open(path, "wb"):
            pass
    return paths


def test_the_log_stands_where_the_rule_says(host, data):
    spoil(data, 1)
    host.back_up(data)
    log = host.places.log_root / "FS" / "backup" / str(SET) / "Strongroom-1-MissedFiles.log"
    assert log.is_file()
    assert stat.S_IMODE(log.stat().st_mode) & 0o007 == 0
    assert [path.name for path in log.parent.iterdir()] == [log.name]


def test_one_line_a_file_with_path_reason_and_sentence(host, data):
    (data / "bad\nname").mkdir()
    path = bytes(data / "bad\nname") + b"/\xe9\t"
    with open(path, "wb"):
        pass
    host.back_up(data, data.parent / "nowhere")
    lines = [line.split("\t") for line in host.log()]
    assert lines == [
        [str(data.parent / "nowhere"), "not_found", "does not exist on the host"],
        [escape_path(path), "name_not_utf8", "its name is not valid UTF-8"],
    ]


def test_the_server_is_told_the_same_in_the_same_order(host, data):
    spoil(data, 1203)
    outcome = host.back_up(data)
    assert [line.split("\t")[0] for line in host.log()] == [escape_path(f.path) for f in outcome.heard.missed_files]
    assert outcome.report.missed_count == len(outcome.heard.missed_files) == 1203


def test_it_is_told_in_batches_while_the_job_runs(host, data):
    class Counting(Heard):
        batches = ()

        def missed(self, files):
            super().missed(files)
            self.batches += ((len(files), self.told[-1]),)

    spoil(data, 1203)
    heard = Counting()
    host.back_up(data, heard=heard)
    assert [step for _, step in heard.batches] == ["scan", "scan", "missed_files"]
    assert max(count for count, _ in heard.batches) <= 500


def test_each_job_has_a_log_of_its_own_and_a_clean_one_has_none(host, data):
    (path,) = spoil(data, 1)
    host.back_up(data)
    os.unlink(path)
    host.back_up(data)
    assert host.log(1) is not None
    assert host.log(2) is None


def test_a_cancelled_job_leaves_its_log_too(host, data):
    spoil(data, 3)
    with pytest.raises(Exception, match="cancelled"):
        host.back_up(data, heard=Heard(stop_at=len(data.parts) + 1))
    assert len(host.log()) == 3


def test_when_the_log_root_cannot_be_written_the_log_is_kept_with_the_agent_and_the_report_says_so(host, data):
    spoil(data, 1)
    host.places.log_root.parent.mkdir(parents=True, exist_ok=True)
    host.places.log_root.write_bytes(b"in the way")
    report = host.back_up(data).report
    fallback = host.places.missed_log(host.places.state / "logs", SET, 1)
    assert len(fallback.read_text().splitlines()) == 1
    assert any(str(host.places.state / "logs") in note for note in report.notes)


def test_a_link_put_in_the_place_of_the_log_is_replaced_and_not_followed(host, data, tmp_path):
    spoil(data, 1)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    log = host.places.missed_log(host.places.log_root, SET, 1)
    log.parent.mkdir(parents=True)
    log.symlink_to(victim)
    host.back_up(data)
    assert victim.read_bytes() == b"precious"
    assert len(log.read_text().splitlines()) == 1
