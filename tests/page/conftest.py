"""The sandbox's page in a real browser, that must have nothing to complain of at the end of each test."""

import contextlib
import json
import os
import shutil

import pytest
import requests
from playwright.sync_api import expect, sync_playwright

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
# A deadline, not a pace: what is waited for is there at once, or late on a machine with other work.
WAIT_SECONDS = 30


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
def sandbox(spotzee_sandbox):
    """The plugin's, which its handlers send to; unlike elsewhere, what it is sent may break the contract."""
    return spotzee_sandbox


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


def next_frame(page):
    """Wait until what has happened is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@contextlib.contextmanager
def stretches_of_work(browser, page):
    """Gives a list that afterwards holds how long the page's main thread worked at a stretch, in seconds.

    It is the processor's time, by the browser's own account: whatever else the machine does takes no part in it.
    """
    seconds = []
    browser.start_tracing(page=page, categories=["-*", "toplevel"])
    try:
        yield seconds
    finally:
        trace = json.loads(browser.stop_tracing())["traceEvents"]
        mains = {
            (each["pid"], each["tid"])
            for each in trace
            if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
        }
        seconds += [
            each["tdur"] / 1e6 for each in trace if "tdur" in each and (each["pid"], each["tid"]) in mains
        ]


def open_tab(page, name):
    """Show a tab; gives its panel."""
    page.get_by_role("tab", name=name).click()
    return page.get_by_role("tabpanel", name=name)
