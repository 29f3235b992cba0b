"""What goes wrong on the wire, by the numbers of the list that this library is held to: 21 to 28.

Everything here meets a real server on loopback: the sandbox, a server that judges by what a request holds
(`loopback.Judge`), or a wire between the two that breaks as scripted (`loopback.Wire`).
"""

import contextlib
import datetime as dt
import email.utils
import gzip
import json
import logging
import math
import os
import re
import socket
import ssl
import sys
import threading
import time

import pytest
import requests
import trustme
from loopback import Judge, Wire, pass_to, port_of, read_head, read_message, tunnel

from conftest import UNMEASURED, start_again, tag
from spotzee_logging import Settings
from spotzee_logging.answer_heads import BoundedAnswer
from spotzee_logging.buffers.base import seal
from spotzee_logging.buffers.memory import MemoryBuffer
from spotzee_logging.buffers.survey import SpoolSurvey
from spotzee_logging.client import MAX_ANSWER_BYTES, ApiClient
from spotzee_logging.delivery import Delivery
from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.errors import DeliveryPaused, EventDropped, EventRejected
from spotzee_logging.reporting import Reporter
from spotzee_logging.schedule import MOST_RETRY_AFTER_SECONDS, RETRY_AFTER_JITTER_SECONDS
from spotzee_logging.stats import Ledger


def posts(sandbox):
    return [request for request in sandbox.requests() if request["method"] == "POST"]


def numbers(events):
    return [event["data"]["number"] for event in events]


def log(logger, count, **fields):
    for number in range(count):
        logger.info("x", extra={"spotzee_event": tag(number, **fields)})


def naming(status, params, **more):
    errors = [{"param": param, "code": "parameter_invalid_format", "message": "bad"} for param in params]
    return {
        "status": status,
        "body": {"code": "validation_failed", "message": "no", "errors": errors},
        **more,
    }


def keys_and_bodies(sandbox):
    return {(request["idempotency_key"], request["body"]) for request in posts(sandbox)}


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "spotzee_logging"]


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Stepped:
    """A delivery without threads, on a clock that the test turns: what is due is sent by `send_due`."""

    def __init__(self, url, api_key="sk_test", draw=lambda: 1.0, **settings):
        settings = Settings(api_key=api_key, base_url=url, flush_interval_seconds=0, **settings)
        self.clock = Clock()
        self.reporter = Reporter(Ledger(), Diagnostics(self.clock), settings.on_error)
        self.buffer = MemoryBuffer(settings.max_pending_bytes, clock=self.clock)
        self._client = ApiClient(settings)
        self._delivery = Delivery(
            settings, self.buffer, self._client, self.reporter, clock=self.clock, draw=draw
        )
        self.schedule = self._delivery.schedule
        self.set_api_key = self._delivery.set_api_key

    @property
    def last_error(self):
        return self.reporter.ledger.snapshot(pending_bytes=0, in_flight=0, paused_seconds=0).last_error

    def put(self, count):
        for number in range(count):
            self.buffer.put(json.dumps(tag(number)).encode(), "cust_001")

    def send_due(self):
        """Make every request that is due now; how many those were."""
        made = 0
        while self._delivery.delay_seconds() == 0:
            self._delivery.carry_out(self._delivery.begin())
            made += 1
        return made

    def send_within(self, seconds):
        """Turn the clock on, second by second, and say after how many of them a request was made."""
        made = []
        for second in range(1, seconds + 1):
            self.clock.now += 1
            made += [second] * self.send_due()
        return made

    def begin_anew(self):
        """What a forked child does before anything else."""
        self.buffer.begin_anew()
        self._delivery.begin_anew()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()


# 21. Answer lost after commit


def late(sandbox):
    sandbox.faults([{"delay": 5}])


def reset(sandbox):
    sandbox.faults([{"reset": "after"}])


def dies(sandbox):
    """The server has committed, and is gone before it answers; it comes back on the same port."""
    sandbox.faults([{"hang": True, "commit": True}])

    def die():
        assert sandbox.wait_for(3, timeout_seconds=20)
        sandbox.stop()
        start_again(sandbox)

    threading.Thread(target=die, daemon=True).start()


@pytest.mark.parametrize("lose", [late, reset, dies], ids=lambda lose: lose.__name__)
def test_21_an_answer_that_is_lost_after_the_commit(sandbox, make_handler, make_logger, lose):
    """Every retry has the same key and byte-identical body, so that the server folds it: each event once."""
    lose(sandbox)
    handler = make_handler(read_timeout_seconds=10 if lose is dies else 0.3)
    log(make_logger(handler), 3)

    assert handler.flush(30)

    assert numbers(sandbox.events()) == [0, 1, 2]
    assert len(keys_and_bodies(sandbox)) == 1
    assert len(posts(sandbox)) >= 2
    assert posts(sandbox)[0]["committed"]
    stats = handler.stats()
    assert (stats.delivered, stats.retries) == (3, stats.requests - 1)


def test_21_a_server_that_is_killed_after_the_commit(make_handler, make_logger):
    """Where the whole server dies with its connections, what comes in its place gets the same key and bytes."""
    received = []

    def die(connection):
        received.append(read_message(connection))

    def accept(connection):
        received.append(read_message(connection))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with Wire(accept, die, die) as wire:
        handler = make_handler(base_url=wire.url())
        log(make_logger(handler), 3)
        assert handler.flush(30)

    assert len(received) == 3
    assert len({request.partition(b"\r\n\r\n")[2] for request in received}) == 1
    heads = [request.partition(b"\r\n\r\n")[0].split(b"\r\n") for request in received]
    assert len({line for head in heads for line in head if line.startswith(b"Idempotency-Key")}) == 1


def test_21_after_a_split_the_keys_are_new(sandbox, make_handler, make_logger):
    """A part is another body: it never goes under the key of the whole, and keeps its own through a retry."""
    sandbox.faults([{"status": 413}, {"reset": "after"}, {"reset": "after"}])
    handler = make_handler()
    log(make_logger(handler), 4)

    assert handler.flush(30)

    assert numbers(sandbox.events()) == [0, 1, 2, 3]
    by_key = {}
    for request in posts(sandbox):
        by_key.setdefault(request["idempotency_key"], set()).add(request["body"])
    assert sorted(map(len, by_key.values())) == [1, 1, 1]
    assert [request["events"] for request in posts(sandbox)][:3] == [4, 2, 2]


def test_21_after_a_removal_the_key_is_new(sandbox, make_handler, make_logger):
    """Without the event that was refused it is another body, under another key, for all its retries."""
    sandbox.faults([naming(422, ["1.name"]), {"delay": 5}])
    handler = make_handler(read_timeout_seconds=0.3)
    log(make_logger(handler), 3)

    assert handler.flush(30)

    whole, *rest = posts(sandbox)
    assert numbers(sandbox.events()) == [0, 2]
    assert len({request["idempotency_key"] for request in rest}) == 1
    assert len({request["body"] for request in rest}) == 1
    assert whole["idempotency_key"] != rest[0]["idempotency_key"]


# 22. 429


def http_date(seconds):
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("retry_after", "least"),
    [("3", 3), ("date", 3), ("99999", MOST_RETRY_AFTER_SECONDS), (None, 0)],
    ids=["seconds", "date", "too long", "none"],
)
@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_22_the_next_try_is_not_before_retry_after(sandbox, retry_after, least, draw):
    """Seconds or a date are kept, a quarter of an hour at most; jitter comes on top; without, it is our backoff."""
    headers = {}
    if retry_after == "date":
        headers = {"Date": http_date(0), "Retry-After": http_date(3)}
    elif retry_after is not None:
        headers = {"Retry-After": retry_after}
    sandbox.faults([{"status": 429, "headers": headers}])
    with Stepped(sandbox.url, draw=lambda: draw) as stepped:
        stepped.put(3)
        assert stepped.send_due() == 1 if draw or least else 2
        if retry_after is None:
            wait = 0.5 * draw
        else:
            wait = least + draw * RETRY_AFTER_JITTER_SECONDS

        stepped.clock.now += max(0, wait - 0.01)
        assert stepped.send_due() == 0 or wait == 0
        stepped.clock.now += 0.02
        stepped.send_due()

    assert len(posts(sandbox)) == 2
    assert numbers(sandbox.events()) == [0, 1, 2]
    assert len(keys_and_bodies(sandbox)) == 1


