"""The pytest plugin: what a user's test sees of the code it runs, whatever that code does to logging."""

import asyncio
import contextlib
import datetime as dt
import decimal
import logging
import logging.config
import logging.handlers
import queue
import socket
import threading
import unittest
import unittest.mock

import pytest

from spotzee_logging import Event, SpotzeeHandler, arg, contact, track
from spotzee_logging.buffers.survey import SpoolSurvey
from spotzee_logging.errors import InvalidEvent
from spotzee_logging.pytest_plugin import assert_not_tracked, assert_tracked
from spotzee_logging.track_diagnostics import voice

TAG = {"name": "order_placed", "external_id": "cust_001", "data": {"order_id": "ord_42", "total": 129.5}}
EXTRA = {"spotzee_event": TAG}
logger = logging.getLogger("plugin.shop")


@track("shipped", external_id=arg.customer)
def ship(customer):
    return "ok"


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """Whatever a test makes of the logger, the next one finds it new, and all others as they were."""
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    enabled = [each for each in loggers if not each.disabled]
    yield
    for each in enabled:
        each.disabled = False
    logger.setLevel(logging.NOTSET)
    logger.disabled, logger.propagate = False, True
    logger.handlers.clear()
    logger.filters.clear()
    logging.disable(logging.NOTSET)
    logging.root.setLevel(logging.WARNING)


def test_what_is_tracked_is_a_list_of_events(spotzee_events):
    """Tagged records and tracked calls are there in their order, as they would be sent."""
    logger.warning("placed", extra=EXTRA)
    ship("cust_002")
    logger.warning("no event")

    assert [event.name for event in spotzee_events] == ["order_placed", "shipped"]
    assert spotzee_events[0] == Event(**TAG, created_at=spotzee_events[0].created_at)
    assert spotzee_events.named("shipped") == [spotzee_events[1]]


@pytest.mark.parametrize("level", [logging.INFO, logging.CRITICAL], ids=logging.getLevelName)
def test_a_tracked_call_without_a_handler_is_no_complaint(spotzee_events, monkeypatch, caplog, level):
    """A test needs no SpotzeeHandler, and no line says that one is missing, whatever the logger lets through."""
    monkeypatch.setattr(voice, "_has_warned", False)
    voice._diagnostics.begin_anew()
    logger.setLevel(level)

    track("shipped", external_id="c", logger=logger)(lambda: "ok")()

    assert [event.name for event in spotzee_events] == ["shipped"]
    assert [record for record in caplog.records if record.name == "spotzee_logging"] == []


def silence(how):
    if how == "level":
        logger.setLevel(logging.CRITICAL)
    elif how == "disabled":
        logger.disabled = True
    elif how == "logging.disable":
        logging.disable(logging.CRITICAL)
    elif how == "propagate":
        logger.propagate = False
    elif how == "dictConfig":
        logging.config.dictConfig({"version": 1, "root": {"level": "ERROR", "handlers": []}})


CALLS = {
    "info": lambda extra: logger.info("placed", extra=extra),
    "log": lambda extra: logger.log(logging.INFO, "placed", extra=extra),
    "debug": lambda extra: logger.debug("placed %s", "x", extra=extra),
    "exception": lambda extra: logger.exception("placed", extra=extra, exc_info=False),
    "adapter": lambda extra: logging.LoggerAdapter(logger, extra).info("placed"),
    "adapters": lambda extra: logging.LoggerAdapter(Passing(logger, {}), extra).info("placed"),
    "handle": lambda extra: logger.handle(logger.makeRecord("x", 20, "f", 1, "m", (), None, None, extra)),
}


class Passing(logging.LoggerAdapter):
    def process(self, msg, kwargs):
        return msg, kwargs


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("how", ["level", "disabled", "logging.disable", "propagate", "dictConfig", None])
def test_no_configuration_hides_an_event(spotzee_events, how, call):
    """A test of what the code tracks does not depend on how the program logs."""
    silence(how)

    call(EXTRA)
    ship("cust_002")

    assert [event.name for event in spotzee_events] == ["order_placed", "shipped"]


def test_the_programs_own_output_stays_as_it_is(spotzee_events, caplog):
    """Handlers get what the levels let through, with the line that logged it, and nothing else."""
    logger.setLevel(logging.WARNING)

    logger.info("quiet", extra=EXTRA)
    logger.warning("loud", extra=EXTRA)

    (record,) = caplog.records
    assert (record.message, record.funcName) == (
        "loud",
        "test_the_programs_own_output_stays_as_it_is",
    )
    assert not logger.isEnabledFor(logging.INFO)
    assert len(spotzee_events) == 2


