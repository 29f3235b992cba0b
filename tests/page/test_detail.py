"""An event's detail: what was sent, digit for digit, and what is wrong with it, where it is wrong."""

from page.conftest import event, open_row, rows
from playwright.sync_api import expect


def test_a_click_shows_the_request_and_its_answer(open_page, post):
    """JSON, headers, idempotency key and request id stand together; the API key does not."""
    answer = post(event(data={"total": 129.5}), key="batch-7", headers={"X-Team": "payments"})
    page = open_page()
    detail = open_row(page, "order_placed")

    for text in (
        '"total": 129.5',
        "batch-7",
        answer.headers["X-Request-Id"],
        "x-team",
        "payments",
        "204, after",
    ):
        expect(detail).to_contain_text(text)
    expect(detail).to_contain_text("Bearer sk_…")
    expect(detail).not_to_contain_text("sk_secret")


def test_json_is_shown_as_it_was_sent(open_page, post):
    """No number is rounded, no escape rewritten, and the order is the sender's."""
    body = b'[{"name": "n", "external_id": "c", "data": {"big": 12345678901234567890, "one": 1.0, "u": "\\u00fc"}}]'
    post(data=body)
    detail = open_row(open_page(), "n")

    expect(detail.locator(".line", has_text="big")).to_have_text('"big": 12345678901234567890,')
    expect(detail.locator(".line", has_text="one")).to_have_text('"one": 1.0,')
    expect(detail.locator(".line", has_text='"u"')).to_have_text('"u": "\\u00fc"')


def test_each_error_stands_at_its_field(open_page, post):
    """Who sent a refused event sees which field breaks which rule, also where the field is missing."""
    post(
        event("fine"),
        event("bad", external_id=7, colour="red", created_at="yesterday", user={"timezone": "x" * 51}),
        {"external_id": "c"},
    )
    page = open_page()
    detail = open_row(page, "bad")

    expect(detail.locator(".verdict").first).to_contain_text("✕ refused")
    for field, words in (
        ('"external_id": 7', "must be of type"),
        ('"colour": "red"', "is not a field of the API"),
        ('"created_at": "yesterday"', "RFC 3339"),
        ('"timezone"', "at most 50 characters"),
    ):
        expect(detail.locator(".line.bad", has_text=field).locator(".error")).to_contain_text(words)
    expect(detail.locator(".line.bad", has_text='"name"')).to_have_count(0)
    detail = open_row(page, "(no name)")
    expect(detail.locator(".line.bad", has_text='"name": missing')).to_contain_text("must be given")


def test_a_good_event_in_a_refused_batch_is_told_apart(open_page, post):
    """What was held back through no fault of its own is not called refused."""
    post(event("fine"), {"name": "bad"})
    page = open_page()

    expect(rows(page, has_text="fine")).to_contain_text("↩ held back · 422")
    expect(rows(page, has_text="bad")).to_contain_text("✕ refused · parameter_missing")
    expect(open_row(page, "fine")).to_contain_text("Nothing is wrong with it")


def test_items_that_a_2xx_names_are_refused_and_the_rest_accepted(open_page, post, sandbox):
    """An answer that accepts a part is shown by the part."""
    sandbox.faults(
        [{"status": 200, "body": {"errors": [{"param": "[1].name", "code": "c", "message": "m"}]}}]
    )
    post(event("good"), event("bad"))
    page = open_page()

    expect(rows(page, has_text="good")).to_contain_text("✓ accepted")
    expect(rows(page, has_text="bad")).to_contain_text("✕ refused · c")


def test_a_body_that_is_no_json_is_a_line_too(open_page, post):
    """A request without a readable event is seen, with its body and why it was refused."""
    post(data=b"{nope")
    post(data=b"[]")
    page = open_page()
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    expect(page.locator("#detail .raw")).to_have_text("{nope")
    expect(page.locator("#detail")).to_contain_text("is not JSON")


def test_a_wrong_address_and_a_wrong_key_are_seen(open_page, post, sandbox):
    """The two commonest mistakes of a first set-up do not leave the page empty."""
    post(event(), headers={"Authorization": "Bearer ok_org"})
    post(event(), to=type("Wrong", (), {"url": f"{sandbox.root_url}/api"}))
    page = open_page()

    expect(rows(page, has_text="held back · 401")).to_have_count(1)
    expect(rows(page, has_text="held back · 404")).to_have_count(1)
    expect(open_row(page, "401")).to_contain_text("organisation key")
