"""The main road: tagged records reach the API in batches, in order, once."""

import json
import random
import re
import sys
import threading
import time

import pytest

from conftest import tag
from spotzee_logging import Settings, contact
from spotzee_logging.buffers.memory import MemoryBuffer
from spotzee_logging.client import ApiClient
from spotzee_logging.delivery import TEND_SECONDS, Delivery
from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.dispatcher import Dispatcher
from spotzee_logging.reporting import Reporter
from spotzee_logging.schedule import FIRST_BACKOFF_SECONDS
from spotzee_logging.senders import is_sender
from spotzee_logging.stats import Ledger
from spotzee_logging.version import __version__


def posts(sandbox):
    return [request for request in sandbox.requests() if request["method"] == "POST"]


def test_a_tagged_record_arrives_as_it_was_logged(sandbox, make_handler, make_logger):
    """What is put into the tag is what Spotzee gets, with the record's own time."""
    handler = make_handler()
    logger = make_logger(handler)
    before = time.time()

    logger.info(
        "viewed",
        extra={
            "spotzee_event": {
                "name": "product_viewed",
                "anonymous_id": "anon-2c8a3e",
                "external_id": "cust-9f4b21",
                "data": {"product_id": "sku-1024", "value": 49.95},
                "user": {
                    "email": "jane@example.com",
                    "timezone": "Australia/Sydney",
                    "data": {"plan": "pro"},
                },
            }
        },
    )

    assert handler.flush(10)
    (event,) = sandbox.events()
    created_at = event.pop("created_at")
    assert event == {
        "name": "product_viewed",
        "anonymous_id": "anon-2c8a3e",
        "external_id": "cust-9f4b21",
        "data": {"product_id": "sku-1024", "value": 49.95},
        "user": {"email": "jane@example.com", "timezone": "Australia/Sydney", "data": {"plan": "pro"}},
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created_at)
    assert created_at[:10] == time.strftime("%Y-%m-%d", time.gmtime(before))


def test_a_short_tag_takes_the_extras_and_the_contact(sandbox, make_handler, make_logger):
    """A name is enough of a tag: the other extras are its data, and the contact says whose it is."""
    handler = make_handler()
    logger = make_logger(handler)

    with contact(external_id="cust_001", user={"email": "ada@example.com"}):
        logger.info("placed", extra={"spotzee_event": "order_placed", "order_id": "ord_42", "total": 129.5})

    assert handler.flush(10)
    (event,) = sandbox.events()
    assert event["data"] == {"order_id": "ord_42", "total": 129.5}
    assert event["external_id"] == "cust_001"
    assert event["user"] == {"email": "ada@example.com"}


def test_ten_thousand_records_from_eight_threads(sandbox, make_handler, make_logger):
    """Every event arrives once, in its thread's order, in few requests of at most 100."""
    handler = make_handler()
    logger = make_logger(handler)
    start = threading.Barrier(8)

    def work(thread):
        start.wait()
        for number in range(1250):
            logger.info("x", extra={"spotzee_event": tag(number, external_id=f"thread_{thread}")})

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert handler.flush(60)
    events = sandbox.events()
    assert len(events) == 10_000
    for thread in range(8):
        numbers = [e["data"]["number"] for e in events if e["external_id"] == f"thread_{thread}"]
        assert numbers == list(range(1250))
    assert len(posts(sandbox)) <= 120
    assert max(request["events"] for request in posts(sandbox)) <= 100
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.pending, stats.pending_bytes) == (10_000, 10_000, 0, 0)


def test_the_headers_of_a_request(sandbox, make_handler, make_logger):
    """The API finds the key, the release, the batch's own key and who is calling."""
    handler = make_handler("pk_live_1", client_type="mobile")
    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    assert handler.flush(10)

    (request,) = posts(sandbox)

    headers = request["headers"]
    assert headers["authorization"].startswith("Bearer pk_")
    assert headers["content-type"] == "application/json"
    assert headers["spotzee-version"] == "2026-04-28"
    assert headers["user-agent"] == f"spotzee-logging/{__version__}"
    assert headers["x-spotzee-client-type"] == "mobile"
    assert re.fullmatch(r"[0-9a-f]{32}", headers["idempotency-key"])


