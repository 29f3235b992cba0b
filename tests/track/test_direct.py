"""The direct way: one SpotzeeHandler that alone would see a record gets it without logging's making, or its way."""

import logging
import subprocess
import sys
import threading
import time
from unittest import mock

import pytest
import wrapt
from keeper import Keeper

from spotzee_logging import Event, EventFormatter, SpotzeeHandler, contact, get_contact
from spotzee_logging.buffers.memory import MemoryBuffer
from spotzee_logging.errors import InvalidEvent
from spotzee_logging.track_direct import DirectRecord
from spotzee_logging.tracking import track


class Kept(list):
    """The events that a handler would have sent, and whether each came by the direct way."""

    def __init__(self):
        super().__init__()
        self.records = []

    def keep(self, event):
        self.append(event)
        frame = sys._getframe()
        while "record" not in frame.f_locals:
            frame = frame.f_back
        self.records.append(frame.f_locals["record"])

    @property
    def was_direct(self):
        return [isinstance(record, DirectRecord) for record in self.records]


@pytest.fixture
def made():
    """SpotzeeHandlers that are closed in the end."""
    handlers = []
    yield handlers
    for handler in handlers:
        handler.close()


@pytest.fixture
def make(made):
    """Makes a handler, of whatever class, that keeps events in place of sending them, and what it kept."""

    def make(kind=SpotzeeHandler, **settings):
        kept = Kept()
        made.append(kind("sk_test", base_url="http://127.0.0.1:9", before_send=kept.keep, **settings))
        return made[-1], kept

    return make


def call(logger, **how):
    track("x", external_id="c", data={"n": 1}, logger=logger, **how)(lambda: 1)()


def test_the_only_one_gets_it_at_once(make, make_logger):
    """The common case: nobody else would see a record, and none is made."""
    handler, kept = make()
    call(make_logger(handler))

    assert [True] == kept.was_direct
    assert {"n": 1} == kept[0].data


def drop_below_error(logger):
    logger.setLevel(logging.ERROR)
    logger.addHandler(Keeper())


def add_for_errors(logger):
    logger.addHandler(Keeper(logging.ERROR))


@pytest.mark.parametrize("put", [drop_below_error, add_for_errors])
def test_those_who_would_not_see_it_do_not_matter(make, make_logger, put):
    """A console for errors, or a logger that lets nothing else through, as it is by default."""
    handler, kept = make()
    logger = make_logger(handler)
    put(logger)
    call(logger)

    assert [True] == kept.was_direct
    assert [] == [
        record for other in logger.handlers if isinstance(other, Keeper) for record in other.records
    ]


def add_other(logger, _, __):
    logger.addHandler(Keeper())


def add_other_of_its_level(logger, _, __):
    logger.addHandler(Keeper(logging.INFO))


def add_other_above(logger, _, make_logger):
    above = make_logger(Keeper(), name=f"{logger.name}.above")
    logger.parent, logger.propagate = above, True


def filter_logger(logger, _, __):
    logger.addFilter(lambda record: record.lineno > 0)


def filter_handler(_, handler, __):
    handler.addFilter(lambda record: record.lineno > 0)


def format_with_level(_, handler, __):
    handler.setFormatter(EventFormatter("%(levelname)s"))


def format_by_own(_, handler, __):
    handler.setFormatter(OwnFormatter())


def format_by_own_fields(_, handler, __):
    formatter = EventFormatter()
    fields = formatter.fields
    formatter.fields = lambda record: {**fields(record), "data": {"line": record.lineno}}
    handler.setFormatter(formatter)


def replace_handle(logger, _, __):
    handle = logger.handle
    logger.handle = lambda record: handle(record)


def replace_handlers_handle(_, handler, __):
    handle = handler.handle
    handler.handle = lambda record: handle(record)


def replace_handlers_emit(_, handler, __):
    emit = handler.emit
    handler.emit = lambda record: emit(record)


class OwnFormatter(EventFormatter):
    """A program's own."""


WHO_LOOK = [
    add_other,
    add_other_of_its_level,
    add_other_above,
    filter_logger,
    filter_handler,
    format_with_level,
    format_by_own,
    format_by_own_fields,
    replace_handle,
    replace_handlers_handle,
    replace_handlers_emit,
]


@pytest.mark.parametrize("put", WHO_LOOK)
def test_who_might_look_gets_a_whole_record(make, make_logger, put):
    """Other handlers, filters and formatters, and what was put in the place of a step."""
    handler, kept = make()
    logger = make_logger(handler)
    put(logger, handler, make_logger)
    call(logger)

    assert [False] == kept.was_direct
    assert 1 == len(kept)


