"""Every command finds the server in the same order, and says what to do when there is none."""

import json

import msgspec
import pytest

from strongroom import clock
from strongroom.cli.client import Access, Client, _value, credentials_file, find_access
from strongroom.cli.login import _save
from strongroom.errors import Mistake, NotFound, Refused, StrongroomError, Unauthenticated, Unavailable
from strongroom.protocol import tokens
from strongroom.server.config import DataFolder
from strongroom.server.setup.authority import create_authority

TOKEN = tokens.render_api_token(tokens.ApiToken(fingerprint=b"f" * 32, secret="secret"))
URL = "https://backup.example.org:8440"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in ("TOKEN", "SERVER", "DATA"):
        monkeypatch.delenv(f"STRONGROOM_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Make what a local administrator reads of a data folder."""
    folder = DataFolder(tmp_path / "data")
    folder.path.mkdir()
    create_authority(folder, now=clock.now())
    folder.local_token.write_text(TOKEN + "\n")
    folder.address.write_text(json.dumps({"url": URL}))
    monkeypatch.setenv("STRONGROOM_DATA", str(folder.path))
    return folder


def test_the_local_administrator_needs_no_login(data):
    access = find_access()
    assert access == Access(URL, TOKEN, data.authority_certificate.read_text())
    assert Client(access).url == URL


def test_another_address_can_be_named_for_it(data, monkeypatch):
    monkeypatch.setenv("STRONGROOM_SERVER", "https://127.0.0.1:1")
    assert find_access().url == "https://127.0.0.1:1"


@pytest.mark.parametrize("address", [None, "", "{", "{}", "[]", '{"url": 5}'])
def test_a_server_that_does_not_run_is_said_so(data, address):
    data.address.unlink()
    if address is not None:
        data.address.write_text(address)
    with pytest.raises(Unavailable, match="not running"):
        find_access()


def test_a_folder_that_is_no_server_is_said_so(monkeypatch, tmp_path):
    monkeypatch.setenv("STRONGROOM_DATA", str(tmp_path))
    with pytest.raises(Mistake) as refused:
        find_access()
    assert "server init" in refused.value.hint


def test_what_login_saved_is_used_and_for_nobody_else_to_read(tmp_path):
    saved = Access(URL, TOKEN, "pem")
    _save(credentials_file(), saved)
    assert find_access() == saved
    assert credentials_file().stat().st_mode & 0o777 == 0o600
    _save(credentials_file(), Access(URL, TOKEN, "other"))
    assert find_access().authority_pem == "other"


def test_the_environment_comes_before_what_login_saved(data):
    _save(credentials_file(), Access("https://other", TOKEN, "pem"))
    assert find_access().url == URL


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 5}'])
def test_saved_credentials_that_are_broken_are_said_so(text):
    credentials_file().parent.mkdir(parents=True)
    credentials_file().write_text(text)
    with pytest.raises(Mistake) as refused:
        find_access()
    assert "login" in refused.value.hint


def test_a_token_needs_a_server(monkeypatch):
    monkeypatch.setenv("STRONGROOM_TOKEN", TOKEN)
    with pytest.raises(Mistake) as refused:
        find_access()
    assert refused.value.code == "no_server"


@pytest.mark.parametrize("url", ["backup", "http://backup", "ftp://x", "-"])
def test_a_server_is_reached_by_tls_only(monkeypatch, url):
    monkeypatch.setenv("STRONGROOM_TOKEN", TOKEN)
    monkeypatch.setenv("STRONGROOM_SERVER", url)
    with pytest.raises(Mistake) as refused:
        find_access()
    assert refused.value.code == "bad_address"


def test_no_server_at_all(monkeypatch, tmp_path):
    monkeypatch.setattr("strongroom.cli.client.DEFAULT_DATA", tmp_path / "none")
    with pytest.raises(Mistake) as refused:
        find_access()
    assert refused.value.code == "no_server"
    assert "strongroom login" in refused.value.hint


@pytest.mark.parametrize(("token", "pem"), [("srt_x", None), ("a\nb", None), (TOKEN, "no certificate"), (TOKEN, "")])
def test_an_access_that_is_broken_is_refused_before_anything_is_sent(data, token, pem):
    whole = find_access()
    with pytest.raises(Mistake):
        Client(Access(whole.url, token, whole.authority_pem if pem is None else pem))


def test_an_argument_that_is_not_utf8_is_a_mistake(data):
    client = Client(find_access())
    for call in (
        lambda: client.fetch("sets", "caf\udce9"),
        lambda: client.fetch("jobs", set="caf\udce9"),
        lambda: client.send("sets", body={"name": "caf\udce9"}),
    ):
        with pytest.raises(Mistake) as refused:
            call()
        assert refused.value.code == "not_utf8"


@pytest.mark.parametrize(
    ("status", "family", "exit_code"),
    [
        (400, Mistake, 2),
        (401, Unauthenticated, 3),
        (403, Refused, 3),
        (404, NotFound, 2),
        (405, Mistake, 2),
        (409, StrongroomError, 3),
        (413, Mistake, 2),
        (429, Refused, 3),
        (500, StrongroomError, 3),
        (503, Unavailable, 3),
    ],
)
def test_a_problem_is_the_error_it_was(status, family, exit_code):
    body = msgspec.json.encode({"code": "some_code", "detail": "Because.", "hint": "Do this."})
    with pytest.raises(family) as raised:
        _value(status, body)
    error = raised.value
    assert (error.code, error.text, error.hint, error.exit_code) == ("some_code", "Because.", "Do this.", exit_code)


@pytest.mark.parametrize("status", [200, 302, 404, 500, 502])
@pytest.mark.parametrize("body", [b"<html>", b"{", b"\xff"])
def test_what_is_no_strongroom_server_is_said_so(status, body):
    with pytest.raises(StrongroomError) as raised:
        _value(status, body)
    assert raised.value.code == "bad_reply"
