"""structlog and loguru: their events arrive as logging's own do, by the real libraries."""

import logging
import sys

import loguru
import pytest
import structlog

from spotzee_logging import EventFormatter, contact

TAG = {"name": "order_placed", "external_id": "cust_001", "data": {"total": 129.5}}


@pytest.fixture
def arrived(sandbox, make_handler):
    """A handler, and the events that have arrived from it, without their times."""
    handler = make_handler()

    def events():
        assert handler.flush(10)
        return [{**event, "created_at": None} for event in sandbox.events()]

    events.handler = handler
    return events


def event(name, data=None, **fields):
    return {"name": name, "created_at": None, **({"data": data} if data else {}), **fields}


@pytest.fixture
def configure(make_logger, arrived):
    """Configures structlog to end in logging, by the processors given, and gives its logger."""

    def configure(*processors):
        stdlib = make_logger(arrived.handler)
        structlog.configure(
            processors=[structlog.contextvars.merge_contextvars, *processors],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        return structlog.get_logger(stdlib.name)

    yield configure
    structlog.reset_defaults()


ROADS = {
    "render_to_log_kwargs": structlog.stdlib.render_to_log_kwargs,
    "ProcessorFormatter": structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
}


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
def test_a_structlog_event_arrives(configure, arrived, road):
    """A mapping is the event; a name takes the fields that are bound, and those of the call, as its data."""
    log = configure(road)

    log.info("placed", spotzee_event=TAG, currency="AUD")
    log.bind(spotzee_event="order_shipped", external_id="cust_002").info("shipped", parcel="AU123")
    log.info("no event", total=1)

    assert arrived() == [
        event(**TAG),
        event("order_shipped", {"parcel": "AU123"}, external_id="cust_002"),
    ]


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
def test_structlogs_usual_processors(configure, arrived, road):
    """What its processors add goes along, as any field does; `reserved_attrs` keeps it out."""
    arrived.handler.setFormatter(EventFormatter(reserved_attrs=["level", "logger", "timestamp"]))
    stdlib = structlog.stdlib
    log = configure(
        stdlib.filter_by_level,
        stdlib.add_logger_name,
        stdlib.add_log_level,
        stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.StackInfoRenderer(),
        road,
    )
    try:
        raise ValueError
    except ValueError:
        log.exception("failed %s", "twice", spotzee_event="order_failed", attempts=2)
    with contact(external_id="cust_001"):
        log.warning("failed", spotzee_event="order_failed", attempts=3)

    assert arrived() == [event("order_failed", {"attempts": 3}, external_id="cust_001")]
    assert arrived.handler.stats().rejected == {"invalid_event": 1}


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
def test_what_structlog_is_asked_to_show_is_no_data(configure, arrived, road):
    """`exc_info` and `stack_info` say what the line shows, and are no fields of it."""
    configure(road).info(
        "failed", spotzee_event="order_failed", external_id="c", exc_info=True, stack_info=True, attempts=2
    )

    assert arrived() == [event("order_failed", {"attempts": 2}, external_id="c")]


def test_structlog_fields_that_logging_has_too(configure, arrived):
    """With ProcessorFormatter fields may have names that logging's own `extra` refuses."""
    log = configure(ROADS["ProcessorFormatter"])

    log.info("x", spotzee_event="renamed", external_id="c", name="Ada", module="a", message="m", filename="f")

    data = {"name": "Ada", "module": "a", "message": "m", "filename": "f"}
    assert arrived() == [event("renamed", data, external_id="c")]


def test_structlogs_own_output_is_what_it_was(configure, capsys):
    """The console's ProcessorFormatter prints a tagged event as any other."""
    log = configure(ROADS["ProcessorFormatter"])
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer()))
    log._logger.addHandler(console) if hasattr(log._logger, "addHandler") else log.bind()._logger.addHandler(
        console
    )

    log.info("placed", spotzee_event="order_placed", external_id="c")

    assert (
        capsys.readouterr().out
        == '{"spotzee_event": "order_placed", "external_id": "c", "event": "placed"}\n'
    )


