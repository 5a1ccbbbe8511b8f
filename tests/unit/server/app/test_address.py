"""The server knows what it is called: for its certificate, for hosts, for people."""

import json
import socket

import pytest

from strongroom.server.app.address import names_of, told, url_of
from strongroom.server.app.listener import Place
from strongroom.server.config import DataFolder, ServerConfig


def test_the_certificate_is_for_loopback_the_settings_and_the_place():
    names = names_of(Place("backup.example", 8440), ServerConfig(names=("vault.example",)))
    assert {"localhost", "127.0.0.1", "::1", "vault.example", "backup.example"} == set(names)


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])
def test_a_server_that_listens_everywhere_goes_by_its_machines_name(everywhere):
    names = names_of(Place(everywhere, 8440), ServerConfig())
    assert socket.gethostname() in names
    assert everywhere not in names


def test_the_url_is_what_the_settings_say():
    config = ServerConfig(url="https://backup.example/")
    assert url_of(Place("127.0.0.1", 0), 8440, config) == "https://backup.example"


def test_else_it_names_the_place_and_the_port_that_was_found():
    assert url_of(Place("127.0.0.1", 0), 4711, ServerConfig()) == "https://127.0.0.1:4711"
    assert url_of(Place("::1", 0), 4711, ServerConfig()) == "https://[::1]:4711"


def test_the_address_is_told_only_while_the_server_listens(tmp_path):
    folder = DataFolder(tmp_path)
    with told(folder, "https://127.0.0.1:1"):
        assert json.loads(folder.address.read_text())["url"] == "https://127.0.0.1:1"
    assert list(tmp_path.iterdir()) == []
