"""Authentication: a signed assertion works once and for a short while; a revocation works at the next request."""

import secrets
from datetime import timedelta

import pytest

from strongroom import clock
from strongroom.errors import Refused, Unauthenticated
from strongroom.protocol.messages import Authenticate, assertion_bytes
from strongroom.server.backup.abort import abort_jobs_of_host
from strongroom.server.catalog import models
from strongroom.server.hosts.authenticate import authenticate, require_agent, require_caller, while_welcome
from strongroom.server.hosts.revoke import revoke_host
from strongroom.server.premises import seal


@pytest.fixture
def agent(server):
    return server.agent()


either = pytest.mark.parametrize("require", [require_agent, require_caller])


def assertion(agent, host_id="", age_s=0, nonce=b""):
    host_id = host_id or agent.host.id
    nonce = nonce or secrets.token_bytes(16)
    issued = int(clock.now().timestamp()) - age_s
    return Authenticate(host_id, issued, nonce, agent.key.sign(assertion_bytes(host_id, issued, nonce)))


def code_of(message, now=None):
    with pytest.raises(Unauthenticated) as refused:
        authenticate(message=message, now=now or clock.now())
    return refused.value.code


@either
def test_an_assertion_gives_a_token_that_names_the_host(agent, require):
    reply = authenticate(message=assertion(agent), now=clock.now())
    assert require(access_token=reply.token, now=clock.now()).id == agent.host.id
    assert reply.expires_s == 900


@either
def test_the_token_runs_out(agent, require):
    reply = authenticate(message=assertion(agent), now=clock.now())
    with pytest.raises(Unauthenticated) as refused:
        require(access_token=reply.token, now=clock.now() + timedelta(seconds=901))
    assert refused.value.code == "token_expired"


def test_an_assertion_is_accepted_once_also_after_a_restart(server, agent):
    message = assertion(agent)
    authenticate(message=message, now=clock.now())
    assert code_of(message) == "assertion_used"
    server.restart()
    assert code_of(message) == "assertion_used"


def test_old_nonces_are_forgotten_when_they_cannot_come_back(agent):
    authenticate(message=assertion(agent), now=clock.now())
    later = clock.now() + timedelta(seconds=300)
    authenticate(message=assertion(agent, age_s=-300), now=later)
    assert models.UsedNonce.objects.count() == 1


@pytest.mark.parametrize("age_s", [130, -130, 10**12, -(10**18), 2**62])
def test_an_assertion_of_another_time_is_refused(agent, age_s):
    assert code_of(assertion(agent, age_s=age_s)) == "clock_differs"


def test_another_hosts_key_does_not_do(server, agent):
    other = server.agent("other")
    assert code_of(assertion(other, host_id=agent.host.id)) == "bad_assertion"


def test_an_unknown_host_is_refused(agent):
    assert code_of(assertion(agent, host_id="nobody")) == "host_unknown"


@pytest.mark.parametrize("signature", [b"", b"x" * 64, b"x" * 9999])
def test_a_made_up_signature_is_refused(agent, signature):
    good = assertion(agent)
    assert code_of(Authenticate(good.host_id, good.issued_at_s, good.nonce, signature)) == "bad_assertion"


@pytest.mark.parametrize("nonce", [b"x", b"x" * 65])
def test_a_nonce_has_a_sensible_length(agent, nonce):
    assert code_of(assertion(agent, nonce=nonce)) == "bad_assertion"


@pytest.mark.parametrize("token", ["", ".", "a.b", "ü.ü", "x" * 1000, "AAAA.AAAA"])
@either
def test_a_made_up_token_is_refused(agent, token, require):
    with pytest.raises(Unauthenticated):
        require(access_token=token, now=clock.now())


def test_a_statement_for_another_purpose_is_no_token(agent):
    token = authenticate(message=assertion(agent), now=clock.now()).token
    with pytest.raises(Unauthenticated):
        require_agent(
            access_token=seal.sign("restore grant", seal.require_signed("access token", token)), now=clock.now()
        )


@either
def test_a_changed_token_is_refused(agent, require):
    said, _, signature = authenticate(message=assertion(agent), now=clock.now()).token.partition(".")
    changed = ("B" if said[5] != "B" else "C").join([said[:5], said[6:]])
    with pytest.raises(Unauthenticated):
        require(access_token=f"{changed}.{signature}", now=clock.now())


@either
def test_a_revocation_works_at_the_next_request(server, agent, require):
    token = authenticate(message=assertion(agent), now=clock.now()).token
    revoke_host(host=agent.host, by=server.by, now=clock.now(), abort_jobs=abort_jobs_of_host)
    with pytest.raises(Refused) as refused:
        require(access_token=token, now=clock.now())
    assert refused.value.code == "host_revoked"
    with pytest.raises(Refused):
        authenticate(message=assertion(agent), now=clock.now())


def test_a_stream_does_not_outlive_a_revocation(server, agent):
    frames = while_welcome(agent.host.id, iter([b"one", b"two", b"three"]), every_s=0)
    assert next(frames) == b"one"
    assert next(frames) == b"two"
    revoke_host(host=agent.host, by=server.by, now=clock.now(), abort_jobs=abort_jobs_of_host)
    with pytest.raises(Refused):
        next(frames)