def test_optional_headers_are_left_off(sandbox, make_handler, make_logger):
    """A backend says nothing of a client type, and may leave the release to the project."""
    handler = make_handler(api_version=None)
    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    assert handler.flush(10)

    (request,) = posts(sandbox)

    assert "spotzee-version" not in request["headers"]
    assert "x-spotzee-client-type" not in request["headers"]


def test_a_full_batch_goes_before_its_age(sandbox, make_handler, make_logger):
    """`capacity` events wake the dispatcher; they do not wait for the interval."""
    handler = make_handler(capacity=5, flush_interval_seconds=3600)
    logger = make_logger(handler)

    for number in range(5):
        logger.info("x", extra={"spotzee_event": tag(number)})

    assert sandbox.wait_for(5, timeout_seconds=10)
    assert [request["events"] for request in posts(sandbox)] == [5]


def test_an_event_goes_by_its_age(sandbox, make_handler, make_logger):
    """A lonely event is sent once it is `flush_interval_seconds` old."""
    handler = make_handler(flush_interval_seconds=0.05)

    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert sandbox.wait_for(1, timeout_seconds=10)


def test_the_thread_that_idles_notices_the_next_event(sandbox, make_handler, make_logger):
    """After a pause, the first event is sent by its age again."""
    handler = make_handler(flush_interval_seconds=0.05)
    logger = make_logger(handler)
    for number in range(3):
        logger.info("x", extra={"spotzee_event": tag(number)})
        assert sandbox.wait_for(number + 1, timeout_seconds=10)

    assert handler.flush(10)
    assert handler.stats().delivered == 3


def test_a_level_wakes_the_dispatcher_at_once(sandbox, make_handler, make_logger):
    """A tagged error does not wait for a batch, and takes what waits before it along."""
    handler = make_handler(flush_interval_seconds=3600, flush_level="WARNING")
    logger = make_logger(handler)

    logger.info("x", extra={"spotzee_event": tag(0)})
    logger.warning("x", extra={"spotzee_event": tag(1)})

    assert sandbox.wait_for(2, timeout_seconds=10)
    assert [event["data"]["number"] for event in sandbox.events()] == [0, 1]


def test_a_batch_is_bounded_by_bytes(sandbox, make_handler, make_logger):
    """No request's body is larger than `max_batch_bytes`."""
    handler = make_handler(max_batch_bytes=4096, max_event_bytes=2048)
    logger = make_logger(handler)

    for number in range(20):
        logger.info("x", extra={"spotzee_event": tag(number, data={"text": "x" * 1000})})

    assert handler.flush(10)
    assert len(sandbox.events()) == 20
    assert max(len(request["body"]) for request in posts(sandbox)) <= 4096


def test_a_flush_tries_once_before_a_backoff_ends(sandbox, make_handler, make_logger):
    """A flush need not wait for a backoff of ours, and does not turn into a storm either."""
    sandbox.faults([{"status": 500, "times": 50}])
    handler = make_handler()
    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    handler.flush(0.3)
    tried = len(posts(sandbox))

    for _ in range(3):
        assert not handler.flush(0.05)

    assert tried + 1 <= len(posts(sandbox)) <= tried + 6


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"status": 422, "code": "validation_failed"}, "validation_failed"),
        ({"status": 400, "code": "parameter_unknown"}, "parameter_unknown"),
        ({"status": 418, "body": "a teapot"}, "http_418"),
    ],
    ids=str,
)
def test_a_refusal_is_counted_with_the_servers_words(sandbox, make_handler, make_logger, answer, reason):
    """An event that the API refuses for good is told of: reason, request, which event, never its data."""
    sandbox.faults([answer])
    told = []
    handler = make_handler(on_error=lambda event, error: told.append((event, error)))
    logger = make_logger(handler)

    logger.info("x", extra={"spotzee_event": tag(7, data={"note": "rosebud"})})
    assert handler.flush(10)

    assert handler.stats().rejected == {reason: 1}
    ((event, error),) = told
    assert event.name == "order_placed"
    assert event.data == {"note": "rosebud"}
    assert error.reason == reason
    assert (error.event_name, error.external_id) == ("order_placed", "cust_001")
    assert error.request_id == posts(sandbox)[0]["request_id"]
    assert "rosebud" not in str(error)


