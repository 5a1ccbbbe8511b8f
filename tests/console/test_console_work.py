"""Hosts, sets and jobs in the console: what moves is seen to move, and what cannot be is said in a sentence."""

import fcntl
import os
import re
import signal

import pytest
from playwright.sync_api import expect

from strongroom.model.steps import Step
from tests.console.eyes import said

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(600)]

STEPS = [step.value.replace("_", " ") for step in Step]


@pytest.fixture
def files(tmp_path):
    """A folder with a few files."""
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(5):
        (folder / f"file {number}.bin").write_bytes(os.urandom(200_000))
    return folder


@pytest.fixture
def held_agent(loop):
    """An agent that is connected and does nothing until `release` is called."""
    pid = loop.pids()["agent-host"]
    os.kill(pid, signal.SIGSTOP)
    yield lambda: os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGCONT)


def make_set(page, name, include):
    page.goto("/sets")
    page.get_by_role("link", name="New set").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Folders and files to protect").fill(str(include))
    page.get_by_role("button", name="Make the set").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def end_of_job(page):
    """Wait until the job that the page shows has ended."""
    expect(page.locator("#state")).to_have_text(re.compile("successful|failed|aborted|cancelled|skipped"))
    return page.locator("#state").inner_text()


def without_reload(page):
    """Mark the page, so that a reload would be noticed."""
    page.evaluate("window.sameDocument = true")
    return lambda: page.evaluate("window.sameDocument === true")


def test_hosts_are_seen_to_leave_and_to_come(page, loop):
    page.goto("/hosts")
    same = without_reload(page)
    row = page.get_by_role("row", name=re.compile("^host "))
    expect(row).to_contain_text("connected")
    loop.stop_agent()
    expect(row).to_contain_text("away")
    loop.start_agent()
    expect(row).to_contain_text("connected")
    assert same()


def test_a_host_is_added_with_the_token_that_is_shown_and_can_be_revoked(page, loop):
    page.goto("/hosts")
    page.get_by_role("link", name="Add a host").click()
    page.get_by_role("button", name="Make a token").click()
    commands = page.get_by_label("Commands").inner_text()
    token = re.search(r"agent activate (sra_\S+)", commands)[1]
    page.get_by_role("link", name="the host appears").click()
    loop.run("agent", "activate", token, "--state", str(loop.state("second")), "--name", "second", expect=(0,))
    expect(page.get_by_role("row", name=re.compile("^second "))).to_contain_text("away")
    loop.start_agent("second")
    expect(page.get_by_role("row", name=re.compile("^second "))).to_contain_text("connected")

    page.get_by_role("link", name="second").click()
    page.get_by_text("Revoke this host's access").click()
    page.get_by_role("button", name="Revoke second").click()
    expect(page.get_by_role("heading", name="second")).to_contain_text("revoked")
    expect(page.get_by_role("link", name="Protect folders of it")).to_have_count(0)
    page.goto("/sets/add")
    expect(page.locator("select[name=host] option")).to_have_text(["host"])


