"""W11: only names that are valid UTF-8 are backed up by default; others are skipped and listed, or stored raw."""

import os

import pytest

from strongroom.testing.file_trees import non_utf8_names
from tests.workflow.one_host import OneHost


@pytest.fixture
def host(tmp_path):
    return OneHost(tmp_path / "agent")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "gr\u00fc\u00dfe.txt").write_bytes(b"fine")
    (folder / "\u65e5\u672c").mkdir()
    (folder / "\u65e5\u672c" / "\U0001f5ff").write_bytes(b"fine too")
    return folder


def test_other_names_are_missed_and_listed_and_the_rest_is_saved(host, data):
    non_utf8_names(data / "odd")
    outcome = host.back_up(data)
    names = {path for path, reason in outcome.reasons.items() if reason == "name_not_utf8"}
    tops = {bytes(data / "odd") + b"/" + name for name in os.listdir(bytes(data / "odd")) if not is_utf8(name)}
    assert tops
    assert names == outcome.reasons.keys() == tops
    assert outcome.content(data / "gr\u00fc\u00dfe.txt") == b"fine"
    assert outcome.content(data / "\u65e5\u672c" / "\U0001f5ff") == b"fine too"


def test_a_folder_with_such_a_name_is_one_line_and_is_not_entered(host, data):
    inside = bytes(data) + b"/caf\xe9"
    os.makedirs(inside + b"/deep/er")
    for number in range(10):
        with open(inside + b"/%d" % number, "wb"):
            pass
    outcome = host.back_up(data)
    assert outcome.reasons == {inside: "name_not_utf8"}
    assert host.log() == [f"{data}/caf\\xe9\tname_not_utf8\tits name is not valid UTF-8"]


def test_raw_names_stores_them_byte_for_byte(host, data):
    paths = non_utf8_names(data / "odd")
    outcome = host.back_up(data, raw_names=True)
    assert outcome.reasons == {}
    for path in paths:
        outcome.reader.entry(bytes(data / "odd")[1:] + b"/" + path)


def test_turning_raw_names_on_brings_them_in_at_the_next_backup(host, data):
    path = bytes(data) + b"/caf\xe9"
    with open(path, "wb") as file:
        file.write(b"coffee")
    assert host.back_up(data).reasons == {path: "name_not_utf8"}
    second = host.back_up(data, raw_names=True)
    assert second.reasons == {}
    assert b"".join(second.reader.content(second.reader.entry(path[1:]))) == b"coffee"


def test_an_excluded_name_is_not_missed(host, data):
    with open(bytes(data) + b"/caf\xe9.tmp", "wb"):
        pass
    assert host.back_up(data, exclude=("*.tmp",)).reasons == {}


def is_utf8(name):
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
