"""`server init`: a whole folder with private secrets; a second time refused; a cut one completed; TLS that verifies."""

import socket
import ssl
import stat
import threading
from datetime import timedelta

import pytest
from cryptography import x509

from strongroom import clock
from strongroom.errors import Conflict, Damaged, Mistake
from strongroom.protocol import tokens
from strongroom.server.catalog.connection import catalog_thread
from strongroom.server.config import DataFolder
from strongroom.server.premises import close_premises, open_premises, read_root_key
from strongroom.server.setup import init
from strongroom.server.setup.authority import renew_server_certificate
from strongroom.server.setup.init import init_server
from strongroom.server.users.login import log_in
from strongroom.server.users.tokens import require_token

SECRETS = ("root.key", "ca.key", "server.key", "secret.key", "local-admin.token", "catalog.sqlite3")


@pytest.fixture
def folder(tmp_path):
    with catalog_thread():
        yield DataFolder(tmp_path / "data")
        close_premises()


def test_it_makes_everything_and_secrets_are_private(folder):
    made = init_server(folder, now=clock.now())
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    for name in SECRETS:
        assert stat.S_IMODE((folder.path / name).stat().st_mode) == 0o600, name
    place = open_premises(folder)
    assert place.root_key == read_root_key(folder)
    assert made.password not in repr(made)
    user = log_in(name=made.administrator, password=made.password, address="", now=clock.now())
    assert user.password.startswith("argon2")
    token = folder.local_token.read_text().strip()
    assert require_token(token, address="", now=clock.now()).name == "admin"
    assert tokens.parse_api_token(token).fingerprint == place.fingerprint


def test_a_given_password_is_used_and_not_shown(folder):
    made = init_server(folder, now=clock.now(), password="long enough to be one")
    assert made.password is None
    open_premises(folder)
    assert log_in(name="admin", password="long enough to be one", address="", now=clock.now())


def test_a_second_time_is_refused_and_changes_nothing(folder):
    init_server(folder, now=clock.now())
    before = {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    with pytest.raises(Conflict) as refused:
        init_server(folder, now=clock.now())
    assert refused.value.code == "already_initialised"
    assert before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize("cut_at", ["create_authority", "_create_catalog", "_create_vault", "_create_administrator"])
def test_one_that_was_cut_short_is_completed_and_keeps_its_root_key(folder, monkeypatch, cut_at):
    class PowerCutError(Exception):
        pass

    def cut(*_, **__):
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(init, cut_at, cut)
        with pytest.raises(PowerCutError):
            init_server(folder, now=clock.now())
    with pytest.raises(Mistake) as refused:
        open_premises(folder)
    assert refused.value.code == "not_initialised"
    key = folder.root_key.read_bytes()
    made = init_server(folder, now=clock.now())
    assert folder.root_key.read_bytes() == key
    open_premises(folder)
    assert log_in(name="admin", password=made.password, address="", now=clock.now())


def test_a_folder_with_other_things_in_it_is_left_alone(folder):
    folder.path.mkdir()
    (folder.path / "thesis.txt").write_text("mine")
    with pytest.raises(Mistake) as refused:
        init_server(folder, now=clock.now())
    assert refused.value.code == "not_empty"
    assert not folder.root_key.exists()


def test_settings_written_beforehand_are_welcome(folder):
    folder.path.mkdir()
    folder.settings.write_text('names = ["backup.example"]\n')
    init_server(folder, now=clock.now())
    assert "backup.example" in names_served(folder)


def test_a_place_that_cannot_be_written_is_a_mistake(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Mistake):
        init_server(DataFolder(tmp_path / "file" / "data"), now=clock.now())


def test_a_weak_password_is_refused_before_anything_is_made(folder):
    with pytest.raises(Mistake):
        init_server(folder, now=clock.now(), password="short")
    assert not folder.path.exists()


@pytest.mark.parametrize("text", ["", "xyz", "ab" * 31, "ab" * 33])
def test_a_broken_root_key_is_named(folder, text):
    init_server(folder, now=clock.now())
    folder.root_key.write_text(text)
    with pytest.raises(Damaged, match=r"root\.key"):
        open_premises(folder)


def test_another_root_key_does_not_open_the_vault(folder):
    init_server(folder, now=clock.now())
    folder.root_key.write_text("ab" * 32)
    with pytest.raises(Mistake) as refused:
        open_premises(folder)
    assert refused.value.code == "wrong_root_key"


@pytest.mark.parametrize("name", ["catalog.sqlite3", "server.pem", "ca.pem", "vault/vault.json"])
def test_a_damaged_file_gets_a_sentence(folder, name):
    with catalog_thread():
        init_server(folder, now=clock.now())
    (folder.path / name).write_bytes(b"not what it must be " * 100)
    with pytest.raises(Damaged):
        open_premises(folder)


@pytest.mark.parametrize("name", ["secret.key", "server.pem", "vault/vault.json"])
def test_a_missing_file_gets_a_sentence(folder, name):
    init_server(folder, now=clock.now())
    (folder.path / name).unlink()
    with pytest.raises(Mistake):
        open_premises(folder)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "backup.example"])
def test_tls_verifies_strictly_with_our_authority_alone(folder, name):
    init_server(folder, now=clock.now(), names=["backup.example"])
    assert handshake(folder, name) == "ok"


def test_tls_fails_for_a_name_it_is_not_for(folder):
    init_server(folder, now=clock.now())
    assert "certificate verify failed" in handshake(folder, "elsewhere.example")


def test_the_certificate_is_renewed_when_it_ends_soon_or_lacks_a_name(folder):
    now = clock.now()
    init_server(folder, now=now)
    assert not renew_server_certificate(folder, names=[], now=now)
    assert renew_server_certificate(folder, names=["new.example"], now=now)
    assert not renew_server_certificate(folder, names=["new.example"], now=now + timedelta(days=700))
    assert handshake(folder, "new.example") == "ok"
    assert renew_server_certificate(folder, names=[], now=now + timedelta(days=720))
    assert "new.example" in names_served(folder), "what it was good for it stays good for"


def test_a_certificate_without_its_key_is_renewed(folder):
    init_server(folder, now=clock.now())
    folder.server_key.write_text("")
    assert renew_server_certificate(folder, names=[], now=clock.now())
    assert handshake(folder, "localhost") == "ok"


def names_served(folder):
    certificate = x509.load_pem_x509_certificate(folder.server_certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)


def handshake(folder, name):
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(folder.server_certificate, folder.server_key)
    asked = ssl.create_default_context(cafile=folder.authority_certificate)
    asked.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def serve():
        with ours:
            try:
                served.wrap_socket(ours, server_side=True).close()
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with theirs, asked.wrap_socket(theirs, server_hostname=name):
            return "ok"
    except ssl.SSLError as error:
        return str(error)
    finally:
        thread.join()