def test_22_a_date_by_this_machines_clock(sandbox, make_handler, make_logger):
    """A proxy's answer may have a date to wait for and none of its own: then this machine's clock counts."""
    sandbox.faults([{"status": 429, "headers": {"Retry-After": http_date(3)}}])
    started = time.monotonic()
    handler = make_handler()
    log(make_logger(handler), 1)

    assert handler.flush(20)

    assert len(posts(sandbox)) == 2
    assert time.monotonic() - started >= 1.9  # an HTTP date has whole seconds, so up to one less than 3


def test_22_flush_deadlines_hold_while_waiting(sandbox, make_handler, make_logger):
    """A flush, a close and a second flush return within their time, and none of them makes a request."""
    sandbox.faults([{"status": 429, "headers": {"Retry-After": "99999"}, "times": 5}])
    handler = make_handler(shutdown_timeout_seconds=0.3)
    logger = make_logger(handler)
    logger.error("x", extra={"spotzee_event": tag()})
    assert sandbox.wait_for_requests(1, timeout_seconds=10)
    started = time.monotonic()

    assert not handler.flush(0.2)
    assert not handler.flush(0)
    handler.close()

    assert time.monotonic() - started < 0.5 + 1
    assert len(posts(sandbox)) == 1
    assert handler.stats().pending == 1


@pytest.mark.parametrize("connections", [1, 4])
def test_22_a_burst_of_threads_makes_no_second_request(sandbox, make_handler, make_logger, connections):
    """Whatever comes in meanwhile, from however many threads, and flushes or not, waits for the server's word."""
    sandbox.faults([{"status": 429, "headers": {"Retry-After": "2"}}])
    handler = make_handler(connections=connections, capacity=10)
    logger = make_logger(handler)
    logger.error("x", extra={"spotzee_event": tag(-1)})
    assert sandbox.wait_for_requests(1, timeout_seconds=10)
    asked_at = time.monotonic()

    def work(thread):
        for number in range(50):
            logger.error("x", extra={"spotzee_event": tag(number, external_id=f"thread_{thread}")})
        handler.flush(0.05)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if time.monotonic() - asked_at < 1.9:  # else the machine was too busy for the burst to be one
        assert len(posts(sandbox)) == 1

    assert sandbox.wait_for_requests(2, timeout_seconds=20)
    assert time.monotonic() - asked_at >= 1.9
    assert handler.flush(20)
    assert len(sandbox.events()) == 401


def test_22_of_several_requests_in_flight_each_may_be_told_so(make_handler, make_logger):
    """Those that were under way already may each get their 429; after the first answer no further one begins."""
    all_here = threading.Barrier(3)
    refused_at = []

    def judge(events):
        if len(refused_at) < 3:
            with contextlib.suppress(threading.BrokenBarrierError):
                all_here.wait(5)
            refused_at.append(time.monotonic())
            return 429, {"Retry-After": "2"}, {}
        begun_at.append(time.monotonic())
        return None

    begun_at = []
    with Judge(judge) as server:
        handler = make_handler(base_url=server.url, connections=3, capacity=5)
        logger = make_logger(handler)
        for number in range(60):
            logger.info("x", extra={"spotzee_event": tag(number, external_id=f"cust_{number}")})
        assert handler.flush(30)

        assert len(refused_at) == 3
        assert min(begun_at) - max(refused_at) >= 1.9
        assert sorted(numbers(server.events)) == list(range(60))


def test_22_a_batch_that_waits_alone_waits_ever_longer(sandbox, caplog):
    """Where its first try still runs on the server it is asked after half a second, one, two, four and eight."""
    in_progress = {"code": "idempotency_in_progress", "message": "still on it"}
    sandbox.faults([{"status": 409, "body": in_progress, "times": 5}])
    with Stepped(sandbox.url) as stepped:
        stepped.put(3)
        assert stepped.send_due() == 1

        assert stepped.send_within(20) == [1, 2, 4, 8, 16]

    (line,) = said(caplog)
    assert line == "409 idempotency_in_progress: still on it; 3 events wait, next try in 0.5 s"
    assert stepped.last_error == "409 idempotency_in_progress: still on it"
    assert numbers(sandbox.events()) == [0, 1, 2]
    assert len(keys_and_bodies(sandbox)) == 1


@pytest.mark.parametrize(
    "answer", [{"status": 409, "code": "idempotency_in_progress"}, {"status": 429}], ids=["alone", "all"]
)
def test_22_what_waits_at_a_fork_is_the_parents(sandbox, answer):
    """A forked child sends its own events at once, and never the batch that the parent has waiting."""
    sandbox.faults([{**answer, "headers": {"Retry-After": "60"}}])
    with Stepped(sandbox.url) as stepped:
        stepped.put(3)
        assert stepped.send_due() == 1

        stepped.begin_anew()
        stepped.put(1)

        assert stepped.send_due() == 1
        assert stepped.send_within(70) == []

    assert [request["events"] for request in posts(sandbox)] == [3, 1]


def test_22_the_servers_word_holds_for_a_batch_that_waits_alone(sandbox):
    """Its own time may come earlier: while the server wants no request at all, it is not sent either."""
    in_progress = {"status": 409, "code": "idempotency_in_progress", "headers": {"Retry-After": "1"}}
    sandbox.faults([in_progress, {"status": 429, "headers": {"Retry-After": "30"}}])
    with Stepped(sandbox.url) as stepped:
        stepped.put(1)
        assert stepped.send_due() == 1
        stepped.buffer.put(json.dumps(tag(1, external_id="cust_002")).encode(), "cust_002")
        assert stepped.send_due() == 1

        assert stepped.send_within(60) == [31, 31]

    assert sorted(numbers(sandbox.events())) == [0, 1]


# 23. 422


@pytest.mark.parametrize("form", ["{}.external_id", "[{}].external_id", "{}", "[{}]"])
@pytest.mark.parametrize("bad", [[17], [0, 50, 99], list(range(100))], ids=["one", "three", "all"])
@pytest.mark.parametrize("status", [422, 400])
def test_23_the_named_items_are_rejected(sandbox, make_handler, make_logger, status, form, bad):
    """Of 100 exactly the named ones are rejected, with the server's message; the rest arrives once, in order."""
    sandbox.faults([naming(status, [form.format(index) for index in bad])])
    told = []
    handler = make_handler(on_error=lambda event, error: told.append((event, error)))
    log(make_logger(handler), 100)

    assert handler.flush(20)

    assert [event.data["number"] for event, _ in told] == bad
    for _, error in told:
        assert isinstance(error, EventRejected)
        assert error.reason == "validation_failed"
        assert error.request_id == posts(sandbox)[0]["request_id"]
        field = form.partition(".")[2]
        said = f"{field}: bad (parameter_invalid_format)" if field else "bad (parameter_invalid_format)"
        assert f": rejected, {status} validation_failed: {said}. It will not be sent again" in str(error)
    assert numbers(sandbox.events()) == [number for number in range(100) if number not in bad]
    assert len(posts(sandbox)) == (1 if len(bad) == 100 else 2)
    assert handler.stats().rejected == {"validation_failed": len(bad)}


def about(index, *words):
    """What an answer says of an event: of each field its message, and its code."""
    return [
        {"param": f"{index}.{field}", "message": message, **({"code": code} if code else {})}
        for field, message, code in words
    ]


