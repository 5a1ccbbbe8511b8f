"""Include and exclude paths, file systems, folders that cannot be read: what is in a snapshot and what is listed."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest

from strongroom.agent.backup.roots import NothingToBackUp
from strongroom.engine.format.entries import MAX_PATH_BYTES
from strongroom.errors import Mistake, Unavailable
from tests.exact.file_systems import mounted
from tests.workflow.one_host import OneHost


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path / "agent")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    for path in ("a/one", "a/two.tmp", "b/three", "b/cache/four", "b/keep/cache/five"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())
    return folder


def names(outcome, folder=""):
    """Every path below a folder of the snapshot."""
    found = []
    for entry in outcome.reader.folder(os.fsencode(folder).strip(b"/")):
        path = f"{folder}/{os.fsdecode(entry.name)}"
        found.append(path)
        if entry.subtree:
            found += names(outcome, path)
    return found


def below(outcome, folder):
    return [path.removeprefix(f"{folder}/") for path in names(outcome, str(folder))]


def test_folders_above_hold_only_what_leads_to_an_include_path(host, data):
    outcome = host.back_up(data / "a")
    expected = [str(path) for path in reversed([data / "a", *(data / "a").parents][:-1])]
    assert names(outcome)[: len(expected)] == expected
    assert names(outcome) == [*expected, f"{data}/a/one", f"{data}/a/two.tmp"]
    assert outcome.entry(data).stat.mode == data.stat().st_mode & 0o7777


def test_a_single_file_may_be_included(host, data):
    outcome = host.back_up(data / "a" / "one")
    assert below(outcome, data) == ["a", "a/one"]
    assert outcome.content(data / "a" / "one") == b"a/one"


def test_overlapping_include_paths_are_taken_once(host, data):
    outcome = host.back_up(data / "b" / "keep", data / "b", f"{data}/b/", data / "b" / "cache" / "four")
    assert below(outcome, data) == [
        "b",
        "b/cache",
        "b/cache/four",
        "b/keep",
        "b/keep/cache",
        "b/keep/cache/five",
        "b/three",
    ]
    assert outcome.heard.forecast.files_scanned == 3


def test_exclude_patterns(host, data):
    outcome = host.back_up(data, exclude=("*.tmp", "cache", f"{data}/b/th*"))
    assert below(outcome, data) == ["a", "a/one", "b", "b/keep"]
    assert outcome.reasons == {}


def test_an_include_path_wins_over_an_exclusion_above_or_of_it(host, data):
    outcome = host.back_up(data, data / "b" / "cache" / "four", data / "a" / "two.tmp", exclude=("cache", "*.tmp"))
    assert below(outcome, data) == ["a", "a/one", "a/two.tmp", "b", "b/cache", "b/cache/four", "b/keep", "b/three"]


def test_an_include_path_that_is_not_there_is_listed(host, data):
    outcome = host.back_up(data / "a", data / "nowhere")
    assert outcome.reasons == {bytes(data / "nowhere"): "not_found"}
    assert outcome.report.state == "successful_with_errors"
    assert outcome.content(data / "a" / "one") == b"a/one"


def test_when_none_is_there_the_job_fails(host, data):
    with pytest.raises(NothingToBackUp) as caught:
        host.back_up(data / "nowhere", data / "elsewhere")
    assert caught.value.code == "nothing_to_back_up"
    assert [line.split("\t")[1] for line in host.log()] == ["not_found", "not_found"]


def test_a_relative_include_path_is_a_mistake(host):
    with pytest.raises(Mistake):
        host.back_up("etc")


def test_a_link_on_the_way_is_followed_and_a_link_at_the_end_is_saved_and_noted(host, data, tmp_path):
    (tmp_path / "way").symlink_to("data")
    outcome = host.back_up(tmp_path / "way" / "a", tmp_path / "way")
    assert outcome.content(data / "a" / "one") == b"a/one"
    assert outcome.entry(tmp_path / "way").target == b"data"
    (note,) = outcome.report.notes
    assert str(tmp_path / "way") in note


def test_the_agents_own_state_is_never_part_of_a_backup(host, tmp_path, data):
    outcome = host.back_up(tmp_path, exclude=("log",))
    assert below(outcome, tmp_path) == ["agent", "data", *(f"data/{path}" for path in below(outcome, data))]


def test_pseudo_file_systems_are_left_out_unless_named(host):
    outcome = host.back_up("/proc/sys/kernel/random", "/sys/fs")
    assert outcome.has(Path("/proc/sys/kernel/random/boot_id"))
    assert not outcome.has(Path("/proc/version"))
    assert outcome.has(Path("/sys/fs"))
    assert not outcome.has(Path("/sys/kernel"))


def test_a_whole_machine_without_its_pseudo_file_systems(host, monkeypatch):
    excluded = [f"/{name}/*" for name in os.listdir("/") if name not in {"proc", "sys", "dev"}]
    outcome = host.back_up("/", exclude=excluded)
    assert outcome.has(Path("/proc"))
    assert list(outcome.reader.folder(b"proc")) == []
    assert list(outcome.reader.folder(b"sys")) == []


def test_one_file_system(host, data):
    inner = "/dev/shm"
    outcome = host.back_up("/dev", exclude=("/dev/[!s]*", "/dev/s[!h]*"), one_file_system=True)
    assert outcome.has(Path(inner))
    assert list(outcome.reader.folder(b"dev/shm")) == []


@pytest.mark.parametrize("stays", [True, False])
def test_a_file_system_deep_in_a_tree_is_met_wherever_the_way_to_it_was_toured(host, data, stays):
    """The folders around it are looked into many at once; the one it lies in, and those before and after, are whole."""
    inner = data / "a/b/c/d"
    for path in ("before/x", "zz after/y"):
        (inner / path).parent.mkdir(parents=True, exist_ok=True)
        (inner / path).write_bytes(b"around")
    with mounted("tmpfs", inner) as place:
        (place / "deep/er").mkdir(parents=True)
        (place / "deep/er/file").write_bytes(b"on the other file system")
        outcome = host.back_up(data, one_file_system=stays)
        assert outcome.reasons == {}
        assert outcome.content(inner / "before/x") == outcome.content(inner / "zz after/y") == b"around"
        assert outcome.has(data / "b/keep/cache/five")
        assert outcome.has(place)
        assert outcome.has(place / "deep") is not stays
        if not stays:
            assert outcome.content(place / "deep/er/file") == b"on the other file system"


def test_a_folder_that_cannot_be_read_is_listed_and_stays_empty():
    with unprivileged() as top:
        host = OneHost(top / "agent")
        (top / "data" / "closed").mkdir(parents=True)
        (top / "data" / "closed" / "secret").write_bytes(b"secret")
        (top / "data" / "open").write_bytes(b"open")
        first = host.back_up(top / "data")
        assert first.reasons == {}
        (top / "data" / "closed").chmod(0)
        (top / "data" / "open").chmod(0)
        second = host.back_up(top / "data")
        third = host.back_up(top / "data")
        (top / "data" / "closed").chmod(0o755)
        fourth = host.back_up(top / "data")
    expected = {bytes(top / "data" / "closed"): "access_denied", bytes(top / "data" / "open"): "access_denied"}
    assert second.reasons == third.reasons == expected
    assert list(second.reader.folder(bytes(top / "data" / "closed")[1:])) == []
    assert not second.has(top / "data" / "open")
    assert fourth.content(top / "data" / "closed" / "secret") == b"secret"


def test_a_tree_deeper_than_any_path_is_saved_and_found_again(host, data):
    handle = os.open(data, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("deep down here", dir_fd=handle)
        below_it = os.open("deep down here", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below_it
    file = os.open("leaf", os.O_WRONLY | os.O_CREAT, dir_fd=handle)
    os.write(file, b"at the bottom")
    os.close(file)
    os.close(handle)
    path = data / Path(*["deep down here"] * 300) / "leaf"
    assert host.back_up(data).content(path) == b"at the bottom"
    assert host.back_up(data).report.transfer.files_read == 0


def test_a_full_disk_of_the_agent_fails_the_job_and_is_nobody_elses_fault(host, data):
    host.places.spool().rmdir()
    (host.places.state / "spool").write_bytes(b"in the way")
    with pytest.raises(Unavailable) as caught:
        host.back_up(data)
    assert caught.value.code == "agent_files"


@contextlib.contextmanager
def unprivileged():
    """A folder of nobody's, while we are nobody."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        if os.geteuid() != 0:
            yield top
            return
        os.chown(top, 65534, 65534)
        os.seteuid(65534)
        try:
            yield top
        finally:
            os.seteuid(0)


def test_a_tree_deeper_than_any_may_be_is_listed_and_hurts_nothing_else(host, data):
    name = "d" * 200
    folders = [os.open(data, os.O_RDONLY)]
    for _ in range(120):
        os.mkdir(name, dir_fd=folders[-1])
        folders.append(os.open(name, os.O_RDONLY, dir_fd=folders[-1]))
    try:
        outcome = host.back_up(data)
        (too_deep,) = outcome.reasons
        assert outcome.reasons[too_deep] == "unsupported"
        assert len(too_deep) > MAX_PATH_BYTES
        assert outcome.has(data / "a" / "one")
        assert sum(1 for _ in outcome.reader.walk()) == outcome.heard.forecast.folders_scanned
        assert host.back_up(data).reasons == outcome.reasons
    finally:
        for folder in reversed(folders[:-1]):
            os.close(folders.pop())
            os.rmdir(name, dir_fd=folder)
        os.close(folders.pop())
