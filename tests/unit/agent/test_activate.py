"""Activation trusts only the authority in the token, keeps the key before it is used, and can be repeated."""

import hashlib
import ssl
import stat

import msgspec
import pytest

from strongroom.agent.activate import activate
from strongroom.agent.identity import find_identity, load_identity
from strongroom.errors import Conflict, Mistake, Refused, Unavailable
from strongroom.protocol.endpoints import Endpoint
from strongroom.protocol.messages import Activate, Activated
from strongroom.protocol.tokens import ActivationToken, render_activation_token
from tests.unit.agent.tls_server import CUT, tls_server


@pytest.fixture
def server(server):
    server.keys = []

    def answer(body):
        message = msgspec.msgpack.decode(body, type=Activate)
        if message.secret != "good":
            raise Refused("The token is used up.", code="token_used_up")
        if message.public_key not in server.keys:
            server.keys.append(message.public_key)
        return Activated(f"id-{server.keys.index(message.public_key)}", message.facts.name)

    server.answers[Endpoint.ACTIVATE] = answer
    return server


def token(server, *, secret="good", fingerprint=None):
    own = hashlib.sha256(ssl.PEM_cert_to_DER_cert(server.authority)).digest()
    return render_activation_token(ActivationToken(server.url, fingerprint or own, secret))


def test_an_activated_agent_knows_its_server(server, tmp_path):
    identity = activate(token(server), tmp_path / "state", name="files")
    assert (identity.host_id, identity.host_name, identity.server_url) == ("id-0", "files", server.url)
    assert load_identity(tmp_path / "state") == identity
    assert stat.S_IMODE((tmp_path / "state" / "identity.json").stat().st_mode) == 0o600
    assert "private" not in repr(identity)


def test_another_authority_gets_no_secret(server, tmp_path):
    with pytest.raises(Refused):
        activate(token(server, fingerprint=b"f" * 32), tmp_path / "state")
    assert server.asked == []
    assert find_identity(tmp_path / "state") is None


def test_a_lost_reply_makes_no_second_host(server, tmp_path):
    server.trouble[Endpoint.ACTIVATE] += [CUT]
    with pytest.raises(Unavailable):
        activate(token(server), tmp_path / "state")
    with pytest.raises(Mistake):
        load_identity(tmp_path / "state")
    assert activate(token(server), tmp_path / "state").host_id == "id-0"
    assert len(server.keys) == 1


def test_an_agent_of_another_server_is_given_up_only_by_force(server, tmp_path):
    first = activate(token(server), tmp_path / "state")
    (tmp_path / "other").mkdir()
    with tls_server(tmp_path / "other") as other:
        other.answers[Endpoint.ACTIVATE] = lambda _: Activated("elsewhere", "h")
        with pytest.raises(Conflict) as caught:
            activate(token(other), tmp_path / "state")
        assert caught.value.code == "identity_exists"
        assert load_identity(tmp_path / "state") == first
        forced = activate(token(other), tmp_path / "state", force=True)
    assert forced.host_id == "elsewhere"
    assert forced.private_key != first.private_key


def test_a_refused_token_says_why(server, tmp_path):
    with pytest.raises(Refused) as caught:
        activate(token(server, secret="bad"), tmp_path / "state")
    assert caught.value.code == "token_used_up"


@pytest.mark.parametrize("text", ["", "{}", '{"server_url": 1}', "\xff"])
def test_a_damaged_identity_is_a_mistake_that_force_mends(server, tmp_path, text):
    (tmp_path / "identity.json").write_text(text)
    with pytest.raises(Mistake) as caught:
        activate(token(server), tmp_path)
    assert "--force" in caught.value.hint
    assert activate(token(server), tmp_path, force=True).host_id == "id-0"


def test_a_word_that_is_no_token_is_a_mistake(tmp_path):
    with pytest.raises(Mistake):
        activate("srt_nothing", tmp_path)