def test_after_a_refusal_the_rest_goes_on(sandbox, make_handler, make_logger):
    """One batch's trouble is not the next one's."""
    sandbox.faults([{"status": 418}])
    handler = make_handler(capacity=2)
    logger = make_logger(handler)
    for number in range(4):
        logger.info("x", extra={"spotzee_event": tag(number)})

    assert handler.flush(10)

    assert [event["data"]["number"] for event in sandbox.events()] == [2, 3]
    assert sum(handler.stats().rejected.values()) == 2


def test_two_handlers_never_mix_their_events(sandbox, make_handler, make_logger):
    """Each handler has its own key, buffer and account."""
    first, second = make_handler("sk_first"), make_handler("sk_second", api_version=None)
    make_logger(first).info("x", extra={"spotzee_event": tag(1)})
    make_logger(second).info("x", extra={"spotzee_event": tag(2)})

    assert first.flush(10)
    assert second.flush(10)

    bodies = {
        "spotzee-version" in request["headers"]: json.loads(request["body"])[0]["data"]["number"]
        for request in posts(sandbox)
    }
    assert bodies == {True: 1, False: 2}


def test_urllib3_lines_of_the_program_itself_are_the_programs(sandbox, make_handler, make_logger):
    """Only on a thread that sends are urllib3's lines our own doing."""
    handler = make_handler()
    logger = make_logger(handler, name="urllib3.shop")

    logger.info("x", extra={"spotzee_event": tag()})

    assert handler.flush(10)
    assert len(sandbox.events()) == 1


def test_a_hook_that_logs_an_event_on_the_sending_thread(sandbox, make_handler, make_logger):
    """What on_error logs is an event like any other, and a flush in it returns at once."""
    sandbox.faults([{"status": 422}])
    flushed = []

    def on_error(event, error):
        logger.info("x", extra={"spotzee_event": tag(name="order_lost")})
        flushed.append(handler.flush(5))

    handler = make_handler(on_error=on_error)
    logger = make_logger(handler)
    logger.info("x", extra={"spotzee_event": tag()})

    assert handler.flush(10)
    assert sandbox.wait_for(1, timeout_seconds=10)
    assert [event["name"] for event in sandbox.events()] == ["order_lost"]
    assert flushed == [False]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_another_goes_on_where_a_hook_has_ended_the_thread(sandbox, make_handler, make_logger):
    """What is pending then arrives, though nothing is logged or flushed any more."""
    sandbox.faults([{"status": 422, "delay": 0.2}])
    handler = make_handler(on_error=lambda event, error: sys.exit(), capacity=1, connections=1)
    logger = make_logger(handler)

    logger.info("x", extra={"spotzee_event": tag(0)})
    logger.info("x", extra={"spotzee_event": tag(1)})

    assert sandbox.wait_for(1, timeout_seconds=10)
    assert handler.flush(10)
    assert [event["data"]["number"] for event in sandbox.events()] == [1]


def test_what_asks_for_no_try_makes_none_before_a_backoff_ends():
    """A level or a full buffer has what is pending sent soon, and a server in trouble is left alone; a flush tries."""
    clock, buffer = Stopped(), MemoryBuffer(1000)
    settings = Settings(api_key="sk_x", base_url="https://nowhere.invalid")
    reporter = Reporter(Ledger(), Diagnostics(clock), None)
    dispatcher = Dispatcher(settings, buffer, ApiClient(settings), reporter, clock=clock, draw=lambda: 1.0)
    dispatcher.schedule.fail(0, None)

    dispatcher.deliver_soon()
    assert dispatcher.schedule.held_seconds == FIRST_BACKOFF_SECONDS

    dispatcher.flush_soon()
    assert dispatcher.schedule.held_seconds == 0


