"""The faults tab, against a program that logs with the real handler."""

import pytest
from page.conftest import event, open_tab, rows
from playwright.sync_api import expect


def choose(page, label, **values):
    faults = open_tab(page, "Faults")
    faults.get_by_label("Answer").select_option(label=label)
    for name, value in values.items():
        faults.locator(f"[name={name}]").fill(str(value))
    faults.get_by_role("button", name="Add").click()
    expect(page.locator("#badge-faults")).to_be_visible()
    return faults


@pytest.mark.parametrize(
    ("label", "values", "answer", "retries"),
    [
        ("429 too many requests", {"seconds": 0}, "✕ 429 rate_limited", 1),
        ("500 internal error", {}, "✕ 500 internal_error", 1),
        ("no answer (hang)", {}, "∅ none", 1),
        ("reset, nothing committed", {}, "∅ none", 1),
        ("reset, but committed", {}, "∅ none, but committed", 1),
        ("slow", {"seconds": 0.2}, "✓ 204", 0),
    ],
)
def test_a_running_program_copes(
    open_page, make_handler, make_logger, sandbox, label, values, answer, retries
):
    """Whatever is chosen happens to the next request, is seen there, and the event still arrives once."""
    page = open_page()
    faults = choose(page, label, **values)
    handler = make_handler(read_timeout_seconds=1, flush_interval_seconds=0.01)
    make_logger(handler).info("placed", extra={"spotzee_event": event()})

    assert handler.flush(20)
    assert len(sandbox.events()) == 1
    assert handler.stats().retries == retries
    lines = faults.locator("#requests tbody tr")
    expect(lines).to_have_count(1 + retries)
    expect(lines.last).to_contain_text(answer)
    expect(page.locator("#badge-faults")).to_be_hidden()
    expect(faults.locator("#script")).to_contain_text("nothing is scripted")


def test_one_item_can_be_refused(open_page, make_handler, make_logger, sandbox):
    """422 for item 1: that one is given up and shown with the field, the others arrive."""
    page = open_page()
    choose(page, "422 for one item", place=1, field="data.total")
    handler = make_handler(capacity=3, flush_interval_seconds=30)
    logger = make_logger(handler)
    for name in ("one", "two", "three"):
        logger.info(name, extra={"spotzee_event": event(name, data={"total": 1})})

    assert handler.flush(20)
    assert [each["name"] for each in sandbox.events()] == ["one", "three"]
    open_tab(page, "Events")
    expect(rows(page, has_text="two")).to_contain_text("✕ refused")
    rows(page, has_text="two").click()
    expect(page.locator("#detail .line.bad")).to_contain_text('"total": 1')


def test_faults_queue_up_and_can_be_called_off(open_page, post, sandbox):
    """Several faults happen in their order; what is left is shown, and one click ends it."""
    page = open_page()
    choose(page, "500 internal error", times=3)
    faults = choose(page, "slow", seconds=0.5)
    expect(faults.locator("#script li")).to_have_text(["status 500 · 3 times", "delay 0.5"])
    assert post(event()).status_code == 500
    expect(page.locator("#badge-faults")).to_have_text("3")
    faults.get_by_role("button", name="Answer by the rules again").click()

    expect(page.locator("#badge-faults")).to_be_hidden()
    assert sandbox.faults_left() == []
    assert post(event()).status_code == 204


def test_what_cannot_be_scripted_is_said(open_page, sandbox):
    """More faults than the sandbox keeps are refused in its own words."""
    sandbox.faults([{}] * 10_000)
    page = open_page(expecting=["422"])
    faults = choose(page, "500 internal error")

    expect(faults.get_by_role("alert")).to_contain_text("must be at most 10000")
