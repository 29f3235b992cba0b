"""The handler's own habits: MemoryHandler's, the hooks', and what it does with records that are no events."""

import collections
import copy
import gc
import logging
import logging.handlers
import queue
import re
import signal
import sys
import threading
import time
import weakref

import pytest

from conftest import numbers, program, tag
from spotzee_logging import Event, EventFormatter, SpotzeeHandler, flush, lifecycle
from spotzee_logging.buffers.memory import MemoryBuffer
from spotzee_logging.errors import InvalidEvent, InvalidSettings


@pytest.fixture
def told():
    """What on_error was told."""
    return []


@pytest.fixture
def teller(told):
    return lambda event, error: told.append((event, error))


def said(caplog):
    """The lines that the package said of itself."""
    return "".join(
        f"{record.getMessage()}\n" for record in caplog.records if record.name == "spotzee_logging"
    )


def test_an_untagged_record_passes_by(make_handler, make_logger):
    """A line without a tag is no event, and starts nothing."""
    handler = make_handler()
    threads = threading.active_count()

    make_logger(handler).info("just a line", extra={"spotzee_event": None})

    assert handler.stats().accepted == 0
    assert threading.active_count() == threads


def test_a_filter_may_tag(make_handler, make_logger):
    """Where the handler has filters they run first, so that one of them may make an event of a line."""
    handler = make_handler()

    def tag_orders(record):
        if "order" in record.getMessage():
            record.spotzee_event = tag()
        return True

    handler.addFilter(tag_orders)
    logger = make_logger(handler)

    logger.info("an order")
    logger.info("a line")

    assert handler.stats().accepted == 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="filters give records from Python 3.12 on")
def test_a_filter_may_give_another_record(sandbox, make_handler, make_logger):
    """A filter that returns a record has its record sent, and the others see theirs."""
    handler = make_handler()

    def redact(record):
        other = copy.copy(record)
        other.spotzee_event = tag(data={})
        return other

    handler.addFilter(redact)
    make_logger(handler).info("x", extra={"spotzee_event": tag(data={"secret": 1})})

    assert handler.flush(10)
    assert sandbox.events()[0]["data"] == {}


def test_a_filter_may_refuse(make_handler, make_logger):
    """What a filter refuses is no event."""
    handler = make_handler()
    handler.addFilter(lambda record: False)

    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.stats().accepted == 0


@pytest.mark.parametrize("level", ["WARNING", logging.WARNING])
def test_the_level_holds(make_handler, make_logger, level):
    """The handler's level is a level as any handler's, by number or name."""
    handler = make_handler(level=level)
    logger = make_logger(handler)

    logger.info("x", extra={"spotzee_event": tag()})
    logger.warning("x", extra={"spotzee_event": tag()})

    assert handler.stats().accepted == 1


@pytest.mark.parametrize("is_filtered", [False, True], ids=["no filter", "a filter"])
@pytest.mark.parametrize(
    "attributes",
    [{"name": "shop"}, {"levelno": logging.INFO}, {"name": 7, "levelno": "INFO"}, {}, {"levelno": [1]}],
    ids=str,
)
def test_a_record_made_by_hand(sandbox, make_handler, attributes, is_filtered):
    """makeLogRecord gives what it is not told as None: a record without name or level is delivered like any other."""
    handler = make_handler()
    if is_filtered:
        handler.addFilter(lambda record: True)

    handler.handle(logging.makeLogRecord({**attributes, "spotzee_event": tag(1)}))

    assert handler.flush(10)
    assert [event["data"] for event in sandbox.events()] == [{"number": 1}]


@pytest.mark.parametrize("attributes", [{"created": None}, {"msg": None, "args": 7}], ids=str)
def test_a_record_of_which_no_event_can_be_made(make_handler, attributes):
    """Nothing that a record lacks is raised where it is handled: the event is made without it, or rejected."""
    handler = make_handler()

    handler.handle(logging.makeLogRecord({**attributes, "spotzee_event": tag(1)}))

    assert handler.flush(10)
    stats = handler.stats()
    assert stats.accepted == stats.delivered + sum(stats.rejected.values()) == 1


def test_strict_raises_at_the_call(make_handler, make_logger):
    """In tests and development an invalid event is an exception where it was logged."""
    logger = make_logger(make_handler(strict=True))

    with pytest.raises(InvalidEvent, match="external_id"):
        logger.info("x", extra={"spotzee_event": {"name": "order_placed"}})


