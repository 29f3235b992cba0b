"""The page by keyboard, on a phone, in the dark."""

import pytest
from page.conftest import event, open_row, open_tab, rows
from playwright.sync_api import expect

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}

# The contrast of an element's text with what it stands on, as WCAG 2 computes it.
CONTRAST = """(element) => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const channels = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const ground = (node) => {
        const colour = channels(getComputedStyle(node).backgroundColor);
        return colour[3] || !node.parentElement ? colour : ground(node.parentElement);
    };
    const luminance = (colour) => {
        const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        const [r, g, b] = colour.slice(0, 3).map((c) => linear(c / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const both = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))];
    const [light, dark] = both.sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
}"""


def selected(page):
    return page.locator(".row[aria-selected=true] .name")


def test_the_list_is_used_without_a_mouse(open_page, post):
    """`j`, `k`, arrows, Home and End move, Enter opens, Esc closes and gives the list back."""
    for name in ("first", "second", "third"):
        post(event(name))
    page = open_page()
    expect(rows(page)).to_have_count(3)
    for key, name in (
        ("j", "third"),
        ("j", "second"),
        ("ArrowDown", "first"),
        ("j", "first"),
        ("k", "second"),
        ("ArrowUp", "third"),
        ("End", "first"),
        ("Home", "third"),
    ):
        page.keyboard.press(key)
        expect(selected(page)).to_have_text(name)
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_have_text("third")
    page.keyboard.press("Escape")

    expect(page.locator("#detail")).to_be_hidden()
    expect(page.locator("#scroll")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(selected(page)).to_have_text("second")
    active = page.locator("#scroll").get_attribute("aria-activedescendant")
    expect(page.locator(f"#{active}")).to_contain_text("second")


def test_a_slash_leads_to_the_filter_where_keys_are_text(open_page, post):
    """`/` puts the cursor into the filter; there `j` and `p` are letters, and Esc leads back."""
    post(event("jp_placed"), event("other"))
    page = open_page()
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("/")
    expect(page.locator("[name=text]")).to_be_focused()
    page.keyboard.type("jp/")
    expect(page.locator("[name=text]")).to_have_value("jp/")
    page.keyboard.press("Backspace")
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("Escape")

    expect(page.locator("#scroll")).to_be_focused()
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Go on")).to_have_attribute("aria-pressed", "true")


def test_tabs_are_used_by_arrows_and_are_remembered_in_the_address(open_page):
    """Right and left move between the tabs; a reload opens the same one."""
    page = open_page()
    page.get_by_role("tab", name="Events").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Catalogue")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tabpanel", name="Faults")).to_be_visible()
    page.reload()

    expect(page.get_by_role("tabpanel", name="Faults")).to_be_visible()
    expect(page.get_by_role("tab", name="Faults")).to_have_attribute("aria-selected", "true")


def test_focus_can_be_seen(open_page):
    """Every control that Tab reaches shows it."""
    page = open_page()
    for _ in range(8):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none", page.evaluate("document.activeElement.outerHTML")


def test_on_a_phone_everything_is_within_reach(open_page, post):
    """Nothing runs off the side in any tab; a line has name, contact, verdict; the detail covers the screen."""
    post(
        event("a_rather_long_name_of_an_event_placed", "cust_with_a_long_id_0001", data={"k" * 60: "v" * 300})
    )
    post({"name": "bad"}, key="key-of-a-batch-0001")
    post(event("changing", data={"total": 1}), event("changing", data={"total": "1"}))
    page = open_page(**PHONE)
    row = rows(page, has_text="a_rather_long")
    for part in ("name", "contact", "verdict", "time"):
        box = row.locator(f".{part}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
    for tab in ("Catalogue", "Contacts", "Faults", "Events"):
        open_tab(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, tab
    warning = open_tab(page, "Catalogue").locator("td .warning")
    expect(warning).to_contain_text("changes its type")
    box = warning.bounding_box()
    assert 0 <= box["x"] < box["x"] + box["width"] <= 360
    open_tab(page, "Events")
    row.tap()
    expect(page.locator("#detail")).to_be_visible()
    assert page.locator("#detail").bounding_box() == {"x": 0, "y": 0, "width": 360, "height": 740}
    assert page.locator("#detail").evaluate("(detail) => detail.scrollWidth <= detail.clientWidth")
    page.get_by_role("button", name="Close").tap()
    expect(page.locator("#detail")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(open_page, post, sandbox, scheme):
    """The page follows the system's scheme, and every verdict's text has the contrast that WCAG AA asks for."""
    sandbox.faults([{}, {}, {"status": 500}, {}])
    post(event("good"), key="k")
    post(event("good"), key="k")
    post(event("again"))
    post(event("held"), {"name": "bad"})
    page = open_page(color_scheme=scheme)
    expect(rows(page)).to_have_count(5)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    open_row(page, "bad")
    for locator in (
        ".row:visible span",
        "#detail .line span",
        "#detail dt",
        ".tabs button",
        ".hint",
        ".keys span",
    ):
        for element in page.locator(locator).all():
            if element.is_visible():
                assert element.evaluate(CONTRAST) >= 4.5, (locator, element.inner_text())


def test_verdicts_do_not_depend_on_colour(open_page, post):
    """Each verdict has a sign and a word of its own."""
    post(event("good"))
    post(event("held"), {"name": "bad"})
    page = open_page()
    expect(rows(page)).to_have_count(3)

    assert sorted(rows(page).locator(".verdict").all_inner_texts()) == [
        "↩ held back · 422",
        "✓ accepted",
        "✕ refused · parameter_missing",
    ]
