"""People: passwords and API tokens open the door to whom they belong, and the audit trail says who did what."""

from datetime import timedelta

import pytest

from strongroom import clock
from strongroom.errors import Mistake, NotFound, Refused, Unauthenticated
from strongroom.protocol import tokens
from strongroom.server import views
from strongroom.server.catalog import models
from strongroom.server.premises import premises
from strongroom.server.users.login import log_in
from strongroom.server.users.tokens import create_api_token, require_token
from strongroom.testing.small_server import PASSWORD

HERE = "192.0.2.7"


@pytest.fixture
def address(request):
    """Give an address of its own to each test: failures are counted by address in the whole process."""
    return f"test {request.node.name}"


def make_token(server, **wishes):
    return create_api_token(user_name="admin", token_name="laptop", by=server.by, now=clock.now(), **wishes)


def test_the_right_password_logs_in_and_is_recorded(server, address):
    assert log_in(name="admin", password=PASSWORD, address=address, now=clock.now()).username == "admin"
    assert [row["action"] for row in views.audit()] == ["login"]


@pytest.mark.parametrize(("name", "password"), [("admin", "wrong"), ("nobody", PASSWORD), ("", ""), ("admin", "")])
def test_anything_else_does_not_and_is_recorded(server, address, name, password):
    with pytest.raises(Unauthenticated) as refused:
        log_in(name=name, password=password, address=address, now=clock.now())
    assert refused.value.code == "bad_login"
    assert [row["action"] for row in views.audit()] == ["login.refused"]


def test_guessing_is_stopped_for_that_address_and_only_for_a_while(server, address):
    now = clock.now()
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            log_in(name="admin", password="guess", address=address, now=now)
    with pytest.raises(Refused) as refused:
        log_in(name="admin", password=PASSWORD, address=address, now=now)
    assert refused.value.code == "too_many_tries"
    assert log_in(name="admin", password=PASSWORD, address="elsewhere", now=now)
    assert log_in(name="admin", password=PASSWORD, address=address, now=now + timedelta(minutes=6))


def test_who_may_not_log_in_any_more_does_not(server, address):
    token = make_token(server)
    models.User.objects.update(is_active=False)
    with pytest.raises(Unauthenticated):
        log_in(name="admin", password=PASSWORD, address=address, now=clock.now())
    with pytest.raises(Unauthenticated):
        require_token(token, address=HERE, now=clock.now())


def test_a_token_says_who_and_carries_the_fingerprint(server):
    text = make_token(server)
    actor = require_token(text, address=HERE, now=clock.now())
    assert (actor.name, actor.address) == ("admin", HERE)
    assert tokens.parse_api_token(text).fingerprint == premises().fingerprint
    assert tokens.parse_api_token(text).secret.encode() not in server.folder.catalog.read_bytes()


def test_a_token_runs_out(server):
    text = make_token(server, lifetime=timedelta(hours=1))
    require_token(text, address=HERE, now=clock.now())
    with pytest.raises(Unauthenticated) as refused:
        require_token(text, address=HERE, now=clock.now() + timedelta(hours=2))
    assert refused.value.code == "token_expired"


@pytest.mark.parametrize("text", ["", "srt_", "srt_AAAA", "Bearer", "ü"])
def test_what_is_no_token_is_refused(server, text):
    with pytest.raises(Unauthenticated):
        require_token(text, address=HERE, now=clock.now())


def test_a_token_of_another_server_is_refused(server):
    text = tokens.render_api_token(tokens.ApiToken(b"f" * 32, tokens.new_secret()))
    with pytest.raises(Unauthenticated) as refused:
        require_token(text, address=HERE, now=clock.now())
    assert refused.value.code == "bad_token"


def test_tokens_are_made_for_people_who_exist_and_for_some_time(server):
    with pytest.raises(NotFound):
        create_api_token(user_name="nobody", token_name="x", by=server.by, now=clock.now())
    with pytest.raises(Mistake):
        make_token(server, lifetime=timedelta(0))


def test_the_audit_trail_says_who_what_and_from_where(server):
    agent = server.agent()
    server.make_set(agent)
    server.back_up()
    rows = views.audit()
    assert [row["action"] for row in rows] == [
        "backup.request",
        "set.create",
        "host.activate",
        "activation_token.create",
    ]
    assert {(row["who"], row["address"]) for row in rows if not row["action"].startswith("host")} == {
        ("tester", "192.0.2.1")
    }
    assert [row["action"] for row in views.audit(before=rows[1]["id"], limit=1)] == ["host.activate"]
