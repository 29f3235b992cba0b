"""The road is the log: levels, filters, handlers, queues."""

import logging
import logging.handlers
import queue

import pytest
from keeper import Keeper

from spotzee_logging.tracking import track


@pytest.fixture
def other():
    return Keeper()


def call(logger, **how):
    track("x", external_id="c", logger=logger, **how)(lambda: 1)()


def quiet(logger):
    logger.setLevel(logging.ERROR)


def disable(logger):
    logger.disabled = True


def switch_off(logger):
    logging.disable(logging.CRITICAL)


@pytest.fixture(autouse=True)
def logging_is_on():
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("drop", [quiet, disable, switch_off])
def test_it_passes_what_would_drop_it(make_catcher, make_logger, other, drop):
    """Level, `disabled` and `logging.disable()` do not keep it from a SpotzeeHandler, and do from others."""
    catcher = make_catcher()
    logger = make_logger(catcher, other)
    drop(logger)
    call(logger)

    assert "x" == catcher.one.name
    assert [] == other.records


def test_at_a_level_that_passes_all_see_it_once(make_catcher, make_logger, other):
    """The ordinary way, for everybody."""
    catcher = make_catcher()
    call(make_logger(catcher, other))

    assert "x" == catcher.one.name
    assert ["x"] == [record.getMessage() for record in other.records]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
def test_a_handlers_own_level_holds(make_catcher, make_logger, level):
    """A SpotzeeHandler for warnings gets no INFO event, at whatever level the logger is."""
    catcher = make_catcher(level=logging.WARNING)
    logger = make_logger(catcher)
    logger.setLevel(level)
    call(logger)
    call(logger, level="WARNING")

    assert 1 == len(catcher.events)


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
def test_filters_hold(make_catcher, make_logger, level):
    """Those of the logger and those of the handler."""
    catcher = make_catcher()
    logger = make_logger(catcher)
    logger.setLevel(level)
    logger.addFilter(lambda record: record.spotzee_event["name"] != "a")
    catcher.addFilter(lambda record: record.spotzee_event["name"] != "b")
    for name in "abc":
        track(name, external_id="c", logger=logger)(lambda: 1)()

    assert ["c"] == [event.name for event in catcher.events]


def test_propagate_holds(make_catcher, make_logger):
    """It reaches handlers further up, as far as records propagate."""
    catcher = make_catcher()
    parent = make_logger(catcher)
    parent.setLevel(logging.ERROR)
    child = make_logger(name=f"{parent.name}.child", propagate=True)
    child.setLevel(logging.NOTSET)
    call(child)
    child.propagate = False
    call(child)

    assert 1 == len(catcher.events)


def test_two_handlers_each_get_it(make_catcher, make_logger):
    """Two SpotzeeHandlers are two projects."""
    one, two = make_catcher(), make_catcher()
    parent = make_logger(one)
    child = make_logger(two, name=f"{parent.name}.child", propagate=True)
    child.setLevel(logging.ERROR)
    call(child)

    assert ("x", "x") == (one.one.name, two.one.name)


def test_one_handler_twice_on_the_way_is_one_event(make_catcher, make_logger):
    """On a logger and its parent, at a level that passes or not."""
    catcher = make_catcher()
    parent = make_logger(catcher)
    child = make_logger(catcher, name=f"{parent.name}.child", propagate=True)
    call(child)
    child.setLevel(logging.ERROR)
    call(child)

    assert 2 == len(catcher.events)


def test_through_a_queue(make_catcher, make_logger):
    """At a level that passes, QueueHandler and QueueListener bring it; below, they do not."""
    catcher, records = make_catcher(), queue.Queue()
    logger = make_logger(logging.handlers.QueueHandler(records))
    listener = logging.handlers.QueueListener(records, catcher)
    listener.start()
    call(logger)
    logger.setLevel(logging.ERROR)
    call(logger)
    listener.stop()

    assert "x" == catcher.one.name


def test_a_queue_beside_a_handler_gets_it_only_if_the_level_lets(make_catcher, make_logger):
    """A QueueHandler counts as another handler."""
    catcher, records = make_catcher(), queue.Queue()
    logger = make_logger(catcher, logging.handlers.QueueHandler(records))
    logger.setLevel(logging.ERROR)
    call(logger)

    assert "x" == catcher.one.name
    assert records.empty()