def test_filters_have_their_say(spotzee_events):
    """A logger's filter that turns a line away turns its event away, at whatever level."""
    logger.addFilter(lambda record: record.getMessage() != "private")
    for level in (logging.DEBUG, logging.CRITICAL):
        logger.setLevel(level)
        logger.info("private", extra=EXTRA)
        logger.info("public", extra=EXTRA)

    assert len(spotzee_events) == 2


def test_a_handlers_filter_may_tag(spotzee_events):
    """What a filter of a SpotzeeHandler makes an event of is one in tests too."""
    handler = SpotzeeHandler("sk_test", base_url="http://127.0.0.1:9")
    handler.addFilter(lambda record: setattr(record, "spotzee_event", TAG) or True)
    logger.addHandler(handler)

    logger.warning("placed")

    assert_tracked("order_placed", times=1)


def refuse_sockets(*_):
    raise AssertionError("a test used the network")


def test_handlers_of_the_program_send_nothing(spotzee_events, monkeypatch):
    """A SpotzeeHandler that is on a logger, live key and all, is handed nothing; each event is there once."""
    monkeypatch.setattr(socket.socket, "connect", refuse_sockets)
    handler = SpotzeeHandler("sk_live", capacity=1)
    logger.addHandler(handler)
    logging.getLogger("plugin").addHandler(handler)
    try:
        logger.error("placed", extra=EXTRA)
        ship("cust_002")
        handler.handle(logger.makeRecord("x", 20, "f", 1, "m", (), None, None, EXTRA))

        assert handler.flush(1)
        assert handler.stats().accepted == 0
        assert [event.name for event in spotzee_events] == ["order_placed", "shipped", "order_placed"]
    finally:
        logging.getLogger("plugin").removeHandler(handler)


def test_a_queue_does_not_double(spotzee_events):
    """What a QueueHandler brings to a listener's handler is the event that was seen at its call."""
    records = queue.SimpleQueue()
    logger.addHandler(logging.handlers.QueueHandler(records))
    listener = logging.handlers.QueueListener(
        records, SpotzeeHandler("sk_test", base_url="http://127.0.0.1:9")
    )
    listener.start()
    with contact(external_id="cust_007"):
        logger.warning("placed", extra={"spotzee_event": "order_placed", "total": 1})
    listener.stop()

    spotzee_events.assert_tracked("order_placed", external_id="cust_007", data={"total": 1}, times=1)
    assert spotzee_events[0].data == {"total": 1}


