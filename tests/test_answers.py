"""Answers that concern some events of a batch, or all that are to come."""

import json
import time

import pytest

from conftest import tag
from spotzee_logging import Settings, diagnostics, schedule
from spotzee_logging.answers import Outcome
from spotzee_logging.buffers.memory import MemoryBuffer
from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.errors import InvalidSettings
from spotzee_logging.parking import Parking
from spotzee_logging.reporting import Reporter
from spotzee_logging.schedule import Schedule
from spotzee_logging.settlement import Answered, Settlement
from spotzee_logging.stats import Ledger


def posts(sandbox):
    return [request for request in sandbox.requests() if request["method"] == "POST"]


def numbers(sandbox):
    return [event["data"]["number"] for event in sandbox.events()]


def log(logger, count):
    for number in range(count):
        logger.info("x", extra={"spotzee_event": tag(number)})


def naming(status, *params, **more):
    errors = [{"param": param, "code": "parameter_invalid_format", "message": "bad"} for param in params]
    return {
        "status": status,
        "body": {"code": "validation_failed", "message": "no", "errors": errors},
        **more,
    }


def test_a_success_that_names_events(sandbox, make_handler, make_logger):
    """Of a batch that was taken but for some events, these are rejected and nothing is sent again."""
    sandbox.faults([naming(200, "1.external_id", "[2].name")])
    handler = make_handler()
    log(make_logger(handler), 4)

    assert handler.flush(10)

    assert len(posts(sandbox)) == 1
    assert numbers(sandbox) == [0, 3]
    stats = handler.stats()
    assert (stats.delivered, sum(stats.rejected.values()), stats.pending) == (2, 2, 0)


def test_a_key_that_was_used_for_another_body(sandbox, make_handler, make_logger, caplog):
    """A mismatch gets a new key once, and is said; a second one is a rejection."""
    mismatch = {"status": 409, "code": "idempotency_key_mismatch"}
    sandbox.faults([mismatch, {}, mismatch, mismatch])
    handler = make_handler()
    logger = make_logger(handler)
    logger.info("x", extra={"spotzee_event": tag(1)})
    assert handler.flush(10)
    logger.info("x", extra={"spotzee_event": tag(2)})
    assert handler.flush(10)

    assert numbers(sandbox) == [1]
    assert handler.stats().rejected == {"idempotency_key_mismatch": 1}
    assert "the batch gets a new key" in caplog.text
    assert len({request["idempotency_key"] for request in posts(sandbox)}) == 4


def test_the_key_can_be_set_and_not_read(make_handler):
    """A wrong key is refused where it is set, and no key can be read off a handler."""
    handler = make_handler()

    with pytest.raises(InvalidSettings, match="organisation"):
        handler.api_key = "ok_org"
    assert not hasattr(handler, "api_key")


def test_a_callable_key_is_asked_for_each_request(sandbox, make_handler, make_logger):
    """A secrets' store gives the key; a new one takes effect with the next request."""
    keys = iter(["sk_one", "pk_two"])
    handler = make_handler(lambda: next(keys))
    logger = make_logger(handler)

    for number in range(2):
        logger.info("x", extra={"spotzee_event": tag(number)})
        assert handler.flush(10)

    assert [request["headers"]["authorization"][:10] for request in posts(sandbox)] == [
        "Bearer sk_",
        "Bearer pk_",
    ]


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        ("ok_rosebud", "no key: api_key is an organisation's (ok_…), which"),
        (None, "no key: api_key must be a string, got NoneType. Have it return the key"),
        (3, "no key: api_key must be a string, got int"),
        (ZeroDivisionError, "no key: it raised ZeroDivisionError ("),
    ],
    ids=["an organisation's", "None", "a number", "raises"],
)
def test_a_callable_key_that_gives_none_pauses(sandbox, make_handler, make_logger, gives, said):
    """Where the store fails, events are kept, nothing is sent without a key, and why is said without a word of it."""

    def key():
        if gives is ZeroDivisionError:
            raise gives
        return gives

    told = []
    handler = make_handler(key, on_error=lambda event, error: told.append(error))
    log(make_logger(handler), 1)

    assert not handler.flush(10)

    assert posts(sandbox) == []
    assert handler.stats().pending == 1
    assert told[0].reason == "api_key_unavailable"
    assert said in str(told[0])
    assert "rosebud" not in str(told[0])


