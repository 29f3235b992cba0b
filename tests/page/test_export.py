"""The events as a file."""

import json

from page.conftest import event, rows
from playwright.sync_api import expect


def export(page):
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == "events.jsonl"
    return download.value.path().read_text(encoding="utf-8").splitlines()


def test_accepted_events_are_exported_once_each_as_they_were_sent(open_page, post, sandbox):
    """The file holds one line for each event, in order, ready to be sent again."""
    sandbox.faults([{"status": 500}, {}, {}])
    for _ in range(3):
        post(event(data={"note": "a\u2028b\n\U0001f600"}), key="k")
    post(data=b'[\n {"name": "big",\n  "external_id": "c", "data": {"n": 12345678901234567890}}\n]')
    post({"name": "refused"})
    page = open_page()
    expect(rows(page)).to_have_count(5)
    lines = export(page)

    assert [json.loads(line) for line in lines] == sandbox.events()
    assert "12345678901234567890" in lines[1]
    expect(page.locator("#notice")).to_have_text("2 accepted events exported.")


def test_the_filters_choose_what_is_exported(open_page, post):
    """A verdict that is chosen is what the file holds."""
    post(event("fine"))
    post({"name": "refused_one"})
    page = open_page()
    page.locator("[name=verdict]").select_option("refused")
    expect(rows(page)).to_have_count(1)

    assert [json.loads(line)["name"] for line in export(page)] == ["refused_one"]


def test_with_nothing_to_export_the_page_says_so(open_page):
    """No empty file."""
    page = open_page()
    page.get_by_role("button", name="Export").click()

    expect(page.locator("#notice")).to_have_text("There is no accepted event to export here.")


def test_what_is_exported_can_be_sent(open_page, post, sandbox, run_python):
    """The file is what `spotzee-logging send` takes."""
    post(event("one"), event("two"))
    page = open_page()
    expect(rows(page)).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    sandbox.clear()
    program = "import sys\nfrom spotzee_logging.cli import main\nmain()\n"
    done = run_python(
        program, "send", download.value.path(), SPOTZEE_BASE_URL=sandbox.url, SPOTZEE_API_KEY="sk_1"
    )

    assert "2 delivered" in done.stdout
    assert [each["name"] for each in sandbox.events()] == ["one", "two"]