def put_function(monkeypatch, kind, step, seen):
    original = getattr(kind, step)

    def traced(*args, **how):
        seen.append(step)
        return original(*args, **how)

    monkeypatch.setattr(kind, step, traced)


def put_wrapt(monkeypatch, kind, step, seen):
    def traced(wrapped, _, args, how):
        seen.append(step)
        return wrapped(*args, **how)

    monkeypatch.setattr(kind, step, wrapt.FunctionWrapper(getattr(kind, step), traced))


STEPS = [
    *((logging.Logger, step) for step in ("isEnabledFor", "makeRecord", "handle", "filter", "callHandlers")),
    *((SpotzeeHandler, step) for step in ("handle", "emit")),
]


@pytest.mark.parametrize("put", [put_function, put_wrapt])
@pytest.mark.parametrize(("kind", "step"), STEPS)
def test_a_library_that_traces_logging_sees_it(make, make_logger, monkeypatch, kind, step, put):
    """Sentry puts functions in the place of Logger's, Datadog and New Relic wrapt's wrappers."""
    seen = []
    handler, kept = make()
    logger = make_logger(handler)
    put(monkeypatch, kind, step, seen)
    call(logger)

    assert [step] == seen[:1]
    assert [False] == kept.was_direct


TRACED_BEFORE = """
import functools, logging, sys, wrapt
call_handlers, seen = logging.Logger.callHandlers, []
@functools.wraps(call_handlers)
def traced(logger, record):
    seen.append(record.getMessage())
    call_handlers(logger, record)
def traced_by_wrapt(wrapped, _, args, how):
    seen.append(args[0].getMessage())
    wrapped(*args, **how)
if sys.argv[1] == "wrapt":
    wrapt.wrap_function_wrapper(logging, "Logger.callHandlers", traced_by_wrapt)
else:
    logging.Logger.callHandlers = traced
from spotzee_logging import SpotzeeHandler, track
logging.basicConfig(level=logging.INFO, handlers=[SpotzeeHandler("sk_test", disabled=True)])
track("x", external_id="c")(lambda: 1)()
print(seen)
"""


@pytest.mark.parametrize("how", ["wrapt", "functools"])
def test_so_does_one_that_came_before_us(how):
    """Whichever of the two a program imports first."""
    done = subprocess.run(
        [sys.executable, "-c", TRACED_BEFORE, how], capture_output=True, text=True, timeout=60, check=True
    )

    assert "['x']" == done.stdout.strip()


def test_a_record_factory_of_the_programs_makes_it(make, make_logger):
    """OpenTelemetry's instrumentation adds a trace's id so."""
    factory = logging.getLogRecordFactory()
    handler, kept = make()
    logger = make_logger(handler)
    logging.setLogRecordFactory(lambda *args, **how: factory(*args, **how))
    try:
        call(logger)
    finally:
        logging.setLogRecordFactory(factory)

    assert [False] == kept.was_direct


class OwnLogger(logging.Logger):
    """As Celery has one: it steps in elsewhere."""

    def log(self, level, *args, **how):
        """Do nothing beside."""
        super().log(level, *args, **how)


class OwnFilter(logging.Logger):
    """One that steps in on the way."""

    def filter(self, record):
        return record.lineno > 0 and super().filter(record)


class Sampling(logging.Logger):
    """One that counts what it lets pass."""

    asked = 0

    def isEnabledFor(self, level):
        self.asked += 1
        return super().isEnabledFor(level)


class OwnHandler(SpotzeeHandler):
    """A program's own."""


def test_a_record_factory_in_the_place_of_loggings_makes_it(make, make_logger, monkeypatch):
    """Also where a library has put its class under logging's name."""

    class Record(logging.LogRecord):
        """With a contact of the library's."""

        def __init__(self, *args, **how):
            super().__init__(*args, **how)
            self.spotzee_contact = {"external_id": "of the factory"}

    handler, kept = make()
    logger = make_logger(handler)
    factory = logging.getLogRecordFactory()
    monkeypatch.setattr(logging, "LogRecord", Record)
    logging.setLogRecordFactory(Record)
    try:
        track("x", logger=logger)(lambda: 1)()
    finally:
        logging.setLogRecordFactory(factory)

    assert "of the factory" == kept[0].external_id


def traced_fields(original):
    def fields(formatter, record):
        return {**original(formatter, record), "data": {"traced": 1}}

    return fields


