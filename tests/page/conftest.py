"""The sandbox's page in a real browser, that must have nothing to complain of at the end of each test."""

import os
import shutil

import pytest
import requests
from playwright.sync_api import expect, sync_playwright

from spotzee_logging.sandbox import Sandbox

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Nothing but the page is asked for: a browser's own errands would be refused where there is no network.
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
)
WAIT_SECONDS = 10


@pytest.fixture(scope="session")
def chromium():
    """The browser: the one that CHROMIUM names, or the first on the path."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(
            "no Chromium on the path: install it (Debian: apt install chromium), or name it in CHROMIUM"
        )
    # As root, which containers are, Chromium runs without its own sandbox only.
    flags = [*FLAGS, *(["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def sandbox():
    """A sandbox; unlike elsewhere, what it is sent may break the contract."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def open_page(chromium, sandbox):
    """Opens the page, live; afterwards nothing was wrong in the browser's eyes, and nothing came from outside.

    `complaints` that a test expects, as text that they contain, are let through.
    """
    contexts, complaints, urls, expected = [], [], [], []

    def open_it(of=sandbox, path="/", expecting=(), **options):
        expected.extend(expecting)
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(WAIT_SECONDS * 1000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: m.type in {"error", "warning"} and complaints.append(m.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: urls.append(request.url))
        page.goto(of.root_url + path)
        expect(page.locator("#state")).to_have_attribute("data-state", "live")
        return page

    expect.set_options(timeout=WAIT_SECONDS * 1000)
    yield open_it
    for context in contexts:
        context.close()
    assert [text for text in complaints if not any(part in text for part in expected)] == []
    assert [url for url in urls if not url.startswith(("http://127.0.0.1:", "blob:http://127.0.0.1:"))] == []


@pytest.fixture
def post(sandbox):
    """Sends a batch of events to the sandbox, valid or not, as any client would."""

    def send(*events, key=None, data=None, to=sandbox, headers=None, **options):
        sent = {"Authorization": "Bearer sk_secret", "Content-Type": "application/json", **(headers or {})}
        if key is not None:
            sent["Idempotency-Key"] = key
        body = {"data": data} if data is not None else {"json": list(events)}
        return requests.post(f"{to.url}/events", headers=sent, timeout=10, **body, **options)

    return send


def event(name="order_placed", external_id="cust_001", **fields):
    """An event that keeps the contract, unless the fields break it."""
    return {"name": name, "external_id": external_id, **fields}


def rows(page, **filters):
    """The lines of the list that are in sight."""
    return page.locator(".row:visible").filter(**filters) if filters else page.locator(".row:visible")


def open_row(page, text):
    """Open the newest event whose line holds the text; gives the detail."""
    rows(page, has_text=text).first.click()
    detail = page.locator("#detail")
    expect(detail).to_be_visible()
    return detail


def open_tab(page, name):
    """Show a tab; gives its panel."""
    page.get_by_role("tab", name=name).click()
    return page.get_by_role("tabpanel", name=name)
