"""Folders are toured by the kernel, many at once: wherever a tour ends, a backup holds and believes the same (W5)."""

import os

import pytest

from strongroom.agent.backup import scan
from tests.workflow.one_host import OneHost
from tests.workflow.test_what_belongs_to_a_set import below

FOLDERS = [f"{top}/{middle}/{leaf}" for top in ("a", "b", "c.d") for middle in "xyz" for leaf in ("1", "2", "cache")]


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path / "agent")


@pytest.fixture
def data(tmp_path):
    for folder in FOLDERS:
        (tmp_path / "data" / folder).mkdir(parents=True)
        for name in ("one", "two.tmp"):
            (tmp_path / "data" / folder / name).write_text(f"{folder}/{name}")
    return tmp_path / "data"


@pytest.fixture(
    params=[{}, {"_TOUR_ENTRIES": 1}, {"_TOUR_S": -1.0}, {"_TOUR_LEVELS": 0}, {"_TOUR_LEVELS": 1}, {"_MOST_AHEAD": 2}],
    ids=["as it is", "few entries", "no time", "one level", "two levels", "few names"],
    autouse=True,
)
def limits(request, monkeypatch):
    """How soon a tour ends."""
    for name, value in request.param.items():
        monkeypatch.setattr(scan, name, value)


def everything(data):
    return sorted(str(path.relative_to(data)) for path in data.rglob("*"))


def test_a_backup_holds_everything_and_the_next_reads_nothing(host, data):
    first = host.back_up(data)
    assert sorted(below(first, data)) == everything(data)
    assert first.heard.forecast.files_scanned == 2 * len(FOLDERS)
    assert first.heard.forecast.folders_scanned == len(everything(data)) - 2 * len(FOLDERS) + len(data.parts)
    second = host.back_up(data)
    assert (second.sink.tree_nodes, second.report.transfer.files_read) == (0, 0)
    assert second.heard.forecast.histogram == first.heard.forecast.histogram
    assert second.heard.forecast.source_bytes == first.heard.forecast.source_bytes


def test_what_changed_comes_and_goes(host, data):
    host.back_up(data)
    host.back_up(data)
    (data / "b" / "y" / "1" / "one").write_text("changed")
    (data / "b" / "y" / "1" / "three").write_text("new")
    (data / "c.d" / "z" / "2" / "one").unlink()
    (data / "a" / "x").rename(data / "a" / "w")
    (data / "b" / "new" / "deep").mkdir(parents=True)
    third = host.back_up(data)
    assert sorted(below(third, data)) == everything(data)
    assert third.content(data / "b" / "y" / "1" / "one") == b"changed"
    forecast = third.heard.forecast
    assert (forecast.files_added, forecast.files_changed, forecast.files_removed) == (7, 1, 7)
    assert host.back_up(data).report.transfer.files_read == 0


def test_exclusions_hold_when_they_come_and_go(host, data):
    kept = [path for path in everything(data) if not path.endswith(".tmp") and "cache" not in path]
    host.back_up(data)
    for _ in range(2):
        assert sorted(below(host.back_up(data, exclude=("*.tmp", "cache")), data)) == kept
    by_path = host.back_up(data, exclude=(f"{data}/?/x/*/one", f"{data}/b"))
    assert sorted(below(by_path, data)) == [
        path
        for path in everything(data)
        if not (path.startswith("a/x/") and path.endswith("one")) and path.partition("/")[0] != "b"
    ]
    assert sorted(below(host.back_up(data), data)) == everything(data)


def test_what_is_unusual_among_the_rest_is_told(host, data):
    strange = os.fsencode(data / "b" / "y" / "2") + b"/\xff"
    with open(strange, "wb") as file:
        file.write(b"strange")
    for _ in range(2):
        outcome = host.back_up(data)
        assert outcome.reasons == {strange: "name_not_utf8"}
        assert sorted(below(outcome, data)) == [path for path in everything(data) if "\udcff" not in path]
    assert os.fsdecode(strange)[len(str(data)) + 1 :] in below(host.back_up(data, raw_names=True), data)