def test_a_paused_program_ends_at_once(sandbox, run_python):
    """The exit does not wait for what cannot get through; it says what is left."""
    sandbox.faults([{"status": 401, "times": 10}])
    source = f"""
import logging, time
from spotzee_logging import SpotzeeHandler
handler = SpotzeeHandler("sk_x", base_url={sandbox.url!r}, shutdown_timeout_seconds=30)
logging.getLogger().addHandler(handler)
logging.error("x", extra={{"spotzee_event": {json.dumps(tag())}}})
handler.flush()
"""

    done = run_python(source, timeout=20)

    paused, left = done.stderr.splitlines()
    assert "delivery pauses" in paused
    assert "1 event undelivered at exit" in left
    assert len(posts(sandbox)) == 1


def test_a_refusal_of_the_old_key_does_not_pause_the_new_one(sandbox, make_handler, make_logger):
    """A key that is set while a request with the old one is under way is tried at once."""
    sandbox.faults([{"status": 401, "delay": 0.5}])
    handler = make_handler("sk_old")
    logger = make_logger(handler)
    logger.error("x", extra={"spotzee_event": tag(1)})
    assert sandbox.wait_for_requests(1, timeout_seconds=10)

    handler.api_key = "sk_new"

    assert handler.flush(10)
    assert numbers(sandbox) == [1]


def test_a_server_that_repeats_the_key_brings_it_nowhere(sandbox, make_handler, make_logger, caplog):
    """Whatever an answer says, the key is in no line, error or account of ours."""
    sandbox.faults([{"status": 401, "body": {"code": "sk_rosebud", "message": "bad key sk_rosebud"}}])
    told = []
    handler = make_handler("sk_rosebud", on_error=lambda event, error: told.append(error))
    log(make_logger(handler), 1)

    assert not handler.flush(10)

    assert "rosebud" not in caplog.text + str(told) + str(told[0].reason) + str(handler.stats())


@pytest.mark.parametrize("status", [402, 408])
def test_a_refusal_that_the_server_keeps_is_asked_anew(sandbox, make_handler, make_logger, status):
    """Where a server replays its first refusal to a key, the same events get another key, and arrive."""
    refusal = {"status": status}
    sandbox.faults([refusal, {**refusal, "headers": {"Idempotent-Replayed": "true"}}])
    handler = make_handler("sk_old")
    log(make_logger(handler), 3)
    for key in ("sk_one", "sk_two"):
        assert sandbox.wait_for_requests(1, timeout_seconds=10)
        handler.flush(5)
        handler.api_key = key

    assert handler.flush(20)

    first, second, third = posts(sandbox)
    assert first["idempotency_key"] == second["idempotency_key"] != third["idempotency_key"]
    assert first["body"] == second["body"] == third["body"]
    assert numbers(sandbox) == [0, 1, 2]


def test_a_flush_does_not_wait_for_what_the_server_puts_off(sandbox, make_handler, make_logger):
    """Where `Retry-After` lies beyond its timeout a flush says at once that nothing will come of it."""
    sandbox.faults([{"status": 503, "headers": {"Retry-After": "600"}}])
    handler = make_handler()
    log(make_logger(handler), 3)
    begun = time.monotonic()

    assert not handler.flush(60)

    assert time.monotonic() - begun < 30
    assert handler.stats().pending == 3
    handler.flushOnClose = False


def said_of_pauses(caplog):
    return [message[:20] for message in caplog.messages if message.startswith("delivery pauses")]


def test_every_new_pause_is_told_of(sandbox, make_handler, make_logger, caplog):
    """A pause is told of once; one for another reason, or after another key was set, is a new one.

    A line says it once a minute for the same reason, and at once for another, which has another remedy.
    """
    sandbox.faults([{"status": 401}, {"status": 401}, {"status": 402}])
    told = []
    handler = make_handler("sk_wrong", on_error=lambda event, error: told.append(error.reason))
    log(make_logger(handler), 1)
    for key in ("sk_wrong_too", "sk_right"):
        assert not handler.flush(10)
        handler.api_key = key
    assert not handler.flush(10)

    assert told == ["authentication_required", "authentication_required", "quota_exceeded"]
    assert said_of_pauses(caplog) == ["delivery pauses, 401", "delivery pauses, 402"]


