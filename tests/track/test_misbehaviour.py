"""Whatever goes wrong around it, the decorated function behaves as before."""

import logging
import threading

import pytest

from spotzee_logging import SpotzeeHandler
from spotzee_logging.errors import InvalidEvent
from spotzee_logging.tracking import arg, error, result, track


class Thing:
    id = "c1"

    @property
    def raising(self):
        raise RuntimeError("property")


def fine(thing):
    return thing.id


def failing(thing):
    raise KeyError("body")


def check(logger, **how):
    """Both kinds of call end as they would have."""
    how = {"external_id": "c", "on": "both", "logger": logger, **how}
    assert "c1" == track("x", **how)(fine)(Thing())
    with pytest.raises(KeyError, match="body") as caught:
        track("x", **how)(failing)(Thing())
    assert caught.value.__context__ is None


def test_a_raising_property(make_catcher, make_logger):
    """The field is left out."""
    catcher = make_catcher()
    check(make_logger(catcher), data={"a": arg.thing.raising, "b": 1})

    assert [{"b": 1}, {"b": 1}] == [event.data for event in catcher.events]


def test_a_before_send_that_raises(make_handler, make_logger):
    """The event is dropped, and counted."""
    handler = make_handler(before_send=lambda event: 1 / 0)
    check(make_logger(handler))

    assert {"before_send_error": 2} == handler.stats().dropped


def test_a_full_buffer(make_logger):
    """The event is dropped, and counted."""
    handler = SpotzeeHandler(
        "sk_test", base_url="http://127.0.0.1:9", max_pending_bytes=1024, max_event_bytes=1024
    )
    logger = make_logger(handler)
    for _ in range(20):
        check(logger, data={"text": "x" * 50})
    stats = handler.stats()
    handler.flushOnClose = False
    handler.close()

    assert 40 == stats.accepted
    assert stats.dropped["buffer_full"] > 0


def test_a_closed_handler(make_handler, make_logger):
    """Nothing is raised."""
    handler = make_handler()
    handler.close()
    check(make_logger(handler))


def test_an_event_that_is_too_large(make_handler, make_logger):
    """It is rejected by name and size."""
    handler = make_handler()
    check(make_logger(handler), data={"text": "x" * 300_000})

    assert {"event_too_large": 2} == handler.stats().rejected


@pytest.mark.parametrize("data", [3, [1], "text"])
def test_data_that_is_no_mapping(make_catcher, make_logger, data):
    """It is rejected."""
    catcher = make_catcher()
    check(make_logger(catcher), data=data)

    assert {"invalid_event": 2} == catcher.stats().rejected


class Broken(logging.Handler):
    def emit(self, record):
        raise RuntimeError("handler")


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
def test_somebody_elses_filter_that_raises(make_catcher, make_logger, level, caplog):
    """It would not have been asked without us, so it does not get into the program; one line tells."""

    def broken(record):
        raise RuntimeError("filter")

    logger = make_logger(make_catcher())
    logger.setLevel(level)
    logger.addFilter(broken)
    check(logger)

    assert 1 == len([record for record in caplog.records if "raised RuntimeError" in record.getMessage()])


def test_somebody_elses_handler_that_raises(make_catcher, make_logger):
    """So with a handler."""
    check(make_logger(make_catcher(), Broken()))


def test_a_record_factory_that_raises(make_catcher, make_logger):
    """So with a record factory."""
    before = logging.getLogRecordFactory()
    logger = make_logger(make_catcher())
    how = {"external_id": "c", "logger": logger}
    tracked = track("x", **how)(fine)
    threads = []

    def run():
        threads.append(tracked(Thing()))

    def factory(name, *args, **kwargs):
        if name == logger.name:
            raise RuntimeError("factory")
        return before(name, *args, **kwargs)

    logging.setLogRecordFactory(factory)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        logging.setLogRecordFactory(before)
    assert ["c1"] == threads


def test_strict_raises_at_the_call(make_catcher, make_logger):
    """In tests a mistake in a tag shows at the call."""
    logger = make_logger(make_catcher(strict=True))
    with pytest.raises(InvalidEvent, match="external_id"):
        track("x", external_id=arg.thing.missing, logger=logger)(fine)(Thing())
    with pytest.raises(InvalidEvent), track("x", logger=logger):
        pass


def test_odd_values_reach_the_handler(make_catcher, make_logger):
    """An object whose text cannot be had costs itself, and no more."""

    class Mute:
        def __repr__(self):
            raise ValueError

        __str__ = __repr__

    catcher = make_catcher()
    tracked = track("x", external_id="c", logger=make_logger(catcher), data={"a": arg.a, "r": result, "b": 1})
    tracked(lambda a: a)(Mute())

    assert {"a": None, "r": None, "b": 1} == catcher.one.data


def test_an_exception_whose_text_cannot_be_had(make_catcher, make_logger):
    """So with an exception."""

    class Mute(Exception):
        def __str__(self):
            raise ValueError

    def fail():
        raise Mute

    catcher = make_catcher()
    with pytest.raises(Mute):
        track("x", external_id="c", on="raise", logger=make_logger(catcher), data={"e": error, "b": 1})(
            fail
        )()

    assert 1 == catcher.one.data["b"]


def test_inside_a_logging_handler(make_catcher, make_logger):
    """A tracked function may itself run while something is logged."""
    catcher = make_catcher()
    logger = make_logger(catcher)

    @track("inner", external_id="c", logger=logger)
    def inner():
        return True

    logger.addFilter(lambda record: record.spotzee_event["name"] == "inner" or inner())
    track("outer", external_id="c", logger=logger)(fine)(Thing())

    assert ["inner", "outer"] == [event.name for event in catcher.events]


def test_after_a_fork_it_goes_on(run_python):
    """A child of a process whose other thread is just saying something does not hang."""
    done = run_python(
        "import os, threading\n"
        "from spotzee_logging.tracking import track\n"
        "from spotzee_logging.track_diagnostics import voice\n"
        "held, done = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with voice._diagnostics._lock:\n"
        "        held.set(); done.wait(30)\n"
        "threading.Thread(target=hold).start(); held.wait()\n"
        "import warnings; warnings.simplefilter('ignore')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    track('x', external_id='c', when=lambda call: 1 / 0)(print)('hello')\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "done.set()\n",
        PYTHONPATH=".",
        timeout=20,
    )
    assert "ZeroDivisionError" in done.stderr
