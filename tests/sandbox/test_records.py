"""What the sandbox remembers, over HTTP and in Python."""

import http.client
import json
import threading
from datetime import datetime, timedelta, timezone

import pytest
import requests

from spotzee_logging.sandbox import Sandbox, Store
from spotzee_logging.sandbox.store import RequestRecord


def test_events_over_http_are_those_accepted(sandbox, post, event):
    """`GET /sandbox/events` is a JSON array of exactly the accepted events, in order."""
    post([event(1), event(2, data={"text": "ü ☃ \U0001f600"})])
    post([{"name": "bad"}])
    post([event(3)])
    response = requests.get(f"{sandbox.root_url}/sandbox/events", timeout=5)

    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-Id"]
    assert response.json() == sandbox.events()
    assert [e["external_id"] for e in response.json()] == ["cust_1", "cust_2", "cust_3"]


def test_a_request_is_on_record(sandbox, post, event):
    """A record tells all about one request, with its body as it came and without its key."""
    body = json.dumps([event(data={"text": "ü"})], ensure_ascii=False, indent=1)
    response = post(
        data=body.encode(), key="k1", headers={"Authorization": "Bearer sk_hidden", "Cookie": "c=1"}
    )
    (record,) = sandbox.requests()
    received_at = datetime.fromisoformat(record["received_at"])

    assert record.keys() == RequestRecord.__annotations__.keys()
    assert abs(received_at - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert (record["method"], record["path"]) == ("POST", "/api/client/events")
    assert (record["status"], record["code"]) == (204, None)
    assert record["request_id"] == response.headers["X-Request-Id"]
    assert record["idempotency_key"] == "k1"
    assert record["headers"]["content-type"] == "application/json"
    assert (record["headers"]["authorization"], record["headers"]["cookie"]) == ("Bearer sk_…", "…")
    assert "hidden" not in json.dumps(sandbox.requests())
    assert record["body"] == body
    assert (record["events"], record["committed"], record["replayed"]) == (1, True, False)
    assert record["fault"] is None
    assert record["peer_port"] > 0
    assert requests.get(f"{sandbox.root_url}/sandbox/requests", timeout=5).json() == [record]


def test_a_malformed_authorization_is_hidden_whole(sandbox, post, event):
    """What may be a secret in the wrong place is not shown either."""
    post([event()], headers={"Authorization": "hunter2"})

    assert sandbox.requests()[0]["headers"]["authorization"] == "…"


def test_a_refused_request_is_on_record(sandbox, post):
    """A refusal is remembered with its code, how many events it had, and that nothing was committed."""
    post([{"name": "a"}, {"name": "b"}])
    post(data=b"\xff")
    first, second = sandbox.requests()

    assert (first["status"], first["code"], first["events"]) == (422, "validation_failed", 2)
    assert (second["status"], second["events"], second["body"]) == (400, None, "\\xff")
    assert not first["committed"]


def test_a_header_twice_is_one_value(sandbox):
    """A header that comes twice is joined, as HTTP says."""
    client = http.client.HTTPConnection(sandbox.root_url.removeprefix("http://"), timeout=5)
    client.putrequest("POST", "/api/client/events")
    client.putheader("X-Twice", "1")
    client.putheader("x-twice", "2")
    client.endheaders()
    client.getresponse().read()
    client.close()

    assert sandbox.requests()[0]["headers"]["x-twice"] == "1, 2"


def test_connections_are_told_apart(sandbox, post, event):
    """The record shows whether a client reused its connection."""
    with requests.Session() as session:
        post([event()], session=session)
        post([event()], session=session)
    post([event()])
    first, second, third = sandbox.requests()

    assert (first["connection"], first["peer_port"]) == (second["connection"], second["peer_port"])
    assert third["connection"] != first["connection"]
    assert first["connection"] > 0


def test_clear_forgets(sandbox, post, event):
    """After `clear`, events, requests and keys are as new; scripted faults stay."""
    post([event()], key="k")
    sandbox.faults([{}, {"status": 500}])
    sandbox.clear()

    assert (sandbox.events(), sandbox.requests()) == ([], [])
    assert not sandbox.wait_for(1, timeout_seconds=0)
    assert "Idempotent-Replayed" not in post([event()], key="k").headers
    assert sandbox.wait_for(1, timeout_seconds=0)
    assert sandbox.faults_left() == [{"status": 500}]


def test_delete_forgets(sandbox, post, event):
    """`DELETE /sandbox/events` does what `clear` does."""
    post([event()], key="k")
    response = requests.delete(f"{sandbox.root_url}/sandbox/events", timeout=5)

    assert (response.status_code, response.content) == (204, b"")
    assert (sandbox.events(), sandbox.requests()) == ([], [])
    assert "Idempotent-Replayed" not in post([event()], key="k").headers


def test_the_oldest_are_forgotten_first(post, event):
    """What is kept is bounded, and what that cost is counted."""
    with Sandbox(max_kept=3) as small:
        for n in range(5):
            post([event(n)], to=small)
        events = requests.get(f"{small.root_url}/sandbox/events", timeout=5)
        records = requests.get(f"{small.root_url}/sandbox/requests", timeout=5)
        reached = small.wait_for(5, timeout_seconds=0), small.wait_for_requests(5, timeout_seconds=0)

    assert small.events() == events.json() == [event(2), event(3), event(4)]
    assert len(records.json()) == 3
    assert small.forgotten() == {"events": 2, "requests": 2}
    assert events.headers["X-Sandbox-Forgotten"] == records.headers["X-Sandbox-Forgotten"] == "2"
    assert reached == (True, True)


def test_what_is_kept_is_bounded_in_bytes():
    """Large events are forgotten by their size."""
    store = Store(max_kept_bytes=250)
    store.commit([{"data": "x" * 100} for _ in range(5)])

    assert len(store.events()) == 2
    assert store.forgotten() == {"events": 3, "requests": 0}


def test_what_is_given_is_a_copy(sandbox, post, event):
    """A test may change what it got without changing the sandbox."""
    sandbox.faults([{"status": 500, "body": {"a": 1}}, {}])
    post([event()])
    post([event()])
    sandbox.events()[0]["name"] = "changed"
    record = sandbox.requests()[0]
    record["headers"].clear()
    record["fault"]["body"]["a"] = 2

    assert sandbox.events() == [event()]
    assert sandbox.requests()[0]["headers"]
    assert sandbox.requests()[0]["fault"] == {"status": 500, "body": {"a": 1}}


def test_wait_for_wakes_when_the_events_arrive(sandbox, post, event):
    """A waiting test goes on as soon as the count is reached, and learns when it never is."""
    reached = []
    waiter = threading.Thread(target=lambda: reached.append(sandbox.wait_for(3, timeout_seconds=10)))
    waiter.start()
    post([event(1), event(2)])
    post([event(3)])
    waiter.join(10)

    assert reached == [True]
    assert sandbox.wait_for(4, timeout_seconds=0.05) is False


@pytest.mark.parametrize(
    ("path", "allow"), [("events", "DELETE, GET, HEAD"), ("faults", "DELETE, GET, HEAD, POST, PUT")]
)
def test_the_controls_say_which_methods_they_take(sandbox, path, allow):
    """A wrong method at the controls is a problem that names the right ones; it is not on record."""
    response = requests.patch(f"{sandbox.root_url}/sandbox/{path}", timeout=5)

    assert response.status_code == 405
    assert sorted(response.headers["Allow"].split(", ")) == allow.split(", ")
    assert response.json()["request_id"] == response.headers["X-Request-Id"]
    assert requests.head(f"{sandbox.root_url}/sandbox/{path}", timeout=5).status_code == 200
    assert sandbox.requests() == []


def test_unknown_controls_are_missing(sandbox):
    """A misspelt control is a 404 in the API's own words."""
    response = requests.get(f"{sandbox.root_url}/sandbox/event", timeout=5)

    assert (response.status_code, response.json()["code"]) == (404, "resource_missing")


def test_many_clients_at_once_lose_nothing(sandbox, post, event):
    """Requests of several threads are all committed, each once."""
    barrier = threading.Barrier(8)

    def send(thread):
        barrier.wait(10)
        for n in range(10):
            post([event(thread * 10 + n)], key=f"{thread}-{n}")
            post([event(thread * 10 + n)], key=f"{thread}-{n}")

    threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(e["external_id"] for e in sandbox.events()) == sorted(f"cust_{n}" for n in range(80))
    assert len(sandbox.requests()) == 160
