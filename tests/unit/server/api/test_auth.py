"""Nobody gets in without a token or a session that is good, and a session alone changes nothing."""

from datetime import timedelta

import pytest

from strongroom import clock
from strongroom.server import views
from strongroom.server.catalog import models
from strongroom.server.users.tokens import create_api_token
from strongroom.testing.small_server import PASSWORD

OPEN = {("post", "/api/v1/login")}
LOGIN = {"username": "admin", "password": PASSWORD}


@pytest.fixture
def person(caller, server):
    """Call as a person whom the console knows, with CSRF checks on as in real life."""
    person = caller(enforce_csrf_checks=True)
    person.client.force_login(models.User.objects.get(username="admin"))
    return person


def test_every_call_but_login_wants_to_know_who_asks(api, anyone):
    described = api.get("openapi.json")["paths"]
    calls = {(method, path) for path, methods in described.items() for method in methods} - OPEN
    assert len(calls) > 15
    for method, path in calls:
        address = path.removeprefix("/api/v1/").replace("{job_id}", "1").replace("{token_id}", "1")
        reply = anyone.problem(method.upper(), address, status=401, code="unauthenticated")
        assert "strongroom login" in reply["hint"]
    anyone.problem("GET", "openapi.json", status=401, code="unauthenticated")


@pytest.mark.parametrize("token", ["srt_", "srt_abc", "x", "srt_gqFmxCA", "\xff"])
def test_a_token_that_is_none_is_refused(caller, server, token):
    caller(token).problem("GET", "me", status=401, code="bad_token")


def test_a_bad_token_is_refused_even_with_a_good_session(person):
    person.token = "srt_abc"
    person.problem("GET", "me", status=401, code="bad_token")


def test_a_token_that_ran_out_is_refused(caller, server):
    made = clock.now() - timedelta(hours=2)
    text = create_api_token(user_name="admin", token_name="old", by=server.by, now=made, lifetime=timedelta(hours=1))
    caller(text).problem("GET", "me", status=401, code="token_expired")


def test_another_kind_of_authorization_counts_as_none(anyone):
    anyone.problem("GET", "me", status=401, code="unauthenticated", headers={"Authorization": "Basic YTpi"})


def test_who_am_i(api):
    assert api.get("me") == {"name": "admin", "is_admin": True}


def test_login_gives_a_token_that_works_until_logout(anyone, caller, server):
    reply = anyone.post("login", {**LOGIN, "name": "laptop"})
    mine = caller(reply["token"])
    assert mine.get("me")["name"] == "admin"
    assert models.ApiToken.objects.filter(name="laptop").exists()
    mine.post("logout", status=204)
    mine.problem("GET", "me", status=401, code="bad_token")
    assert [row["action"] for row in views.audit()][:2] == ["api_token.revoke", "api_token.create"]


def test_a_wrong_password_and_a_wrong_name_answer_the_same(anyone):
    wrong = anyone.problem("POST", "login", {**LOGIN, "password": "no"}, status=401, code="bad_login")
    nobody = anyone.problem("POST", "login", {**LOGIN, "username": "no"}, status=401, code="bad_login")
    assert wrong == nobody


def test_guessing_is_stopped(anyone):
    anyone.client.defaults["REMOTE_ADDR"] = "198.51.100.7"
    for _ in range(10):
        anyone.problem("POST", "login", {**LOGIN, "password": "guess"}, status=401, code="bad_login")
    reply = anyone.request("POST", "login", LOGIN, status=429)
    assert reply.json()["code"] == "too_many_tries"
    assert int(reply.headers["Retry-After"]) > 0


def test_a_session_may_look(person):
    assert person.get("me")["name"] == "admin"


def test_a_session_without_its_csrf_token_changes_nothing(person, server):
    person.problem("POST", "tokens", {}, status=403, code="csrf")
    person.problem("POST", "tokens", {}, status=403, code="csrf", headers={"X-CSRFToken": "a" * 64})
    assert views.activation_tokens() == []


def test_a_session_with_its_csrf_token_may_change(person):
    person.client.cookies["strongroom_csrf"] = secret = "b" * 32
    headers = {"X-CSRFToken": secret, "Origin": "https://127.0.0.1"}
    assert person.post("tokens", {}, headers=headers, status=201)["created_by"] == "admin"
    person.post("logout", headers=headers, status=204)
    person.problem("GET", "me", status=401, code="unauthenticated")


def test_a_session_of_somebody_shut_out_is_none(person):
    models.User.objects.update(is_active=False)
    person.problem("GET", "me", status=401, code="unauthenticated")


def test_answers_are_not_kept_by_anybody_between(api, anyone):
    assert api.request("GET", "me").headers["Cache-Control"] == "no-store"
    assert anyone.request("POST", "login", LOGIN).headers["Cache-Control"] == "no-store"


def test_who_did_it_and_from_where_is_recorded(api):
    api.client.defaults["REMOTE_ADDR"] = "198.51.100.9"
    api.post("tokens", {}, status=201)
    row = views.audit()[0]
    assert (row["action"], row["who"], row["address"]) == ("activation_token.create", "admin", "198.51.100.9")
