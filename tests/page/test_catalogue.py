"""The catalogue and the contacts: what was seen over all events, and what will not go well with it."""

from page.conftest import event, open_tab
from playwright.sync_api import expect


def entry(catalogue, name):
    return catalogue.locator(".entry").filter(has=catalogue.page.get_by_text(name, exact=True))


def test_each_name_has_its_fields_with_type_and_presence(open_page, post):
    """A developer sees what an event consists of, over all that were sent."""
    post(
        event(data={"total": 12, "items": [{"sku": "a"}], "gift": None}),
        event(data={"total": 12.5}, user={"email": "a@example.com"}),
    )
    page = open_page()
    fields = entry(open_tab(page, "Catalogue"), "order_placed")

    expect(fields.locator("summary")).to_contain_text("2 events")
    for field, kind, share in (
        ("external_id", "string", "100 %"),
        ("data.total", "number", "100 %"),
        ("data.items[].sku", "string", "50 %"),
        ("data.gift", "null", "50 %"),
        ("user.email", "string", "50 %"),
    ):
        row = fields.get_by_role("row").filter(has=page.get_by_text(field, exact=True))
        expect(row.get_by_role("cell").nth(0)).to_have_text(kind)
        expect(row.get_by_role("cell").nth(1)).to_have_text(share)
    expect(fields.locator(".warning")).to_have_count(0)


def test_a_field_that_changes_its_type_is_warned_of(open_page, post):
    """The platform infers types from the first values: a field that changes them breaks what is built on it."""
    post(event(data={"total": 12}), event(data={"total": 13}), event(data={"total": "14"}))
    page = open_page()
    expect(page.locator("#badge-catalogue")).to_have_text("⚠ 1")
    fields = entry(open_tab(page, "Catalogue"), "order_placed")

    expect(fields.get_by_role("row", name="data.total")).to_contain_text("number 2×, string 1×")
    expect(fields.locator(".warning")).to_have_text("⚠ changes its type: number, string")


def test_names_that_differ_only_in_case_or_separator_are_warned_of(open_page, post):
    """`Order-Placed` beside `order_placed` is a mistake more often than an intent; so it is with fields."""
    post(
        event("order_placed", data={"orderId": 1, "order_id": 1}), event("Order-Placed"), event("orderPlaced")
    )
    catalogue = open_tab(open_page(), "Catalogue")

    warnings = entry(catalogue, "Order-Placed").locator(".warning")
    expect(warnings.first).to_contain_text("differs from order_placed only in case or separator")
    expect(warnings.nth(1)).to_contain_text("differs from orderPlaced")
    expect(entry(catalogue, "order_placed")).to_contain_text(
        "differs from data.order_id only in case or separator"
    )


def test_names_that_hold_personal_data_are_warned_of(open_page, post):
    """What differs from person to person does not belong into a name."""
    names = {
        "mail_to_ada@example.com": "an email address",
        "called +44 20 7946 0958": "a phone number",
        "login_from_192.0.2.17": "an IP address",
        "order_48213_placed": "an id of somebody",
    }
    post(*[event(name) for name in names], event("step_2_done"))
    catalogue = open_tab(open_page(), "Catalogue")

    for name, words in names.items():
        expect(entry(catalogue, name).locator(".warning")).to_contain_text(f"holds what looks like {words}")
    expect(entry(catalogue, "step_2_done").locator(".warning")).to_have_count(0)


def test_an_event_is_counted_once_however_often_it_is_sent(open_page, post, sandbox):
    """Retries and replays do not blow up the catalogue."""
    sandbox.faults([{"status": 500}, {"reset": "after"}, {}])
    post(event(), key="k")
    try:
        post(event(), key="k")
    except OSError:
        pass
    post(event(), key="k")
    page = open_page()

    expect(page.locator("#badge-events")).to_have_text("3")
    expect(entry(open_tab(page, "Catalogue"), "order_placed").locator("summary")).to_contain_text("1 event")


def test_contacts_show_who_is_linked_to_whom(open_page, post):
    """An anonymous visitor who logged in stands beside the customer; a wrong link is pointed out."""
    post({"name": "seen", "anonymous_id": "anon_1"}, event(external_id="cust_1", anonymous_id="anon_1"))
    post(
        event(external_id="cust_2", anonymous_id="anon_2"), event(external_id="cust_3", anonymous_id="anon_2")
    )
    post({"name": "seen", "anonymous_id": "anon_3"})
    post({"name": "bad", "anonymous_id": "anon_4", "external_id": 5})
    contacts = open_tab(open_page(), "Contacts")

    expect(contacts.get_by_role("row", name="cust_1")).to_contain_text("anon_1")
    expect(contacts.locator(".warning")).to_contain_text(
        "anon_2 is linked to 2 external ids (cust_2, cust_3)"
    )
    anonymous = contacts.locator("section", has_text="Anonymous only").get_by_role("row")
    expect(anonymous).to_contain_text(["Contact", "anon_3"])
    expect(contacts).not_to_contain_text("anon_4")
    contacts.get_by_placeholder("any id").fill("anon_1")
    expect(contacts.get_by_role("row", name="cust_2")).to_have_count(0)