def test_a_pause_that_could_not_be_said_yet_is_said_with_a_later_try(
    sandbox, make_handler, make_logger, caplog, monkeypatch
):
    """A second key that is wrong too is said, once, as soon as a minute has passed since the line about the first."""
    monkeypatch.setattr(schedule, "PROBE_SECONDS", 0.05)
    sandbox.faults([{"status": 401, "times": 1000}])
    handler = make_handler("sk_wrong")
    log(make_logger(handler), 1)
    assert not handler.flush(10)
    handler.api_key = "sk_wrong_too"
    assert sandbox.wait_for_requests(5, timeout_seconds=20)
    assert len(said_of_pauses(caplog)) == 1

    monkeypatch.setattr(diagnostics, "INTERVAL_SECONDS", 0.0)  # as if the minute had passed
    assert sandbox.wait_for_requests(len(posts(sandbox)) + 5, timeout_seconds=20)

    assert len(said_of_pauses(caplog)) == 2


class Settled:
    """A settlement of batches whose requests end when and as the test says."""

    def __init__(self):
        self.told = []
        self.ledger = Ledger()
        reporter = Reporter(
            self.ledger, Diagnostics(time.monotonic), lambda _, error: self.told.append(error.reason)
        )
        self.buffer = MemoryBuffer(1_000_000)
        self.schedule = Schedule(Settings(api_key="sk_x"), time.monotonic, lambda: 1.0)
        self.settlement = Settlement(self.buffer, self.schedule, Parking(time.monotonic), reporter)

    def begin(self, count=1, contact="c"):
        """A request begins: a batch that waits, or one of so many events, and the epoch that it carries."""
        for _ in range(0 if self.buffer.has_sealed else count):
            self.buffer.put(json.dumps(tag()).encode(), contact)
        return self.buffer.take(count, 1000), self.schedule.begin_try()

    def end(self, begun, status, **more):
        batch, epoch = begun
        self.settlement.settle(Answered(batch, Outcome(status, "", **more), epoch))


ENDS = {
    "taken": (204, {}),
    "given up": (418, {}),
    "halved": (413, {}),
    "under a new key": (409, {"code": "idempotency_key_mismatch"}),
}


@pytest.mark.parametrize(
    ("status", "more"), [*ENDS.values(), (402, {"is_replayed": True})], ids=[*ENDS, "asked anew"]
)
def test_nothing_is_kept_of_a_key_that_is_never_sent_again(status, more):
    """A process that runs for years does not remember each batch that once failed."""
    settled = Settled()
    settled.end(settled.begin(2), 503)
    batch, epoch = settled.begin(2)
    assert settled.settlement.is_retry(batch)

    settled.end((batch, epoch), status, **more)

    assert not settled.settlement.is_retry(batch)


@pytest.mark.parametrize(("status", "more"), ENDS.values(), ids=ENDS)
def test_an_answer_for_good_ends_the_trouble(status, more):
    """Whatever the server makes of a batch: it answers, so that what waits behind it goes at once, and side by side."""
    settled = Settled()
    settled.end(settled.begin(2), 503)
    assert settled.schedule.is_troubled

    settled.end(settled.begin(2), status, **more)

    assert not settled.schedule.is_troubled
    assert settled.schedule.held_seconds == 0


@pytest.mark.parametrize("answer", ["given up", "halved", "under a new key"])
def test_what_the_server_did_not_take_is_the_last_error(answer):
    """Who looks at the account sees it, also where the same events go again in other batches."""
    settled = Settled()
    status, more = ENDS[answer]

    settled.end(settled.begin(2), status, **more)

    stats = settled.ledger.snapshot(pending_bytes=0, in_flight=0, paused_seconds=0)
    assert stats.last_error == str(Outcome(status, "", **more))


@pytest.mark.parametrize("status", [200, 413, 418, 422, 503])
def test_an_answer_to_what_was_given_up_counts_nothing(status):
    """Where a program's end has given up an event whose request was under way, its answer counts it no second time."""
    settled = Settled()
    begun = settled.begin()
    settled.buffer.abandon()

    settled.end(begun, status)

    stats = settled.ledger.snapshot(pending_bytes=0, in_flight=0, paused_seconds=0)
    assert (stats.delivered, stats.rejected, stats.dropped) == (0, {}, {})
    assert settled.told == []
    assert len(settled.buffer) == 0


def test_a_pause_goes_on_when_what_was_under_way_arrives():
    """A request from before the pause that succeeds in it ends none: the next probe's refusal is not told of again."""
    settled = Settled()
    early, refused = settled.begin(contact="first"), settled.begin(contact="second")
    settled.end(refused, 401)

    settled.end(early, 204)
    settled.end(settled.begin(), 401)

    assert settled.told == ["http_401"]
    settled.end(settled.begin(), 204)
    settled.end(settled.begin(), 401)
    assert settled.told == ["http_401", "http_401"]