def test_a_set_that_cannot_be_is_refused_and_what_was_typed_stays(page, files):
    make_set(page, "taken", files / "file 0.bin")
    page.goto("/sets/add")
    page.get_by_label("Name", exact=True).fill("taken")
    page.get_by_label("Folders and files to protect").fill("not/absolute\n/srv/<b>&amp;")
    page.get_by_label("Patterns to leave out").fill("\n*.tmp\n'\"")
    page.get_by_label("Also keep names that are not UTF-8").check()
    page.get_by_role("button", name="Make the set").click()
    expect(said(page)).to_have_text("The include path not/absolute is not absolute.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("taken")
    expect(page.get_by_label("Folders and files to protect")).to_have_value("not/absolute\n/srv/<b>&amp;")
    expect(page.get_by_label("Patterns to leave out")).to_have_value("\n*.tmp\n'\"")
    expect(page.get_by_label("Also keep names that are not UTF-8")).to_be_checked()
    expect(page.get_by_label("Do not cross mount points")).not_to_be_checked()

    page.get_by_label("Folders and files to protect").fill("/srv/<b>&amp;")
    page.get_by_role("button", name="Make the set").click()
    expect(said(page)).to_have_text("There is a backup set taken already.")
    page.get_by_label("Name", exact=True).fill("<b>free<b>")
    page.get_by_role("button", name="Make the set").click()
    expect(page.get_by_role("heading", name="<b>free<b>")).to_be_visible()
    expect(page.locator(".facts")).to_contain_text("/srv/<b>&amp;")
    expect(page.locator(".facts")).to_contain_text("kept byte for byte")


def test_back_up_now_shows_the_job_live_to_its_successful_end(page, files, held_agent):
    make_set(page, "live", files)
    page.get_by_role("button", name="Back up now").click()
    same = without_reload(page)
    expect(page.locator("#state")).to_have_text(re.compile("queued|running"))
    expect(page.locator(".steps [aria-current=step]")).to_have_count(1)
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    held_agent()
    assert end_of_job(page) == "successful"
    assert same()
    expect(page.locator(".steps .done")).to_have_text(STEPS)
    expect(page.get_by_label("Estimate")).to_contain_text("5 files in")
    expect(page.get_by_label("Estimate")).to_contain_text("5 added, 0 changed, 0 removed")
    expect(page.get_by_label("Transfer")).to_contain_text("in 5 files")
    expect(page.get_by_label("Log")).to_contain_text("requested by admin")
    expect(page.get_by_label("Job", exact=True)).to_contain_text("full")
    page.get_by_role("button", name="Back up again").click()
    assert end_of_job(page) == "successful"
    expect(page.get_by_label("Job", exact=True)).to_contain_text("incremental")
    expect(page.get_by_label("Estimate")).to_contain_text("0 added, 0 changed, 0 removed")


def test_missed_files_are_listed_with_their_reasons_and_can_be_downloaded(page, files):
    (files / "<script>alert(1)<").write_text("x")
    (files / "line\nbreak\ttab").write_text("x")
    with open(files / "<script>alert(1)<", "rb+") as first, open(files / "line\nbreak\ttab", "rb+") as second:
        fcntl.flock(first, fcntl.LOCK_EX)
        fcntl.flock(second, fcntl.LOCK_EX)
        make_set(page, "locked", files)
        page.get_by_role("button", name="Back up now").click()
        assert end_of_job(page) == "successful with errors"
    missed = page.get_by_label("Missed files")
    expect(missed.get_by_role("heading")).to_have_text("Missed files: 2")
    expect(missed.get_by_role("row", name=f"{files}/<script>alert(1)<")).to_contain_text("holds a lock")
    expect(missed.get_by_role("row", name="break")).to_contain_text(f"{files}/line\\x0abreak\\x09tab")
    with page.expect_download() as download:
        missed.get_by_role("link", name="Download").click()
    assert re.fullmatch(r"Strongroom-\d+-MissedFiles\.tsv", download.value.suggested_filename)
    lines = download.value.path().read_text().splitlines()
    assert sorted(line.split("\t")[:2] for line in lines) == [
        [f"{files}/<script>alert(1)<", "locked"],
        [f"{files}/line\\x0abreak\\x09tab", "locked"],
    ]


def test_many_missed_files_come_in_pages(page, files):
    for number in range(250):
        os.close(os.open(os.fsencode(files) + b"/\xff%03d" % number, os.O_CREAT, 0o600))
    make_set(page, "many", files)
    page.get_by_role("button", name="Back up now").click()
    assert end_of_job(page) == "successful with errors"
    page.get_by_role("link", name="See all").click()
    expect(page.get_by_role("heading", name="Missed files: 250")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(200)
    page.get_by_role("link", name="More").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    expect(page.get_by_role("link", name="More")).to_have_count(0)


def test_a_job_that_waits_is_cancelled_at_once(page, loop, files):
    make_set(page, "cancelled", files)
    loop.stop_agent()
    page.get_by_role("button", name="Back up now").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#state")).to_have_text("cancelled")
    expect(page.get_by_label("Log")).to_contain_text("cancel requested by admin")
    loop.start_agent()


def test_a_job_that_runs_is_cancelled_by_its_agent(page, files, held_agent):
    make_set(page, "cancelling", files)
    page.get_by_role("button", name="Back up now").click()
    expect(page.locator("#state")).to_have_text("running")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Cancelling")).to_be_disabled()
    held_agent()
    assert end_of_job(page) in ("cancelled", "successful")


def test_of_two_administrators_at_once_the_second_reads_a_sentence(eyes, files, held_agent):
    """The second one's browser runs no scripts, so that what it shows is as old as it can be."""
    first, second = eyes.page(), eyes.page(java_script_enabled=False)
    make_set(first, "both", files)
    address = first.url
    second.goto(address)
    first.get_by_role("button", name="Back up now").click()
    expect(first.locator("#state")).to_have_text(re.compile("queued|running"))
    number = first.url.rpartition("/")[2]
    second.get_by_role("button", name="Back up now").click()
    expect(said(second)).to_have_text(re.compile(f"A backup of this set is (queued|running) already: job {number}."))
    second.get_by_role("link", name=f"backup {number}").click()
    expect(second.get_by_role("button", name="Cancel")).to_be_visible()
    held_agent()
    assert end_of_job(first) == "successful"
    second.get_by_role("button", name="Cancel").click()
    expect(said(second)).to_have_text(f"Job {number} has ended already: successful.")
    expect(second.locator("#state")).to_have_text("successful")
    first.goto("/sets/add")
    second.goto("/sets/add")
    for page in (first, second):
        page.get_by_label("Name", exact=True).fill("the same")
        page.get_by_label("Folders and files to protect").fill("/srv/same")
        page.get_by_role("button", name="Make the set").click()
    expect(first.get_by_role("heading", name="the same")).to_be_visible()
    expect(said(second)).to_have_text("There is a backup set the same already.")


def test_a_job_for_a_host_that_is_away_is_queued_and_says_so(page, loop, files):
    make_set(page, "away", files)
    loop.stop_agent()
    page.get_by_role("button", name="Back up now").click()
    expect(page.locator("#state")).to_have_text("queued")
    expect(page.locator(".reason")).to_have_text(re.compile("agent is not running"))
    loop.start_agent()
    assert end_of_job(page) == "successful"


def test_the_overview_moves_by_itself_and_leaves_the_keyboard_where_it_is(page, loop, files):
    make_set(page, "moving", files)
    page.goto("/")
    same = without_reload(page)
    button = page.get_by_role("row", name=re.compile("^moving ")).get_by_role("button")
    button.focus()
    job = loop.cli("backup", "moving", "--wait")
    expect(page.get_by_role("link", name=f"backup {job['id']}", exact=True)).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("^moving "))).to_contain_text("successful")
    expect(button).to_be_focused()
    assert same()
