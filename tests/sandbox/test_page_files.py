"""The page's files over HTTP."""

import re
from importlib.resources import files

import pytest
import requests

PAGE = files("spotzee_logging.sandbox").joinpath("page")
NAMES = sorted(entry.name for entry in PAGE.iterdir())
KINDS = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_served_with_its_kind(sandbox, name):
    """A browser that may not guess is told what each file is."""
    response = requests.get(f"{sandbox.root_url}/page/{name}", timeout=5)

    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith(KINDS[name.rpartition(".")[2]])
    assert response.content == PAGE.joinpath(name).read_bytes()


def test_the_page_stands_at_the_root(sandbox):
    """`GET /` is the page, and no request to the API."""
    assert "<title>Spotzee sandbox</title>" in requests.get(f"{sandbox.root_url}/", timeout=5).text
    assert requests.head(f"{sandbox.root_url}/", timeout=5).status_code == 200
    assert sandbox.requests() == []


def test_an_event_sent_to_the_root_is_still_a_mistake_on_record(sandbox, event):
    """Who forgot the path of the base URL finds out."""
    response = requests.post(f"{sandbox.root_url}/", json=[event()], timeout=5)

    assert response.status_code == 404
    assert sandbox.requests()[0]["path"] == "/"


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fstore.py", "%2e%2e/store.py", "index.html%00.js"])
def test_nothing_else_is_served(sandbox, name):
    """No path leads out of the page's folder."""
    assert requests.get(f"{sandbox.root_url}/page/{name}", timeout=5).status_code == 404


@pytest.mark.parametrize("name", NAMES)
def test_no_file_needs_anything_from_elsewhere(name):
    """The page works without a network: no address of another host stands in it, but for the name of SVG."""
    text = PAGE.joinpath(name).read_text(encoding="utf-8")
    addresses = re.findall(r"(?:https?:)?//[a-z][\w.-]+\.\w+", text, re.IGNORECASE)

    assert set(addresses) <= {"http://www.w3.org"}
    assert "style=" not in text
    assert not re.search(r"\bon\w+=[\"']|innerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
