"""Several connections: side by side where one does not keep up, each contact's events in order all the same."""

import collections
import itertools
import logging
import random
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Judge

from conftest import tag
from spotzee_logging import SpotzeeHandler, dispatcher
from spotzee_logging.sandbox import Sandbox


def log(logger, count, contacts):
    """So many events, of so many contacts in turn."""
    for number in range(count):
        logger.info("x", extra={"spotzee_event": tag(number, external_id=f"cust_{number % contacts}")})


def posts(sandbox):
    return [request for request in sandbox.requests() if request["method"] == "POST"]


def by_contact(events):
    """The numbers of each contact's events, in the order of their arrival."""
    numbers = collections.defaultdict(list)
    for event in events:
        numbers[event["external_id"]].append(event["data"]["number"])
    return numbers


def ours():
    return [thread for thread in threading.enumerate() if thread.name == "spotzee_logging"]


def flush_in_steps(handler):
    """Each flush may try once before a backoff of ours ends; without that a row of failures takes minutes."""
    deadline = time.monotonic() + 60
    while not handler.flush(0.05):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("connections", [1, 2, 4])
def test_a_slow_server_gets_so_many_requests_at_a_time_and_no_more(make_handler, make_logger, connections):
    """Where one request takes long, others go beside it, up to `connections`; no event is lost or doubled.

    No more threads are started than may have a request under way.
    """
    of_other_tests, seen = set(ours()), []

    def slow(events):
        # Each waits for the most that there may be, and a little for one too many.
        seen.append(len(events))
        server.wait_for(lambda: server.most_at_once > connections, 0.25)

    with Judge(slow) as server:
        handler = make_handler(base_url=server.url, connections=connections, capacity=10)
        log(make_logger(handler), 120, contacts=1000)
        assert handler.flush(60)

        assert server.most_at_once == connections
        assert len(set(ours()) - of_other_tests) <= connections
        assert sorted(event["data"]["number"] for event in server.events) == list(range(120))


def test_a_quick_server_is_served_over_one_connection(sandbox, make_handler, make_logger):
    """While one request at a time keeps up no second connection is opened, whatever the number of contacts."""
    handler = make_handler(connections=4)
    logger = make_logger(handler)
    for _ in range(20):
        log(logger, 10, contacts=10)
        assert handler.flush(20)

    assert len({request["connection"] for request in posts(sandbox)}) == 1
    assert len(posts(sandbox)) >= 20


def test_the_events_of_one_contact_go_one_batch_after_the_other(make_handler, make_logger):
    """However slow the server and however many connections, two batches of one contact are never under way."""
    with Judge(lambda events: server.wait_for(lambda: server.most_at_once > 1, 0.05) and None) as server:
        handler = make_handler(base_url=server.url, connections=4, capacity=10)
        log(make_logger(handler), 100, contacts=1)
        assert handler.flush(60)

        assert server.most_at_once == 1
        assert [event["data"]["number"] for event in server.events] == list(range(100))


def test_an_anonymous_contact_has_its_order_too(make_handler, make_logger):
    """Where there is no external_id, the anonymous_id says whose events must not overtake each other."""
    with Judge(lambda events: server.wait_for(lambda: server.most_at_once > 2, 0.1) and None) as server:
        handler = make_handler(base_url=server.url, connections=4, capacity=5)
        logger = make_logger(handler)
        for number in range(60):
            who = {"external_id": None, "anonymous_id": f"anon_{number % 2}"}
            logger.info("x", extra={"spotzee_event": tag(number, **who)})
        assert handler.flush(60)

        for contact in range(2):
            numbers = [
                event["data"]["number"]
                for event in server.events
                if event["anonymous_id"] == f"anon_{contact}"
            ]
            assert numbers == list(range(contact, 60, 2))


# All that a server may answer; none of those that refuse comes with one that commits first and says nothing,
# since a server that keeps the contract refuses nothing that it has committed.
PASSING = [
    {},
    {"delay": 0.02},
    {"status": 500},
    {"status": 503, "delay": 0.01},
    {"status": 429, "headers": {"Retry-After": "0"}},
    {"status": 409, "code": "idempotency_in_progress", "headers": {"Retry-After": "0"}},
    {"reset": "before"},
]
FAULTS = st.one_of(
    st.lists(st.sampled_from([*PASSING, {"reset": "after"}]), max_size=12),
    st.lists(
        st.sampled_from(
            [
                *PASSING,
                {"status": 413},
                {"status": 422, "code": "validation_failed"},
                {
                    "status": 422,
                    "body": {"code": "validation_failed", "errors": [{"param": "1.name"}, {"param": "[3]"}]},
                },
            ]
        ),
        max_size=12,
    ),
)


@given(faults=FAULTS, contacts=st.integers(1, 12), capacity=st.integers(2, 20))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_contacts_order_holds_whatever_the_server_answers(faults, contacts, capacity):
    """With four connections, through retries, splits, removals and resets: in order, and each event once."""
    rejected, lock = [], threading.Lock()

    def on_error(event, error):
        with lock:
            rejected.append(event.data["number"])

    with Sandbox() as sandbox:
        sandbox.faults(faults)
        handler = SpotzeeHandler(
            "sk_test", base_url=sandbox.url, connections=4, capacity=capacity, on_error=on_error
        )
        logger = logging.Logger("shop")
        logger.addHandler(handler)
        log(logger, 150, contacts)
        flush_in_steps(handler)
        events, stats = sandbox.events(), handler.stats()
        handler.close()

    for numbers in by_contact(events).values():
        assert numbers == sorted(set(numbers))
    delivered = [event["data"]["number"] for event in events]
    assert sorted([*delivered, *rejected]) == list(range(150))
    assert (stats.delivered, sum(stats.rejected.values())) == (len(delivered), len(rejected))


