"""Snapshots in the console: every name can be read, reached and restored, whatever bytes it has."""

import os
import re
import shutil
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.console.eyes import said

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(600)]

# The raw name, and how the console shows it.
NAMES = {
    b"plain.txt": "plain.txt",
    b'it\'s "quoted" `so`.txt': 'it\'s "quoted" `so`.txt',
    b"<script>alert(1)<": "<script>alert(1)<",
    b"<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    b"two\nlines": "two\\x0alines",
    b"carriage\rreturn": "carriage\\x0dreturn",
    b"back\\slash": "back\\\\slash",
    b"a+b%20c?d#e&amp;=f;g": "a+b%20c?d#e&amp;=f;g",
    b"{{ 7|add:7 }}{% now %}": "{{ 7|add:7 }}{% now %}",
    b"  spaces  ": "  spaces  ",
    "smile \U0001f600.md".encode(): "smile \U0001f600.md",
    b"not \xff\xfe utf-8": "not \\xff\\xfe utf-8",
    "right\u202eleft".encode(): "right\\xe2\\x80\\xaeleft",
}
DEEP = [*(f"level {depth}" for depth in range(12)), "it's <b>deep", "end"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder with every odd name as a file and as a folder, and one that lies deep."""
    folder = tmp_path_factory.mktemp("source")
    raw = os.fsencode(folder)
    for number, name in enumerate(NAMES):
        write(os.path.join(raw, b"files", name), b"file %d" % number)
        write(os.path.join(raw, b"folders", name, b"inside"), b"folder %d" % number)
    write(os.path.join(raw, *map(os.fsencode, DEEP), b"deep.txt"), b"deep")
    os.symlink("files/plain.txt", folder / "link")
    return folder


@pytest.fixture(scope="module")
def snapshot(loop, source):
    """Where the console shows the snapshot of it."""
    raw_names = ["--raw-names"] if "--raw-names" in loop.run("set", "create", "--help").stdout else []
    loop.cli("set", "create", "odd", "--host", "host", "--include", str(source), *raw_names)
    job = loop.cli("backup", "odd", "--wait")
    return f"/snapshots/{job['snapshot_id']}"


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def open_folder(page, name):
    page.get_by_role("link", name=f"{name}/", exact=True).click()
    expect(page.get_by_label("Folder").locator("[aria-current]")).to_have_text(name)


def restore_to(page, target):
    page.get_by_label("Folder on the host").fill(str(target))
    page.get_by_role("button", name="Restore").click()
    expect(page.locator("#state")).to_have_text(re.compile("successful|failed|aborted|cancelled|skipped"))
    return page.locator("#state").inner_text()


def test_a_snapshot_opens_where_there_is_something_to_choose(page, snapshot, source):
    page.goto("/sets")
    page.get_by_role("link", name="odd").click()
    page.get_by_role("link", name="Browse").click()
    expect(page.get_by_label("Folder").locator("a")).to_have_text(["/", *source.parts[1:]])
    expect(page.get_by_role("row", name="link")).to_contain_text("→ files/plain.txt")
    expect(page.get_by_role("row", name="link")).to_contain_text("lrwxrwxrwx")


def test_odd_names_are_shown_as_text_and_can_be_gone_into(page, snapshot):
    page.goto(snapshot)
    open_folder(page, "folders")
    for shown in NAMES.values():
        page.locator(f"a:text-is({css_text(shown + '/')})").click()
        expect(page.get_by_role("checkbox")).to_have_count(1)
        expect(page.get_by_label("Choose inside")).to_be_visible()
        assert page.get_by_label("Folder").locator("[aria-current]").text_content() == shown
        page.get_by_label("Folder").get_by_role("link", name="folders").click()
        expect(page.get_by_role("checkbox")).to_have_count(len(NAMES))


def test_a_deep_folder_is_reached_and_the_trail_leads_back(page, snapshot):
    page.goto(snapshot)
    for name in DEEP:
        open_folder(page, name)
    expect(page.get_by_label("Choose deep.txt")).to_be_visible()
    trail = page.get_by_label("Folder")
    trail.get_by_role("link", name="level 3", exact=True).click()
    expect(page.get_by_role("link", name="level 4/", exact=True)).to_be_visible()
    trail.get_by_role("link", name="/", exact=True).click()
    expect(trail.locator("a")).to_have_count(1)
    expect(page.get_by_role("link", name="Restore this whole folder")).to_have_count(0)


def test_chosen_files_are_restored_into_another_folder(page, snapshot, tmp_path):
    page.goto(snapshot)
    open_folder(page, "files")
    for shown in NAMES.values():
        page.locator(f"input[value$={css_text('/files/' + shown)}]").check()
    page.get_by_role("button", name="Restore what is chosen").click()
    expect(page.locator(".chosen li")).to_have_count(len(NAMES))
    assert restore_to(page, tmp_path / "out here") == "successful"
    expect(page.locator(".steps .done")).to_have_count(5)
    expect(page.get_by_label("Result")).to_contain_text(f"{len(NAMES)} of {len(NAMES)} files")
    found = {name: read(os.path.join(os.fsencode(tmp_path), b"out here", name)) for name in NAMES}
    assert found == {name: b"file %d" % number for number, name in enumerate(NAMES)}
    assert sorted(os.listdir(os.fsencode(tmp_path / "out here"))) == sorted(NAMES)


def test_everything_is_restored_to_the_original_place(page, snapshot, source):
    shutil.rmtree(source / "folders")
    (source / "files" / "plain.txt").write_text("changed since")
    page.goto(snapshot)
    page.get_by_role("link", name="Restore everything").click()
    expect(page.get_by_text("Everything in the snapshot")).to_be_visible()
    page.get_by_label("The original place").check()
    page.get_by_label("If something is there already").select_option("Overwrite it")
    page.get_by_role("button", name="Restore").click()
    expect(page.locator("#state")).to_have_text("successful")
    expect(page.get_by_label("Job", exact=True)).to_contain_text("the original place")
    assert (source / "files" / "plain.txt").read_bytes() == b"file 0"
    assert len(os.listdir(source / "folders")) == len(NAMES)


def test_a_folder_is_restored_as_a_whole(page, snapshot, tmp_path):
    page.goto(snapshot)
    open_folder(page, "level 0")
    page.get_by_role("link", name="Restore this whole folder").click()
    assert restore_to(page, tmp_path / "deep") == "successful"
    assert (tmp_path / "deep").joinpath(*DEEP, "deep.txt").read_bytes() == b"deep"


def test_a_restore_that_cannot_be_is_refused_and_what_was_typed_stays(page, snapshot):
    page.goto(snapshot)
    page.get_by_role("button", name="Restore what is chosen").click()
    expect(said(page)).to_have_text("Nothing was chosen.")
    page.goto(snapshot)
    page.get_by_label("Choose link").check()
    page.get_by_role("button", name="Restore what is chosen").click()
    page.get_by_label("If something is there already").select_option("Leave it as it is")
    page.get_by_role("button", name="Restore").click()
    expect(said(page)).to_have_text("Say where to restore to.")
    page.get_by_label("Folder on the host").fill("not/absolute")
    page.get_by_role("button", name="Restore").click()
    expect(said(page)).to_contain_text("not/absolute is not absolute")
    expect(page.get_by_label("Folder on the host")).to_have_value("not/absolute")
    expect(page.get_by_label("If something is there already")).to_have_value("skip")
    expect(page.locator(".chosen li")).to_have_count(1)


@pytest.mark.parametrize(
    ("path", "sentence", "status"),
    [
        ("/no/such", "no/such does not lead through folders of this snapshot.", 404),
        ("/../etc", "is not a plain path in a snapshot", 400),
        ("/bad\\escape", "Not a valid escape in the path", 400),
    ],
)
def test_a_folder_that_is_not_there_is_a_sentence(page, snapshot, path, sentence, status):
    assert page.goto(f"{snapshot}?path={quote(path)}").status == status
    expect(said(page)).to_contain_text(sentence)


def test_a_large_folder_comes_in_pages(page, loop, tmp_path):
    (tmp_path / "large").mkdir()
    for number in range(1201):
        (tmp_path / "large" / f"{number:04d}").touch()
    loop.cli("set", "create", "large", "--host", "host", "--include", str(tmp_path / "large"))
    job = loop.cli("backup", "large", "--wait")
    page.goto(f"/snapshots/{job['snapshot_id']}")
    for count in (500, 500, 201):
        expect(page.get_by_role("checkbox")).to_have_count(count)
        if count == 500:
            page.get_by_role("link", name="More of this folder").click()
    expect(page.get_by_label("Choose 1200")).to_be_visible()
    expect(page.get_by_role("link", name="More of this folder")).to_have_count(0)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def css_text(text):
    """Give a text as CSS writes it in quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