def traced_fields_by_wrapt(original):
    return wrapt.FunctionWrapper(
        original, lambda _, formatter, args, __: traced_fields(original)(formatter, *args)
    )


@pytest.mark.parametrize("traced", [traced_fields, traced_fields_by_wrapt])
def test_a_replaced_method_of_the_formatter_is_asked(make, make_logger, monkeypatch, traced):
    """One that takes something away must not be passed by, on either way."""
    monkeypatch.setattr(EventFormatter, "fields", traced(EventFormatter.fields))
    handler, kept = make()
    logger = make_logger(handler)
    call(logger)
    logger.info("x", extra={"spotzee_event": {"name": "x", "external_id": "c"}})

    assert [{"traced": 1}] * 2 == [event.data for event in kept]


class Faulty(MemoryBuffer):
    """Gives what its contract does not have."""

    def put(self, body, key, **how):
        super().put(body, key, **how)
        return True


def test_nothing_gets_out_of_a_call_where_the_buffer_is_at_fault(make_logger, made, caplog):
    """A buffer of the program's own that breaks its contract costs neither the function's result nor a line's."""
    handler = SpotzeeHandler("sk_test", base_url="http://127.0.0.1:9", buffer=Faulty(10**6))
    made.append(handler)
    handler.flushOnClose = False
    logger = make_logger(handler)

    assert 1 == track("x", external_id="c", logger=logger)(lambda: 1)()
    logger.info("x", extra={"spotzee_event": {"name": "x", "external_id": "c"}})
    assert "Faulty raised TypeError" in caplog.text
    assert 2 == handler.stats().accepted


@pytest.mark.parametrize(("kind", "is_direct"), [(OwnLogger, True), (OwnFilter, False), (Sampling, False)])
def test_a_logger_class_of_the_programs_sees_it_where_it_steps_in(make, kind, is_direct):
    """Whatever it does with the record."""
    handler, kept = make()
    logger = kind("own")
    logger.addHandler(handler)
    call(logger)

    assert [is_direct] == kept.was_direct


def test_a_logger_that_draws_lots_is_asked_once(make):
    """As for any line: to ask it twice would draw twice."""
    handler, _ = make()
    logger = Sampling("own")
    logger.addHandler(handler)
    logger.addHandler(Keeper())
    call(logger)

    assert 1 == logger.asked


def test_one_that_draws_lots_by_itself_is_asked_once(make, make_logger):
    """Where a program has replaced it on this logger alone."""
    handler, kept = make()
    logger = make_logger(handler)
    asked = []
    logger.isEnabledFor = lambda level: asked.append(level) or True
    call(logger)

    assert [logging.INFO] == asked
    assert [False] == kept.was_direct


def test_a_logger_behind_a_proxy_is_one(make, make_logger):
    """As werkzeug's LocalProxy, which stands for the logger of the request's application."""
    handler, kept = make()
    call(wrapt.ObjectProxy(make_logger(handler)))

    assert 1 == len(kept)


def test_a_handler_class_of_the_programs_gets_a_whole_record(make, make_logger):
    """It may read all of it."""
    handler, kept = make(OwnHandler)
    call(make_logger(handler))

    assert [False] == kept.was_direct


class Delegate(logging.Handler):
    """Stands before another, and has its attributes."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def emit(self, record):
        self.inner.handle(record)


@pytest.mark.parametrize("passes", [True, False])
def test_one_that_stands_before_ours_keeps_its_say(make, make_logger, passes):
    """Its filter holds, though it looks like a SpotzeeHandler."""
    handler, kept = make()
    delegate = Delegate(handler)
    logger = make_logger(delegate)
    logger.setLevel(logging.DEBUG if passes else logging.ERROR)
    call(logger)
    delegate.addFilter(lambda record: record.lineno < 0)
    call(logger)

    assert [False] == kept.was_direct


class Unlevelled(Keeper):
    """Whose level was set past `setLevel`."""

    def __init__(self):
        super().__init__()
        self.level = "WARNING"


class Unasked(Keeper):
    """Which nobody may ask for what it has not."""

    def __getattr__(self, name):
        raise RuntimeError(name)


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
@pytest.mark.parametrize("kind", [mock.Mock, Unlevelled])
def test_an_odd_handler_behind_costs_no_event(make, make_logger, kind, level):
    """Ours has it before, whatever the other does with a record, or says of itself."""
    handler, kept = make()
    logger = make_logger(handler, kind())
    logger.setLevel(level)
    call(logger)

    assert 1 == len(kept)


def test_one_that_nobody_may_ask_costs_no_event(make, make_logger):
    """Where the logger passes the record, ours has it first."""
    handler, kept = make()
    call(make_logger(handler, Unasked()))

    assert 1 == len(kept)


def test_its_level_holds(make, make_logger):
    """A call below the handler's own level is no concern of it, and one at it is."""
    handler, kept = make(level=logging.WARNING)
    for level in (logging.INFO, logging.WARNING):
        call(make_logger(handler), level=level)

    assert [True] == kept.was_direct