def test_strict_counts_what_it_raises(make_handler, make_logger):
    """A raised event stands in the account too."""
    handler = make_handler(strict=True)
    with pytest.raises(InvalidEvent):
        make_logger(handler).info("x", extra={"spotzee_event": {"name": "order_placed"}})

    assert handler.stats().rejected == {"invalid_event": 1}


def test_an_event_that_is_too_large_is_rejected(make_handler, make_logger, told, teller):
    """One event too large is named, with its size where it was written at all; the others go."""
    handler = make_handler(max_event_bytes=1024, on_error=teller)
    logger = make_logger(handler)

    logger.info("x", extra={"spotzee_event": tag(data={"text": "\n" * 1000})})
    logger.info("x", extra={"spotzee_event": tag(data={"text": "x" * 2_000_000})})
    logger.info("x", extra={"spotzee_event": tag()})

    assert handler.flush(10)
    assert handler.stats().rejected == {"event_too_large": 2}
    assert handler.stats().delivered == 1
    remedy = r"\. Put less into data \(what .*\), or raise max_event_bytes\."
    assert re.search(r"takes 2\d{3} bytes, and at most 1024 are sent" + remedy, str(told[0][1]))
    assert re.search(r"takes more than \d+ bytes" + remedy, str(told[1][1]))


def test_an_event_of_just_the_most_bytes_is_sent(make_handler, make_logger):
    """The bound is what an event may take, and one byte more is too many."""
    made = tag(created_at="2026-04-28T05:14:00Z", data={"text": "x" * 100})
    record = logging.makeLogRecord({"spotzee_event": made})
    most = len(EventFormatter().format(record))
    roomy, tight = make_handler(max_event_bytes=most), make_handler(max_event_bytes=most - 1)

    make_logger(roomy, tight).info("x", extra={"spotzee_event": made})

    assert roomy.flush(10)
    assert roomy.stats().delivered == 1
    assert tight.stats().rejected == {"event_too_large": 1}


def test_disabled_accepts_counts_and_sends_nothing(sandbox, make_logger, told, teller):
    """A program runs with its events switched off, without a key, and without on_error being called."""
    handler = SpotzeeHandler(disabled=True, base_url=sandbox.url, on_error=teller)
    threads = threading.active_count()

    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    handler.close()

    assert handler.stats().dropped == {"disabled": 1}
    assert told == []
    assert threading.active_count() == threads
    assert sandbox.requests() == []


def test_before_send_changes_events(sandbox, make_handler, make_logger):
    """A redactor gets the event as it would be sent, and what it returns is sent."""
    seen = []

    def redact(event):
        seen.append(event)
        return Event(event.name, external_id=event.external_id, data={"kept": event.data["kept"]})

    handler = make_handler(before_send=redact)
    make_logger(handler).info("x", extra={"spotzee_event": tag(data={"kept": {1}, "card": "4111"})})

    assert handler.flush(10)
    assert sandbox.events()[0]["data"] == {"kept": [1]}
    assert seen[0].data == {"kept": [1], "card": "4111"}
    assert seen[0].created_at.endswith("Z")


def test_before_send_cannot_change_what_the_program_logged(make_handler, make_logger):
    """A hook that writes into the event's data writes into a copy."""
    handler = make_handler(before_send=lambda event: event.data.clear() or event)
    data = {"order": {"id": 1}}

    make_logger(handler).info("x", extra={"spotzee_event": tag(data=data)})

    assert data == {"order": {"id": 1}}


def test_before_send_drops_in_silence(make_handler, make_logger, told, teller):
    """None from before_send is a decision, not an error."""
    handler = make_handler(before_send=lambda event: None, on_error=teller)

    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.stats().dropped == {"before_send": 1}
    assert told == []


def test_what_before_send_returns_is_checked_again(make_handler, make_logger):
    """A hook cannot make an event that the API would refuse."""
    handler = make_handler(before_send=lambda event: Event(event.name))

    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.stats().rejected == {"invalid_event": 1}