def test_threads_and_tasks_are_seen(spotzee_events):
    """Each event has the contact of the thread or task that logged it."""

    def log(number):
        with contact(external_id=f"cust_{number}"):
            logger.info("x", extra={"spotzee_event": "asked", "number": number})

    async def log_async(number):
        with contact(external_id=f"cust_{number}"):
            await asyncio.sleep(0)
            logger.info("x", extra={"spotzee_event": "asked", "number": number})

    async def gather():
        await asyncio.gather(*map(log_async, range(5, 10)))

    threads = [threading.Thread(target=log, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    asyncio.run(gather())
    for thread in threads:
        thread.join()

    for number in range(10):
        assert_tracked("asked", external_id=f"cust_{number}", data={"number": number}, times=1)


@pytest.mark.parametrize("level", [logging.DEBUG, logging.CRITICAL])
def test_an_invalid_event_fails_at_its_call(spotzee_events, level):
    """A misspelt field is found where it is written, also where the level would have kept it back."""
    logger.setLevel(level)
    with pytest.raises(InvalidEvent, match="Did you mean external_id"):
        logger.info("placed", extra={"spotzee_event": {"name": "order_placed", "externalId": "x"}})
    with pytest.raises(InvalidEvent):
        ship(7)

    assert len(spotzee_events) == 0
    assert len(spotzee_events.invalid) == 2
    with pytest.raises(AssertionError, match="invalid, and so not tracked: .*externalId"):
        assert_tracked("order_placed")


def test_the_environment_does_not_matter(spotzee_events, monkeypatch):
    """A machine with settings in its environment sees the same events."""
    monkeypatch.setenv("SPOTZEE_DISABLED", "1")
    monkeypatch.setenv("SPOTZEE_API_KEY", "ok_bad")

    logger.info("placed", extra=EXTRA)

    assert_tracked("order_placed")


def test_part_of_an_event_is_enough(spotzee_events):
    """What is not named may be anything, at any depth; values are compared as they are sent."""
    tag = {
        **TAG,
        "data": {
            "lines": [{"sku": "a", "n": 1}, {"sku": "b"}],
            "total": decimal.Decimal("129.50"),
            "day": dt.date(2026, 4, 28),
            7: None,
        },
    }
    logger.info("x", extra={"spotzee_event": {**tag, "user": {"data": {"plan": "pro"}, "locale": "en-AU"}}})

    for data in (
        {},
        {"total": 129.5},
        {"total": decimal.Decimal("129.5")},
        {"total": pytest.approx(129.4999999)},
        {"total": unittest.mock.ANY},
        {"day": dt.date(2026, 4, 28)},
        {"day": "2026-04-28"},
        {"lines": [{"sku": "a"}, {}]},
        {"lines": ({"n": 1}, {"sku": "b"})},
        {7: None},
        {"7": None},
    ):
        event = spotzee_events.assert_tracked("order_placed", data=data)
        assert event is spotzee_events[0]
    assert_tracked("order_placed", user={"data": {"plan": "pro"}})
    for data in (
        {"total": 129},
        {"lines": [{}]},
        {"lines": [{"sku": "b"}, {}]},
        {"lines": 2},
        {"x": None},
        {"lines": {}},
        {"7": False},
        {"total": True},
    ):
        assert_not_tracked("order_placed", data=data)


def test_a_difference_is_told_field_by_field(spotzee_events):
    """Who reads a failure sees which event was meant, and what is different about it."""
    logger.info("x", extra={"spotzee_event": {"name": "order_placed", "external_id": "cust_009"}})
    logger.info("x", extra=EXTRA)

    with pytest.raises(AssertionError) as caught:
        assert_tracked("order_placed", external_id="cust_001", data={"total": 12, "paid": {"by": "card"}})

    assert str(caught.value) == (
        "event 'order_placed' was tracked, but not so:\n"
        "  event 'order_placed' (external_id 'cust_001')\n"
        "    data.total: expected 12, got 129.5\n"
        "    data.paid.by: expected 'card', it is not there\n"
        "  event 'order_placed' (external_id 'cust_009')\n"
        "    external_id: expected 'cust_001', got 'cust_009'\n"
        "    data.total: expected 12, it is not there\n"
        "    data.paid.by: expected 'card', it is not there"
    )


def test_a_difference_within_a_list_is_told_by_its_place(spotzee_events):
    """Lists are compared member by member."""
    logger.info("x", extra={"spotzee_event": {**TAG, "data": {"lines": [{"sku": "a"}, {"sku": "b"}]}}})

    with pytest.raises(AssertionError, match=r"\n    data\.lines\[1\]\.sku: expected 'c', got 'b'$"):
        assert_tracked("order_placed", data={"lines": [{}, {"sku": "c"}]})


def test_the_closest_come_first(spotzee_events):
    """Of many candidates the three that differ least are shown."""
    for number in range(5):
        data = {f"key{each}": 1 for each in range(number)}
        logger.info("x", extra={"spotzee_event": {**TAG, "data": data}})

    with pytest.raises(AssertionError, match="closest 3 of 5") as caught:
        assert_tracked("order_placed", data={f"key{each}": 1 for each in range(5)})

    assert str(caught.value).count("event 'order_placed' (") == 3
    assert "key3" not in str(caught.value).splitlines()[1]


def test_a_name_that_was_not_tracked(spotzee_events):
    """A misspelt name is answered with the one that was meant."""
    with pytest.raises(AssertionError, match="'order_placed' was not tracked, nor was any other"):
        assert_tracked("order_placed")
    logger.info("x", extra=EXTRA)
    logger.info("x", extra=EXTRA)
    ship("cust_002")

    with pytest.raises(
        AssertionError, match=r"Did you mean order_placed\? Tracked were: order_placed \(2\), shipped$"
    ):
        assert_tracked("order_plcaed")
    with pytest.raises(AssertionError, match="was tracked so 2 times, and not 1"):
        assert_tracked("order_placed", times=1)
    assert_tracked("order_plcaed", times=0)


def test_what_must_not_be_tracked(spotzee_events):
    """It fails with the event that should not be there, and passes where the fields are others."""
    logger.info("x", extra=EXTRA)
    assert_not_tracked("order_shipped")
    assert_not_tracked("order_placed", external_id="cust_002")

    with pytest.raises(AssertionError, match=r"\(external_id 'cust_001'\) was tracked: Event\("):
        spotzee_events.assert_not_tracked("order_placed", data={"order_id": "ord_42"})


def test_without_the_fixture_an_assertion_says_what_to_do():
    """An assertion that could only pass or fail by chance names the fixture it needs."""
    with pytest.raises(RuntimeError, match="usefixtures"):
        assert_not_tracked("order_placed")


def test_a_real_server_from_end_to_end(spotzee_sandbox, make_spotzee_handler):
    """A handler for the sandbox sends, and what arrived can be read there."""
    logger.addHandler(make_spotzee_handler(capacity=1))
    logger.warning("placed", extra=EXTRA)

    assert spotzee_sandbox.wait_for(1, timeout_seconds=10)
    assert spotzee_sandbox.events()[0]["data"] == TAG["data"]


def test_the_programs_own_configuration_sends_to_the_sandbox(spotzee_sandbox, spotzee_events):
    """A handler that takes its settings from the environment sends there; the list of events works beside it."""
    ours, elsewhere = SpotzeeHandler(), SpotzeeHandler(base_url="http://127.0.0.1:9")
    logger.addHandler(ours)
    logger.addHandler(elsewhere)
    logger.warning("placed", extra=EXTRA)

    assert ours.flush(10)
    assert len(spotzee_sandbox.events()) == 1
    assert elsewhere.stats().accepted == 0
    assert_tracked("order_placed", times=1)


MADE_BEFORE = """
import logging
import logging.handlers
import queue

import pytest
from spotzee_logging import SpotzeeHandler

EXTRA = {"spotzee_event": "order_placed", "external_id": "cust_001"}
on_logger = SpotzeeHandler("sk_live", base_url="https://127.0.0.2.example/api", shutdown_timeout_seconds=0.1)
behind_queue = SpotzeeHandler("sk_live", base_url="https://127.0.0.2.example/api", shutdown_timeout_seconds=0.1)
logger = logging.getLogger("shop")
logger.addHandler(on_logger)
listener = logging.handlers.QueueListener(queue.SimpleQueue(), behind_queue)

@pytest.mark.parametrize("fixture", ["spotzee_sandbox", "make_spotzee_handler"])
def test_end_to_end(fixture, request, caplog):
    request.getfixturevalue(fixture)
    logger.warning("x", extra=EXTRA)
    listener.handle(logging.makeLogRecord(EXTRA))
    assert "2 SpotzeeHandlers made before this test would send elsewhere" in caplog.text

def test_after():
    assert on_logger.stats().dropped == behind_queue.stats().dropped == {"disabled": 2}
    logger.warning("x", extra=EXTRA)
    assert on_logger.stats().pending == 1
    on_logger.flushOnClose = behind_queue.flushOnClose = False
"""


def test_handlers_that_were_made_before_send_nothing_meanwhile(pytester):
    """What a program's own modules made as they were imported must not send a test's customers to the real API."""
    pytester.makepyfile(MADE_BEFORE)

    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=3)


DISABLED = """
import logging, os
from spotzee_logging import SpotzeeHandler

logger = logging.getLogger("shop")
EXTRA = {"spotzee_event": "order_placed", "external_id": "cust_001"}

def test_events(spotzee_events):
    logger.addHandler(SpotzeeHandler())
    logger.warning("placed", extra=EXTRA)
    spotzee_events.assert_tracked("order_placed")

def test_end_to_end(spotzee_sandbox, make_spotzee_handler):
    for handler in (make_spotzee_handler(), SpotzeeHandler()):
        logger.addHandler(handler)
        logger.warning("placed", extra=EXTRA)
        logger.removeHandler(handler)
        assert handler.flush(10)
    assert len(spotzee_sandbox.events()) == 2

def test_after():
    assert os.environ["SPOTZEE_DISABLED"] == "1"
"""


def test_a_machine_that_must_send_nothing_runs_all_tests(pytester, monkeypatch):
    """Where `SPOTZEE_DISABLED=1` stands for a key, as in continuous integration, each fixture works as elsewhere."""
    monkeypatch.setenv("SPOTZEE_DISABLED", "1")
    monkeypatch.delenv("SPOTZEE_API_KEY", raising=False)
    pytester.makepyfile(DISABLED)

    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=3)


