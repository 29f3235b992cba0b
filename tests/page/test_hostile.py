"""What is in an event is shown, and never does anything."""

import json

import pytest
from page.conftest import event, open_row, open_tab, rows, stretches_of_work
from playwright.sync_api import expect

HOSTILE = [
    "<script>window.broken = true</script>",
    "<img src=x onerror='window.broken = true'>",
    '"><svg onload=window.broken=true>',
    "</span></body><iframe srcdoc='<script>parent.broken=true</script>'>",
    "javascript:window.broken=true",
    "{{window.broken = true}}",
    "${window.broken = true}",
    "__proto__",
    "constructor",
]


def test_markup_is_text_wherever_it_stands(open_page, post):
    """Name, ids, keys, values, headers and errors: in every tab they are read, not run."""
    for text in HOSTILE:
        data = {text: [text, {text: text}]}
        everywhere = {"name": text, "external_id": text, "anonymous_id": text, "data": data}
        post(everywhere, headers={"X-Note": text})
        post({**everywhere, text: 1})
    page = open_page()
    page.evaluate("window.before = document.querySelectorAll('script, img, iframe, a[href]').length")
    for text in HOSTILE:
        page.locator("[name=name]").fill(text)
        expect(rows(page)).to_have_count(2)
        expect(rows(page).first.locator(".name")).to_have_text(text)
        expect(open_row(page, "refused")).to_contain_text("is not a field of the API")
    for tab in ("Catalogue", "Contacts"):
        for text in HOSTILE:
            expect(open_tab(page, tab)).to_contain_text(text)
    expect(open_tab(page, "Faults")).to_contain_text("400 parameter_unknown")

    assert page.evaluate("window.broken") is None
    assert page.evaluate("document.querySelectorAll('script, img, iframe, a[href]').length === window.before")
    assert page.evaluate("Object.keys(Object.prototype).length") == 0


def test_nothing_that_arrives_becomes_an_address(open_page, post):
    """A `javascript:` URL in an event is no link that somebody could click."""
    post(event(data={"url": "javascript:alert(1)", "page": "https://elsewhere.example/"}))
    page = open_page()
    open_row(page, "order_placed")

    assert page.locator("a").count() == 0


def test_text_that_turns_the_direction_is_made_visible(open_page, post):
    """An override that would show `gpj.exe` as another name, a zero width space, a NUL: all can be seen."""
    post(event("pay\u202egpj\u200b", "cust\u2066_1", data={"a\u202eb": "c\x00d\u202e"}))
    page = open_page()

    expect(rows(page).locator(".name")).to_have_text("pay⟨U+202E⟩gpj⟨U+200B⟩")
    expect(rows(page).locator(".contact")).to_have_text("cust⟨U+2066⟩_1")
    detail = open_row(page, "pay")
    expect(detail).not_to_contain_text("\u202e")
    expect(detail.locator("h2")).to_have_text("pay⟨U+202E⟩gpj⟨U+200B⟩")


def test_text_of_right_to_left_scripts_keeps_its_place(open_page, post):
    """Arabic and Hebrew are read as they are, and do not change the order of the columns."""
    post(event("\u0634\u0631\u0627\u0621", "\u05e9\u05dc\u05d5\u05dd"))
    page = open_page()
    row = rows(page)
    expect(row.locator(".name")).to_have_text("\u0634\u0631\u0627\u0621")

    left = [
        row.locator(f".{name}").bounding_box()["x"] for name in ("time", "name", "contact", "size", "verdict")
    ]
    assert left == sorted(left)