def test_a_formatter_of_ones_own_has_the_last_word(sandbox, make_handler, make_logger):
    """What a subclass's format() returns is what is sent, if it keeps the rules."""

    class Renaming(EventFormatter):
        def format(self, record):
            return super().format(record).replace("order_placed", "order_made")

    handler = make_handler()
    handler.setFormatter(Renaming())
    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.flush(10)
    assert sandbox.events()[0]["name"] == "order_made"


def test_of_overrides_format_and_fields_are_asked(sandbox, make_handler, make_logger):
    """The docs name what a subclass may override; python-json-logger's hooks belong to its own `format`."""

    class Shaping(EventFormatter):
        def format(self, record):
            return super().format(record).replace('"hooks":', '"format":1,"hooks":')

        def fields(self, record):
            fields = super().fields(record)
            return {**fields, "data": {**fields["data"], "fields": 1}}

        def add_fields(self, log_data, record, message_dict):
            raise AssertionError

        def process_log_record(self, log_data):
            raise AssertionError

        def jsonify_log_record(self, log_data):
            raise AssertionError

    class ByFields(Shaping):
        format = EventFormatter.format

    for formatter in (Shaping(), ByFields()):
        handler = make_handler()
        handler.setFormatter(formatter)
        make_logger(handler).info(
            "x", extra={"spotzee_event": {"name": "a", "external_id": "c", "data": {"hooks": 0}}}
        )
        assert handler.flush(10)

    by_format, by_fields = (event["data"] for event in sandbox.events())
    assert by_format == {"format": 1, "hooks": 0, "fields": 1}
    assert by_fields == {"hooks": 0, "fields": 1}


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"name": "x"}',
        '{"name": "", "external_id": "c"}',
        '{"name": "x", "external_id": "c", "total": 5}',
    ],
)
def test_a_formatter_of_ones_own_that_makes_no_event(make_handler, make_logger, text):
    """Text that is no event is rejected, never sent."""

    class Strange(EventFormatter):
        def format(self, record):
            return text

    handler = make_handler()
    handler.setFormatter(Strange())
    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert sum(handler.stats().rejected.values()) == 1


def test_only_an_event_formatter_is_taken(make_handler):
    """A formatter of text cannot make events: said where it is set."""
    handler = make_handler()

    with pytest.raises(InvalidSettings, match="EventFormatter"):
        handler.setFormatter(logging.Formatter())
    handler.setFormatter(None)

    assert isinstance(handler.formatter, EventFormatter)


def test_basic_config_leaves_the_formatter(make_handler):
    """The README's basicConfig, which gives every handler without a formatter its own, works."""
    handler = make_handler()
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers.clear()
    try:
        logging.basicConfig(handlers=[logging.NullHandler(), handler])
        assert isinstance(handler.formatter, EventFormatter)
    finally:
        root.handlers[:] = before


def test_memory_handlers_attributes(make_handler):
    """capacity, flushLevel and flushOnClose are there as MemoryHandler has them, and act."""
    handler = make_handler(capacity=7, flush_level="CRITICAL")

    assert (handler.capacity, handler.flushLevel, handler.flushOnClose) == (7, logging.CRITICAL, True)
    handler.flushLevel = "WARNING"
    assert handler.flushLevel == logging.WARNING
    with pytest.raises(InvalidSettings, match="capacity"):
        handler.capacity = 101


def test_should_flush(make_handler, make_logger):
    """shouldFlush says whether a full batch waits, or the level demands it."""
    handler = make_handler(capacity=2, flush_interval_seconds=3600, disabled=False)
    info = logging.makeLogRecord({"levelno": logging.INFO})
    error = logging.makeLogRecord({"levelno": logging.ERROR})

    assert not handler.shouldFlush(info)
    assert handler.shouldFlush(error)


def test_should_flush_may_be_overridden(sandbox, make_logger):
    """A subclass decides what is sent at once."""

    class Eager(SpotzeeHandler):
        def shouldFlush(self, record):
            return record.getMessage() == "now"

    handler = Eager("sk_test", base_url=sandbox.url, flush_interval_seconds=3600)
    make_logger(handler).info("now", extra={"spotzee_event": tag()})

    assert sandbox.wait_for(1, timeout_seconds=10)
    handler.close()


