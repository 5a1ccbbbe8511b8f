"""W9: a file on which another process holds a lock is a missed file in a live scan, and is tried at the next backup.

The locks here are real, taken by a real other process, in every way that Linux knows.
"""

import pytest

from tests.workflow.one_host import Heard, OneHost, other_process

HOLDERS = {
    "flock": """
        import fcntl, sys
        file = open(sys.argv[1], "r+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        print("ready", flush=True)
        sys.stdin.read()
    """,
    "posix": """
        import fcntl, sys
        file = open(sys.argv[1], "r+b")
        fcntl.lockf(file, fcntl.LOCK_EX)
        print("ready", flush=True)
        sys.stdin.read()
    """,
    "posix, one byte": """
        import fcntl, sys
        file = open(sys.argv[1], "r+b")
        fcntl.lockf(file, fcntl.LOCK_EX, 1, 100)
        print("ready", flush=True)
        sys.stdin.read()
    """,
    "open file description": """
        import fcntl, os, struct, sys
        file = open(sys.argv[1], "r+b")
        F_OFD_SETLK = 37
        fcntl.fcntl(file, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        print("ready", flush=True)
        sys.stdin.read()
    """,
    "lease": """
        import fcntl, signal, sys
        signal.signal(signal.SIGIO, lambda *_: print("asked to give it up", flush=True))
        file = open(sys.argv[1], "r+b")
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        print("ready", flush=True)
        sys.stdin.read()
    """,
}
READER = """
    import fcntl, sys
    file = open(sys.argv[1], "rb")
    fcntl.{how}(file, fcntl.LOCK_SH)
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path / "agent")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "locked").write_bytes(b"whose?")
    (folder / "free").write_bytes(b"anyone's")
    return folder


@pytest.mark.parametrize("how", HOLDERS)
def test_a_locked_file_is_missed_and_listed(host, data, how):
    with other_process(HOLDERS[how], data / "locked"):
        outcome = host.back_up(data)
    assert outcome.reasons == {bytes(data / "locked"): "locked"}
    assert not outcome.has(data / "locked")
    assert outcome.content(data / "free") == b"anyone's"
    assert outcome.report.state == "successful_with_errors"
    assert outcome.report.missed_count == 1


def test_it_is_tried_again_at_the_next_backup_though_nothing_changed(host, data):
    with other_process(HOLDERS["flock"], data / "locked"):
        host.back_up(data)
    outcome = host.back_up(data)
    assert outcome.reasons == {}
    assert outcome.content(data / "locked") == b"whose?"
    assert outcome.report.transfer.files_read == 1
    assert outcome.report.state == "successful"


def test_a_file_that_is_unchanged_needs_no_reading_so_its_lock_does_not_matter(host, data):
    host.back_up(data)
    with other_process(HOLDERS["posix"], data / "locked"):
        outcome = host.back_up(data)
    assert outcome.reasons == {}
    assert outcome.content(data / "locked") == b"whose?"


def test_a_file_that_was_saved_once_and_is_locked_when_it_changed_is_not_in_the_new_snapshot(host, data):
    host.back_up(data)
    (data / "locked").write_bytes(b"changed")
    with other_process(HOLDERS["posix"], data / "locked"):
        outcome = host.back_up(data)
    assert outcome.reasons == {bytes(data / "locked"): "locked"}
    assert not outcome.has(data / "locked")


@pytest.mark.parametrize("how", ["flock", "lockf"])
def test_a_lock_that_only_forbids_writing_does_not_forbid_reading(host, data, how):
    with other_process(READER.format(how=how), data / "locked"):
        assert host.back_up(data).reasons == {}


@pytest.mark.parametrize("how", ["flock", "posix", "open file description"])
def test_the_policy_may_say_that_advisory_locks_do_not_matter(host, data, how):
    with other_process(HOLDERS[how], data / "locked"):
        outcome = host.back_up(data, locked_files="read")
    assert outcome.reasons == {}
    assert outcome.content(data / "locked") == b"whose?"


@pytest.mark.parametrize("locked_files", ["miss", "read"])
def test_a_lease_is_never_broken_by_a_backup(host, data, locked_files):
    """Opening the file would make its holder give it up, so it is missed even where advisory locks do not matter."""
    with other_process(HOLDERS["lease"], data / "locked") as holder:
        outcome = host.back_up(data, locked_files=locked_files)
        holder.stdin.close()
        assert holder.stdout.read() == ""
    assert outcome.reasons == {bytes(data / "locked"): "locked"}


class LetsGo(Heard):
    """Lets the lock go when the folder was read through."""

    def __init__(self, folder, holder):
        super().__init__()
        self._folder, self._holder = bytes(folder), holder
        self._holder.__enter__()

    def progress(self, files, size_bytes, current):
        if self.told[-1] == "transmit" and current == self._folder and self._holder:
            self._holder.__exit__(None, None, None)
            self._holder = None


@pytest.mark.parametrize("tries_again", [True, False])
def test_one_more_try_at_the_end_of_the_same_job_is_an_option(host, data, tries_again):
    heard = LetsGo(data, other_process(HOLDERS["flock"], data / "locked"))
    outcome = host.back_up(data, heard=heard, retry_missed=tries_again)
    assert outcome.reasons == ({} if tries_again else {bytes(data / "locked"): "locked"})
    assert outcome.has(data / "locked") is tries_again
    assert outcome.report.state == ("successful" if tries_again else "successful_with_errors")
    assert outcome.report.transfer.files_read == (2 if tries_again else 1)


def test_what_is_still_locked_at_the_end_is_listed_once(host, data):
    with other_process(HOLDERS["flock"], data / "locked"):
        outcome = host.back_up(data, retry_missed=True)
    assert [(file.path, file.reason) for file in outcome.heard.missed_files] == [(bytes(data / "locked"), "locked")]
    assert len(host.log()) == 1


@pytest.mark.parametrize("sort", ["flock", "lease"])
def test_neighbours_of_a_locked_file_are_backed_up_and_its_holder_is_left_alone(host, tmp_path, sort):
    folder = tmp_path / "data"
    folder.mkdir()
    names = [f"{number:03d}" for number in range(300)]
    for name in names:
        (folder / name).write_bytes(name.encode())
    with other_process(HOLDERS[sort], folder / "150") as holder:
        outcome = host.back_up(folder)
        assert outcome.reasons == {bytes(folder / "150"): "locked"}
        holder.stdin.close()
        assert holder.stdout.read() == ""
    for name in names:
        assert outcome.has(folder / name) == (name != "150")
    assert outcome.content(folder / "151") == b"151"
