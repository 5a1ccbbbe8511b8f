"""Whatever fails, the answer is a problem document with a stable code and a sentence; never a page, never a trace."""

import json
import logging

import pytest
from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.db import OperationalError
from django.http import UnreadablePostError
from django.test import RequestFactory

from strongroom.errors import Conflict, Damaged, Unavailable
from strongroom.server.api.problems import ProblemApi, only_problems


def test_an_unknown_address(api):
    problem = api.problem("GET", "nothing/here", status=404, code="no_such_address")
    assert "/api/v1/nothing/here" in problem["detail"]
    api.problem("GET", "", status=404, code="no_such_address")
    api.problem("GET", "jobs/", status=404, code="no_such_address")


def test_a_wrong_method_says_which_are_right(api):
    reply = api.request("PUT", "sets", status=405)
    assert reply.json()["code"] == "wrong_method"
    assert set(reply.headers["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize("body", ["{", "", "[" * 100_000, '{"name": "\\ud800"}', b"\xff", "{} {}", "nul"])
def test_a_body_that_is_no_json(api, body):
    problem = api.problem("POST", "sets", body, status=400, code="missing_field" if body == "" else "bad_json")
    assert "JSON" in problem["detail"] + problem["hint"]


@pytest.mark.parametrize("body", [[1], "text", 5, None])
def test_a_body_that_is_no_object(api, body):
    problem = api.problem("POST", "sets", json.dumps(body), status=400, code="bad_field")
    assert problem["detail"] == "The request needs a JSON object as its body."


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"inlcude": []}, "unknown_field", "There is no field inlcude."),
        ({"options": {"raw": True}}, "unknown_field", "There is no field options.raw."),
        ({"name": None}, "bad_field", "The field name is not right: input should be a valid string."),
        ({"include": "x"}, "bad_field", "The field include is not right: input should be a valid list."),
        ({"include": ["/a", 5]}, "bad_field", "The field include.1 is not right: input should be a valid string."),
        ({"one_file_system": "yes"}, "bad_field", "The field one_file_system is not right: input should be a valid"),
        ({"options": {"locked_files": "eat"}}, "bad_field", "The field options.locked_files is not right"),
    ],
)
def test_a_field_that_is_not_right_is_named(api, change, code, sentence):
    body = {"name": "docs", "host": "files", "include": ["/srv"], **change}
    assert api.problem("POST", "sets", body, status=400, code=code)["detail"].startswith(sentence)


def test_a_field_that_is_missing_is_named(api):
    problem = api.problem("POST", "sets", {"name": "a", "include": ["/srv"]}, status=400, code="missing_field")
    assert problem["detail"] == "The field host is missing."


def test_a_query_parameter_that_is_unknown_is_named(api):
    problem = api.problem("GET", "jobs?sate=failed", status=400, code="unknown_field")
    assert "sate" in problem["detail"]
    assert "state" in problem["hint"]


@pytest.mark.parametrize("number", ["abc", "0", "-1", str(2**63), "1.5", "9" * 5000])
def test_a_number_that_is_none(api, number):
    api.problem("GET", f"jobs/{number}", status=400, code="bad_field")


@pytest.mark.parametrize("path", ["a\0b", "%00", "%ff", "a%0ab", "'; drop table job; --", "x" * 5000])
def test_a_name_that_nothing_has(api, path):
    api.problem("GET", f"sets/{path}", status=404, code="no_such_set")
    api.problem("GET", f"hosts/{path}", status=404, code="no_such_host")


def test_a_body_that_is_too_large(api):
    body = {"name": "docs", "host": "files", "include": ["/" + "x" * 3_000_000]}
    api.problem("POST", "sets", body, status=413, code="too_large")


@pytest.fixture
def failing():
    """Answer with whatever a route raises."""
    api = ProblemApi(urls_namespace="failing", docs_url=None, openapi_url=None)
    raised = {}

    @api.get("/fail")
    def fail(request):
        raise raised["error"]

    view = only_problems(api.urls[0][0].callback)

    def answer(error):
        raised["error"] = error
        reply = view(RequestFactory().get("/fail"))
        return reply.status_code, json.loads(reply.content), reply.headers

    return answer


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Conflict("Busy.", code="busy", hint="Wait."), 409, "busy"),
        (Unavailable("Away."), 503, "unavailable"),
        (Damaged("Broken.", code="bad_pack"), 500, "bad_pack"),
        (OperationalError("database is locked"), 503, "catalog_unavailable"),
        (RequestDataTooBig(), 413, "too_large"),
        (DisallowedHost("Invalid HTTP_HOST header."), 400, "bad_request"),
        (UnreadablePostError("cut off"), 400, "bad_request"),
    ],
)
def test_an_error_has_its_status_and_code(failing, error, status, code):
    answered, problem, headers = failing(error)
    assert (answered, problem["code"]) == (status, code)
    assert problem["type"].endswith(code)
    assert ("Retry-After" in headers) == (status == 503)


def test_a_fault_nobody_foresaw_tells_only_a_number_and_logs_the_rest(failing, caplog):
    with caplog.at_level(logging.ERROR):
        status, problem, _ = failing(ZeroDivisionError("a secret of the inside"))
    assert (status, problem["code"]) == (500, "internal")
    assert "secret" not in json.dumps(problem)
    number = problem["detail"].rpartition("fault ")[2].rstrip(").")
    assert number in caplog.text
    assert "a secret of the inside" in caplog.text


def test_damage_is_logged(failing, caplog):
    failing(Damaged("Pack ab is broken.", code="bad_pack"))
    assert "Pack ab is broken." in caplog.text