def test_the_record_factory_is_asked(make_catcher, make_logger, other):
    """`setLogRecordFactory` holds for these records too."""
    before = logging.getLogRecordFactory()

    def factory(*args, **kwargs):
        record = before(*args, **kwargs)
        record.request_id = "r1"
        return record

    logging.setLogRecordFactory(factory)
    try:
        call(make_logger(make_catcher(), other))
    finally:
        logging.setLogRecordFactory(before)

    assert "r1" == other.records[0].request_id


def test_a_loggers_own_class_is_asked(make_catcher):
    """A Logger subclass makes and handles the record its way."""

    class Own(logging.Logger):
        def makeRecord(self, *args, **kwargs):
            record = super().makeRecord(*args, **kwargs)
            record.made_by = "own"
            return record

    catcher, other = make_catcher(), Keeper()
    logger = Own("own")
    logger.addHandler(catcher)
    logger.addHandler(other)
    call(logger)

    assert "own" == other.records[0].made_by
    assert "x" == catcher.one.name


def test_the_logger_by_name_and_the_level_by_name(make_catcher, make_logger, other):
    """Both take names."""
    logger = make_logger(make_catcher(), other)
    call(logger.name, level="ERROR")

    assert (logger.name, logging.ERROR, "ERROR") == (
        other.records[0].name,
        other.records[0].levelno,
        other.records[0].levelname,
    )


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "spotzee_logging"]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
@pytest.mark.parametrize("handlers", [[], [logging.StreamHandler], [logging.NullHandler]])
def test_nobody_on_the_way_is_said_once(make_logger, caplog, level, handlers, capsys):
    """Without a SpotzeeHandler one warning names the remedy, and no more come."""
    logger = make_logger(*[make() for make in handlers])
    logger.setLevel(level)
    call(logger)
    call(logger)

    (line,) = said(caplog)
    assert f"no SpotzeeHandler on the way of logger '{logger.name}'" in line
    assert "addHandler(SpotzeeHandler())" in line


def test_a_queue_that_may_carry_it_is_enough(make_logger, caplog):
    """What a queue leads to cannot be seen from here, so nothing is said; unless the level keeps it away."""
    logger = make_logger(logging.handlers.QueueHandler(queue.Queue()))
    call(logger)
    assert [] == said(caplog)

    logger.setLevel(logging.ERROR)
    call(logger)
    assert 1 == len(said(caplog))


def test_an_event_log_is_enough(make_logger, caplog, tmp_path):
    """A FileHandler with an EventFormatter writes events: that is somebody."""
    from spotzee_logging import EventFormatter

    handler = logging.FileHandler(tmp_path / "events.log")
    handler.setFormatter(EventFormatter())
    logger = make_logger(handler)
    call(logger)
    handler.close()

    assert [] == said(caplog)
    assert '"name":"x"' in (tmp_path / "events.log").read_text().replace(": ", ":")


def test_a_handler_that_turns_it_down_is_somebody(make_catcher, make_logger, caplog):
    """A SpotzeeHandler for errors has its reasons."""
    call(make_logger(make_catcher(level=logging.ERROR)))

    assert [] == said(caplog)


def test_it_arrives_at_a_real_server(sandbox, make_handler, make_logger):
    """The whole way, once, to a server that plays the API strictly."""
    handler = make_handler()
    logger = make_logger(handler)
    logger.setLevel(logging.ERROR)
    call(logger)

    assert handler.flush(10)
    assert 1 == handler.stats().delivered


def test_with_nobody_listening_stderr_tells(run_python):
    """A script without any logging set-up hears of it on stderr, once."""
    done = run_python(
        "from spotzee_logging.tracking import track\n"
        "@track('x', external_id='c')\n"
        "def f(): return 1\n"
        "assert f() == f() == 1\n",
        PYTHONPATH=".",
    )

    assert 1 == done.stderr.count("no SpotzeeHandler")
    assert 1 == len(done.stderr.splitlines())


def test_a_generator_left_open_at_exit_harms_nothing(run_python):
    """Interpreter shutdown with a suspended tracked generator prints nothing but what it must."""
    done = run_python(
        "import logging\n"
        "from spotzee_logging import SpotzeeHandler\n"
        "from spotzee_logging.tracking import track\n"
        "logging.getLogger().addHandler(SpotzeeHandler('sk_test', base_url='http://127.0.0.1:9', disabled=True))\n"
        "@track('x', external_id='c')\n"
        "def f():\n"
        "    yield 1\n"
        "g = f(); next(g)\n",
        PYTHONPATH=".",
    )

    assert "" == done.stderr
