"""What the console's tests see with: real Chromium, and pages that complain of what no visitor should ever meet.

A page complains of errors in the browser's console, of scripts that fail, of dialogs, and of requests to anywhere but
the server. The one thing it does not complain of is the notice that the page itself was answered with an error, for
that is what some tests are about.
"""

import contextlib
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE_MS = 60_000

expect.set_options(timeout=PATIENCE_MS)


@contextlib.contextmanager
def chromium():
    """Run Chromium; a machine without it is told so, and ./dev says it again at the end. In CI that is a failure."""
    if CHROMIUM is None:
        pytest.skip("NOT RUN: Chromium was not found (on Debian or Ubuntu: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Eyes:
    """Opens pages of one server, and remembers what they complained of."""

    def __init__(self, browser, loop, logins):
        self.browser, self.loop, self.logins = browser, loop, logins
        self.complaints = []
        self._contexts = []

    def page(self, *, logged_in=True, own_login=False, **wishes):
        """Open a page in a browser profile of its own; `wishes` go to the profile.

        Pages share one login, which is what takes longest, unless they are to have their `own_login`.
        """
        shared = self.logins if logged_in and not own_login else {}
        context = self.browser.new_context(
            ignore_https_errors=True, base_url=self.loop.url, storage_state=shared.get("admin"), **wishes
        )
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self._hear(page, message))
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("dialog", lambda dialog: (self.complaints.append(f"{page.url}: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._note(page, request))
        if logged_in:
            page.goto("/login")
            if not shared:
                log_in(page, self.loop.password())
            expect(page).to_have_url(f"{self.loop.url}/")
        if logged_in and not own_login:
            self.logins["admin"] = context.storage_state()
        return page

    def close(self):
        """Close what was opened."""
        for context in self._contexts:
            context.close()

    def _hear(self, page, message):
        about_the_page_itself = message.text.startswith("Failed to load resource") and (
            message.location["url"].partition("#")[0] == page.url.partition("#")[0]
        )
        if message.type in ("error", "warning") and not about_the_page_itself:
            self.complaints.append(f"{page.url}: {message.text} ({message.location['url']})")

    def _note(self, page, request):
        if not request.url.startswith(f"{self.loop.url}/"):
            self.complaints.append(f"{page.url} asked for {request.url}")


def log_in(page, password, name="admin"):
    """Fill in the form of the log-in page and send it."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def said(page):
    """Give the sentence of the error that the page shows."""
    return page.get_by_role("alert").locator("p").first