def test_huge_values_are_shown_a_part_at_a_time(chromium, open_page, post):
    """A megabyte in a value or in a name leaves the page usable; more of it is a click away."""
    page = open_page()
    with stretches_of_work(chromium, page) as seconds:
        post(event("n" * 500_000, data={"huge": "x" * 1_000_000, "many": list(range(5000))}))
        detail = open_row(page, "nnn")
        expect(detail.locator(".line")).to_have_count(1000)
        page.get_by_role("button", name="more lines").click()
        expect(detail.locator(".line")).to_have_count(2000)
        detail.get_by_role("button", name="more of 1,000,002 characters").click()
        expect(detail.locator(".line", has_text="huge")).to_contain_text("x" * 10_000)

    assert 0 < max(seconds) < 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_deep_nesting_does_not_break_the_page(open_page, post):
    """As deep as the API's reader lets through, the page shows."""
    deep = '{"a":' * 400 + "1" + "}" * 400
    post(data=f'[{{"name": "deep", "external_id": "c", "data": {deep}}}]'.encode())
    page = open_page()

    expect(open_row(page, "deep").locator(".line", has_text='"a": 1')).to_have_count(1)


def test_an_answer_by_script_is_no_markup_either(open_page, post, sandbox):
    """A scripted body, header and error are hostile texts as well."""
    bad = "<img src=x onerror='window.broken=true'>"
    sandbox.faults(
        [
            {
                "status": 422,
                "body": {"message": bad, "errors": [{"param": f"0.{bad}", "code": bad, "message": bad}]},
            }
        ]
    )
    post(event())
    page = open_page()
    detail = open_row(page, "order_placed")

    expect(detail.locator(".line.bad")).to_contain_text(json.dumps(bad))
    expect(detail.locator(".line.bad .error")).to_contain_text(bad)
    assert page.evaluate("window.broken") is None


WAYS_IN = [
    "document.body.innerHTML = '<img src=x onerror=\"window.broken = true\">'",
    "document.body.setAttribute('onclick', 'window.broken = true'); document.body.click()",
    "setTimeout('window.broken = true')",
    "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.broken = true'}))",
    "location.href = 'javascript:window.broken = true'",
]


@pytest.mark.parametrize("way", WAYS_IN)
def test_script_that_is_not_the_pages_own_does_not_run(open_page, post, way):
    """Were there a hole in the page, the policy that it is served with would still stop what comes through."""
    page = open_page(expecting=["Content Security Policy", "Trusted"])
    page.evaluate(f"() => {{ try {{ {way}; }} catch {{ /* stopped */ }} }}")
    post(event("after"))
    expect(rows(page)).to_contain_text("after")

    assert page.evaluate("window.broken") is None


def test_a_name_that_was_made_to_resolve_here_gets_nothing(chromium, sandbox, post):
    """DNS rebinding: under a foreign name, this very address serves neither the page nor an event."""
    post(event(data={"secret": "of the shop"}))
    port = sandbox.root_url.rpartition(":")[2]
    context = chromium.new_context()
    page = context.new_page()
    statuses = []
    for path in ("/", "/page/main.js", "/sandbox/events", "/sandbox/stream"):
        statuses.append(page.goto(f"http://rebound.example:{port}{path}").status)
        assert "of the shop" not in page.content()
    context.close()

    assert statuses == [421] * 4


def test_a_page_of_another_origin_changes_nothing(chromium, sandbox, post):
    """Any site can send to loopback: it cannot clear the sandbox, nor script faults, nor read."""
    post(event())
    context = chromium.new_context()
    page = context.new_page()
    page.route("http://elsewhere.example/", lambda route: route.fulfill(body="<title>elsewhere</title>"))
    page.goto("http://elsewhere.example/")
    outcome = page.evaluate(
        """async (url) => {
            const fault = {method: 'POST', mode: 'no-cors', body: '[{"status": 500}]'};
            await fetch(url + '/sandbox/faults', fault).catch(() => {});
            await fetch(url + '/sandbox/events', {method: 'DELETE'}).catch(() => {});
            return fetch(url + '/sandbox/events').then(() => 'read', () => 'failed');
        }""",
        sandbox.root_url,
    )
    context.close()

    assert outcome == "failed"
    assert sandbox.faults_left() == []
    assert len(sandbox.events()) == 1