def test_should_flush_that_raises_is_contained(sandbox, make_logger, caplog):
    """A broken override costs a line; its event waits for its age."""

    class Broken(SpotzeeHandler):
        def shouldFlush(self, record):
            raise ZeroDivisionError

    handler = Broken("sk_test", base_url=sandbox.url, flush_interval_seconds=0.05)
    make_logger(handler).info("now", extra={"spotzee_event": tag()})

    assert sandbox.wait_for(1, timeout_seconds=10)
    assert "shouldFlush raised ZeroDivisionError" in said(caplog)
    handler.close()


def test_without_flush_on_close_what_is_pending_is_dropped(sandbox, make_handler, make_logger, told, teller):
    """As MemoryHandler does; but counted, and told of."""
    handler = make_handler(flush_interval_seconds=3600, on_error=teller)
    handler.flushOnClose = False
    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    handler.close()

    assert handler.stats().dropped == {"closed": 1}
    assert told[0][1].reason == "closed"
    assert sandbox.events() == []


def test_without_flush_on_close_a_spool_keeps_what_is_pending(sandbox, tmp_path, make_handler, make_logger):
    """Closing leaves it where it is, and a handler that is still on a logger goes on with it."""
    handler = make_handler(spool=tmp_path / "events.db", flush_interval_seconds=3600)
    handler.flushOnClose = False
    logger = make_logger(handler)
    logger.info("x", extra={"spotzee_event": tag(1)})

    handler.close()

    assert (handler.stats().pending, handler.stats().dropped, sandbox.events()) == (1, {}, [])
    logger.info("x", extra={"spotzee_event": tag(2)})
    assert handler.flush(10)
    assert numbers(sandbox) == [1, 2]


@pytest.mark.parametrize("is_flushed", [True, False])
def test_where_nothing_is_dropped_no_reason_is_counted(run_python, is_flushed):
    """After a close, and after the exit, an account without a drop has no key for one."""
    body = f"""
handler.flushOnClose = {is_flushed}
handler.close()
print(handler.stats().dropped)
atexit._run_exitfuncs()
print(handler.stats().dropped)
"""

    assert run_python(program(body), "http://127.0.0.1:9").stdout == "{}\n{}\n"


def test_close_delivers(sandbox, make_handler, make_logger, caplog):
    """After close() the events are there, and there is nothing to say."""
    handler = make_handler(flush_interval_seconds=3600)
    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    handler.close()

    assert len(sandbox.events()) == 1
    assert said(caplog) == ""


def test_close_after_retries_that_came_through_says_nothing_more(sandbox, make_handler, make_logger, caplog):
    """One line tells of a server in trouble; how many tries there were is nobody's concern once all has arrived."""
    sandbox.faults([{"status": 503, "times": 3}])
    handler = make_handler()
    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    deadline = time.monotonic() + 20
    while not handler.flush(0.2) and time.monotonic() < deadline:
        pass

    handler.close()

    assert handler.stats().retries == 3
    assert "503" in said(caplog)
    assert len(said(caplog).splitlines()) == 1


def test_flush_waits_as_long_as_it_is_told(sandbox, make_handler, make_logger):
    """Its *timeout* is the bound, in the place of the setting."""
    handler = make_handler(shutdown_timeout_seconds=60)
    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    sandbox.faults([{"hang": True}])
    started = time.monotonic()

    assert not handler.flush(0.1)
    assert time.monotonic() - started < 30


def test_a_closed_handler_goes_on(sandbox, make_handler, make_logger):
    """Somebody else's dictConfig may close a handler that is still on a logger; its next event arrives."""
    handler = make_handler()
    handler.close()

    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.flush(10)
    assert len(sandbox.events()) == 1


def test_flush_with_nothing_pending_is_true_at_once(make_handler):
    """There is nothing to wait for, and no thread is started for it."""
    threads = threading.active_count()

    assert make_handler().flush(0)
    assert threading.active_count() == threads


def test_flush_of_all_handlers(sandbox, make_handler, make_logger):
    """One call flushes every live handler."""
    handlers = [make_handler(flush_interval_seconds=3600) for _ in range(3)]
    logger = make_logger(*handlers)
    logger.info("x", extra={"spotzee_event": tag()})

    assert flush(10)

    assert [handler.stats().delivered for handler in handlers] == [1, 1, 1]
    assert len(sandbox.events()) == 3


