"""Files that vanish, change or turn into something else while a backup runs: each is listed, none ends the job."""

import os
import shutil
import socket

import pytest

from tests.workflow.one_host import Heard, OneHost, other_process


class Acts(Heard):
    """Does something to the files at a chosen moment."""

    def __init__(self, moment, act, current=None):
        super().__init__()
        self._moment, self._act, self._current = moment, act, current

    def step(self, step):
        super().step(step)
        self._maybe(step.value)

    def progress(self, files, size_bytes, current):
        if current == self._current:
            self._maybe(self.told[-1] + " progress")

    def _maybe(self, moment):
        if moment == self._moment:
            act, self._act = self._act, lambda: None
            act()


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path / "agent")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_bytes(b"inner")
    (folder / "a").write_bytes(b"aaa")
    (folder / "z").write_bytes(b"zzz")
    return folder


def test_a_file_that_vanishes_after_the_scan(host, data):
    outcome = host.back_up(data, heard=Acts("transmit", (data / "a").unlink))
    assert outcome.reasons == {bytes(data / "a"): "vanished"}
    assert not outcome.has(data / "a")
    assert outcome.content(data / "z") == b"zzz"
    assert outcome.report.state == "successful_with_errors"


def test_a_folder_that_vanishes_after_the_scan(host, data):
    outcome = host.back_up(data, heard=Acts("transmit", lambda: shutil.rmtree(data / "inner")))
    assert outcome.reasons == {bytes(data / "inner" / "file"): "vanished", bytes(data / "inner"): "vanished"}
    assert outcome.content(data / "z") == b"zzz"


def test_a_folder_that_vanishes_during_the_scan_is_listed_and_not_in_the_snapshot(host, data):
    heard = Acts("scan progress", lambda: shutil.rmtree(data / "inner"), current=bytes(data))
    outcome = host.back_up(data, heard=heard)
    assert outcome.reasons == {bytes(data / "inner"): "vanished"}
    assert not outcome.has(data / "inner")
    assert outcome.content(data / "a") == b"aaa"


def test_a_vanished_folder_that_is_back_is_taken_at_the_next_backup(host, data):
    (data / "inner" / "file").unlink()
    heard = Acts("scan progress", (data / "inner").rmdir, current=bytes(data))
    host.back_up(data, heard=heard)
    (data / "inner").mkdir()
    second = host.back_up(data)
    assert second.reasons == {}
    assert second.has(data / "inner")


def test_a_known_folder_that_vanishes_during_the_scan_goes_from_the_part_that_was_taken_over(host, data):
    host.back_up(data)
    heard = Acts("scan progress", lambda: shutil.rmtree(data / "inner"), current=bytes(data))
    second = host.back_up(data, heard=heard)
    assert not second.has(data / "inner")
    assert second.content(data / "a") == b"aaa"
    assert host.back_up(data).reasons == {}


def test_a_file_that_was_replaced_after_the_scan_is_taken_as_it_is_now(host, data):
    def replace():
        (data / "new").write_bytes(b"replaced")
        (data / "new").rename(data / "a")

    outcome = host.back_up(data, heard=Acts("transmit", replace))
    assert outcome.reasons == {}
    assert outcome.content(data / "a") == b"replaced"
    assert outcome.entry(data / "a").stat.size == 8
    third = host.back_up(data)
    assert third.content(data / "a") == b"replaced"


@pytest.mark.parametrize("kind", ["fifo", "symlink", "socket"])
def test_something_else_in_the_place_of_a_file_neither_blocks_nor_is_followed(host, data, kind):
    def swap():
        (data / "a").unlink()
        if kind == "fifo":
            os.mkfifo(data / "a")
        elif kind == "symlink":
            (data / "a").symlink_to("/etc/passwd")
        else:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(data / "a"))

    outcome = host.back_up(data, heard=Acts("transmit", swap))
    assert outcome.reasons == {}
    assert outcome.entry(data / "a").stat.type.name.lower() == kind
    assert outcome.entry(data / "a").content == ()


def test_a_file_in_the_place_of_a_link_is_taken_as_a_file(host, data):
    (data / "link").symlink_to("z")

    def swap():
        (data / "link").unlink()
        (data / "link").write_bytes(b"no link")

    outcome = host.back_up(data, heard=Acts("transmit", swap))
    assert outcome.reasons == {}
    assert outcome.content(data / "link") == b"no link"


def test_a_folder_in_the_place_of_a_file_is_missed_until_the_next_backup(host, data):
    def swap():
        (data / "a").unlink()
        (data / "a").mkdir()
        (data / "a" / "inside").write_bytes(b"inside")

    outcome = host.back_up(data, heard=Acts("transmit", swap))
    assert outcome.reasons == {bytes(data / "a"): "vanished"}
    assert host.back_up(data).content(data / "a" / "inside") == b"inside"


