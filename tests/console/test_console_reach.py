"""The console is for everybody: by keyboard alone, on a narrow screen, in the light and in the dark."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(600)]

# Every text must stand out from what is behind it by 4.5 to 1, large text by 3 to 1 (WCAG 2, level AA).
PALE_TEXTS = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgba(getComputedStyle(node).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const pale = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility() || node.closest(":disabled")) continue;
    const style = getComputedStyle(node);
    const [one, two] = [light(rgba(style.color)), light(behind(node))].sort((a, b) => b - a);
    const needed = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    if ((one + 0.05) / (two + 0.05) < needed) pale.push(texts.currentNode.data.trim() + " " + style.color);
  }
  return pale;
}
"""


@pytest.fixture(scope="module")
def pages(loop, tmp_path_factory):
    """Addresses of pages with something on them."""
    source = tmp_path_factory.mktemp("a folder with quite a long name, so that it has to be broken somewhere")
    for number in range(30):
        (source / f"{'long name ' * 12}{number}.txt").write_text("x")
    loop.cli("set", "create", "documents", "--host", "host", "--include", str(source))
    loop.cli("set", "create", "nothing", "--host", "host", "--include", "/srv/not there")
    job = loop.cli("backup", "documents", "--wait")
    failed = loop.cli("backup", "nothing", "--wait", expect=(3,))
    snapshot = f"/snapshots/{job['snapshot_id']}"
    return [
        *("/", "/hosts", "/hosts/add", "/sets", "/sets/add", "/sets/1", "/jobs", "/nosuch"),
        *(f"/hosts/{job['host_id']}", f"/jobs/{job['id']}", f"/jobs/{failed['id']}", f"/jobs/{failed['id']}/missed"),
        *(snapshot, f"{snapshot}/restore"),
    ]


def tab_to(page, target):
    """Press Tab until the target has the focus, as somebody without a mouse does."""
    for _ in range(60):
        if target.evaluate("(node) => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached with Tab on {page.url}")


def test_log_in_make_a_set_and_back_up_by_keyboard_alone(eyes, loop, tmp_path):
    (tmp_path / "file").write_text("content")
    page = eyes.page(logged_in=False)
    page.goto("/")
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(loop.password())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    tab_to(page, page.get_by_role("navigation").get_by_role("link", name="Backup sets"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="New set"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type(str(tmp_path))
    tab_to(page, page.get_by_label("Try missed files once more"))
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="by keyboard")).to_be_visible()

    tab_to(page, page.get_by_role("button", name="Back up now"))
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("successful")
    tab_to(page, page.locator("#job-snapshot"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("Choose file"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Restore what is chosen"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("Folder on the host"))
    page.keyboard.type(str(tmp_path / "restored"))
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("successful")
    assert (tmp_path / "restored" / "file").read_text() == "content"


def test_what_has_the_focus_can_be_seen(eyes, pages):
    page = eyes.page()
    page.goto(pages[0])
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("width", [320, 400, 800])
def test_a_narrow_screen_never_scrolls_sideways(eyes, pages, width):
    page = eyes.page(viewport={"width": width, "height": 800})
    for address in pages:
        page.goto(address)
        expect(page.get_by_role("heading").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(eyes, pages, scheme):
    page = eyes.page(color_scheme=scheme)
    for address in pages:
        page.goto(address)
        expect(page.get_by_role("heading").first).to_be_visible()
        assert page.evaluate(PALE_TEXTS) == [], address
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.search(r"\d+", ground)[0]) > 128) == (scheme == "light")


def test_every_field_and_button_has_a_name_and_every_id_is_there_once(eyes, pages):
    page = eyes.page()
    for address in pages:
        page.goto(address)
        for field in page.locator("input:not([type=hidden]), select, textarea, button, a").all():
            name = field.evaluate("(n) => n.ariaLabel || n.labels?.[0]?.textContent || n.textContent")
            assert name.strip(), f"{address}: {field}"
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
        assert len(ids) == len(set(ids)), address


def test_everything_but_what_moves_works_without_scripts(eyes, pages):
    page = eyes.page(java_script_enabled=False)
    page.goto("/sets")
    page.get_by_role("row", name=re.compile("^documents ")).get_by_role("button", name="Back up now").click()
    expect(page.get_by_role("heading", name=re.compile(r"Backup \d+"))).to_be_visible()