DIFFERENT = [
    *about(4, ("external_id", "too short", "bad_id"), ("user.email", "no address", "bad_mail")),
    *about(0, ("data.total", "must be a number", None)),
    *about(7, ("name", "unknown", "bad_name")),
]
TOLD_OF_EACH = {
    0: "data.total: must be a number",
    4: "external_id: too short (bad_id); user.email: no address (bad_mail)",
    7: "name: unknown (bad_name)",
}


@pytest.mark.parametrize("where", ["memory", "spool"])
def test_23_each_is_told_what_is_wrong_with_it(sandbox, make_handler, make_logger, tmp_path, caplog, where):
    """`on_error`, the log line and the dead letter have an event's own fields, messages and codes, in order."""
    answer = {"code": "validation_failed", "message": "three are wrong", "errors": DIFFERENT}
    sandbox.faults([{"status": 422, "body": answer}])
    spool = tmp_path / "events.db" if where == "spool" else None
    told = []
    handler = make_handler(spool=spool, on_error=lambda event, error: told.append((event, error)))
    log(make_logger(handler), 10)

    assert handler.flush(20)

    assert [event.data["number"] for event, _ in told] == [0, 4, 7]
    for event, error in told:
        words = f"422 validation_failed: {TOLD_OF_EACH[event.data['number']]}"
        assert f"rejected, {words}. It will not be sent again: mend the event" in str(error)
        assert error.reason == "validation_failed"
    assert handler.stats().rejected == {"validation_failed": 3}
    assert handler.stats().last_error == f"422 validation_failed: {TOLD_OF_EACH[7]}"
    assert any(str(told[0][1]) == line for line in said(caplog))
    assert numbers(sandbox.events()) == [1, 2, 3, 5, 6, 8, 9]
    assert [request["events"] for request in posts(sandbox)] == [10, 7]
    if spool is not None:
        assert dead_letters(spool) == [
            ("validation_failed", f"422 validation_failed: {words}", number)
            for number, words in TOLD_OF_EACH.items()
        ]


@pytest.mark.parametrize("where", ["memory", "spool"])
def test_23_a_success_tells_of_what_it_has_not_taken(sandbox, make_handler, make_logger, tmp_path, where):
    """An event is counted under its own code where the answer has none, and is told of in its own words."""
    sandbox.faults([{"status": 200, "body": {"errors": DIFFERENT}}])
    spool = tmp_path / "events.db" if where == "spool" else None
    told = []
    handler = make_handler(spool=spool, on_error=lambda event, error: told.append((event, error)))
    log(make_logger(handler), 10)

    assert handler.flush(20)

    reasons = ["http_200", "bad_id", "bad_name"]
    words = [
        "200: data.total: must be a number",
        "200 bad_id: external_id: too short; user.email: no address (bad_mail)",
        "200 bad_name: name: unknown",
    ]
    assert [(event.data["number"], error.reason) for event, error in told] == list(
        zip([0, 4, 7], reasons, strict=True)
    )
    for (_, error), each in zip(told, words, strict=True):
        assert f"rejected, {each}. It will not be sent again: mend the event" in str(error)
    assert handler.stats().rejected == dict.fromkeys(reasons, 1)
    assert handler.stats().delivered == 7
    assert numbers(sandbox.events()) == [1, 2, 3, 5, 6, 8, 9]
    assert len(posts(sandbox)) == 1
    if spool is not None:
        assert dead_letters(spool) == list(zip(reasons, words, [0, 4, 7], strict=True))


def dead_letters(spool):
    survey = SpoolSurvey(str(spool))
    found = [
        (each.where["reason"], each.where["why"], json.loads(each.body)["data"]["number"])
        for each in survey.rejected()
    ]
    survey.close()
    return found


@pytest.mark.parametrize("status", [200, 409, 418])
def test_23_words_for_one_event_beside_others(sandbox, make_handler, make_logger, status):
    """Where an answer gives up a whole batch, the one event that it names has its own words, the others its."""
    errors = [
        *about(1, ("name", "odd", None)),
        {"param": "1000.name"},
        {"param": 1},
        *about(55, ("a", "b", "c")),
    ]
    sandbox.faults(
        [{"status": status, "body": {"code": "no_more", "message": "it is full", "errors": errors}}]
    )
    told = []
    handler = make_handler(on_error=lambda event, error: told.append(str(error).partition("rejected, ")[2]))
    log(make_logger(handler), 3)

    assert handler.flush(20)

    of_all = f"{status} no_more: it is full. It will not be sent again."
    if status == 200:
        assert told == [
            "200 no_more: name: odd. It will not be sent again: mend the event where it is logged."
        ]
    else:
        assert told == [of_all, f"{status} no_more: name: odd. It will not be sent again.", of_all]
    assert handler.stats().rejected == {"no_more": len(told)}


DEEP = json.loads("[" * 500 + "]" * 500)
ODD = {
    "words that are no text": [{"param": "{}.a", "message": {"en": ["no"]}, "code": 7}],
    "deep": [{"param": "{}.a", "message": DEEP, "code": DEEP}],
    "long": [{"param": "{}." + "a" * 20_000, "message": "m" * 20_000, "code": "c" * 20_000}],
    "half a character": [{"param": "{}.\ud83d", "message": "cut \ud83d", "code": "\ud83d"}],
    "several lines": [{"param": "{}.a\nb", "message": "\x1b[31mno\r\nERROR:root:forged", "code": "a\nb"}],
    "many": [{"param": "[{}].a", "message": str(number)} for number in range(1_000)],
    "more than is read": [{"param": "[{}].a", "message": str(number)} for number in range(10_000)],
    "others of no shape": [
        None,
        7,
        "{}.a",
        [],
        {},
        {"param": 1},
        {"param": None, "message": "x"},
        {"param": "{}"},
    ],
}


@pytest.mark.parametrize("odd", ODD)
def test_23_words_of_any_shape(make_handler, make_logger, tmp_path, odd):
    """However odd what an answer says of an event is, that one is rejected, in a line of some length, and no other."""

    def judge(events):
        found = [index for index, event in enumerate(events) if event["data"]["number"] == 2]
        if not found:
            return None
        return 422, {"errors": json.loads(json.dumps(ODD[odd]).replace("{}", str(found[0])))}

    told = []
    with Judge(judge) as server:
        spool = tmp_path / "events.db"
        handler = make_handler(
            base_url=server.url,
            spool=spool,
            on_error=lambda event, error: told.append((event.data["number"], str(error))),
        )
        log(make_logger(handler), 8)
        assert handler.flush(20)

        assert sorted(numbers(server.events)) == [0, 1, 3, 4, 5, 6, 7]
        assert len(server.requests) <= 2 * math.ceil(math.log2(8)) + 2
    ((number, message),) = told
    assert number == 2
    assert len(message) < 2_500
    assert re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", message) is None
    ((reason, why, _),) = dead_letters(spool)
    assert handler.stats().rejected == {reason: 1}
    assert f"rejected, {why}. It will not" in message


def test_23_the_key_is_in_no_words(sandbox, make_handler, make_logger, caplog):
    """A server that repeats the key as what is wrong with an event does not bring it into a line of ours."""
    errors = about(0, ("sk_secret_key", "sk_secret_key is no name", "sk_secret_key"))
    sandbox.faults([{"status": 422, "body": {"errors": errors}}])
    told = []
    handler = make_handler("sk_secret_key", on_error=lambda event, error: told.append(str(error)))
    log(make_logger(handler), 1)

    assert handler.flush(20)

    assert "(the key): (the key) is no name" in told[0]
    assert "sk_secret_key" not in f"{told} {caplog.text} {handler.stats()}"


