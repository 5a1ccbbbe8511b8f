"""W5: of a folder in which few files changed the rest is taken over as it is stored, and the tree does not show it."""

import os
import random

import pytest

from strongroom.agent.backup import joined
from strongroom.errors import Damaged
from tests.workflow.one_host import OneHost

FILES = 400


@pytest.fixture
def data(tmp_path):
    """A folder of several parts with everything that stands among files."""
    folder = tmp_path / "data"
    for number in range(FILES):
        place = folder / ("mixed" if number % 4 else "mixed/inner")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"file {number:03}").write_bytes(b"%d\n" % number * (number % 7))
    (folder / "mixed" / "link").symlink_to("file 001")
    (folder / "mixed" / "another name").hardlink_to(folder / "mixed" / "file 002")
    os.mkfifo(folder / "mixed" / "pipe")
    with (folder / "mixed" / "large").open("wb") as file:
        file.write(os.urandom(3_000_000))
    os.truncate(folder / "mixed" / "large", 9_000_000)
    return folder


def change(folder, rng):
    """Change a few things of every kind."""
    files = sorted(path for path in folder.rglob("file *") if path.is_file())
    rewritten, removed, renamed, linked = rng.sample(files, 4)
    rewritten.write_bytes(rng.randbytes(rng.randint(0, 3000)))
    removed.unlink()
    renamed.rename(renamed.with_name(f"file {rng.random()}"))
    (linked.parent / f"file {rng.random()}").hardlink_to(linked)
    if rng.random() < 0.5:
        (folder / "mixed" / f"file {rng.random()}").symlink_to("nowhere")
        (folder / "mixed" / "inner" / f"of {rng.random()}").mkdir()


def test_the_tree_is_that_of_a_first_backup(tmp_path, data):
    host = OneHost(tmp_path / "host")
    host.back_up(data)
    for seed in range(8):
        change(data, random.Random(seed))
        later = host.back_up(data)
        other = OneHost(tmp_path / f"first {seed}")
        other.vault = host.vault  # its keys make the ids
        first = other.back_up(data)
        assert later.entry(data) == first.entry(data)
        assert later.report.transfer.files_read < 10 < first.report.transfer.files_read


def test_what_did_not_change_is_not_decoded(tmp_path, data, monkeypatch):
    host = OneHost(tmp_path / "host")
    host.back_up(data)
    (data / "mixed" / "inner" / "file 200").write_bytes(b"changed")
    decoded = []
    decode = joined.decode_entries

    def counted(*what):
        decoded.extend(found := decode(*what))
        return found

    monkeypatch.setattr(joined, "decode_entries", counted)
    host.back_up(data)
    own = {os.fsencode(path.name) for path in data.rglob("*")}  # the folders above may change as others like
    assert {entry.name for entry in decoded} & own == {b"file 200"}


def test_a_node_that_is_altered_ends_the_job_and_is_made_anew(tmp_path, data):
    host = OneHost(tmp_path / "host")
    host.back_up(data)
    (nodes,) = host.places.set_folder(5).glob("nodes.*")
    stored = bytearray(nodes.read_bytes())
    for at in range(len(stored) // 20, len(stored), len(stored) // 20):
        stored[at] ^= 1
    nodes.write_bytes(stored)
    (data / "mixed" / "inner" / "file 200").write_bytes(b"changed")
    with pytest.raises(Damaged, match="remembers"):
        host.back_up(data)
    second = host.back_up(data)
    assert second.sink.base_read
    assert second.content(data / "mixed" / "inner" / "file 200") == b"changed"