def test_flush_of_all_handlers_that_cannot(sandbox, make_handler, make_logger):
    """It says when one of them did not make it in time."""
    handler = make_handler()
    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    sandbox.faults([{"hang": True}])

    assert not flush(0.2)


def test_through_a_queue(sandbox, make_handler, make_logger):
    """Behind a QueueHandler and QueueListener events arrive as they were logged."""
    handler = make_handler()
    records = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(records, handler)
    listener.start()

    make_logger(logging.handlers.QueueHandler(records)).info("x", extra={"spotzee_event": tag(5)})
    listener.stop()

    assert handler.flush(10)
    assert sandbox.events()[0]["data"] == {"number": 5}


def test_a_full_buffer_may_block(sandbox, make_handler, make_logger):
    """With overflow="block" the call waits for room, and nothing is lost to a server that keeps up."""
    handler = make_handler(
        max_pending_bytes=4096,
        max_event_bytes=1024,
        overflow="block",
        block_timeout_seconds=30,
        flush_interval_seconds=3600,  # what is pending goes for the sake of room, and not by its age
    )
    logger = make_logger(handler)

    for number in range(300):
        logger.info("x", extra={"spotzee_event": tag(number)})

    assert handler.flush(20)
    assert [event["data"]["number"] for event in sandbox.events()] == list(range(300))


def test_a_full_buffer_goes_before_its_age(sandbox, make_handler, make_logger):
    """Where its bytes are full before a batch is, it is sent at once: nothing else would make room."""
    handler = make_handler(max_pending_bytes=1024, max_event_bytes=1000, flush_interval_seconds=3600)
    logger = make_logger(handler)

    for number in range(12):
        logger.info("x", extra={"spotzee_event": tag(number)})

    assert handler.stats().dropped["buffer_full"] >= 1
    assert sandbox.wait_for(1, timeout_seconds=10)


def test_a_block_has_its_end(sandbox, make_handler, make_logger):
    """A call blocks no longer than block_timeout_seconds; then its event is dropped, counted."""
    sandbox.stop()
    handler = make_handler(
        max_pending_bytes=1024, max_event_bytes=1000, overflow="block", block_timeout_seconds=0.05
    )
    logger = make_logger(handler)

    for number in range(12):
        logger.info("x", extra={"spotzee_event": tag(number)})

    assert handler.stats().dropped["buffer_full"] >= 1


def test_an_on_error_that_logs_does_not_wait_for_itself(sandbox, make_handler, make_logger):
    """It runs on the thread that makes room: where there is none its event is dropped at once, and the rest arrives."""
    sandbox.faults([{"status": 422}])
    handler = make_handler(
        max_pending_bytes=1024,
        max_event_bytes=690,
        max_batch_bytes=700,  # each event goes by itself
        connections=1,
        overflow="block",
        block_timeout_seconds=60,
        flush_interval_seconds=3600,
        on_error=lambda event, error: error.reason != "buffer_full" and log(2, 500),
    )
    logger = make_logger(handler)

    def log(number, size):
        logger.info("x", extra={"spotzee_event": tag(data={"number": number, "note": "x" * size})})

    log(0, 200)
    log(1, 350)

    assert handler.flush(10)
    assert numbers(sandbox) == [1]
    assert handler.stats().dropped == {"buffer_full": 1}


def test_a_handler_that_nobody_holds_goes(sandbox):
    """A handler without events is garbage like any object; it leaves no thread and no reference."""
    handler = SpotzeeHandler("sk_test", base_url=sandbox.url)
    reference = weakref.ref(handler)
    (member,) = (each for each in lifecycle._members if each() is handler._dispatcher)

    del handler

    assert reference() is None
    SpotzeeHandler("sk_test")  # with which what delivered for it is let go, and with the next its trace
    gc.collect()
    SpotzeeHandler("sk_test")
    assert all(each is not member for each in lifecycle._members)


def test_the_key_is_in_no_repr(sandbox):
    """Neither the handler nor its settings show the key."""
    handler = SpotzeeHandler("sk_rosebud", base_url=sandbox.url)

    assert "rosebud" not in repr(handler) + repr(vars(handler)) + repr(handler._settings)