@pytest.mark.parametrize("bad", [[0], [63], [99], [0, 50, 99], [40, 41, 42]], ids=str)
def test_23_named_none_they_are_found(make_handler, make_logger, bad):
    """Where the answer names nothing, the bad ones are found by halving, in few requests; the rest arrives once."""

    def judge(events):
        if set(numbers(events)) & set(bad):
            return 422, {"code": "validation_failed", "message": "something is wrong with it"}
        return None

    told = []
    with Judge(judge) as server:
        handler = make_handler(
            base_url=server.url, on_error=lambda event, error: told.append((event.data["number"], str(error)))
        )
        log(make_logger(handler), 100)
        assert handler.flush(20)

        assert numbers(server.events) == [number for number in range(100) if number not in bad]
        assert [number for number, _ in told] == bad
        assert all("something is wrong with it" in message for _, message in told)
        assert len(server.requests) <= len(bad) * (2 * math.ceil(math.log2(100)) + 2)
        assert len({request["key"] for request in server.requests}) == len(server.requests)


def test_23_all_are_bad_and_none_is_named(make_handler, make_logger):
    """Also where nothing of a batch is any good, each event is rejected once, within the same bound."""
    with Judge(lambda events: (422, {"code": "validation_failed"})) as server:
        handler = make_handler(base_url=server.url)
        log(make_logger(handler), 100)

        assert handler.flush(30)

        assert handler.stats().rejected == {"validation_failed": 100}
        assert len(server.requests) == 199


@pytest.mark.parametrize("params", [["name"], ["4.name"], ["100.name"], ["x.3"], [None], []], ids=str)
def test_23_names_that_are_no_item_of_the_batch(sandbox, make_handler, make_logger, params):
    """Where the names lead nowhere, the batch is searched as if there were none."""
    sandbox.faults([naming(422, params)])
    handler = make_handler()
    log(make_logger(handler), 4)

    assert handler.flush(10)

    assert numbers(sandbox.events()) == [0, 1, 2, 3]
    assert [request["events"] for request in posts(sandbox)] == [4, 2, 2]


# 24. 413


def test_24_it_is_split_until_it_fits(make_handler, make_logger):
    """Of an edge that takes less than a batch, each event still gets through, once and in order."""
    most_bytes = 3000

    def judge(events):
        return 413 if len(json.dumps(events)) > most_bytes else None

    with Judge(judge) as server:
        handler = make_handler(base_url=server.url)
        log(make_logger(handler), 100)
        assert handler.flush(20)

        assert numbers(server.events) == list(range(100))
        assert handler.stats().delivered == 100


def test_24_a_lone_one_is_rejected_by_name_and_size(make_handler, make_logger):
    """An event that the edge does not take even alone is named, with its size; its neighbours arrive."""

    def judge(events):
        return 413 if any("huge" in event["data"] for event in events) else None

    told = []
    with Judge(judge) as server:
        handler = make_handler(base_url=server.url, on_error=lambda event, error: told.append(error))
        logger = make_logger(handler)
        log(logger, 5)
        huge = {"number": 5, "huge": "x" * 5000}
        logger.info("x", extra={"spotzee_event": tag(name="report_made", external_id="cust_9", data=huge)})
        log(logger, 3)
        assert handler.flush(20)

        assert numbers(server.events) == [0, 1, 2, 3, 4, 0, 1, 2]
    (error,) = told
    assert (error.event_name, error.external_id) == ("report_made", "cust_9")
    size = int(re.search(r"it takes (\d+) bytes", str(error))[1])
    assert 5000 < size < 5200


def test_24_never_more_than_100_items(sandbox, make_handler, make_logger):
    """However many wait, and however small they are, no request has more than the API takes."""
    handler = make_handler(flush_interval_seconds=3600)
    sandbox.faults([{"status": 500}])
    log(make_logger(handler), 1005)

    assert handler.flush(30)

    assert max(request["events"] for request in posts(sandbox)) == 100
    assert numbers(sandbox.events()) == list(range(1005))


# 25. 401, 402, 403, 404

PAUSING = [
    {"status": 401},
    {"status": 402},
    {"status": 403},
    {"status": 404},
    {"status": 405},
    {"status": 410},
    {"status": 302, "headers": {"Location": "/elsewhere"}},
    {"status": 400, "code": "version_unsupported"},
    {"status": 400, "code": "version_required"},
    {"status": 400, "code": "idempotency_key_invalid"},
]


@pytest.mark.parametrize("answer", PAUSING, ids=str)
def test_25_delivery_pauses(sandbox, make_handler, make_logger, caplog, answer):
    """Where nothing can get through, events are kept; one loud line and one call of on_error say what to do."""
    sandbox.faults([answer])
    told = []
    handler = make_handler(on_error=lambda event, error: told.append((event, error)))
    logger = make_logger(handler)
    log(logger, 3)

    assert not handler.flush(10)
    log(logger, 3)
    assert not handler.flush(10)

    assert len(posts(sandbox)) == 1
    stats = handler.stats()
    assert (stats.pending, stats.rejected, stats.delivered) == (6, {}, 0)
    assert 0 < (stats.paused_until - dt.datetime.now(dt.timezone.utc)).total_seconds() <= 60
    ((event, error),) = told
    assert event is None
    assert isinstance(error, DeliveryPaused)
    assert error.request_id == posts(sandbox)[0]["request_id"]
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "delivery pauses" in line.getMessage()
    assert "sk_" not in line.getMessage().replace("(sk_…", "")


@pytest.mark.parametrize(("count", "words"), [(1, " 1 event waits, "), (2, " 2 events wait, ")])
@pytest.mark.parametrize("status", [401, 503])
def test_25_the_line_says_how_many_wait(sandbox, make_handler, make_logger, caplog, status, words, count):
    """The number of events that wait is part of the line, and of a sentence."""
    sandbox.faults([{"status": status}])
    handler = make_handler(flush_interval_seconds=3600)
    log(make_logger(handler), count)

    handler.flush(10)

    assert [
        words in record.getMessage() for record in caplog.records if record.name == "spotzee_logging"
    ] == [True]


def test_25_events_are_kept_within_the_bounds(sandbox, make_handler, make_logger):
    """A pause is no leak: what does not fit is dropped, counted and told of, as with a server that is away."""
    sandbox.faults([{"status": 401, "times": 100}])
    told = []
    handler = make_handler(
        max_pending_bytes=10_000, max_event_bytes=1000, on_error=lambda event, error: told.append(error)
    )
    logger = make_logger(handler)
    log(logger, 1)
    assert not handler.flush(10)

    log(logger, 500)

    stats = handler.stats()
    assert stats.pending_bytes <= 10_000
    assert stats.accepted == 501 == stats.pending + stats.dropped["buffer_full"]
    assert [type(error) for error in told] == [DeliveryPaused] + [EventDropped] * stats.dropped["buffer_full"]


def test_25_one_probe_a_minute(sandbox):
    """While it is paused the API is asked once a minute, no more; when it takes the probe, all goes at once."""
    sandbox.faults([{"status": 401, "times": 4}])
    with Stepped(sandbox.url, capacity=10) as stepped:
        stepped.put(35)
        assert stepped.send_due() == 1

        # Three probes are refused; the fourth is taken, and the other batches go in the same second.
        assert stepped.send_within(300) == [60, 120, 180, 240, 240, 240, 240]

    assert numbers(sandbox.events()) == list(range(35))
    assert len({request["body"] for request in posts(sandbox)[:5]}) == 1
    assert len(stepped.buffer) == 0


@pytest.mark.parametrize("connections", [1, 4])
def test_25_asking_for_more_makes_no_more_probes(sandbox, make_handler, make_logger, connections):
    """Flushes, full batches and urgent events ask in vain, on one connection or several."""
    sandbox.faults([{"status": 403, "times": 100}])
    handler = make_handler(capacity=5, connections=connections)
    logger = make_logger(handler)
    logger.error("x", extra={"spotzee_event": tag()})
    assert not handler.flush(10)

    for number in range(50):
        logger.error("x", extra={"spotzee_event": tag(number, external_id=f"cust_{number}")})
    assert not handler.flush(0.3)

    assert len(posts(sandbox)) == 1
    assert handler.stats().pending == 51


