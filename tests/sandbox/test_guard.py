"""Who may see the page and use the controls: this machine's own page and programs, no other site's."""

import pytest
import requests

from spotzee_logging.sandbox.guard import is_loopback, is_own_host

PATHS = ("/", "/page/main.js", "/sandbox/events", "/sandbox/requests", "/sandbox/faults", "/sandbox/stream")


@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_host_is_misdirected(sandbox, path):
    """A name that was made to resolve to this machine is told from its own names."""
    response = requests.get(f"{sandbox.root_url}{path}", headers={"Host": "shop.example:8025"}, timeout=5)

    assert (response.status_code, response.json()["param"]) == (421, "Host")
    assert response.json()["request_id"] == response.headers["X-Request-Id"]
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "LOCALHOST.", "sandbox.localhost", "127.0.0.2", "[::1]:80"]
)
def test_loopback_has_many_names(sandbox, host):
    """However somebody writes this machine, it is this machine."""
    response = requests.get(f"{sandbox.root_url}/sandbox/events", headers={"Host": host}, timeout=5)

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("host", "bound", "own"),
    [
        ("192.0.2.7:8025", "192.0.2.7", True),
        ("192.0.2.8", "192.0.2.7", False),
        ("dev.internal:8025", "dev.internal", True),
        ("192.0.2.7", "0.0.0.0", True),
        ("[2001:db8::1]:8025", "::", True),
        ("[2001:0db8::1]", "2001:db8::1", True),
        ("shop.example", "0.0.0.0", False),
        ("localhost.shop.example", "127.0.0.1", False),
        ("127.0.0.1.shop.example", "127.0.0.1", False),
        ("127.0.0.1@shop.example", "127.0.0.1", False),
        ("", "127.0.0.1", False),
        ("[", "127.0.0.1", False),
        ("0.0.0.0", "127.0.0.1", False),
    ],
)
def test_a_host_is_own_by_what_is_listened_on(host, bound, own):
    """Beside loopback, only the address that was asked for counts; behind `0.0.0.0`, any address but no name."""
    assert is_own_host(host, bound) is own


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("shop", False),
    ],
)
def test_what_listens_on_loopback_is_known(host, loopback):
    """The command line asks before it opens the sandbox to others."""
    assert is_loopback(host) is loopback


@pytest.mark.parametrize("origin", ["http://shop.example", "null", "http://127.0.0.1:1", "https://localhost"])
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "faults"), ("POST", "faults"), ("DELETE", "faults"), ("DELETE", "events")]
)
def test_a_page_of_another_origin_changes_nothing(sandbox, post, event, origin, method, path):
    """Another site's script cannot clear the sandbox, nor script its faults."""
    post([event()])
    sandbox.faults([{"status": 503}])
    url = f"{sandbox.root_url}/sandbox/{path}"
    response = requests.request(method, url, json=[], headers={"Origin": origin}, timeout=5)

    assert (response.status_code, response.json()["param"]) == (403, "Origin")
    assert (len(sandbox.events()), sandbox.faults_left()) == (1, [{"status": 503}])


def test_the_own_page_and_programs_may_change_it(sandbox):
    """The page sends its own origin, a program sends none: both are let through."""
    url = f"{sandbox.root_url}/sandbox/faults"
    for headers in ({"Origin": sandbox.root_url}, {}):
        assert requests.put(url, json=[{}], headers=headers, timeout=5).status_code == 204


@pytest.mark.parametrize("path", PATHS[:-1])
def test_every_answer_tells_the_browser_to_be_strict(sandbox, path):
    """Nothing runs but the page's own files, nothing is guessed, framed, kept, or told to others."""
    headers = requests.get(f"{sandbox.root_url}{path}", timeout=5).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))

    assert (policy["default-src"], policy["script-src"]) == ("'none'", "'self'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert policy["require-trusted-types-for"] == "'script'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_the_api_itself_asks_for_no_host(sandbox, post, event):
    """A program in a container reaches it by whatever name that has there; it shows a key, as to the API."""
    assert post([event()], headers={"Host": "sandbox.internal"}).status_code == 204
