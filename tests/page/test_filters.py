"""Finding an event among many."""

import re

import pytest
from page.conftest import event, open_row, open_tab, rows
from playwright.sync_api import expect


@pytest.fixture
def page(open_page, post):
    """Five events of three names, one of them refused."""
    post(event("order_placed", "cust_001", data={"item": "lamp"}), event("order_placed", "cust_002"))
    post(event("cart_opened", "cust_001", data={"note": "gr\u00fcn"}))
    post({"name": "cart_opened", "anonymous_id": "anon_9"}, {"name": "signup_completed"})
    page = open_page()
    expect(rows(page)).to_have_count(5)
    return page


@pytest.mark.parametrize(
    ("field", "text", "found"),
    [
        ("name", "ORDER", 2),
        ("contact", "cust_001", 2),
        ("contact", "anon", 1),
        ("text", "lamp", 1),
        ("text", "gr\u00fcn", 1),
        ("text", "(", 0),
    ],
)
def test_text_narrows_the_list_as_it_is_typed(page, field, text, found):
    """Name and contact look there, text anywhere in the JSON, also where an encoder has escaped it."""
    page.locator(f"#filters [name={field}]").fill(text)

    expect(rows(page)).to_have_count(found)
    expect(page.locator("#shown")).to_have_text(f"{found} of 5 events")


def test_a_verdict_is_chosen_and_holds_for_what_comes(page, post):
    """Filters act together, and on new events too."""
    page.locator("[name=verdict]").select_option("refused")
    expect(rows(page)).to_have_count(1)
    post(event("fine"))
    post({"name": "bad_one"})

    expect(rows(page)).to_have_count(2)
    page.locator("[name=name]").fill("bad")
    expect(rows(page)).to_have_count(1)


def test_a_row_joins_and_leaves_as_its_verdict_changes(page, post, sandbox):
    """Filtered by `waiting`, an event is there while it waits and goes when it is answered."""
    sandbox.faults([{"hang": True}])
    page.locator("[name=verdict]").select_option("waiting")
    expect(rows(page)).to_have_count(0)
    page.evaluate(
        """(url) => {
            window.client = new AbortController();
            const headers = {Authorization: 'Bearer sk_1', 'Content-Type': 'application/json'};
            const body = '[{"name": "slow", "external_id": "c"}]';
            fetch(url, {method: 'POST', body, headers, signal: window.client.signal}).catch(() => {});
        }""",
        f"{sandbox.url}/events",
    )
    expect(rows(page)).to_contain_text("slow")
    page.evaluate("window.client.abort()")

    expect(rows(page)).to_have_count(0)


def test_nothing_found_says_so_and_offers_the_way_back(page):
    """A filter that lets nothing through is not mistaken for an empty sandbox."""
    page.locator("[name=text]").fill("nowhere")
    expect(page.locator("#empty")).to_contain_text("No event matches")
    page.get_by_role("button", name="Show all events").click()

    expect(rows(page)).to_have_count(5)


def test_a_count_shows_its_events(page):
    """The chart counts each name, the refused apart, and leads to its events."""
    card = page.locator("#count-cards button", has_text="cart_opened")
    expect(card.locator(".number")).to_have_text("1")
    told = re.compile(r"cart_opened: 1 event accepted, 0 refused; at most 1 event a minute, at \d\d:\d\d")
    expect(card.get_by_role("img")).to_have_attribute("aria-label", told)
    expect(page.locator("#count-cards button", has_text="signup_completed")).to_contain_text("✕ 1")
    card.click()

    expect(rows(page)).to_have_count(2)


def test_a_contact_shows_its_events(page):
    """From a contact it is one click to what it did."""
    open_tab(page, "Contacts").get_by_role("button", name="cust_001").click()

    expect(rows(page)).to_have_count(2)
    expect(open_row(page, "order_placed")).to_contain_text("lamp")