def test_25_a_key_that_becomes_valid_resumes_without_a_restart(caplog):
    """The project's key is made valid again: the next probe gets through, and a later pause is told anew."""
    valid = set()
    told = []

    def judge(events):
        return None if valid else (401, {"code": "authentication_required", "message": "revoked"})

    with (
        Judge(judge) as server,
        Stepped(server.url, on_error=lambda event, error: told.append(error)) as stepped,
    ):
        stepped.put(3)
        assert stepped.send_due() == 1
        assert stepped.send_within(119) == [60]
        valid.add("sk_test")
        assert stepped.send_within(1) == [1]
        assert numbers(server.events) == [0, 1, 2]

        valid.clear()
        stepped.put(1)
        assert stepped.send_due() == 1

    assert [type(error) for error in told] == [DeliveryPaused, DeliveryPaused]
    assert sum("delivery pauses" in line for line in said(caplog)) == 2


def test_25_a_new_key_ends_the_pause_at_once(sandbox, make_handler, make_logger):
    """A rotated key needs no restart: what was kept arrives under the new one, same bytes, same key of the batch."""
    sandbox.faults([{"status": 401}])
    handler = make_handler("sk_old")
    log(make_logger(handler), 3)
    assert not handler.flush(10)

    handler.api_key = "pk_new"

    assert handler.flush(10)
    assert numbers(sandbox.events()) == [0, 1, 2]
    first, second = posts(sandbox)
    assert (first["body"], first["idempotency_key"]) == (second["body"], second["idempotency_key"])
    assert second["headers"]["authorization"].startswith("Bearer pk_")
    assert handler.stats().paused_until is None


def test_25_a_store_that_gives_a_valid_key_again(sandbox):
    """A callable key is asked for each probe: once the store has the new one, delivery goes on by itself."""
    keys = {"now": "sk_old"}
    sandbox.faults([{"status": 401, "times": 2}])
    with Stepped(sandbox.url, api_key=lambda: keys["now"]) as stepped:
        stepped.put(2)
        assert stepped.send_due() == 1
        assert stepped.send_within(60) == [60]
        keys["now"] = "pk_new"
        assert stepped.send_within(60) == [60]

    assert numbers(sandbox.events()) == [0, 1]
    assert posts(sandbox)[-1]["headers"]["authorization"].startswith("Bearer pk_")


# 26. 5xx, resets, refused, DNS, TLS, odd bodies


NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def closes_at_once(port):
    return lambda connection: None


def resets_while_the_body_is_sent(port):
    def trouble(connection):
        read_head(connection)
        linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    return trouble


def closes_before_the_answer(port):
    return lambda connection: read_message(connection)


def saying(raw, *, commits=False):
    """Gives these bytes for an answer, after the sandbox has taken the request or without."""

    def trouble_to(port):
        def trouble(connection):
            request = read_message(connection)
            if commits:
                with socket.create_connection(("127.0.0.1", port)) as server:
                    server.sendall(request)
                    read_message(server)
            connection.sendall(raw)

        return trouble

    return trouble_to


def http(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status} X".encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


PAGE = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
PROBLEM = b'{"status": "error", "code": "service_unavailable", "message": "later"}'

