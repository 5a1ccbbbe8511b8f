"""Activation: tokens are counted, run out and are kept as hashes; a repeated try is the same host."""

from datetime import timedelta

import msgspec
import pytest

from strongroom import clock
from strongroom.errors import Mistake, Refused
from strongroom.model.host import HostFacts, OsFamily
from strongroom.protocol import tokens
from strongroom.protocol.messages import Activate
from strongroom.server import views
from strongroom.server.backup.abort import abort_jobs_of_host
from strongroom.server.catalog import models
from strongroom.server.hosts.activate import activate, create_activation_token
from strongroom.server.hosts.find import require_host
from strongroom.server.hosts.revoke import revoke_host
from strongroom.server.premises import premises
from strongroom.testing.small_server import URL

FACTS = HostFacts("files", OsFamily.LINUX, "Debian 13", "0.1", "Europe/Berlin", "boot", "instance")


def make_token(server, uses=1, lifetime=timedelta(hours=1)):
    text = create_activation_token(uses=uses, lifetime=lifetime, by=server.by, now=clock.now())
    return tokens.parse_activation_token(text)


def try_it(token, key=b"k" * 32, facts=FACTS, now=None):
    return activate(message=Activate(token.secret, key, facts), now=now or clock.now())


def test_a_token_carries_address_and_fingerprint_and_only_its_hash_is_kept(server):
    token = make_token(server)
    assert (token.url, token.fingerprint) == (URL, premises().fingerprint)
    (row,) = models.ActivationToken.objects.all()
    assert row.secret_hash == tokens.secret_hash(token.secret)
    assert token.secret.encode() not in server.folder.catalog.read_bytes()


def test_it_registers_as_many_hosts_as_it_says(server):
    token = make_token(server, uses=2)
    assert try_it(token, b"1" * 32).host_name == "files"
    assert try_it(token, b"2" * 32).host_name == "files-2"
    with pytest.raises(Refused) as refused:
        try_it(token, b"3" * 32)
    assert refused.value.code == "token_used_up"
    assert [host["name"] for host in views.hosts()] == ["files", "files-2"]


def test_the_same_key_again_is_the_same_host_and_costs_nothing(server):
    token = make_token(server)
    assert try_it(token) == try_it(token)
    assert models.Host.objects.count() == 1


def test_it_runs_out(server):
    token = make_token(server)
    with pytest.raises(Refused) as refused:
        try_it(token, now=clock.now() + timedelta(hours=2))
    assert refused.value.code == "token_expired"


def test_an_unknown_secret_is_refused(server):
    with pytest.raises(Refused) as refused:
        activate(message=Activate("guess", b"k" * 32, FACTS), now=clock.now())
    assert refused.value.code == "token_unknown"


def test_a_revoked_host_does_not_come_back_with_its_key(server):
    token = make_token(server, uses=5)
    host = require_host(try_it(token).host_id)
    revoke_host(host=host, by=server.by, now=clock.now(), abort_jobs=abort_jobs_of_host)
    with pytest.raises(Refused) as refused:
        try_it(token)
    assert refused.value.code == "host_revoked"


@pytest.mark.parametrize("key", [b"", b"k" * 31, b"k" * 33])
def test_what_is_no_key_is_refused(server, key):
    with pytest.raises(Mistake):
        try_it(make_token(server), key)


@pytest.mark.parametrize(("wanted", "given"), [("", "host"), ("\x1b[31m", "[31m"), ("x" * 999, "x" * 200)])
def test_a_hostile_name_is_made_harmless(server, wanted, given):
    facts = msgspec.structs.replace(FACTS, name=wanted, os_version="v" * 9999)
    assert try_it(make_token(server), facts=facts).host_name == given


@pytest.mark.parametrize(("uses", "lifetime"), [(0, 1), (-1, 1), (10**9, 1), (1, 0), (1, -1), (1, 10**6)])
def test_nonsense_tokens_are_not_made(server, uses, lifetime):
    with pytest.raises(Mistake):
        make_token(server, uses, timedelta(hours=lifetime))
