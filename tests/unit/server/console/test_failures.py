"""What nobody foresaw is a page with a sentence and a number; a server called by a wrong name says so."""

import logging
import re

import pytest
from django.test import Client, RequestFactory

from strongroom.errors import Damaged
from strongroom.server.catalog import models
from strongroom.server.console.failures import bad_request, server_failed, show_error

SECURE = {"secure": True, "headers": {"Host": "127.0.0.1"}}


def text_of(answer):
    return answer.content.decode()


def test_a_fault_has_a_number_that_the_log_has_too(server, caplog):
    with caplog.at_level(logging.ERROR):
        answer = server_failed(RequestFactory().get("/jobs"))
    assert answer.status_code == 500
    number = re.search(r"\(fault ([0-9a-f]{8})\)", text_of(answer))[1]
    assert f"Fault {number} at GET /jobs" in caplog.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_damage_is_told_and_logged(server, caplog):
    with caplog.at_level(logging.ERROR):
        answer = show_error(RequestFactory().get("/"), Damaged("The pack 12 is damaged.", code="bad_pack"))
    assert (answer.status_code, "The pack 12 is damaged." in text_of(answer)) == (500, True)
    assert "The pack 12 is damaged. (bad_pack)" in caplog.text


def test_a_server_called_by_a_name_it_does_not_know_says_so(server):
    answer = Client(enforce_csrf_checks=True).post("/login", {}, secure=True, headers={"Host": "elsewhere:8443"})
    assert answer.status_code == 403
    assert "This server does not know itself by the name elsewhere." in text_of(answer)
    assert "server.toml" in text_of(answer)


def test_a_form_from_another_site_changes_nothing(server):
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/login", {}, secure=True, headers={"Host": "127.0.0.1", "Origin": "https://evil.example"})
    assert (answer.status_code, "This page was too old." in text_of(answer)) == (403, True)


def test_a_form_with_too_much_in_it_is_refused_in_a_sentence(server):
    answer = Client().post("/login", {f"field{number}": "x" for number in range(1001)}, **SECURE)
    assert (answer.status_code, "That is too much for one form." in text_of(answer)) == (400, True)


def test_a_request_that_django_would_not_take_is_a_sentence(server):
    answer = bad_request(RequestFactory().get("/"), ValueError("what?"))
    assert (answer.status_code, "could not understand this request" in text_of(answer)) == (400, True)


ODD_ADDRESSES = [
    *("/login?next=%00", "/hosts/%00", "/static/%2e%2e/page.py", "/nosuch/%ff%fe", "/hosts/%f0%9f%98%80/revoke"),
    *("/jobs?before=-1", "/jobs?before=9223372036854775808", "/jobs?before=%D9%A3", "/jobs?before=1e9", "/?seen=%00"),
    *("/jobs/1/missed?after=x", "/sets/000000000000000001", "/sets/add?host=%3Cb%3E", "/snapshots/ABCDEF"),
    *("/snapshots/abcdef?path=%00&after=%5C", "/snapshots/abcdef/restore?path=" + "x" * 60_000),
]


@pytest.mark.parametrize("address", ODD_ADDRESSES)
def test_odd_addresses_are_answered(server, address):
    client = Client(**SECURE)
    assert client.get(address).status_code in (200, 302, 404)
    client.force_login(models.User.objects.get(username="admin"))
    assert client.get(address, follow=True).status_code in (200, 404, 405)


@pytest.mark.parametrize(
    "address", ["/sets/add", "/hosts/add", "/snapshots/abcdef/restore", "/jobs/1/cancel", "/sets/1/backup"]
)
def test_forms_with_nothing_or_nonsense_in_them_are_answered(server, address):
    server.agent()
    client = Client(**SECURE)
    client.force_login(models.User.objects.get(username="admin"))
    nonsense = {
        "name": "\x00\ud7ff",
        "host": "files",
        "include": "/\\q\r\n\x00",
        "where": "?",
        "conflict": "",
        "path": "\\",
    }
    for form in ({}, nonsense):
        assert client.post(address, form).status_code in (200, 302, 400, 404)


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_methods_that_no_page_knows_are_refused(server, method):
    answer = getattr(Client(), method)("/login", **SECURE)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD, POST"