TROUBLES = {
    "closed at once": closes_at_once,
    "reset while the body is sent": resets_while_the_body_is_sent,
    "closed before the answer": closes_before_the_answer,
    "closed within the status line": saying(b"HTTP/1.", commits=True),
    "closed within the headers": saying(b"HTTP/1.1 503 X\r\nX-Request-Id: a\r\nX-Requ"),
    "truncated body": saying(http(200, b"{}" * 50)[:-10], commits=True),
    "truncated body of an error": saying(http(500, PROBLEM)[:-10]),
    "truncated chunks": saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{", commits=True),
    "garbage that is no HTTP": saying(b"\x00\xff\x16\x03SSH-2.0-OpenSSH\r\n" * 10, commits=True),
    "endless header": saying(b"HTTP/1.1 204 No Content\r\nX: " + b"x" * 100_000, commits=True),
    "HTML error page": saying(http(502, PAGE, b"Content-Type: text/html")),
    "HTML page of no length": saying(b"HTTP/1.1 503 X\r\nConnection: close\r\n\r\n" + PAGE),
    "huge error body": saying(http(500, b"x" * 5_000_000)),
    "empty body": saying(http(500)),
    "gzip'ed error body": saying(http(503, gzip.compress(PROBLEM), b"Content-Encoding: gzip")),
    "gzip'ed bomb": saying(http(503, gzip.compress(b"0" * 100_000_000), b"Content-Encoding: gzip")),
    "body that is no gzip": saying(http(500, PROBLEM, b"Content-Encoding: gzip")),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_26_trouble_on_the_wire(sandbox, make_handler, make_logger, trouble):
    """Wherever it strikes, the same bytes go again under the same key; no event is lost, none is doubled."""
    port = port_of(sandbox.url)
    with Wire(pass_to(port), TROUBLES[trouble](port)) as wire:
        handler = make_handler(base_url=wire.url())
        log(make_logger(handler), 3, data={"number": 0, "text": "x" * 200_000})
        assert handler.flush(30)

    assert len(sandbox.events()) == 3
    assert len(keys_and_bodies(sandbox)) == 1
    stats = handler.stats()
    assert (stats.delivered, stats.rejected, stats.dropped, stats.requests, stats.retries) == (
        3,
        {},
        {},
        2,
        1,
    )
    assert stats.last_error


def dripping(head):
    """Gives an answer of which a byte comes whenever a client's patience with the last one ends."""

    def drip(connection):
        read_message(connection)
        connection.sendall(head)
        ends = threading.Event()
        with contextlib.suppress(OSError):
            while not ends.wait(0.1):
                connection.sendall(b"x")

    return drip


@pytest.mark.parametrize("status", [202, 503])
def test_26_a_body_that_drips(sandbox, make_handler, make_logger, status):
    """A server that sends a byte whenever the patience ends holds a connection for one timeout; its status counts."""

    drip = dripping(b"HTTP/1.1 %d X\r\nContent-Length: 10000\r\n\r\n" % status)
    with Wire(pass_to(port_of(sandbox.url)), drip) as wire:
        handler = make_handler(base_url=wire.url(), read_timeout_seconds=0.5)
        log(make_logger(handler), 3)
        assert handler.flush(30)

    assert handler.stats().delivered == 3
    assert len(sandbox.events()) == (0 if status == 202 else 3)  # the dripping one has taken them
    assert handler.stats().requests == (1 if status == 202 else 2)


HEADS_THAT_DRIP = {
    "from its first byte": b"",
    "within a header": b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nX-Request-Id: ",
    "after one that is none yet": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("head", HEADS_THAT_DRIP.values(), ids=HEADS_THAT_DRIP)
def test_26_a_head_that_drips(sandbox, make_handler, make_logger, head):
    """A server that never comes to its headers' end holds the events for one timeout; then they go again."""
    with Wire(pass_to(port_of(sandbox.url)), dripping(head)) as wire:
        handler = make_handler(base_url=wire.url(), read_timeout_seconds=1)
        log(make_logger(handler), 3)
        assert handler.flush(30)

    assert len(sandbox.events()) == 3
    assert handler.stats().delivered == 3
    assert handler.stats().retries >= 1
    assert "Timeout" in handler.stats().last_error


def test_26_a_head_that_comes_in_pieces(sandbox, make_handler, make_logger):
    """A server that is slow and not too slow is understood, however its headers are cut, and so is its next answer."""

    def in_pieces(connection):
        for answer in (
            http(202, b"{}", b"X-Request-Id: a"),
            b"HTTP/1.1 100 Continue\r\n\r\n" + http(202, b"{}"),
        ):
            read_message(connection)
            for at in range(len(answer)):
                connection.sendall(answer[at : at + 1])

    with Wire(pass_to(port_of(sandbox.url)), in_pieces) as wire:
        handler = make_handler(base_url=wire.url())
        logger = make_logger(handler)
        for _ in range(2):
            log(logger, 3)
            assert handler.flush(30)

        assert wire.connections == 1
    stats = handler.stats()
    assert (stats.delivered, stats.requests, stats.retries) == (6, 2, 0)


def test_26_a_head_that_nothing_bounds():
    """A socket without a timeout waits for the whole of a head, however long it takes."""
    client, server = socket.socketpair()
    with client, server:
        sends = threading.Thread(target=lambda: [server.sendall(bytes([each])) for each in http(204)])
        sends.start()
        answer = BoundedAnswer(client)
        answer.begin()
        sends.join()
        assert answer.status == 204
        answer.close()


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"


def answering(early=b""):
    """Takes the first event and refuses the others; says something before each answer."""

    def answer(connection):
        while request := read_message(connection):
            taken = b'"number":0' in request
            connection.sendall(early + (http(204) if taken else http(422, b'{"code": "validation_failed"}')))

    return answer


@pytest.mark.parametrize("session", [None, requests.Session])
def test_26_answers_before_the_answer(make_handler, make_logger, session):
    """What a server, or a proxy, says before its answer is none, and each request gets its own answer."""
    with Wire(answering(), answering(EARLY)) as wire:
        handler = make_handler(base_url=wire.url(), session=session)
        logger = make_logger(handler)
        for number in range(2):
            log(logger, 1, data={"number": number})
            assert handler.flush(30)

        assert wire.connections == (1 if session is None else 2)
    stats = handler.stats()
    assert (stats.delivered, stats.rejected) == (1, {"validation_failed": 1})


def test_26_an_answer_that_drips_does_not_outlast_what_is_left():
    """At a process's end a request takes the time that is left, also where the answer never comes to an end."""
    with Wire(dripping(b"HTTP/1.1 503 X\r\nContent-Length: 10000\r\n\r\n")) as wire:
        client = ApiClient(Settings("sk_test", base_url=wire.url(), read_timeout_seconds=60))
        begun = time.monotonic()
        outcome = client.send(seal([b"{}"], 0), lambda: 0.5)
        client.close()

    assert outcome.status == 503
    assert time.monotonic() - begun < 30


ACCEPTED_ALL_THE_SAME = {
    "204 with a body": http(204, b"{}"),
    "204 that says it has one": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
    "200 without a body": http(200),
    "200 with a page": http(200, PAGE, b"Content-Type: text/html"),
    "202 of no length": b"HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n{}",
    "200 with a body that is no gzip": http(200, b"{}", b"Content-Encoding: gzip"),
    "200 with a huge body": http(200, b" " * 1_000_000),
    "204 closed within the headers": b"HTTP/1.1 204 No Content\r\nX-Request-",
}


@pytest.mark.parametrize("answer", ACCEPTED_ALL_THE_SAME)
def test_26_a_success_with_an_odd_body(sandbox, make_handler, make_logger, answer):
    """The status has the word: it is delivered, and what hangs on the connection spoils no later batch."""
    port = port_of(sandbox.url)
    said_so = saying(ACCEPTED_ALL_THE_SAME[answer], commits=True)(port)

    def trouble(connection):
        said_so(connection)
        if b"Content-Length" in ACCEPTED_ALL_THE_SAME[answer]:
            pass_to(port)(connection)

    with Wire(pass_to(port), trouble) as wire:
        handler = make_handler(base_url=wire.url())
        logger = make_logger(handler)
        for number in range(3):
            log(logger, 1, data={"number": number})
            assert handler.flush(20)

    assert numbers(sandbox.events()) == [0, 1, 2]
    assert handler.stats().delivered == 3
    assert len({(request["idempotency_key"], request["body"]) for request in posts(sandbox)}) == 3


def test_26_at_most_64_kib_of_a_huge_body_are_read(make_handler, make_logger):
    """A server that goes on for ever keeps neither the thread nor memory: the rest is left where it is."""
    sent, has_ended = [], threading.Event()

    def pour(connection):
        read_message(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        connection.sendall(b"HTTP/1.1 418 X\r\nContent-Length: 1000000000\r\n\r\n")
        sent.append(0)
        try:
            while True:
                sent[0] += connection.send(b"x" * 16 * 1024)
        finally:
            has_ended.set()

    with Wire(pour) as wire:
        handler = make_handler(base_url=wire.url())
        log(make_logger(handler), 1)
        assert handler.flush(20)

        assert handler.stats().rejected == {"http_418": 1}
    assert has_ended.wait(20)
    # What the system's own buffers took besides was never read by us.
    assert MAX_ANSWER_BYTES <= sent[0] < MAX_ANSWER_BYTES + 16 * 1024 * 1024


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"status": 502, "body": "<html>Bad Gateway</html>", "headers": {"content-type": "text/html"}},
        {"status": 503},
        {"status": 504},
        {"status": 599},
        {"status": 408},
        {"status": 425},
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"status": 409, "code": "idempotency_in_progress", "headers": {"Retry-After": "0"}},
        {"reset": "before"},
        {"reset": "after"},
    ],
    ids=str,
)
def test_26_the_servers_trouble(sandbox, make_handler, make_logger, trouble):
    """What passes is waited for: the same bytes under the same key, over the same connection where it lives."""
    sandbox.faults([trouble])
    handler = make_handler()
    log(make_logger(handler), 3)

    assert handler.flush(20)

    assert numbers(sandbox.events()) == [0, 1, 2]
    assert len(keys_and_bodies(sandbox)) == 1
    connections = {request["connection"] for request in posts(sandbox)}
    assert len(connections) == (2 if "reset" in trouble else 1)
    stats = handler.stats()
    assert (stats.delivered, stats.requests, stats.retries) == (3, 2, 1)
    assert stats.last_error is not None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_26_a_redirect_is_never_followed(make_handler, make_logger, status):
    """Neither the key nor an event travels to where an answer points; delivery pauses and says why."""
    elsewhere = []
    with Wire(lambda connection: elsewhere.append(read_message(connection))) as other:
        with Wire(saying(http(status, b"", f"Location: {other.url()}/events".encode()))(0)) as wire:
            handler = make_handler(base_url=wire.url())
            log(make_logger(handler), 1)
            assert not handler.flush(10)

        assert elsewhere == []
        assert other.connections == 0
    assert handler.stats().paused_until is not None
    assert handler.stats().pending == 1


def test_26_refused(sandbox, make_handler, make_logger):
    """Events logged while nobody listens arrive when somebody does."""
    handler = make_handler()
    logger = make_logger(handler)
    sandbox.stop()
    log(logger, 3)
    assert not handler.flush(0.3)
    assert handler.stats().pending == 3
    assert "refused" in handler.stats().last_error

    start_again(sandbox)

    assert handler.flush(20)
    assert numbers(sandbox.events()) == [0, 1, 2]


def test_26_a_connection_that_is_never_accepted(sandbox, make_handler, make_logger):
    """A host that does not answer the handshake is given up after `connect_timeout_seconds`."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        # The queue of an endpoint that accepts nothing is soon full, and then the system drops what knocks.
        knocking = [stack.enter_context(socket.socket()) for _ in range(4)]
        for each in knocking:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        handler = make_handler(base_url=f"http://127.0.0.1:{port}/api/client", connect_timeout_seconds=0.2)
        log(make_logger(handler), 3)

        assert not handler.flush(0.6)

        assert "ConnectTimeout" in handler.stats().last_error
        assert handler.stats().pending == 3


def test_26_a_name_that_is_not_resolved(sandbox, make_handler, make_logger, monkeypatch):
    """While the resolver fails events are kept, and arrive when it knows the host again."""
    resolve, failures = socket.getaddrinfo, [socket.gaierror(socket.EAI_AGAIN, "try again")] * 2

    def fail_first(host, *arguments, **more):
        if host == "localhost" and failures:
            raise failures.pop()
        return resolve(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", fail_first)
    handler = make_handler(base_url=sandbox.url.replace("127.0.0.1", "localhost"))
    log(make_logger(handler), 3)

    assert handler.flush(20)

    assert failures == []
    assert numbers(sandbox.events()) == [0, 1, 2]
    assert handler.stats().requests == 3
    assert "NameResolutionError" in handler.stats().last_error or "gaierror" in handler.stats().last_error


@pytest.fixture(scope="module")
def authority():
    """A certificate authority that nobody knows yet."""
    return trustme.CA()


@pytest.fixture
def secured(authority):
    """A server's side of TLS, for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def bundle(authority, tmp_path):
    """The authority's certificate as a file."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """Nothing of the machine's own environment says where requests go."""
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "requests_ca_bundle",
        "curl_ca_bundle",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_26_a_certificate_that_nobody_vouches_for(
    sandbox, make_handler, make_logger, monkeypatch, secured, bundle
):
    """TLS that fails sends nothing; when the authority is known, the same handler's events arrive."""
    with Wire(pass_to(port_of(sandbox.url)), tls=secured) as wire:
        handler = make_handler(base_url=wire.url("https", "localhost"))
        log(make_logger(handler), 3)
        assert not handler.flush(0.5)
        assert "SSL" in handler.stats().last_error
        assert sandbox.requests() == []

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)

        assert handler.flush(20)
    assert numbers(sandbox.events()) == [0, 1, 2]