def test_memory_handlers_argument_is_an_attribute_here():
    """Who gives flushOnClose as to a MemoryHandler is told where it goes, and not of a setting that is spelt alike."""
    with pytest.raises(InvalidSettings) as caught:
        SpotzeeHandler("sk_test", flushOnClose=False)

    assert str(caught.value) == (
        "flushOnClose is no setting. Set it on the handler, as in handler.flushOnClose = False."
    )


def test_bad_settings_leave_no_handler_behind():
    """A handler that cannot be made is not in logging's list of handlers."""
    before = len(logging._handlerList)

    with pytest.raises(InvalidSettings):
        SpotzeeHandler("ok_organisation")

    assert len(logging._handlerList) == before


def test_an_event_that_is_logged_in_between_doubles_nothing(sandbox, make_handler, make_logger):
    """A hook that logs an event of its own does not hide that a record came twice."""
    handler = make_handler(before_send=lambda event: note(event) or event)
    make_logger(handler, name="between")
    child = make_logger(handler, name="between.child", propagate=True)
    notes = make_logger(handler)

    def note(event):
        if event.name == "order_placed":
            notes.info("x", extra={"spotzee_event": tag(name="noted")})

    child.info("x", extra={"spotzee_event": tag()})

    assert handler.flush(10)
    assert sorted(event["name"] for event in sandbox.events()) == ["noted", "order_placed"]


def test_an_on_error_that_logs_what_is_lost_again(make_handler, make_logger):
    """It is told of the first, and what it logs in vain is counted: no endless round."""
    told = []

    def on_error(event, error):
        told.append(error)
        logger.info("x", extra={"spotzee_event": ""})

    handler = make_handler(on_error=on_error)
    logger = make_logger(handler)

    logger.info("x", extra={"spotzee_event": ""})

    assert handler.stats().rejected == {"invalid_event": 2}
    assert len(told) == 1


def test_a_handler_of_our_lines_that_raises_hurts_nobody(make_handler, make_logger):
    """What the program's own handlers raise at a line of ours does not reach the call that logs."""

    class Broken(logging.Handler):
        def emit(self, record):
            raise OSError

    ours = logging.getLogger("spotzee_logging")
    broken = Broken()
    ours.addHandler(broken)
    try:
        handler = make_handler()
        make_logger(handler).info("x", extra={"spotzee_event": ""})
    finally:
        ours.removeHandler(broken)

    assert handler.stats().rejected == {"invalid_event": 1}


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no timer that interrupts a wait"
)
@pytest.mark.parametrize("raised", [KeyboardInterrupt, TimeoutError], ids=["Ctrl-C", "a task's time limit"])
def test_an_interrupted_wait_for_room_is_accounted_for(sandbox, make_handler, make_logger, raised):
    """What a signal's handler raises while a call waits for room gets through; the event is counted as dropped."""
    sandbox.stop()
    handler = make_handler(
        max_pending_bytes=1024, max_event_bytes=1000, overflow="block", block_timeout_seconds=10
    )
    logger = make_logger(handler)

    def interrupt(number, frame):
        raise raised

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(raised):
            for number in range(10):
                logger.info("x", extra={"spotzee_event": tag(number)})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    stats = handler.stats()
    assert stats.dropped == {"buffer_full": 1}
    assert stats.accepted == stats.pending + 1


def test_a_flush_without_end(sandbox, make_handler, make_logger):
    """An endless timeout is as good as any."""
    handler = make_handler()
    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.flush(float("inf"))


@pytest.mark.parametrize("level", ["LOUD", None, 1.5], ids=str)
def test_a_level_that_is_none(sandbox, level):
    """A wrong level is a wrong setting, said with the remedy."""
    with pytest.raises(InvalidSettings, match="level"):
        SpotzeeHandler("sk_test", base_url=sandbox.url, level=level)


def test_close_after_a_flush_in_vain_waits_no_second_time(sandbox, make_handler, make_logger, caplog):
    """What a flush has just waited for, close does not wait for again; it says what is left."""
    sandbox.faults([{"hang": True, "times": 10}])
    handler = make_handler(shutdown_timeout_seconds=0.3)
    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    assert not handler.flush()
    started = time.monotonic()

    handler.close()

    assert time.monotonic() - started < 0.2
    assert "closed with 1 event undelivered" in said(caplog)


