"""Events appear as they arrive, each with what became of it."""

import json
import re
import socket
import urllib.parse

from page.conftest import event, next_frame, open_row, rows
from playwright.sync_api import expect

from conftest import start_again
from spotzee_logging.sandbox import Sandbox


def test_an_event_appears_the_moment_it_is_logged(open_page, make_handler, make_logger):
    """A developer logs, and sees time, name, contact, size and verdict, without touching the page."""
    page = open_page()
    logger = make_logger(make_handler(flush_interval_seconds=0.01))
    logger.info("placed", extra={"spotzee_event": event(anonymous_id="anon_1", data={"total": 12})})

    row = rows(page)
    expect(row.locator(".time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d\.\d{3}"))
    expect(row.locator(".name")).to_have_text("order_placed")
    expect(row.locator(".contact")).to_have_text("anon_1 ⇄ cust_001")
    expect(row.locator(".size")).to_have_text(re.compile(r"1\d\d B"))
    expect(row.locator(".verdict")).to_have_text("✓ accepted")
    expect(page.locator("#badge-events")).to_have_text("1")


def test_an_empty_page_gives_a_program_that_sends_a_first_event(open_page, run_python):
    """What stands on the empty page runs as it stands, and its event takes the text's place."""
    page = open_page()
    expect(page.locator("#empty")).to_contain_text("Waiting for the first event")
    run_python(page.locator("#program").inner_text(), SPOTZEE_BASE_URL=None, SPOTZEE_API_KEY=None)

    expect(rows(page, has_text="said_hello")).to_contain_text("accepted")
    expect(page.locator("#empty")).to_be_hidden()


def test_the_newest_stands_first_also_of_what_was_there_before(open_page, post):
    """Who opens the page late sees all that is kept, then what comes."""
    post(event("first"), event("second"))
    page = open_page()
    expect(rows(page)).to_have_count(2)
    post(event("third"))

    expect(rows(page)).to_have_count(3)
    names = page.evaluate(
        "[...document.querySelectorAll('.row:not([hidden])')]"
        ".sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((row) => row.cells[1].textContent)"
    )
    assert names == ["third", "second", "first"]


def test_a_request_that_waits_is_shown_waiting_then_with_its_answer(open_page, post, sandbox):
    """A hanging server is seen as such; when the client gives up, the event has no answer."""
    sandbox.faults([{"hang": True}])
    page = open_page()
    body = json.dumps([event()])
    address = urllib.parse.urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(
            f"POST {address.path}/events HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer sk_1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        expect(rows(page)).to_contain_text("… waiting")

    expect(rows(page)).to_contain_text("∅ no answer")


def test_every_attempt_is_a_line_and_they_lead_to_each_other(open_page, post, sandbox):
    """A retry is seen with the trouble before it; a lost answer's retry is replayed, not doubled."""
    sandbox.faults([{"status": 429}, {"status": 500}, {}, {}])
    for _ in range(4):
        post(event(), key="batch-1")
    page = open_page()

    for verdict in ("try again · 429", "try again · 500", "✓ accepted", "↺ replayed"):
        expect(rows(page, has_text=verdict)).to_have_count(1)
    detail = open_row(page, "try again · 429")
    expect(detail.locator(".step")).to_have_text(["1: 429", "2: 500", "3: 204", "4: 204"])
    page.locator("[name=verdict]").select_option("retry")
    expect(rows(page)).to_have_count(2)
    detail.get_by_role("button", name="3: 204").click()  # which the filter hides, and so gives way
    expect(page.locator(".row[aria-selected=true] .verdict")).to_have_text("✓ accepted")
    expect(detail.locator(".verdict")).to_have_text("✓ accepted")


def test_pause_keeps_the_list_still_and_loses_nothing(open_page, post):
    """Paused, one reads in peace and sees how many wait; going on shows them."""
    page = open_page()
    post(event("before"))
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    post(event("meanwhile"), event("meanwhile"))

    expect(page.locator("#shown")).to_contain_text("paused, 2 new")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Go on").click()
    expect(rows(page)).to_have_count(3)


def test_clear_forgets_at_the_sandbox_too(open_page, post, sandbox):
    """Clear is a fresh start, on every open page and for what asks over HTTP."""
    post(event(), event("other"))
    page, other = open_page(), open_page()
    expect(rows(other)).to_have_count(2)
    page.get_by_role("button", name="Clear").click()

    for each in (page, other):
        expect(each.locator("#empty")).to_contain_text("Waiting for the first event")
    assert sandbox.events() == []
    post(event("after"))
    expect(rows(page)).to_have_count(1)


def test_the_page_says_what_the_sandbox_has_let_go_of(open_page, post):
    """A bounded store forgets the oldest, and the page has a word about it."""
    with Sandbox(max_kept=3) as small:
        for number in range(5):
            post(event(f"event_{number}"), to=small)
        page = open_page(small)
        expect(page.locator("#notice")).to_have_text("The sandbox itself has let go of 2 older requests.")
        expect(rows(page)).to_have_count(3)
        page.close()


def test_the_page_comes_back_with_its_sandbox(open_page, post, sandbox):
    """A sandbox that is restarted on its port is found again, without a reload."""
    page = open_page(
        expecting=["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET"]
    )
    post(event("before"))
    expect(rows(page)).to_have_count(1)
    sandbox.stop()
    expect(page.locator("#state")).to_contain_text("the sandbox is gone")
    start_again(sandbox)
    expect(page.locator("#state")).to_contain_text("live")
    post(event("after"))

    expect(rows(page)).to_have_count(2)


def test_what_is_read_stays_in_its_place(open_page, post):
    """Events that come in at the top do not move the line that one is reading."""
    for _ in range(2):
        post(*[event(f"old_{number}") for number in range(100)])
    page = open_page()
    expect(page.locator("#badge-events")).to_have_text("200")
    expect(page.locator("#count-cards li")).to_have_count(24)  # which stand above the list
    next_frame(page)  # in which the list gets its height
    page.locator("#scroll").evaluate("(scroll) => { scroll.scrollTop = 1400; }")
    line = rows(page, has_text="old_45").first
    before = line.bounding_box()["y"]
    post(*[event("new")] * 10)
    expect(page.locator("#badge-events")).to_have_text("210")

    expect(rows(page, has_text="old_45").first).to_be_visible()
    page.wait_for_function("() => document.querySelector('#scroll').scrollTop === 1680")
    next_frame(page)
    assert abs(rows(page, has_text="old_45").first.bounding_box()["y"] - before) < 2