def test_26_no_tls_where_it_is_asked_for(make_handler, make_logger):
    """A server that speaks plain HTTP on an https port gets no event, and none is lost."""
    received = []

    def answer(connection):
        received.append(connection.recv(65536))
        connection.sendall(http(400))

    with Wire(answer) as wire:
        handler = make_handler(base_url=wire.url("https", "localhost"))
        log(make_logger(handler), 1)

        assert not handler.flush(0.5)

        assert "SSL" in handler.stats().last_error
        assert handler.stats().pending == 1
    assert not any(b"order_placed" in each or b"sk_" in each for each in received)


def test_26_a_healthy_connection_is_reused(sandbox, make_handler, make_logger):
    """Batches, refusals and the server's trouble go over one connection: no handshake for each."""
    sandbox.faults(
        [{}, {"status": 500}, {}, naming(422, ["0.name"]), {}, {"status": 429, "headers": {"Retry-After": 0}}]
    )
    handler = make_handler()
    logger = make_logger(handler)

    for number in range(6):
        log(logger, 1, data={"number": number})
        assert handler.flush(20)

    assert len({request["connection"] for request in posts(sandbox)}) == 1


@pytest.mark.parametrize("is_polite", [True, False], ids=["closed", "reset"])
def test_26_a_stale_connection_costs_no_event(sandbox, make_handler, make_logger, is_polite):
    """The server closed the idle connection: the next batch opens another, and arrives once."""
    port = port_of(sandbox.url)
    closed = threading.Event()

    def serve_once(connection):
        with socket.create_connection(("127.0.0.1", port)) as server:
            server.sendall(read_message(connection))
            connection.sendall(read_message(server))
        if not is_polite:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        connection.close()
        closed.set()

    with Wire(serve_once) as wire:
        handler = make_handler(base_url=wire.url())
        logger = make_logger(handler)
        for number in range(5):
            log(logger, 1, data={"number": number})
            assert handler.flush(20)
            assert closed.wait(10)
            closed.clear()

        assert wire.connections == 5
    assert numbers(sandbox.events()) == [0, 1, 2, 3, 4]
    assert handler.stats().delivered == 5


def test_26_a_connection_that_is_closed_as_the_next_batch_is_sent(sandbox, make_handler, make_logger):
    """The race of keep-alive: a request meets the close. It is made again, with the same key, and folded."""
    port = port_of(sandbox.url)

    def serve_and_swallow(connection):
        with socket.create_connection(("127.0.0.1", port)) as server:
            server.sendall(read_message(connection))
            connection.sendall(read_message(server))
        read_message(connection)

    with Wire(pass_to(port), serve_and_swallow) as wire:
        handler = make_handler(base_url=wire.url())
        logger = make_logger(handler)
        for number in range(3):
            log(logger, 1, data={"number": number})
            assert handler.flush(20)

        assert wire.connections == 2
    assert numbers(sandbox.events()) == [0, 1, 2]


# 27. Queue full


A_MILLION = """
import logging, resource, sys, threading
from spotzee_logging import SpotzeeHandler

count, url, overflow = int(sys.argv[1]), sys.argv[2], sys.argv[3]
reasons = {}

def on_error(event, error):
    assert event.name == error.event_name == "order_placed"
    reasons[error.reason] = reasons.get(error.reason, 0) + 1

class Lines(logging.Handler):
    count = 0
    def emit(self, record):
        Lines.count += 1

logging.getLogger("spotzee_logging").addHandler(Lines())
handler = SpotzeeHandler(
    "sk_test", base_url=url, overflow=overflow, on_error=on_error, max_pending_bytes=4 * 1024 * 1024,
    shutdown_timeout_seconds=0)
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)

def log(count):
    for number in range(count):
        logger.info("x", extra={"spotzee_event": {
            "name": "order_placed", "external_id": "cust_001", "data": {"number": number}}})

log(50_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
log(count - 50_000)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
stats = handler.stats()
assert stats.accepted == count, stats
assert stats.dropped == reasons == {"buffer_full": count - stats.pending}, (stats, reasons)
assert stats.pending_bytes <= 4 * 1024 * 1024
print(grown, Lines.count, stats.pending)
"""


# Half a minute of one core: tox asks for the million once, and for less on each Python.
FLOOD_EVENTS = int(os.environ.get("FLOOD_EVENTS", "100000"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("overflow", "count"), [("drop_newest", FLOOD_EVENTS), ("drop_oldest", 100_000)])
def test_27_a_million_events_while_the_server_is_down(sandbox, run_python, overflow, count):
    """Memory stays where it was, each loss is counted and told of, the log is not flooded, no call raises."""
    sandbox.stop()
    # A tracer for coverage takes memory too, and most of the time.
    done = run_python(A_MILLION, count, sandbox.url, overflow, timeout=290, **UNMEASURED)

    grown_kib, lines, pending = map(int, done.stdout.split())
    assert grown_kib < 8 * 1024
    assert pending > 10_000
    # Two kinds of line, the retry's and the drop's, each at most once a minute.
    assert lines <= 4


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest"])
def test_27_a_full_buffer_drops_and_says_so(sandbox, make_handler, make_logger, caplog, overflow):
    """The policy says which events are lost, the newest or the oldest; one line tells of it."""
    sandbox.stop()
    told = []
    handler = make_handler(
        max_pending_bytes=32768,
        max_event_bytes=1024,
        overflow=overflow,
        on_error=lambda event, error: told.append((event, error)),
    )

    log(make_logger(handler), 1000)

    stats = handler.stats()
    assert stats.pending_bytes <= 32768
    assert stats.accepted == 1000 == stats.pending + stats.dropped["buffer_full"]
    assert len(told) == stats.dropped["buffer_full"]
    assert all(error.reason == "buffer_full" for _, error in told)
    assert sum("the buffer was full. Raise max_pending_bytes, or" in line for line in said(caplog)) == 1
    lost = [event.data["number"] for event, _ in told]
    assert (999 in lost) is (overflow == "drop_newest")


def test_27_one_line_a_minute_whatever_the_flood(caplog):
    """By a clock that is handed in: ten minutes of losses are ten lines, which say how many were left out."""
    clock = Clock()
    reporter = Reporter(Ledger(), Diagnostics(clock), None)
    bodies = [json.dumps(tag(number)).encode() for number in range(10)]
    for _ in range(10 * 60):
        for body in bodies:
            reporter.not_held(body, "buffer_full", "the buffer was full")
        clock.now += 1

    lines = said(caplog)
    assert len(lines) == 10
    assert all("(599 more like this left out)" in line for line in lines[1:])
    stats = reporter.ledger.snapshot(pending_bytes=0, in_flight=0, paused_seconds=0)
    assert (stats.dropped, stats.pending) == ({"buffer_full": 6000}, 0)


# 28. Proxies, custom CAs, a caller's Session, netrc


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    """An entry for every host that the tests use, as a developer's machine may have one."""
    path = tmp_path / "netrc"
    path.write_text(
        "machine localhost login somebody password else\n"
        "machine 127.0.0.1 login somebody password else\n"
        "default login anybody password else\n"
    )
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


def has_our_key(request):
    return request["headers"]["authorization"].startswith("Bearer sk_")


@pytest.mark.parametrize("bundle_variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", None])
def test_28_proxies_and_authorities_of_the_environment(
    sandbox, make_handler, make_logger, monkeypatch, secured, bundle, netrc, variable, bundle_variable
):
    """Through a forward proxy, to a server that only the company's authority vouches for, with our own key."""
    asked = []
    with (
        Wire(pass_to(port_of(sandbox.url)), tls=secured) as server,
        Wire(tunnel(asked)) as proxy,
    ):
        monkeypatch.setenv(bundle_variable, bundle)
        if variable is not None:
            monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        handler = make_handler(base_url=server.url("https", "localhost"))
        log(make_logger(handler), 3)

        assert handler.flush(20)

        assert proxy.connections == (0 if variable is None else 1)
        assert {(verb, place) for verb, place, _ in asked} <= {("CONNECT", f"localhost:{server.port}")}
        assert all("sk_" not in head for _, _, head in asked)
    assert numbers(sandbox.events()) == [0, 1, 2]
    assert all(map(has_our_key, posts(sandbox)))


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("place", "excepted", "is_taken"),
    [
        ("http://127.0.0.1:{port}", "", True),
        ("127.0.0.1:{port}", "", True),
        ("http://127.0.0.1:{port}", "127.0.0.1", False),
        ("http://proxy.internal:3128", "", False),
    ],
    ids=["here", "without a scheme", "excepted", "elsewhere"],
)
def test_28_a_proxy_of_plain_http(
    sandbox, make_handler, make_logger, monkeypatch, variable, place, excepted, is_taken
):
    """One on this machine is taken, as by requests; one elsewhere could not reach the server, and would see the key."""
    seen = []

    def take(connection):
        while request := read_message(connection):
            seen.append(request)
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with Wire(take) as proxy:
        monkeypatch.setenv(variable, place.format(port=proxy.port))
        monkeypatch.setenv("NO_PROXY", excepted)
        handler = make_handler()
        log(make_logger(handler), 1)

        assert handler.flush(20)

    assert [request.startswith(f"POST {sandbox.url}/events ".encode()) for request in seen] == [
        True
    ] * is_taken
    assert len(posts(sandbox)) == (not is_taken)