SPOOLED = """
import logging, os
from spotzee_logging import SpotzeeHandler

def test_events(spotzee_events):
    assert SpotzeeHandler().flush(10)

def test_end_to_end(spotzee_sandbox, make_spotzee_handler):
    assert make_spotzee_handler().flush(10)
    assert SpotzeeHandler().flush(10)
    assert spotzee_sandbox.events() == []

def test_after():
    assert os.environ["SPOTZEE_SPOOL"].endswith("events.db")
"""


LEFT_BEHIND = """
import logging, os, sys
from spotzee_logging import SpotzeeHandler

handler = SpotzeeHandler("sk_test", spool=sys.argv[1], base_url="http://127.0.0.1:9")
handler.handle(logging.makeLogRecord({"spotzee_event": "order_placed", "external_id": "cust_001"}))
os._exit(0)
"""


def test_what_waits_in_a_real_spool_is_no_tests(pytester, monkeypatch, spotzee_sandbox, run_python, tmp_path):
    """Events that a real process left in the spool that the environment names are neither sent nor gone."""
    path = str(tmp_path / "events.db")
    run_python(LEFT_BEHIND, path)
    monkeypatch.setenv("SPOTZEE_SPOOL", path)
    pytester.makepyfile(SPOOLED)

    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=3)

    assert spotzee_sandbox.events() == []
    with contextlib.closing(SpoolSurvey(path)) as spool:
        assert len(list(spool.pending())) == 1


