"""W5 on the host: a later backup opens only what changed and sends only what is new, however it came to know."""

import os

import pytest

from strongroom.agent.backup import known
from strongroom.errors import Conflict, Damaged
from tests.workflow.one_host import SET, OneHost, VaultSink


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    for part in ("a", "a/b", "c"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for number in range(20):
            (folder / part / f"file {number}").write_bytes(f"{part} {number}\n".encode() * number)
    (folder / "large").write_bytes(os.urandom(3_000_000))
    return folder


def test_a_second_backup_with_nothing_changed_opens_no_file_and_sends_no_data(host, data):
    first = host.back_up(data)
    second = host.back_up(data)
    assert first.report.transfer.files_read == 61
    assert (second.report.transfer.files_read, second.report.transfer.bytes_read) == (0, 0)
    assert second.sink.sent_bytes == 0
    assert not second.sink.base_read
    assert second.heard.forecast.files_scanned == 61


def test_what_comes_and_goes_beside_the_set_sends_nothing(host, data, tmp_path):
    host.back_up(data)
    (tmp_path / "beside").mkdir()
    assert host.back_up(data).report.transfer.bytes_sent == 0
    (tmp_path / "beside").rmdir()
    assert host.back_up(data).report.transfer.bytes_sent == 0
    tmp_path.chmod(0o711)  # this is a change of a folder that the set needs
    assert host.back_up(data).report.transfer.bytes_sent > 0
    assert host.back_up(data).report.transfer.bytes_sent == 0


def test_only_what_changed_is_read(host, data):
    host.back_up(data)
    (data / "a" / "b" / "file 7").write_bytes(b"changed")
    (data / "c" / "new").write_bytes(b"new")
    (data / "c" / "file 3").unlink()
    second = host.back_up(data)
    forecast = second.heard.forecast
    assert (forecast.files_added, forecast.files_changed, forecast.files_removed) == (1, 1, 1)
    assert forecast.changed_bytes == len(b"changed") + len(b"new")
    assert second.report.transfer.files_read == 2
    assert second.content(data / "a" / "b" / "file 7") == b"changed"
    assert second.content(data / "c" / "new") == b"new"
    assert not second.has(data / "c" / "file 3")
    assert second.content(data / "a" / "file 5") == b"a 5\n" * 5


def test_one_changed_byte_in_a_large_file_sends_a_few_chunks(host, data):
    (data / "large").write_bytes(os.urandom(40_000_000))
    host.back_up(data)
    with (data / "large").open("r+b") as file:
        file.seek(20_000_000)
        file.write(b"!")
    second = host.back_up(data)
    assert second.report.transfer.bytes_read == 40_000_000
    assert second.sink.sent_bytes < 9_000_000
    assert second.content(data / "large") == (data / "large").read_bytes()


def test_without_its_memory_the_agent_asks_the_server_and_still_reads_nothing(host, data):
    host.back_up(data)
    (host.places.set_folder(SET) / "listing").unlink()
    second = host.back_up(data)
    assert second.sink.base_read
    assert (second.report.transfer.files_read, second.sink.sent_bytes) == (0, 0)
    third = host.back_up(data)
    assert not third.sink.base_read
    assert third.report.transfer.files_read == 0


@pytest.mark.parametrize("place", [0.0, 0.5, 0.99, 1.0])
def test_a_damaged_memory_is_not_believed(host, data, place):
    host.back_up(data)
    listing = host.places.set_folder(SET) / "listing"
    whole = bytearray(listing.read_bytes())
    whole[min(int(len(whole) * place), len(whole) - 1)] ^= 1
    listing.write_bytes(whole)
    assert host.back_up(data).sink.base_read


def test_a_memory_of_another_snapshot_is_not_believed(host, data):
    host.back_up(data)
    listing = host.places.set_folder(SET) / "listing"
    old = listing.read_bytes()
    (data / "a" / "file 1").write_bytes(b"second")
    host.back_up(data)
    listing.write_bytes(old)
    third = host.back_up(data)
    assert third.sink.base_read
    assert third.content(data / "a" / "file 1") == b"second"


def test_a_cut_short_memory_is_not_believed(host, data):
    host.back_up(data)
    listing = host.places.set_folder(SET) / "listing"
    listing.write_bytes(listing.read_bytes()[:10])
    assert host.back_up(data).sink.base_read


def test_a_job_that_fails_leaves_the_memory_as_it_was(host, data, monkeypatch):
    host.back_up(data)
    before = (host.places.set_folder(SET) / "listing").read_bytes()
    (data / "a" / "file 1").write_bytes(b"second")
    base = host.base

    def lost(_self, _root, _report):
        raise Conflict("The session has ended.", code="session_ended")

    with monkeypatch.context() as patch:
        patch.setattr(VaultSink, "commit", lost)
        with pytest.raises(Conflict):
            host.back_up(data)
    assert {path.name for path in host.places.set_folder(SET).iterdir()} == {"listing", "nodes.1"}
    assert (host.places.set_folder(SET) / "listing").read_bytes() == before
    host.base = base
    assert host.back_up(data).report.transfer.files_read == 1


def test_damaged_nodes_end_one_backup_and_are_made_anew_by_the_next(host, data):
    host.back_up(data)
    nodes = host.places.set_folder(SET) / "nodes.1"
    nodes.write_bytes(bytes(nodes.stat().st_size))
    (data / "a" / "file 1").write_bytes(b"second")
    base = host.base
    with pytest.raises(Damaged, match="remembers"):
        host.back_up(data)
    host.base = base
    second = host.back_up(data)
    assert second.sink.base_read
    assert second.report.transfer.files_read == 1
    assert host.back_up(data).report.transfer.files_read == 0


def test_without_its_nodes_the_agent_asks_the_server(host, data):
    host.back_up(data)
    (host.places.set_folder(SET) / "nodes.1").unlink()
    second = host.back_up(data)
    assert second.sink.base_read
    assert second.report.transfer.files_read == 0


def test_what_a_cut_off_backup_appended_counts_for_nothing(host, data):
    host.back_up(data)
    with (host.places.set_folder(SET) / "nodes.1").open("ab") as nodes:
        nodes.write(b"half a node")
    (data / "a" / "file 1").write_bytes(b"second")
    second = host.back_up(data)
    assert not second.sink.base_read
    assert second.report.transfer.files_read == 1
    third = host.back_up(data)
    assert third.report.transfer.files_read == 0
    assert third.content(data / "a" / "file 1") == b"second"


def test_nodes_out_of_use_do_not_fill_the_disk(host, data, monkeypatch):
    monkeypatch.setattr(known, "_SPARE_BYTES", 0)
    host.back_up(data)
    for number in range(20):
        (data / "a" / "file 1").write_bytes(b"%d" % number)
        host.back_up(data)
    nodes = [path for path in host.places.set_folder(SET).iterdir() if path.name.startswith("nodes.")]
    assert len(nodes) == 1
    assert nodes[0].name != "nodes.1"
    last = host.back_up(data)
    assert not last.sink.base_read
    assert last.report.transfer.files_read == 0
    (data / "c").rename(data / "d")
    assert host.back_up(data).report.transfer.files_read >= 1


def test_when_the_server_misses_chunks_the_next_backup_reads_all_again(host, data, monkeypatch):
    host.back_up(data)
    base = host.base
    (data / "a" / "file 1").write_bytes(b"second")

    def incomplete(_self, _root, _report):
        raise Conflict("A chunk is not stored.", code="incomplete_tree")

    with monkeypatch.context() as patch:
        patch.setattr(VaultSink, "commit", incomplete)
        with pytest.raises(Conflict):
            host.back_up(data)
    host.base = base
    healing = host.back_up(data)
    assert healing.report.transfer.files_read == 61
    assert host.back_up(data).report.transfer.files_read == 0


def test_attributes_alone_are_a_change(host, data):
    host.back_up(data)
    (data / "a" / "file 3").chmod(0o600)
    (data / "c").chmod(0o700)
    second = host.back_up(data)
    assert second.entry(data / "a" / "file 3").stat.mode == 0o600
    assert second.entry(data / "c").stat.mode == 0o700
    assert second.heard.forecast.files_changed == 1


def test_a_file_that_takes_the_place_of_a_folder_and_the_reverse(host, data):
    host.back_up(data)
    (data / "large").unlink()
    (data / "large").mkdir()
    (data / "large" / "inside").write_bytes(b"inside")
    for file in (data / "c").iterdir():
        file.unlink()
    (data / "c").rmdir()
    (data / "c").write_bytes(b"now a file")
    second = host.back_up(data)
    assert second.content(data / "large" / "inside") == b"inside"
    assert second.content(data / "c") == b"now a file"
    assert second.heard.forecast.files_removed == 21


def test_a_folder_that_moves_keeps_its_files(host, data):
    host.back_up(data)
    (data / "a" / "b").rename(data / "moved")
    second = host.back_up(data)
    assert second.content(data / "moved" / "file 9") == b"a/b 9\n" * 9
    assert not second.has(data / "a" / "b")


def test_further_include_paths_and_exclusions_take_effect_at_once(host, data):
    host.back_up(data / "a")
    second = host.back_up(data / "a", data / "c")
    assert second.content(data / "c" / "file 2") == b"c 2\n" * 2
    third = host.back_up(data / "a", data / "c", exclude=("file 1*",))
    assert third.has(data / "c" / "file 2")
    assert not third.has(data / "c" / "file 12")
    assert third.heard.forecast.files_removed == 33


def test_a_folder_of_many_parts_changes_in_one_of_them(host, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3000):
        (folder / f"{number:05}").write_bytes(b"%d" % number)
    host.back_up(folder)
    (folder / "01500").write_bytes(b"changed")
    (folder / "02999").unlink()
    second = host.back_up(folder)
    assert second.report.transfer.files_read == 1
    assert second.sink.sent_bytes < 60_000
    names = [entry.name for entry in second.reader.folder(bytes(folder)[1:])]
    assert names == sorted(os.fsencode(name) for name in os.listdir(folder))
