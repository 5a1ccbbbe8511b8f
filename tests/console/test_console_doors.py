"""Who comes into the console, how they leave, and what they read when something is not as it should be."""

import re
import sqlite3

import pytest
from playwright.sync_api import expect

from tests.console.eyes import log_in, said

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(600)]

NO_PAGES = {
    "/nosuch": "There is no such page.",
    "/static/nosuch.css": "There is no nosuch.css.",
    "/jobs/999": "There is no job 999.",
    "/jobs/999/missed": "There is no job 999.",
    "/jobs/999999999999999999999999": "There is no such page.",
    "/hosts/nobody": "There is no host nobody.",
    "/hosts/<script>alert(1)": "There is no host <script>alert(1).",
    "/sets/999": "There is no backup set 999.",
    "/snapshots/0123456789ab": "There is no snapshot 0123456789ab.",
    "/snapshots/0123456789ab/restore": "There is no snapshot 0123456789ab.",
}


def test_a_wrong_password_is_refused_with_a_sentence_and_the_right_one_works(eyes, loop):
    page = eyes.page(logged_in=False)
    page.goto("/")
    expect(page).to_have_url(f"{loop.url}/login")
    log_in(page, "not the password")
    expect(said(page)).to_have_text("The name or the password is wrong.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("admin")
    expect(page.get_by_label("Password")).to_have_value("")
    log_in(page, loop.password())
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("host connected"))).to_be_visible()


def test_an_unknown_name_is_answered_like_a_wrong_password(eyes):
    page = eyes.page(logged_in=False)
    page.goto("/login")
    log_in(page, "anything", name='"><script>alert(1)</script>')
    expect(said(page)).to_have_text("The name or the password is wrong.")
    expect(page.get_by_label("Name", exact=True)).to_have_value('"><script>alert(1)</script>')


def test_logging_in_leads_to_the_page_that_was_asked_for(eyes, loop):
    page = eyes.page(logged_in=False)
    page.goto("/jobs?before=7")
    log_in(page, loop.password())
    expect(page).to_have_url(f"{loop.url}/jobs?before=7")


def test_logging_in_never_leads_to_another_site(eyes, loop):
    page = eyes.page(logged_in=False)
    page.goto("/login?next=https://elsewhere.example/")
    log_in(page, loop.password())
    expect(page).to_have_url(f"{loop.url}/")
    for elsewhere in ("//elsewhere.example/", "/\\elsewhere.example", "javascript:1"):
        page.goto(f"/login?next={elsewhere}")
        expect(page).to_have_url(f"{loop.url}/")


def test_logging_out_ends_the_session(eyes, loop):
    page = eyes.page(own_login=True)
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{loop.url}/login")
    page.goto("/sets")
    expect(page).to_have_url(f"{loop.url}/login?next=/sets")
    page.go_back()
    page.go_back()
    expect(page.get_by_role("heading", name="Overview")).to_have_count(0)


def test_a_live_part_whose_session_has_ended_sends_its_page_to_the_login_and_back(page, loop):
    for address in ("/", "/hosts", "/sets", "/jobs"):
        page.goto(address)
        page.context.clear_cookies()
        expect(page).to_have_url(f"{loop.url}/login" + ("" if address == "/" else f"?next={address}"))
        log_in(page, loop.password())
        expect(page).to_have_url(f"{loop.url}{address}")


def test_an_address_that_leads_nowhere_is_answered_with_a_sentence(page):
    for address, sentence in NO_PAGES.items():
        assert page.goto(address).status == 404
        expect(said(page)).to_have_text(sentence)
    page.get_by_role("link", name="To the overview").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_hints_that_are_commands_are_left_to_the_command_line(page):
    page.goto("/jobs/999")
    expect(said(page)).to_be_visible()
    expect(page.get_by_role("alert")).not_to_contain_text("strongroom job")


def test_the_address_of_a_button_cannot_be_opened(page):
    assert page.goto("/sets/1/backup").status == 405
    expect(said(page)).to_have_text("This address cannot be opened by itself.")


def test_somebody_who_is_not_logged_in_learns_nothing_of_what_there_is(eyes, loop):
    page = eyes.page(logged_in=False)
    for address in ("/jobs/999", "/sets/1/backup", "/hosts/nobody"):
        page.goto(address)
        expect(page).to_have_url(f"{loop.url}/login?next={address}")


def test_a_form_from_before_a_new_login_asks_to_be_loaded_again(eyes, loop):
    page = eyes.page(own_login=True)
    page.goto("/hosts/add")
    other = page.context.new_page()
    other.goto("/hosts")
    other.get_by_role("button", name="Log out").click()
    log_in(other, loop.password())
    expect(other.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("button", name="Make a token").click()
    expect(said(page)).to_have_text("This page was too old.")
    page.goto("/hosts/add")
    page.get_by_role("button", name="Make a token").click()
    expect(page.get_by_label("Commands")).to_be_visible()


def test_pages_keep_to_themselves(page):
    headers = page.goto("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    cookies = page.context.cookies()
    assert {cookie["name"] for cookie in cookies} == {"strongroom_session", "strongroom_csrf"}
    assert all(cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Lax" for cookie in cookies)


def test_a_catalog_that_fails_is_a_sentence(page, loop):
    with sqlite3.connect(loop.data / "catalog.sqlite3") as catalog:
        catalog.execute("ALTER TABLE django_session RENAME TO elsewhere")
    try:
        assert page.goto("/jobs").status == 503
        expect(said(page)).to_have_text("The catalog cannot be used now.")
    finally:
        with sqlite3.connect(loop.data / "catalog.sqlite3") as catalog:
            catalog.execute("ALTER TABLE elsewhere RENAME TO django_session")
    page.goto("/jobs")
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()


def test_a_page_says_when_the_server_is_gone_and_goes_on_when_it_is_back(eyes, loop):
    page = eyes.page()
    page.goto("/hosts")
    note = page.get_by_text("The server cannot be reached.")
    expect(note).to_be_hidden()
    loop.stop_server()
    expect(note).to_be_visible()
    loop.start_server()
    expect(note).to_be_hidden()
    loop.wait_connected()
    expect(page.get_by_role("row", name=re.compile("host connected"))).to_be_visible()
    assert all("ERR_CONNECTION" in one or "htmx" in one for one in eyes.complaints), eyes.complaints
    eyes.complaints.clear()  # the browser itself tells of each request that the absent server did not answer
