"""W7: files and data are estimated before transmission starts, and the estimate is told while the job runs."""

import pytest

from strongroom.model.report import HISTOGRAM_LIMITS_BYTES
from tests.workflow.one_host import Heard, OneHost


class Watchful(Heard):
    """Notes how much had been sent when the estimate came."""

    def __init__(self, host):
        super().__init__()
        self._host = host
        self.stored_then = None

    def estimated(self, estimate):
        super().estimated(estimate)
        self.stored_then = self._host.vault.stats().chunks


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path / "agent")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    for size in (0, 1, 5000, 70_000, 2_000_000):
        (folder / "inner" / f"{size} bytes").write_bytes(b"x" * size)
    (folder / "link").symlink_to("inner")
    return folder


def test_the_estimate_comes_before_anything_is_sent(host, data):
    heard = Watchful(host)
    host.back_up(data, heard=heard)
    assert heard.stored_then == 0
    steps = [
        "recovery_point",
        "scan",
        "estimate",
        "estimated",
        "fileset",
        "transmit",
        "release",
        "missed_files",
        "report",
    ]
    assert heard.told == steps


def test_the_estimate_counts_files_folders_and_bytes(host, data):
    outcome = host.back_up(data)
    forecast = outcome.heard.forecast
    assert forecast == outcome.report.estimate
    assert (forecast.files_scanned, forecast.files_added, forecast.files_changed) == (6, 6, 0)
    assert forecast.folders_scanned == len(data.parts) + 1
    assert forecast.source_bytes == forecast.changed_bytes == 2_075_001


def test_the_histogram_has_every_file_in_its_class(host, data):
    histogram = host.back_up(data).heard.forecast.histogram
    assert len(histogram) == len(HISTOGRAM_LIMITS_BYTES) + 1
    assert histogram == (2, 1, 1, 1, 1, 0, 0, 0)


def test_what_was_estimated_is_what_is_read(host, data):
    host.back_up(data)
    (data / "inner" / "5000 bytes").write_bytes(b"y" * 6000)
    (data / "inner" / "1 bytes").unlink()
    outcome = host.back_up(data)
    forecast = outcome.heard.forecast
    assert (forecast.files_added, forecast.files_changed, forecast.files_removed) == (0, 1, 1)
    assert forecast.changed_bytes == outcome.report.transfer.bytes_read == 6000


def test_a_folder_that_is_gone_counts_with_all_that_was_in_it(host, data):
    (data / "inner" / "deeper").mkdir()
    (data / "inner" / "deeper" / "one").write_bytes(b"1")
    host.back_up(data)
    for file in data.glob("inner/**/*"):
        if file.is_file():
            file.unlink()
    (data / "inner" / "deeper").rmdir()
    (data / "inner").rmdir()
    assert host.back_up(data).heard.forecast.files_removed == 6


class Keen(Heard):
    """Notes also when it is told that something differs."""

    def differs(self):
        self.told.append("differs")


def test_that_something_differs_is_told_when_the_scan_is_over(host, data):
    host.back_up(data)
    same, changed = Keen(), Keen()
    host.back_up(data, heard=same)
    assert "differs" not in same.told
    (data / "inner" / "1 bytes").write_bytes(b"other")
    host.back_up(data, heard=changed)
    assert changed.told[:4] == ["recovery_point", "scan", "differs", "estimate"]