@pytest.mark.parametrize("is_proxied", [False, True])
def test_26_a_head_that_drips_by_tls(
    sandbox, make_handler, make_logger, monkeypatch, secured, bundle, is_proxied
):
    """The same of a server that is reached as one in production is, directly and by a proxy."""
    drip = dripping(b"HTTP/1.1 202 Accepted\r\nX-Request-Id: ")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    with Wire(pass_to(port_of(sandbox.url)), drip, tls=secured) as server, Wire(tunnel([])) as proxy:
        if is_proxied:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        handler = make_handler(base_url=server.url("https", "localhost"), read_timeout_seconds=1)
        log(make_logger(handler), 3)
        assert handler.flush(30)

        assert bool(proxy.connections) == is_proxied
    assert len(sandbox.events()) == 3
    assert handler.stats().retries >= 1
    assert "Timeout" in handler.stats().last_error


def test_28_no_proxy_holds(sandbox, make_handler, make_logger, monkeypatch, secured, bundle):
    """A host that NO_PROXY names is reached directly."""
    with Wire(pass_to(port_of(sandbox.url)), tls=secured) as server, Wire(tunnel([])) as proxy:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "localhost")
        handler = make_handler(base_url=server.url("https", "localhost"))
        log(make_logger(handler), 1)

        assert handler.flush(20)

        assert proxy.connections == 0
    assert len(sandbox.events()) == 1


def test_28_the_password_of_a_proxy_is_its_own(
    sandbox, make_handler, make_logger, monkeypatch, secured, bundle
):
    """What the proxy's address holds goes to the proxy alone, and our key to the server alone."""
    asked = []
    with Wire(pass_to(port_of(sandbox.url)), tls=secured) as server, Wire(tunnel(asked)) as proxy:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@127.0.0.1:{proxy.port}")
        handler = make_handler(base_url=server.url("https", "localhost"))
        log(make_logger(handler), 1)

        assert handler.flush(20)
    ((_, _, head),) = asked
    assert "Proxy-Authorization: Basic " in head
    assert has_our_key(posts(sandbox)[0])
    assert "proxy-authorization" not in posts(sandbox)[0]["headers"]


def test_28_netrc_does_not_replace_the_key(sandbox, make_handler, make_logger, netrc):
    """An entry for the host in ~/.netrc, which requests would use, leaves our key where it is."""
    handler = make_handler()
    log(make_logger(handler), 1)

    assert handler.flush(10)

    assert handler.stats().delivered == 1
    assert has_our_key(posts(sandbox)[0])


@pytest.mark.parametrize("kind", ["instance", "function"])
def test_28_a_session_of_the_callers(
    sandbox, make_handler, make_logger, monkeypatch, secured, bundle, netrc, kind
):
    """Proxy, certificate and headers of the session that was given are used; key and bytes stay ours."""
    asked, made = [], []
    with Wire(pass_to(port_of(sandbox.url)), tls=secured) as server, Wire(tunnel(asked)) as proxy:

        def make_session():
            session = requests.Session()
            session.proxies = {"https": f"http://127.0.0.1:{proxy.port}"}
            session.verify = bundle
            session.auth = ("somebody", "else")
            session.headers["X-Team"] = "payments"
            session.headers["Authorization"] = "Basic c29tZWJvZHk6ZWxzZQ=="
            made.append(session)
            return session

        handler = make_handler(
            base_url=server.url("https", "localhost"),
            session=make_session if kind == "function" else make_session(),
        )
        logger = make_logger(handler)
        for number in range(3):
            log(logger, 1, data={"number": number})
            assert handler.flush(20)

        assert [place for _, place, _ in asked] == [f"localhost:{server.port}"]
    assert len(made) == 1
    assert numbers(sandbox.events()) == [0, 1, 2]
    for request in posts(sandbox):
        assert has_our_key(request)
        assert request["headers"]["x-team"] == "payments"


FORKED_WITH_A_SESSION = """
import logging, os, sys, threading, warnings
import requests
from spotzee_logging import SpotzeeHandler

warnings.simplefilter("ignore", DeprecationWarning)  # of forks while threads run: that is the point
session = requests.Session()
session.headers["X-Team"] = "payments"
handler = SpotzeeHandler("sk_test", base_url=sys.argv[1], session=session)
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)

def log(*numbers):
    for number in numbers:
        logger.info("x", extra={"spotzee_event": {"name": "n", "external_id": "c", "data": {"number": number}}})
        assert handler.flush(20)

log(0)
if os.fork() == 0:
    log(100, 101)
    # The child's end closes nothing of the parent's: the parent writes on when it is gone.
    os._exit(0)
_, status = os.wait()
assert status == 0
log(1, 2)
assert handler.stats().delivered == 3
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_28_a_session_is_copied_after_a_fork(sandbox, run_python):
    """A forked child sends with a copy: the session's settings hold, and the parent's connection stays its own."""
    run_python(FORKED_WITH_A_SESSION, sandbox.url)

    assert sorted(numbers(sandbox.events())) == [0, 1, 2, 100, 101]
    assert {request["headers"]["x-team"] for request in posts(sandbox)} == {"payments"}
    connections = {}
    for request in posts(sandbox):
        (number,) = numbers(json.loads(request["body"]))
        connections.setdefault(number >= 100, set()).add(request["connection"])
    assert len(connections[False]) == len(connections[True]) == 1
    assert connections[False] != connections[True]