def test_a_link_in_the_place_of_a_folder_is_not_followed(host, data, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_bytes(b"secret")

    def swap():
        shutil.rmtree(data / "inner")
        (data / "inner").symlink_to(elsewhere)

    outcome = host.back_up(data, heard=Acts("transmit", swap))
    assert outcome.reasons[bytes(data / "inner" / "file")] == "vanished"
    assert not outcome.has(data / "inner" / "file")


class KeepsWriting(Heard):
    """Changes a file whenever a piece of it was read, so many times."""

    def __init__(self, path, times):
        super().__init__()
        self._path, self.left = path, times

    def progress(self, files, size_bytes, current):
        if current == bytes(self._path) and self.left:
            self.left -= 1
            with self._path.open("ab") as file:
                file.write(b"more")


def test_a_file_that_changes_while_it_is_read_is_read_again(host, data):
    (data / "large").write_bytes(b"x" * 2_000_000)
    outcome = host.back_up(data, heard=KeepsWriting(data / "large", 1))
    assert outcome.reasons == {}
    assert outcome.content(data / "large") == (data / "large").read_bytes()
    assert outcome.report.transfer.files_read == 5


def test_a_file_that_will_not_hold_still_is_kept_and_listed(host, data):
    (data / "large").write_bytes(b"x" * 2_000_000)
    outcome = host.back_up(data, heard=KeepsWriting(data / "large", 1_000))
    assert outcome.reasons == {bytes(data / "large"): "changed_while_read"}
    kept = outcome.content(data / "large")
    assert kept == (data / "large").read_bytes()[: len(kept)]
    assert len(kept) == outcome.entry(data / "large").stat.size >= 2_000_000
    assert outcome.report.state == "successful_with_errors"


def test_it_is_read_again_at_the_next_backup_even_if_it_looks_the_same(host, data):
    (data / "large").write_bytes(b"x" * 2_000_000)
    host.back_up(data, heard=KeepsWriting(data / "large", 1_000))
    second = host.back_up(data)
    assert second.reasons == {}
    assert second.content(data / "large") == (data / "large").read_bytes()
    assert host.back_up(data).report.transfer.files_read == 0


class Truncates(KeepsWriting):
    """Cuts a file short whenever a piece of it was read."""

    def progress(self, files, size_bytes, current):
        if current == bytes(self._path) and self.left:
            self.left -= 1
            os.truncate(self._path, self._path.stat().st_size - 1_000_000)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_a_file_that_shrinks_while_it_is_read_ends_up_as_something_true_to_its_size(host, data, is_sparse):
    with (data / "large").open("wb") as file:
        file.write(b"x" * 20_000_000)
        if is_sparse:
            file.seek(20_000_000, os.SEEK_CUR)
            file.write(b"y" * 3_000_000)
    outcome = host.back_up(data, heard=Truncates(data / "large", 15))
    entry = outcome.entry(data / "large")
    stored = len(outcome.content(data / "large"))
    ranges = entry.extents
    assert stored == (entry.stat.size if ranges is None else sum(length for _, length in ranges))
    assert outcome.reasons == {bytes(data / "large"): "changed_while_read"}


def test_a_file_that_was_just_written_is_looked_at_again_next_time(host, data):
    """Within one tick of the clock a second change leaves the very same times."""
    (data / "young").write_bytes(b"1st")
    at_once = host.back_up(data, settle=False)
    assert at_once.content(data / "young") == b"1st"
    written = (data / "young").stat()
    (data / "young").write_bytes(b"2nd")
    os.utime(data / "young", ns=(written.st_atime_ns, written.st_mtime_ns))
    assert host.back_up(data).content(data / "young") == b"2nd"


def test_a_cancelled_job_commits_nothing_and_says_at_which_step(host, data):
    for stop_at in (0, 3, len(data.parts) + 8):
        heard = Heard(stop_at=stop_at)
        with pytest.raises(Exception, match="cancelled"):
            host.back_up(data, heard=heard)
        assert heard.told[-1] in {"recovery_point", "scan", "estimate", "transmit"}
    assert host.vault.stats().snapshots == 0
    assert host.back_up(data).content(data / "a") == b"aaa"


APPENDER = """
    import sys
    file = open(sys.argv[1], "ab", buffering=0)
    print("ready", flush=True)
    import select
    while not select.select([sys.stdin], [], [], 0)[0] and file.tell() < 200_000:
        file.write(b"x")
"""


def test_a_small_file_that_grows_all_the_time_is_whole_to_the_size_that_is_told(host, data):
    with other_process(APPENDER, data / "a"):
        outcome = host.back_up(data, settle=False)
    assert set(outcome.reasons.values()) <= {"changed_while_read"}
    assert len(outcome.content(data / "a")) == outcome.entry(data / "a").stat.size
    assert host.back_up(data).content(data / "a") == (data / "a").read_bytes()