@pytest.mark.usefixtures("spotzee_events")
class TestCase(unittest.TestCase):
    """Tests of the standard library's kind."""

    def test_a_unittest_can_use_it(self):
        """Its methods take no fixtures as arguments, and reach the events by the functions."""
        logger.info("x", extra=EXTRA)

        assert_tracked("order_placed", times=1)


@pytest.mark.parametrize("asserts", [assert_tracked, assert_not_tracked])
def test_a_test_without_the_fixture_is_told_of_its_runner_too(asserts):
    """The class may have the mark, and be run by the standard library, which does not know it."""
    with pytest.raises(RuntimeError, match="run it by pytest, not by manage.py test or python -m unittest"):
        asserts("order_placed")


LEAKS = """
import logging
import pytest
from spotzee_logging import bind_contact, get_contact, track
from spotzee_logging.handler import SpotzeeHandler

before = (logging.Logger.isEnabledFor, logging.Logger.handle, logging.Logger.callHandlers, SpotzeeHandler.emit)

@pytest.mark.parametrize("number", range(8))
def test_one(spotzee_events, number):
    logging.getLogger("a").info("x", extra={"spotzee_event": {"name": "n", "external_id": str(number)}})
    bind_contact(external_id="leak")
    spotzee_events.assert_tracked("n", external_id=str(number), times=1)
    assert len(spotzee_events) == 1

def test_between():
    assert get_contact().external_id is None
    assert before == (
        logging.Logger.isEnabledFor, logging.Logger.handle, logging.Logger.callHandlers, SpotzeeHandler.emit
    )

def test_end_to_end(spotzee_sandbox, make_spotzee_handler):
    logging.getLogger("a").addHandler(make_spotzee_handler())

def test_after():
    import os
    assert not logging.getLogger("a").handlers and "SPOTZEE_BASE_URL" not in os.environ
"""


@pytest.mark.parametrize(
    "arguments", [[], ["-n", "2"], ["-p", "no:logging"]], ids=["alone", "xdist", "no caplog"]
)
def test_nothing_leaks_between_tests(pytester, arguments):
    """Each test starts with no events, no contact and an untouched logging, in pytest's own processes and xdist's."""
    pytester.makepyfile(LEAKS)

    result = pytester.runpytest_subprocess("-W", "error", *arguments)

    result.assert_outcomes(passed=11)


def test_a_failure_points_at_the_test(pytester):
    """The traceback ends in the test's own line, with the difference under it."""
    pytester.makepyfile(
        """
        def test_it(spotzee_events):
            spotzee_events.assert_tracked("order_placed")
        """
    )

    result = pytester.runpytest_subprocess()

    result.stdout.fnmatch_lines(
        ["E *AssertionError: event 'order_placed' was not tracked, nor was any other"]
    )
    result.stdout.no_fnmatch_line("*tracked_events.py*")


IMPORT = """
import sys, pytest
import spotzee_logging
before = set(sys.modules)
import spotzee_logging.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""


def test_whoever_does_not_use_it_pays_little(run_python):
    """pytest loads the plugin in every run: beside the package itself it brings two small modules."""
    assert {*run_python(IMPORT).stdout.split()} == {
        "spotzee_logging.pytest_plugin",
        "spotzee_logging.testing",
        "spotzee_logging.testing.tracked_events",
    }
