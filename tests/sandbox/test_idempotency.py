"""One key stands for one body and one commit."""

import json
import threading

import pytest
import requests

from spotzee_logging.sandbox import Sandbox
from spotzee_logging.sandbox.idempotency import LIFETIME_SECONDS, IdempotencyMemory
from spotzee_logging.sandbox.problems import Answer, Refusal
from spotzee_logging.sandbox.rate_limit import RateLimit

ACCEPTED = Answer(204)


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


def never():
    return False


def test_a_retry_is_replayed_and_not_doubled(sandbox, post, event):
    """The same key and bytes again give the first answer again, and the events stay single."""
    first = post([event()], key="k")
    again = post([event()], key="k")

    assert "Idempotent-Replayed" not in first.headers
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (204, "true")
    assert again.headers["X-Request-Id"] == first.headers["X-Request-Id"]
    assert sandbox.events() == [event()]
    assert [(r["committed"], r["replayed"]) for r in sandbox.requests()] == [(True, False), (False, True)]


def test_a_refusal_is_replayed_too(post):
    """A 4xx is remembered: the key of a refused batch stays spent."""
    first = post([{"name": "a"}], key="k")
    again = post([{"name": "a"}], key="k")

    assert (again.status_code, again.content) == (422, first.content)
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.headers["Idempotent-Replayed"] == "true"


def test_another_body_under_the_same_key_is_a_mismatch(sandbox, post, event):
    """A key that was used with other bytes gets 409, even where they mean the same."""
    post([event()], key="k")
    other = post(data=json.dumps([event()], indent=1), key="k")

    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_mismatch")
    assert other.json()["param"] == "Idempotency-Key"
    assert len(sandbox.events()) == 1


def test_keys_belong_to_an_api_key(sandbox, post, event):
    """The same idempotency key under two API keys is two requests."""
    post([event()], key="k")
    other = post([event()], key="k", headers={"Authorization": "Bearer sk_other"})

    assert "Idempotent-Replayed" not in other.headers
    assert len(sandbox.events()) == 2


def test_without_a_key_the_same_body_counts_twice(sandbox, post, event):
    """Only a key makes a retry safe."""
    post([event()])
    post([event()])

    assert len(sandbox.events()) == 2


def test_a_request_that_still_runs_is_in_progress(sandbox, post, event):
    """While the first request waits for its answer, its key gets 409 with `Retry-After`."""
    sandbox.faults([{"delay": 30}])
    waiting = requests.Session()
    gave_up = threading.Event()

    def first():
        with pytest.raises(requests.ConnectionError):
            post([event()], key="k", session=waiting, timeout=60)
        gave_up.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert sandbox.wait_for(1, timeout_seconds=5)
    second = post([event()], key="k")
    sandbox.stop()
    thread.join(5)
    waiting.close()

    assert (second.status_code, second.json()["code"]) == (409, "idempotency_in_progress")
    assert second.headers["Retry-After"] == "1"
    assert gave_up.is_set()
    assert sandbox.events() == [event()]


def test_a_retry_after_a_timeout_meets_the_committed_key(sandbox, post, event):
    """A client that gave up waiting finds its batch committed once."""
    sandbox.faults([{"delay": 30}])
    with pytest.raises(requests.ReadTimeout):
        post([event()], key="k", timeout=0.2)
    again = post([event()], key="k")

    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (204, "true")
    assert sandbox.events() == [event()]
    assert [r["status"] for r in sandbox.requests()] == [None, 204]


def test_what_came_before_the_key_is_not_remembered(post, event):
    """A 401 and a 429 leave the key unused: the same request passes once the reason is gone."""
    with Sandbox(api_keys=["sk_test_1"]) as strict:
        refused = post([event()], to=strict, key="k", headers={"Authorization": "Bearer sk_wrong"})
        accepted = post([event()], to=strict, key="k")

    assert (refused.status_code, accepted.status_code) == (401, 204)
    assert "Idempotent-Replayed" not in accepted.headers


def test_keys_live_for_a_day():
    """A key is remembered for 24 hours and is new after them."""
    clock = Clock()
    memory = IdempotencyMemory(clock=clock)
    memory.remember("sk_1", "k", b"body", ACCEPTED, never)
    clock.now = LIFETIME_SECONDS - 1

    assert memory.recall("sk_1", "k", b"body") == ACCEPTED
    assert memory.knows("sk_1", "k")

    clock.now = LIFETIME_SECONDS

    assert not memory.knows("sk_1", "k")
    memory.remember("sk_1", "k", b"body", ACCEPTED, never)
    clock.now = 2 * LIFETIME_SECONDS

    assert memory.recall("sk_1", "k", b"other") is None
    assert len(memory) == 0


def test_the_memory_of_keys_is_bounded():
    """Over the bound, the oldest key is forgotten first."""
    memory = IdempotencyMemory(max_keys=2)
    for key in "abc":
        memory.remember("sk_1", key, b"body", ACCEPTED, never)

    assert len(memory) == 2
    assert memory.recall("sk_1", "a", b"body") is None
    assert memory.recall("sk_1", "c", b"body") == ACCEPTED


def test_the_rate_limit_frees_its_window():
    """Ten seconds after a request its place is free again."""
    clock = Clock()
    limit = RateLimit(1, clock=clock)
    limit.take()
    for clock.now, seconds in ((2.5, "8"), (9.5, "1")):
        with pytest.raises(Refusal) as refusal:
            limit.take()

        assert refusal.value.headers == (("Retry-After", seconds),)

    clock.now = 10.0

    assert limit.take() is None