def test_random_trouble_for_every_request(make_handler, make_logger):
    """A server that fails every other request, late or at once, from many requests at a time: in order, once."""
    dice = random.Random(4)

    def judge(events):
        answer = dice.choice([None, None, 500, 503, (429, {"Retry-After": "0"}, {})])
        server.wait_for(lambda: False, dice.choice([0, 0, 0.02]))
        return answer

    with Judge(judge) as server:
        handler = make_handler(base_url=server.url, connections=4, capacity=20)
        log(make_logger(handler), 400, contacts=40)
        flush_in_steps(handler)

        for numbers in by_contact(server.events).values():
            assert numbers == sorted(numbers)
        assert len(server.events) == 400
        bodies = collections.defaultdict(set)
        for request in server.requests:
            bodies[request["key"]].add(request["body"])
        assert all(len(each) == 1 for each in bodies.values())


def test_a_server_that_stands_still_gets_one_probe_only(sandbox, make_handler, make_logger):
    """Once requests have timed out, one goes at a time until one succeeds: no pile of hanging connections."""
    sandbox.faults([{"hang": True, "times": 1000}])
    handler = make_handler(connections=4, capacity=5, read_timeout_seconds=0.3)
    log(make_logger(handler), 100, contacts=100)
    # The first wave, of as many as there are connections, and then one try after the other.
    assert sandbox.wait_for_requests(7, timeout_seconds=60)

    began = [request["connection"] for request in posts(sandbox)]
    assert len(set(began)) == len(began)
    by_key = collections.Counter(request["idempotency_key"] for request in posts(sandbox))
    assert len(by_key) <= 4
    assert handler.stats().in_flight <= 5
    sandbox.faults([])
    assert handler.flush(60)
    assert sorted(event["data"]["number"] for event in sandbox.events()) == list(range(100))


def test_while_one_batch_waits_by_itself_others_go_on(sandbox, make_handler, make_logger):
    """A batch whose first try still runs on the server waits with its contact; other contacts' events do not."""
    in_progress = {"status": 409, "code": "idempotency_in_progress", "headers": {"Retry-After": "3"}}
    sandbox.faults([in_progress])
    handler = make_handler(flush_interval_seconds=0.05)
    logger = make_logger(handler)
    logger.info("x", extra={"spotzee_event": tag(0, external_id="cust_slow")})
    assert sandbox.wait_for_requests(1, timeout_seconds=10)
    refused_at = time.monotonic()

    for number in range(1, 4):
        logger.info("x", extra={"spotzee_event": tag(number, external_id="cust_slow")})
        logger.info("x", extra={"spotzee_event": tag(number, external_id="cust_other")})
    assert sandbox.wait_for(3, timeout_seconds=20)
    if time.monotonic() - refused_at < 2.9:  # else the machine was busier than the wait is long
        assert by_contact(sandbox.events()) == {"cust_other": [1, 2, 3]}

    assert sandbox.wait_for(7, timeout_seconds=30)
    assert time.monotonic() - refused_at >= 2.9
    assert by_contact(sandbox.events()) == {"cust_other": [1, 2, 3], "cust_slow": [0, 1, 2, 3]}
    assert handler.flush(10)
    assert handler.stats().requests == handler.stats().retries + len(
        {r["idempotency_key"] for r in posts(sandbox)}
    )


def test_threads_end_when_they_idle(make_handler, make_logger, monkeypatch):
    """After a burst over four connections no thread is left, and the next event starts one."""
    monkeypatch.setattr(dispatcher, "IDLE_SECONDS", 0.3)
    others = set(ours())

    with Judge(lambda events: server.wait_for(lambda: server.most_at_once >= 4, 0.2) and None) as server:
        handler = make_handler(base_url=server.url, connections=4, capacity=10)
        logger = make_logger(handler)
        for repetition in itertools.count(1):
            log(logger, 120, contacts=1000)
            assert handler.flush(60)
            for thread in set(ours()) - others:
                thread.join(20)
            assert set(ours()) <= others
            if repetition == 2:
                break

        assert len(server.events) == 240


@pytest.mark.parametrize("connections", [1, 4])
def test_the_pace_holds_over_all_connections(make_handler, make_logger, connections):
    """Whatever the number of connections, a process makes no more requests than it may in ten seconds."""
    with Judge(lambda events: None) as server:
        handler = make_handler(
            base_url=server.url, connections=connections, capacity=1, requests_per_second=1
        )
        log(make_logger(handler), 30, contacts=30)

        assert server.wait_for(lambda: len(server.requests) == 10, 20)
        assert not handler.flush(0.5)
        assert len(server.requests) == 10


def test_an_event_does_not_wait_behind_a_batch_that_waits_by_itself(sandbox, make_handler, make_logger):
    """It is delivered when it is as old as flush_interval_seconds, however long the other waits."""
    sandbox.faults([{"status": 409, "code": "idempotency_in_progress", "headers": {"Retry-After": "600"}}])
    handler = make_handler(flush_interval_seconds=0.2)
    logger = make_logger(handler)
    log(logger, 1, 1)
    assert sandbox.wait_for_requests(1, timeout_seconds=10)
    deadline = time.monotonic() + 10
    while handler.stats().last_error is None and time.monotonic() < deadline:
        threading.Event().wait(0.01)

    logger.info("x", extra={"spotzee_event": tag(1, external_id="cust_another")})

    assert sandbox.wait_for(1, timeout_seconds=10)
    handler.flushOnClose = False