def test_close_waits_for_what_came_after_a_flush_in_vain(sandbox, make_handler, make_logger):
    """A flush in vain stands for close's only while nothing has changed: a further event gets its chance."""
    sandbox.faults([{"delay": 2.5}])
    handler = make_handler(shutdown_timeout_seconds=2.0, flush_interval_seconds=3600)
    logger = make_logger(handler)
    logger.info("x", extra={"spotzee_event": tag(1)})
    assert not handler.flush()
    deadline = time.monotonic() + 10
    while handler.stats().pending and time.monotonic() < deadline:
        threading.Event().wait(0.01)

    logger.info("x", extra={"spotzee_event": tag(2)})
    handler.close()

    assert handler.stats().delivered == 2


def test_a_buffer_and_a_spool_are_one_too_many(tmp_path):
    """An option that would do nothing is refused, with the remedy."""
    with pytest.raises(InvalidSettings, match="both given, and events wait in one place") as caught:
        SpotzeeHandler("sk_test", buffer=MemoryBuffer(1000), spool=tmp_path / "events.db")

    assert caught.value.setting == "spool"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("buffer", ["memory", collections.deque()], ids=["text", "deque"])
def test_what_is_no_buffer_is_refused_where_the_handler_is_made(buffer):
    """It says what the thing lacks, and what to do."""
    with pytest.raises(InvalidSettings, match=r"has no .*take.*Leave it out, or derive it") as caught:
        SpotzeeHandler("sk_test", buffer=buffer)

    assert caught.value.setting == "buffer"


@pytest.mark.parametrize("key", [None, "", "ok_organisation", 7], ids=str)
def test_a_key_that_is_none_is_refused_where_it_is_set(sandbox, make_handler, make_logger, key):
    """The error comes where the mistake is, and the handler goes on with the key that it has."""
    handler = make_handler()

    with pytest.raises(InvalidSettings, match="api_key"):
        handler.api_key = key

    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    assert handler.flush(10)


def test_a_full_spool_names_its_own_bound(tmp_path, make_handler, make_logger, caplog):
    """The remedy is the setting that bounds the file, not the one of memory."""
    handler = make_handler(spool=tmp_path / "events.db", spool_max_bytes=256, flush_interval_seconds=3600)
    logger = make_logger(handler)

    for number in range(4):
        logger.info("x", extra={"spotzee_event": tag(number)})

    assert "the buffer was full. Raise spool_max_bytes, or see" in said(caplog)
    assert handler.flush(10)


class Full(MemoryBuffer):
    """A buffer of a program's own, which raises in place of saying that it is full."""

    def put(self, body, key, *, wait_seconds=0.0):
        raise OverflowError(f"no room for {body!r}")


def test_a_buffer_of_the_programs_own_that_raises(make_handler, make_logger, caplog):
    """The call goes on, also where strict; the event is dropped, counted, told of, and not shown."""
    told = []
    handler = make_handler(buffer=Full(1000), strict=True, on_error=lambda *each: told.append(each))

    make_logger(handler).info("x", extra={"spotzee_event": tag(7)})

    assert (handler.stats().accepted, handler.stats().dropped) == (1, {"buffer_error": 1})
    ((event, error),) = told
    assert (event.data, error.reason, error.external_id) == ({"number": 7}, "buffer_error", "cust_001")
    assert re.search(
        r"put of Full raised OverflowError \(.*test_handler\.py, line \d+\)\. Mend it, or leave buffer out",
        said(caplog),
    )
    assert "number" not in caplog.text + str(error)


class FullAtOnce(MemoryBuffer):
    """One that says that it is full, and raises where it is waited for."""

    def put(self, body, key, *, wait_seconds=0.0):
        if wait_seconds:
            raise ConnectionError("rosebud")
        return [body]


def test_a_buffer_of_the_programs_own_that_raises_while_a_call_waits(make_handler, make_logger):
    """So it is where the call would wait for room."""
    handler = make_handler(buffer=FullAtOnce(1000), overflow="block")

    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert (handler.stats().accepted, handler.stats().dropped) == (1, {"buffer_error": 1})


def test_a_buffer_of_the_programs_own_that_is_full(make_handler, make_logger, caplog):
    """Its bound is its own: the remedy names none of our settings."""
    handler = make_handler(buffer=FullAtOnce(1000))

    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.stats().dropped == {"buffer_full": 1}
    assert "the buffer was full. Give it more room, or see" in said(caplog)