def test_a_structlog_event_takes_what_the_formatter_adds(configure, arrived):
    """`fmt`, `static_fields` and `rename_fields` act on it as on others; the message is structlog's event."""
    formatter = EventFormatter(
        ["message", "levelname"], static_fields={"app": "shop"}, rename_fields={"n": "number"}
    )
    arrived.handler.setFormatter(formatter)

    configure(ROADS["ProcessorFormatter"]).info("placed", spotzee_event="x", external_id="c", n=1)

    data = {"message": "placed", "levelname": "INFO", "app": "shop", "number": 1}
    assert arrived() == [event("x", data, external_id="c")]


@pytest.fixture
def log(arrived):
    """loguru's logger with a handler of ours, added by the line that its documentation has."""
    number = loguru.logger.add(arrived.handler, format="{message}")
    yield loguru.logger
    loguru.logger.remove(number)


def test_a_loguru_event_arrives(log, arrived):
    """What is bound is the event, or its data; fields may have any name."""
    log.bind(spotzee_event=TAG, currency="AUD").info("placed")
    log.bind(spotzee_event="order_shipped", external_id="c", event="e", name="n").info(
        "shipped {}", "x", parcel=1
    )
    log.info("no event")
    with log.contextualize(request="r"), contact(external_id="cust_001"):
        log.bind(spotzee_event="order_paid").info("paid")

    assert arrived() == [
        event(**TAG),
        event("order_shipped", {"event": "e", "name": "n", "parcel": 1}, external_id="c"),
        event("order_paid", {"request": "r"}, external_id="cust_001"),
    ]


def test_a_loguru_exception_is_an_event_too(log, arrived):
    """`logger.exception` carries the tag as other levels do."""
    try:
        raise ValueError("x")
    except ValueError:
        log.bind(spotzee_event="order_failed", external_id="c").exception("failed")

    assert arrived() == [event("order_failed", external_id="c")]


def test_loguru_sends_each_event_once_beside_logging(log, arrived, make_logger):
    """One handler may serve both."""
    make_logger(arrived.handler).info("x", extra={"spotzee_event": TAG})
    log.bind(spotzee_event=TAG).info("x")

    assert arrived() == [event(**TAG)] * 2


def test_a_filter_of_the_handler_sees_them(log, arrived, configure):
    """Filters of the handler have their say before the tag is asked for, as with logging's own lines."""
    arrived.handler.addFilter(lambda record: "private" not in str(record.msg))
    structured = configure(ROADS["ProcessorFormatter"])
    for text in ("private", "public"):
        log.bind(spotzee_event=f"loguru_{text}", external_id="c").info(text)
        structured.info(text, spotzee_event="structlog", external_id="c", text=text)

    assert [each["name"] for each in arrived()] == ["loguru_public", "structlog"]


def test_the_plugin_sees_them(spotzee_events, configure, make_logger):
    """A test sees structlog's events whatever logging's levels, and loguru's where a handler of ours is added."""
    from spotzee_logging import SpotzeeHandler

    log = configure(ROADS["ProcessorFormatter"])
    logging.disable(logging.CRITICAL)
    try:
        log.info("placed", spotzee_event="order_placed", external_id="c")
    finally:
        logging.disable(logging.NOTSET)
    number = loguru.logger.add(SpotzeeHandler("sk_test", base_url="http://127.0.0.1:9"))
    loguru.logger.bind(spotzee_event="order_paid", external_id="c").info("paid")
    loguru.logger.remove(number)

    assert [each.name for each in spotzee_events] == ["order_placed", "order_paid"]


@pytest.mark.parametrize(
    "message", [{}, {"spotzee_event": None}, ["spotzee_event"], None, 7, ValueError("x")]
)
@pytest.mark.parametrize(
    "extra", [{}, {"extra": None}, {"extra": {}}, {"extra": "spotzee_event"}, {"extra": {"a": 1}}]
)
def test_messages_and_extras_of_any_kind_are_no_events(arrived, make_logger, message, extra):
    """A line that is not tagged is turned away, whatever it logs."""
    make_logger(arrived.handler).info(message, extra=extra)

    assert arrived.handler.stats().accepted == 0