def test_a_key_that_is_set_ends_a_pause_at_once(sandbox, make_handler, make_logger):
    """What is pending arrives, though nothing is logged or flushed any more."""
    sandbox.faults([{"status": 401}])
    handler = make_handler()
    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    assert not handler.flush(10)

    handler.api_key = "sk_other"

    assert sandbox.wait_for(1, timeout_seconds=10)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_a_hook_has_ended_is_no_sender_any_more(sandbox, make_handler, make_logger):
    """A thread of the program's may be given its ident next: what that logs by urllib3, and its flush, are its own."""
    sandbox.faults([{"status": 422}])
    ended = []

    def leave(event, error):
        ended.append(threading.current_thread())
        sys.exit()

    handler = make_handler(on_error=leave)
    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.flush(10)
    (thread,) = ended
    thread.join(10)
    assert not is_sender(thread.ident)


class Tended(MemoryBuffer):
    """A program's own buffer, which has to look after something on disk now and then."""

    place = "/var/spool/shop"
    tended = 0

    def tend(self, *, is_idle=False):
        self.tended += 1
        return super().tend(is_idle=is_idle)


class Stopped:
    """Monotonic seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self):
        return self.now


def delivery_of(buffer, clock, **given):
    settings = Settings(api_key="sk_x", base_url="https://nowhere.invalid", **given)
    reporter = Reporter(Ledger(), Diagnostics(clock), None)
    return Delivery(settings, buffer, ApiClient(settings), reporter, clock=clock, draw=random.random)


def test_a_buffer_looks_after_itself_every_two_seconds():
    """However many batches go meanwhile: what a spool does beside its events' coming and going is not done for each."""
    clock, buffer = Stopped(), Tended(1000)
    delivery = delivery_of(buffer, clock)

    assert delivery.tend() == TEND_SECONDS
    assert [delivery.tend() for _ in range(10)] == [TEND_SECONDS] * 10
    clock.now += TEND_SECONDS - 0.5
    assert delivery.tend() == 0.5
    assert buffer.tended == 1
    clock.now += 0.5
    assert delivery.tend() == TEND_SECONDS
    assert buffer.tended == 2


def test_a_search_that_finds_nothing_uses_up_no_pace():
    """While all that waits is of contacts whose batch is under way it is looked for often, and no request is made."""
    buffer = MemoryBuffer(1000)
    delivery = delivery_of(buffer, Stopped(), requests_per_second=1)
    for _ in range(50):
        assert delivery.begin() is None

    buffer.put(b"{}", "c")

    assert delivery.begin() is not None


def test_threads_that_come_at_the_same_moment_make_no_request_too_many():
    """Whatever each of them was told before, in the end there are no more than `connections`."""
    clock, buffer = Stopped(), MemoryBuffer(1000)
    delivery = delivery_of(buffer, clock, connections=2, capacity=1)
    for number in range(4):
        buffer.put(b"{}", f"cust_{number}")

    begun = []
    for _ in range(4):
        begun.append(delivery.begin() is not None)
        clock.now += 1

    assert begun == [True, True, False, False]


def test_a_flush_ends_when_the_program_has_been_told(sandbox, make_handler, make_logger):
    """What a flush calls settled is in the account, and on_error has heard of it: it may be the program's last line."""
    sandbox.faults([{"status": 422}])
    telling, go_on = threading.Event(), threading.Event()

    def on_error(event, error):
        telling.set()
        assert go_on.wait(20)

    handler = make_handler(on_error=on_error)
    make_logger(handler).error("x", extra={"spotzee_event": tag()})
    assert telling.wait(10)

    assert not handler.flush(0.2)
    go_on.set()
    assert handler.flush(10)


class Clumsy(MemoryBuffer):
    """A program's own buffer, which fails once to let a batch go."""

    has_failed = False

    def ack(self, *arguments):
        if not self.has_failed:
            self.has_failed = True
            raise OSError("no space left")
        return super().ack(*arguments)


@pytest.mark.meets_a_fault
def test_a_batch_that_the_buffer_did_not_let_go_is_sent_again(sandbox, make_handler, make_logger):
    """Whatever a buffer of the program's own raises, its events are not stuck: same key, same bytes, folded."""
    handler = make_handler(buffer=Clumsy(1_000_000))
    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.flush(20)

    first, again = posts(sandbox)
    assert (first["idempotency_key"], first["body"]) == (again["idempotency_key"], again["body"])
    assert len(sandbox.events()) == handler.stats().delivered == 1