class Truthful(MemoryBuffer):
    """One that says whether it holds an event, where its contract asks for what it has dropped."""

    def put(self, body, key, *, wait_seconds=0.0):
        super().put(body, key)
        return True


def test_a_buffer_of_the_programs_own_that_gives_what_its_contract_does_not_have(
    make_handler, make_logger, caplog
):
    """The call goes on, also where strict, and a line says which buffer it is, and of what kind the trouble."""
    handler = make_handler(buffer=Truthful(1000), strict=True)

    make_logger(handler).info("x", extra={"spotzee_event": tag(7)})

    assert "Truthful raised TypeError, or gave what its contract does not have" in said(caplog)
    assert "number" not in caplog.text


class Broken(MemoryBuffer):
    """One that cannot say how things stand, until it is mended."""

    is_mended = False

    @property
    def oldest(self):
        if not self.is_mended:
            raise OSError("rosebud")
        return super().oldest


def test_a_forgotten_handlers_buffer_that_fails_hinders_no_other_handler(sandbox, make_handler, make_logger):
    """Where a handler is made it is asked how those that the program has forgotten stand: that raises nothing."""
    buffer = Broken(1000)
    SpotzeeHandler("sk_test", base_url=sandbox.url, buffer=buffer)
    gc.collect()

    handler = make_handler()

    make_logger(handler).info("x", extra={"spotzee_event": tag()})
    assert handler.flush(10)
    buffer.is_mended, alive = True, weakref.ref(buffer)
    del buffer
    make_handler()  # with which what is settled is let go
    gc.collect()
    assert alive() is None


class Interrupted(MemoryBuffer):
    """One that says that it is full, and into whose wait Ctrl-C comes just after there was room."""

    def put(self, body, key, *, wait_seconds=0.0):
        if not wait_seconds:
            return [body]
        super().put(body, key)
        raise KeyboardInterrupt


def test_an_event_that_has_found_room_as_the_wait_is_interrupted_is_counted_once(
    sandbox, make_handler, make_logger
):
    """It is held, and arrives: it is not counted as dropped as well."""
    handler = make_handler(buffer=Interrupted(1000), overflow="block")

    with pytest.raises(KeyboardInterrupt):
        make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.flush(10)
    assert (handler.stats().accepted, handler.stats().dropped) == (1, {})
    assert numbers(sandbox) == [0]


class Around:
    """A buffer that stands before another."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def __len__(self):
        return len(self.inner)


def test_a_buffer_may_stand_before_another(sandbox, make_handler, make_logger):
    """What it hands on counts as its own."""
    handler = make_handler(buffer=Around(MemoryBuffer(1000)))

    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert handler.flush(10)
    assert len(sandbox.events()) == 1


class Keeping(MemoryBuffer):
    """One that keeps whose each event is."""

    def __init__(self, max_bytes):
        super().__init__(max_bytes)
        self.keys = []

    def put(self, body, key, *, wait_seconds=0.0):
        self.keys.append(key)
        return super().put(body, key, wait_seconds=wait_seconds)


def test_a_buffer_is_told_whose_each_event_is(make_handler, make_logger):
    """By the contact's id, or the visitor's where there is none: so one contact's events stay in order."""
    buffer = Keeping(100_000)
    logger = make_logger(make_handler(buffer=buffer))

    for ids in ({"external_id": "A", "anonymous_id": "x"}, {"anonymous_id": "x"}, {"external_id": "B"}):
        logger.info("x", extra={"spotzee_event": "visited", **ids})

    assert buffer.keys == ["A", "x", "B"]


def test_a_buffer_that_makes_room_itself_is_given_each_event_once(make_handler, make_logger):
    """Also where calls would block: what it has dropped is counted, and nothing is put again."""
    buffer = MemoryBuffer(150, drops_oldest=True)
    handler = make_handler(
        buffer=buffer, overflow="block", block_timeout_seconds=0.1, flush_interval_seconds=3600
    )
    logger = make_logger(handler)
    for number in range(5):
        logger.info("x", extra={"spotzee_event": {"name": f"n{number}", "external_id": "c"}})

    stats = handler.stats()
    assert stats.accepted == 5
    assert stats.pending == len(buffer) == 5 - stats.dropped["buffer_full"]
    handler.flushOnClose = False