def test_its_flush_level_holds(sandbox, make_handler, make_logger, caplog):
    """A call at that level is delivered at once, whatever the others wait for, and nothing is said."""
    handler = make_handler(flush_interval_seconds=3600)
    call(make_logger(handler), level=logging.ERROR)

    deadline, tick = time.monotonic() + 20, threading.Event()
    while not sandbox.events() and time.monotonic() < deadline:
        tick.wait(0.01)

    assert [{"n": 1}] == [event["data"] for event in sandbox.events()]
    assert "" == caplog.text


def test_a_tracked_call_of_our_own_name_is_no_event(make, make_logger):
    """What is logged under our name is what we say of ourselves."""
    handler, kept = make()
    call(make_logger(handler, name="spotzee_logging.shop"))

    assert [] == kept


def test_a_tracked_call_of_a_transports_name_is_an_event(make, make_logger):
    """A program's own code may live in a module whose name begins as urllib3's does."""
    handler, kept = make()
    call(make_logger(handler, name="requests_of_customers"))

    assert [True] == kept.was_direct


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
def test_two_handlers_get_whole_records(make, make_logger, level):
    """Two SpotzeeHandlers are two projects, and one that is met twice is told of."""
    (one, kept), (two, also_kept) = make(), make()
    logger = make_logger(one, two)
    logger.setLevel(level)
    call(logger)

    assert ([False], [False]) == (kept.was_direct, also_kept.was_direct)
    assert 1 == len(kept) == len(also_kept)


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
def test_one_of_the_programs_own_class_beside_ours_gets_it_too(make, make_logger, level):
    """It sends events as ours does, past the logger's level."""
    (one, kept), (own, also_kept) = make(), make(OwnHandler)
    logger = make_logger(one, own)
    logger.setLevel(level)
    call(logger)

    assert 1 == len(kept) == len(also_kept)


def test_one_that_is_met_twice_sends_it_once(make, make_logger):
    """On a logger and on its parent."""
    handler, kept = make()
    parent = make_logger(handler)
    call(make_logger(handler, name=f"{parent.name}.child", propagate=True))

    assert 1 == len(kept)


def test_the_contact_is_that_of_the_calls_begin(make, make_logger):
    """As on the way of a whole record."""
    handler, kept = make()
    logger = make_logger(handler)

    @track("seen", logger=logger)
    def see():
        inner.__enter__()

    inner = contact(external_id="other")
    with contact(anonymous_id="a"):
        see()
        inner.__exit__()

    assert [True] == kept.was_direct
    assert ("a", None) == (kept[0].anonymous_id, kept[0].external_id)
    assert get_contact() == contact()._contact


def test_strict_raises_at_the_call(make, make_logger):
    """An invalid event is the caller's to see, where it asked for that."""
    handler, _ = make(strict=True)
    tracked = track("x", external_id=lambda _: None, logger=make_logger(handler))(lambda: 1)

    with pytest.raises(InvalidEvent, match="external_id"):
        tracked()
    assert {"invalid_event": 1} == handler.stats().rejected


def test_both_ways_make_the_same_event(make, make_logger):
    """All but the time."""
    (one, kept), (own, also_kept) = make(), make(OwnHandler)
    for handler in (one, own):
        with contact(anonymous_id="a", user={"locale": "en-AU"}):
            track(
                "x", data={"cart": [1, {"sku": "a"}]}, user={"timezone": "UTC"}, logger=make_logger(handler)
            )(lambda: 1)()

    assert ([True], [False]) == (kept.was_direct, also_kept.was_direct)
    assert vars(kept[0]) | {"created_at": None} == vars(also_kept[0]) | {"created_at": None}
    assert isinstance(kept[0], Event)


def test_the_time_is_that_of_the_calls_end(make, make_logger):
    """As the record's `created` would be."""
    handler, kept = make()
    call(make_logger(handler))
    (record,) = kept.records
    seconds = float(kept[0].created_at[-7:-1])

    assert record.created % 60 == pytest.approx(seconds, abs=0.001)
