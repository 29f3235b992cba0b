"""What goes wrong inside the program that logs, by the numbers of the list that this library is held to: 1 to 12."""

import asyncio
import copy
import dataclasses
import itertools
import json
import logging
import logging.config
import logging.handlers
import pathlib
import signal
import statistics
import sys
import threading
import time
import weakref

import pytest

from conftest import UNMEASURED, tag
from spotzee_logging import Event, EventFormatter, SpotzeeHandler, contact, flush, track
from spotzee_logging.errors import EventDropped, InvalidEvent, SpotzeeError

PACKAGE = str(pathlib.Path(sys.modules["spotzee_logging"].__file__).parent)

PROGRAM = """
import logging, logging.config, sys, threading, time
from spotzee_logging import SpotzeeHandler

handler = SpotzeeHandler("sk_test", base_url=sys.argv[1], **{settings})
logger = logging.getLogger("app")
logger.setLevel(logging.INFO)

def log(number):
    logger.info("placed", extra={{"spotzee_event": {{
        "name": "order_placed", "external_id": "cust_001", "data": {{"number": number}}}}}})

{body}
"""


def program(body, **settings):
    return PROGRAM.format(body=body, settings=settings)


def posts(sandbox):
    return [request for request in sandbox.requests() if request["method"] == "POST"]


def numbers(sandbox):
    return sorted(event["data"]["number"] for event in sandbox.events())


def log(logger, count):
    for number in range(count):
        logger.info("x", extra={"spotzee_event": tag(number)})


def said(caplog):
    """The lines that the package said of itself."""
    return [record.getMessage() for record in caplog.records if record.name == "spotzee_logging"]


def ours():
    """Our threads that are alive."""
    return [thread for thread in threading.enumerate() if thread.name == "spotzee_logging"]


@pytest.fixture
def told():
    """What on_error was told."""
    return []


@pytest.fixture
def teller(told):
    return lambda event, error: told.append((event, error))


# 1. dictConfig while delivering


BY_DICT = """
def configure():
    logging.config.dictConfig({
        "version": 1, "disable_existing_loggers": False,
        "handlers": {"null": {"class": "logging.NullHandler"}},
        "loggers": {"urllib3": {"level": "DEBUG"}, "urllib3.connectionpool": {"level": "DEBUG"}},
        "root": {"level": "DEBUG", "handlers": ["null"]}})
"""
BY_FILE = '''
import io
INI = """
[loggers]
keys=root,urllib3
[handlers]
keys=null
[formatters]
keys=
[logger_root]
level=DEBUG
handlers=null
[logger_urllib3]
level=DEBUG
handlers=
qualname=urllib3
[handler_null]
class=NullHandler
args=()
"""
def configure():
    logging.config.fileConfig(io.StringIO(INI), disable_existing_loggers=False)
'''
CONFIGURED_WHILE_DELIVERING = """
logging.getLogger().setLevel(logging.DEBUG)
logging.getLogger("urllib3").setLevel(logging.DEBUG)
logger.addHandler(handler)
for number in range(250):
    log(number)
for _ in range(2):
    started = time.monotonic()
    configure()
    print(time.monotonic() - started)
"""


@pytest.mark.parametrize("how", [BY_DICT, BY_FILE], ids=["dictConfig", "fileConfig"])
def test_01_configured_anew_while_the_first_batches_are_sent(sandbox, run_python, how):
    """With 250 events pending and a slow server it returns at once, though the sender is about to import
    its transport, whose loggers are made just then and log at DEBUG; all 250 arrive once."""
    sandbox.faults([{"delay": 0.4, "times": 4}])

    done = run_python(program(how + CONFIGURED_WHILE_DELIVERING, shutdown_timeout_seconds=30), sandbox.url)

    assert all(float(took) < 0.5 for took in done.stdout.split())
    assert numbers(sandbox) == list(range(250))


def test_01_configured_anew_in_the_midst_of_a_request(sandbox, make_handler, make_logger):
    """The same while the sender is known to wait for the server: the call wakes it, and does not wait."""
    sandbox.faults([{"delay": 0.4, "times": 3}])
    handler = make_handler()
    log(make_logger(handler), 250)
    assert sandbox.wait_for_requests(1, timeout_seconds=10)
    started = time.monotonic()

    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})

    assert time.monotonic() - started < 0.5
    assert sandbox.wait_for(250, timeout_seconds=20)
    assert handler.flush(10)
    assert numbers(sandbox) == list(range(250))


def test_01_a_flush_of_all_by_what_a_configuration_makes(sandbox, make_handler, make_logger):
    """The delivery may need the lock that dictConfig holds: it is begun and not waited for, and arrives afterwards."""
    sandbox.faults([{"delay": 0.4}])
    handler = make_handler(flush_interval_seconds=3600)
    log(make_logger(handler), 1)
    answers = []

    def make():
        started = time.monotonic()
        answers.append((flush(20), time.monotonic() - started))
        return logging.NullHandler()

    logging.config.dictConfig(
        {"version": 1, "disable_existing_loggers": False, "handlers": {"flushes": {"()": make}}}
    )

    ((is_settled, seconds),) = answers
    assert not is_settled
    assert seconds < 10
    assert sandbox.wait_for(1, timeout_seconds=10)


# 2. Closed by somebody else's dictConfig, still attached


CLOSED_BY_OTHERS = """
logger.addHandler(handler)
log(1)
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
assert not any(reference() is handler for reference in logging._handlerList)
log(2)
"""


def test_02_a_handler_that_logging_forgot_is_flushed_at_exit(sandbox, run_python):
    """After somebody else's dictConfig logging no longer knows the handler; the exit flushes it all the same."""
    run_python(program(CLOSED_BY_OTHERS, flush_interval_seconds=3600), sandbox.url)

    assert numbers(sandbox) == [1, 2]


def test_02_a_handler_that_logging_forgot_delivers(sandbox, make_handler, make_logger):
    """Its next events are sent as ever, by their age and by a flush."""
    handler = make_handler(flush_interval_seconds=0.05)
    logger = make_logger(handler)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})

    log(logger, 1)
    assert sandbox.wait_for(1, timeout_seconds=10)
    log(logger, 1)

    assert handler.flush(10)
    assert numbers(sandbox) == [0, 0]


def test_02_two_identical_configurations_leave_one_thread(sandbox):
    """The first one's handler is closed and forgotten, and its threads end; the second one's goes on."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "spotzee": {
                "class": "spotzee_logging.SpotzeeHandler",
                "api_key": "sk_test",
                "base_url": sandbox.url,
                "flush_interval_seconds": 0.05,
            }
        },
        "loggers": {"twice_configured": {"level": "INFO", "handlers": ["spotzee"], "propagate": False}},
    }
    logger = logging.getLogger("twice_configured")
    others, handlers = set(ours()), []
    try:
        for _ in range(2):
            logging.config.dictConfig(config)
            handlers.append(weakref.ref(logger.handlers[0]))
            log(logger, 1)
            assert logger.handlers[0].flush(10)
        deadline, sent = time.monotonic() + 30, 2
        while len(set(ours()) - others) > 1 and time.monotonic() < deadline:
            log(logger, 1)
            sent += 1
            assert sandbox.wait_for(sent, timeout_seconds=10)

        assert len(set(ours()) - others) == 1
        assert logger.handlers[0].stats().accepted == sent - 1
    finally:
        logger.handlers.clear()


# 3. Shutdown deadlock


SHUT_DOWN = """
logging.basicConfig(level=logging.DEBUG, handlers=[logging.FileHandler(sys.argv[2]), handler], force=True)
logger.setLevel(logging.DEBUG)

class Chatty(logging.Filter):
    def filter(self, record):
        # A sender that is in the midst of a line of its own, each time that shutdown looks.
        if record.name.startswith(("spotzee_logging", "urllib3")):
            writing.set()
        return True

writing = threading.Event()
for each in logging.getLogger().handlers:
    each.addFilter(Chatty())
for number in range(250):
    log(number)
assert writing.wait(30)
started = time.monotonic()
logging.shutdown()
print(time.monotonic() - started)
"""


@pytest.mark.parametrize("trouble", ["hangs", "refuses", "fails", "is well"])
def test_03_shutdown_while_the_sender_writes_of_itself(sandbox, run_python, tmp_path, trouble):
    """With the root at DEBUG and our handler on it, shutdown returns within its bound, whatever the server does."""
    if trouble == "hangs":
        sandbox.faults([{"hang": True, "times": 100}])
    elif trouble == "fails":
        sandbox.faults([{"status": 500, "times": 1000}])
    elif trouble == "refuses":
        sandbox.stop()

    done = run_python(
        program(SHUT_DOWN, shutdown_timeout_seconds=1), sandbox.url, tmp_path / "log", timeout=30
    )

    # The bound, its margin, and a busy machine's share; who waits for a lock of ours waits for ever.
    assert float(done.stdout) < 1 + 0.5 + 3
    assert "Traceback" not in done.stderr
    if trouble == "is well":
        assert numbers(sandbox) == list(range(250))


# 4. Hearing itself


class TagAll(logging.Filter):
    """Makes an event of every record that comes by."""

    def filter(self, record):
        record.spotzee_event = tag()
        return True


@pytest.fixture
def tagged_everywhere(make_handler):
    """The root at DEBUG, our handler on it, and every record of ours and our transport's tagged."""
    names = ("urllib3", "urllib3.connectionpool", "requests", "spotzee_logging")
    root, tag_all = logging.getLogger(), TagAll()
    level = root.level
    handler = make_handler(flush_interval_seconds=0.05)
    for filtered in (handler, *map(logging.getLogger, names)):
        filtered.addFilter(tag_all)
        filtered.setLevel(logging.DEBUG)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).removeFilter(tag_all)
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_04_one_call_is_one_request(sandbox, tagged_everywhere):
    """With a filter that tags every record, what we and our transport log on the way becomes no event."""
    logging.getLogger("shop").info("x")

    assert tagged_everywhere.flush(10)
    assert not sandbox.wait_for(2, timeout_seconds=0.5)
    assert len(posts(sandbox)) == 1
    assert tagged_everywhere.stats().accepted == 1


def test_04_nor_what_is_said_of_trouble(sandbox, tagged_everywhere, caplog):
    """Lines about retries and refusals, on the sender's thread and the caller's, become no events either."""
    sandbox.faults([{"reset": "before"}, {"status": 500}, {"status": 418}])
    logging.getLogger("shop").info("x")

    assert tagged_everywhere.flush(20)
    logging.getLogger("spotzee_logging").error("a line of ours, from the program's own thread")
    assert not sandbox.wait_for(1, timeout_seconds=0.5)

    assert tagged_everywhere.stats().accepted == 1
    assert len(said(caplog)) >= 3
    assert any(record.name.startswith("urllib3") for record in caplog.records)


def test_04_the_transports_lines_of_the_program_itself_are_the_programs(sandbox, make_handler, make_logger):
    """Only on a thread that sends are urllib3's lines our own doing."""
    handler = make_handler()

    log(make_logger(handler, name="urllib3.shop"), 1)

    assert handler.flush(10)
    assert len(sandbox.events()) == 1


# 5. close, close, flush, shutdown


@pytest.mark.parametrize("is_used", [True, False], ids=["with an event", "unused"])
def test_05_any_order_any_number_of_times(sandbox, make_handler, make_logger, is_used):
    """Ends of every kind in every order raise nothing, and once all is delivered none waits."""
    slowest = 0.0
    for order in itertools.product(["close", "flush", "shutdown"], repeat=4):
        handler = make_handler(shutdown_timeout_seconds=30, flush_interval_seconds=3600)
        if is_used:
            log(make_logger(handler), 1)
        ends = {
            "close": handler.close,
            "flush": handler.flush,
            "shutdown": lambda handler=handler: logging.shutdown([weakref.ref(handler)]),
        }
        ends[order[0]]()
        started = time.monotonic()
        for end in order[1:]:
            ends[end]()
        slowest = max(slowest, time.monotonic() - started)
        assert handler.stats().delivered == is_used

    assert slowest < 5
    assert len(sandbox.events()) == 81 * is_used


@pytest.mark.parametrize("trouble", ["hangs", "refuses", "paused"])
def test_05_also_where_nothing_gets_through(sandbox, make_handler, make_logger, trouble):
    """With a server in trouble each end keeps its bound, and what has just been waited for is not waited for again."""
    script = {"hangs": {"hang": True, "times": 50}, "paused": {"status": 401, "times": 50}}
    sandbox.faults([script[trouble]] if trouble in script else [])
    if trouble == "refuses":
        sandbox.stop()
    handler = make_handler(shutdown_timeout_seconds=0.3)
    log(make_logger(handler), 3)
    started = time.monotonic()

    for _ in range(2):
        logging.shutdown([weakref.ref(handler)])
        handler.close()
        handler.flush(0)

    assert time.monotonic() - started < 4 * 0.3 + 1
    assert handler.stats().pending == 3


def test_05_what_close_meets_does_not_come_out_of_it(sandbox, make_logger):
    """logging skips every other handler where one raises at shutdown: whatever the hooks do, ours does not."""

    def broken(*_):
        raise RuntimeError

    sandbox.stop()
    closed = []

    class Other(logging.NullHandler):
        def close(self):
            closed.append(self)
            super().close()

    other = Other()
    handler = SpotzeeHandler(
        "sk_test", base_url=sandbox.url, on_error=broken, session=broken, shutdown_timeout_seconds=0.1
    )
    handler.flushOnClose = False
    log(make_logger(handler, other), 3)
    broken_stream = logging.Handler()
    broken_stream.emit = broken
    logging.getLogger("spotzee_logging").addHandler(broken_stream)
    try:
        logging.shutdown([weakref.ref(other), weakref.ref(handler)])
    finally:
        logging.getLogger("spotzee_logging").removeHandler(broken_stream)

    assert closed == [other]
    assert handler.stats().dropped == {"closed": 3}


# 6. Re-entrance


def reentered(make, act, log_inner):
    """Run `act()` with a new handler once for each line of ours that it reaches, and `log_inner()` at that line.

    Gives the line's number and the handler, afterwards.
    """
    for line in itertools.count():
        handler, lines, reached = make(), itertools.count(), []

        def trace(frame, event, _, lines=lines, line=line, reached=reached):
            if not frame.f_code.co_filename.startswith(PACKAGE):
                return None
            if event == "line" and next(lines) == line:
                reached.append(line)
                log_inner()
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            act()
        finally:
            sys.settrace(before)
        if not reached:
            return
        yield line, handler


def good(logger):
    logger.info("x", extra={"spotzee_event": tag(1)})


def short(logger):
    with contact(external_id="cust_001", user={"locale": "en-AU"}):
        logger.error("x", extra={"spotzee_event": "order_placed", "number": 1, "odd": {1, 2}})


def bad(logger):
    logger.info("x", extra={"spotzee_event": {"name": "order_placed"}})


def large(logger):
    logger.info("x", extra={"spotzee_event": tag(1, user={"data": {"x": "x" * 300}})})


def twice(logger):
    logger.info("x", extra={"spotzee_event": tag(1)})
    logger.info("x", extra={"spotzee_event": tag(1)})


ENDS = {
    "good": (good, {}, (2, 0)),
    "short, urgent": (short, {}, (2, 0)),
    "invalid": (bad, {}, (1, 1)),
    "with a hook": (good, {"before_send": lambda event: event}, (2, 0)),
    "a full batch": (twice, {"capacity": 2}, (3, 0)),
    "too large": (large, {"max_event_bytes": 256}, (1, 1)),
}


@pytest.mark.parametrize("what", ENDS)
def test_06_a_signals_handler_that_logs_at_any_line(sandbox, make_handler, what, caplog):
    """Whatever line of ours it interrupts: no deadlock, no exception, both events kept and counted."""
    act, settings, (delivered, rejected) = ENDS[what]
    logger = logging.Logger("shop")

    def make():
        logger.handlers[:] = [make_handler(**{"flush_interval_seconds": 3600, **settings})]
        return logger.handlers[0]

    def log_inner():
        logger.info("x", extra={"spotzee_event": tag(100)})

    lines = 0
    for line, handler in reentered(make, lambda: act(logger), log_inner):
        assert handler.flush(20), line
        stats = handler.stats()
        assert (stats.delivered, sum(stats.rejected.values())) == (delivered, rejected), line
        assert (stats.accepted, stats.dropped) == (delivered + rejected, {}), line
        assert (stats.pending, stats.pending_bytes) == (0, 0), line
        lines += 1

    assert lines > 50
    assert len(sandbox.events()) == lines * delivered
    assert not any("delivery met" in line for line in said(caplog))


class Interrupted(BaseException):
    """What a signal's handler raises, as Ctrl-C does."""


def interrupted(act):
    """Call `act` again and again, raising where a further call of ours has just ended, until there is none.

    It is there that Python looks for signals, and at the end of a loop's round. From 3.14 on also between a lock's
    `__enter__` and the block that would let go of it: who is interrupted there keeps the lock, whoever's `with` it is.
    """
    for point in itertools.count():
        left = point

        def profile(frame, event, called):
            nonlocal left
            ends_in_ours = event in {"return", "c_return"} and frame.f_code.co_filename.startswith(PACKAGE)
            if ends_in_ours and getattr(called, "__name__", "") != "__enter__":
                left -= 1
                if left < 0:
                    sys.setprofile(None)
                    raise Interrupted

        sys.setprofile(profile)
        try:
            act()
        except Interrupted:
            yield point
        else:
            return
        finally:
            sys.setprofile(None)


@pytest.mark.parametrize("settings", [{}, {"spool": "events.db"}], ids=["memory", "spool"])
def test_06_a_signals_handler_that_raises_at_any_calls_end(
    sandbox, make_handler, make_logger, tmp_path, settings
):
    """An event whose call is left by Ctrl-C is held, and delivered and counted, or it is not there at all."""
    spool = {"spool": tmp_path / settings["spool"]} if settings else {}
    handler = make_handler(flush_interval_seconds=3600, **spool)
    logger = make_logger(handler)
    good(logger)
    assert handler.flush(20)

    points = list(interrupted(lambda: good(logger)))
    assert len(points) > 40
    good(logger)

    assert handler.flush(20)
    stats = handler.stats()
    assert (stats.pending, stats.pending_bytes) == (0, 0)
    assert stats.accepted == stats.delivered == len(sandbox.events())
    assert 3 < stats.delivered < len(points)


STARTED_AGAIN = """
import itertools, linecache

class Interrupted(Exception):
    pass

def interrupted_at(number):
    lines = itertools.count()
    def trace(frame, event, _):
        if frame.f_code.co_name not in {"_start_thread", "start"}:
            return None
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        # Not where a lock is left: what raises there has the interpreter leave it locked, which no signal does.
        if event == "line" and not line.startswith("with ") and next(lines) == number:
            sys.settrace(None)
            raise Interrupted
        return trace
    sys.settrace(trace)
    try:
        log(number)
    except Interrupted:
        return True
    finally:
        sys.settrace(None)
    return False

for number in itertools.count():
    handler = SpotzeeHandler("sk_test", base_url=sys.argv[1], flush_interval_seconds=0)
    logger.handlers[:] = [handler]
    if not interrupted_at(number):
        break
    log(1000 + number)
    assert handler.flush(10), number
assert number > 8, number
assert handler.flush(10)
print(number)
"""


def test_06_a_signals_handler_that_raises_while_the_thread_starts(sandbox, run_python):
    """Where Ctrl-C or a task's time limit interrupts that, at whatever line, the next event starts delivery."""
    done = run_python(program(STARTED_AGAIN), sandbox.url)

    count = int(done.stdout)
    assert numbers(sandbox) == [*range(count + 1), *range(1000, 1000 + count)]


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest"])
def test_06_also_where_there_is_no_room(sandbox, make_handler, overflow):
    """The same in a full buffer, where events are dropped, counted and told of: each of them ends once."""
    logger, told = logging.Logger("shop"), []

    def make():
        handler = make_handler(
            max_pending_bytes=1024,
            max_event_bytes=1024,
            flush_interval_seconds=3600,
            overflow=overflow,
            on_error=lambda event, error: told.append(error.reason),
        )
        logger.handlers[:] = [handler]
        while handler.stats().pending_bytes < 1024 - 120:
            good(logger)
        told.clear()
        return handler

    lines = 0
    for line, handler in reentered(make, lambda: good(logger), lambda: good(logger)):
        assert handler.flush(20), line
        stats = handler.stats()
        assert stats.accepted == stats.delivered + sum(stats.dropped.values()), line
        assert (stats.pending, stats.pending_bytes) == (0, 0), line
        # While one loss is told of, another on the same thread is only counted: on_error may itself log in vain.
        assert stats.dropped["buffer_full"] - 1 <= len(told) <= stats.dropped["buffer_full"], line
        assert told, line
        lines += 1

    assert lines > 50


UNDER_SIGNALS = """
import itertools, signal

logger.addHandler(handler)
logger.setLevel(logging.DEBUG)
counter = itertools.count()
by_signal = []

def on_signal(number, frame):
    by_signal.append(next(counter))
    log(by_signal[-1])
    # Anew each time: where a call takes longer than the interval, calls within calls would have no end.
    if not done.is_set():
        signal.setitimer(signal.ITIMER_REAL, 0.001)

signal.signal(signal.SIGALRM, on_signal)
done = threading.Event()

def flush_again_and_again():
    while not done.is_set():
        handler.flush(0.01)
        handler.stats()

others = [threading.Thread(target=flush_again_and_again, daemon=True) for _ in range(2)]
for each in others:
    each.start()
signal.setitimer(signal.ITIMER_REAL, 0.001)
deadline = time.monotonic() + 60
while len(by_signal) < 300 and time.monotonic() < deadline:
    log(next(counter))
    handler.stats()
done.set()
signal.setitimer(signal.ITIMER_REAL, 0)
for each in others:
    each.join()
assert len(by_signal) >= 300
assert handler.flush(60)
stats = handler.stats()
count = next(counter)
assert stats.accepted == stats.delivered == count, (stats, count)
print(count)
"""


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no timer that interrupts a call"
)
def test_06_real_signals_under_load(sandbox, run_python):
    """A timer's handler that logs a thousand times a second, amid logging, flushing and sending: all arrive once."""
    # A tracer for coverage takes more of the time than the calls do.
    done = run_python(program(UNDER_SIGNALS, capacity=50), sandbox.url, timeout=110, **UNMEASURED)

    assert numbers(sandbox) == list(range(int(done.stdout)))


COLLECTED_WITHIN = """
import gc, itertools

logger.addHandler(handler)
counter = itertools.count()
count_lock = threading.RLock()

class LogsAtItsEnd:
    def __init__(self):
        self.circle = self
    def __del__(self):
        with count_lock:
            number = next(counter)
        log(number)

def work():
    for _ in range(300):
        LogsAtItsEnd()
        with count_lock:
            number = next(counter)
        log(number)
        handler.stats()

gc.set_threshold(3, 1, 1)
threads = [threading.Thread(target=work) for _ in range(3)]
for each in threads:
    each.start()
for each in threads:
    each.join()
gc.set_threshold(700)
# More than once: while another thread collects, this one's collection does nothing.
deadline = time.monotonic() + 60
while handler.stats().accepted < 1800 and time.monotonic() < deadline:
    gc.collect()
    threading.Event().wait(0.01)
assert handler.flush(60)
stats = handler.stats()
count = next(counter)
assert count == 1800, count
assert stats.accepted == stats.delivered == count, (stats, count)
"""


def test_06_a_del_that_logs(sandbox, run_python):
    """Collected wherever the collector strikes, in our critical sections too: every event is kept, once."""
    run_python(program(COLLECTED_WITHIN, capacity=7), sandbox.url, timeout=110)

    assert numbers(sandbox) == list(range(1800))


# 7. Caller blocked


def p99(seconds):
    return statistics.quantiles(seconds, n=100)[-1]


def timed(logger, number):
    started = time.perf_counter()
    logger.info("x", extra={"spotzee_event": tag(number)})
    return time.perf_counter() - started


def in_threads(logger):
    """Four threads, each of which waits a moment between its calls, as a server's do."""
    never, took = threading.Event(), []

    def work():
        for number in range(250):
            took.append(timed(logger, number))
            never.wait(0.0005)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def in_asyncio(logger):
    """Fifty tasks of one loop."""
    took = []

    async def work():
        for number in range(20):
            took.append(timed(logger, number))
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(work() for _ in range(50)))

    asyncio.run(main())
    return took


@pytest.fixture
def untraced():
    """No tracer, of coverage say, which makes each call take ten times as long."""
    trace, of_threads = sys.gettrace(), threading._trace_hook
    sys.settrace(None)
    threading.settrace(None)
    yield
    threading.settrace(of_threads)
    sys.settrace(trace)


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("where", [in_threads, in_asyncio], ids=["threads", "asyncio"])
def test_07_a_hanging_server_costs_the_caller_nothing(sandbox, make_handler, make_logger, where):
    """With requests that hang for 30 s, 99 of 100 tagged calls return within a millisecond."""
    sandbox.faults([{"hang": True, "times": 100}])
    handler = make_handler(read_timeout_seconds=30)
    logger = make_logger(handler)
    logger.error("x", extra={"spotzee_event": tag()})
    assert sandbox.wait_for_requests(1, timeout_seconds=10)

    # The best of some rounds: a machine that does other things too stops every program now and then.
    rounds = (p99(where(logger)) for _ in range(10))
    assert any(round_p99 < 0.001 for round_p99 in rounds)

    assert handler.stats().delivered == 0
    assert handler.stats().pending == handler.stats().accepted


def seconds_a_call(logger):
    started = time.perf_counter()
    for _ in range(2000):
        logger.info("a line")
    return (time.perf_counter() - started) / 2000


def test_07_another_thread_holds_the_handlers_lock(make_handler, make_logger):
    """An untagged record turns away before any lock: it costs less than 5 µs more than without us."""
    without, with_us = make_logger(logging.NullHandler()), make_logger(logging.NullHandler())
    handler = make_handler()
    with_us.addHandler(handler)
    is_held, may_end = threading.Event(), threading.Event()

    def hold():
        with handler.lock:
            is_held.set()
            may_end.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert is_held.wait(10)
        more = (seconds_a_call(with_us) - seconds_a_call(without) for _ in range(20))
        assert any(seconds < 5e-6 for seconds in more)
    finally:
        may_end.set()
        holder.join()


def test_07_nor_does_a_tagged_record_meet_the_lock(make_handler, make_logger):
    """A thread that holds the handler's lock keeps no line waiting, tagged or not."""
    handler = make_handler()
    logger = make_logger(handler)
    done = threading.Event()

    def work():
        logger.info("a line")
        log(logger, 1)
        done.set()

    handler.acquire()
    try:
        threading.Thread(target=work, daemon=True).start()
        assert done.wait(10)
    finally:
        handler.release()


# 8. Changed after the call


def test_08_what_is_changed_after_the_call(sandbox, make_handler, make_logger):
    """The event has the values of the call; record, arguments, tags and contacts of the program are untouched."""
    handler = make_handler()
    records = []
    keep = logging.NullHandler()
    keep.handle = records.append
    logger = make_logger(keep, handler)
    data = {"order": {"id": 1}, "tags": ["a"], "odd": {"set": {1}}}
    event = tag(data=data)
    user = {"email": "ada@example.com", "data": {"plans": ["pro"]}}
    arguments = ([1, 2],)
    before = copy.deepcopy((data, event, user, arguments))
    with contact(external_id="cust_001", user=user):
        logger.info("order %s", *arguments, extra={"spotzee_event": event})
    (record,) = records
    attributes = dict(vars(record))

    assert (data, event, user, arguments) == before
    data["order"]["id"] = 2
    data["tags"].append("b")
    data["odd"]["set"].add(2)
    event["name"] = "order_lost"
    user["email"] = "eve@example.com"
    user["data"]["plans"].append("free")
    arguments[0].append(3)

    assert handler.flush(10)
    (arrived,) = sandbox.events()
    assert arrived["name"] == "order_placed"
    assert arrived["data"] == {"order": {"id": 1}, "tags": ["a"], "odd": {"set": [1]}}
    assert arrived["user"] == {"email": "ada@example.com", "data": {"plans": ["pro"]}}
    assert vars(record) == attributes
    assert (record.msg, record.args) == ("order %s", ([1, 2, 3],))
    assert record.spotzee_event is event


def test_08_extras_that_are_changed_after_the_call(sandbox, make_handler, make_logger):
    """The same holds for the extras of a short tag, and for what `fmt` and the arguments say."""
    handler = make_handler()
    handler.setFormatter(EventFormatter("%(message)s"))
    extra = {"spotzee_event": "order_placed", "external_id": "cust_001", "items": [{"sku": "a"}]}
    items = ["lamp"]

    make_logger(handler).info("sold %s", items, extra=extra)
    extra["items"][0]["sku"] = "b"
    extra["external_id"] = "cust_002"
    items.append("chair")

    assert handler.flush(10)
    (arrived,) = sandbox.events()
    assert arrived["data"] == {"message": "sold ['lamp']", "items": [{"sku": "a"}]}
    assert arrived["external_id"] == "cust_001"


def test_08_a_contact_that_is_changed_after_the_call(sandbox, make_handler, make_logger):
    """Who was acting at the call is who the event is of, whoever acts when it is sent."""
    handler = make_handler(flush_interval_seconds=3600)
    logger = make_logger(handler)

    for number, who in enumerate(["cust_001", "cust_002"]):
        with contact(external_id=who):
            logger.info("x", extra={"spotzee_event": "order_placed", "number": number})

    assert handler.flush(10)
    assert [event["external_id"] for event in sandbox.events()] == ["cust_001", "cust_002"]


def test_08_hooks_write_into_a_copy(make_handler, make_logger):
    """A hook that writes into the event's data writes into a copy."""
    handler = make_handler(before_send=lambda event: event.data.clear() or event)
    data = {"order": {"id": 1}}

    make_logger(handler).info("x", extra={"spotzee_event": tag(data=data)})

    assert data == {"order": {"id": 1}}


# 9. Odd values


ODD = """
import collections, dataclasses, datetime, decimal, enum, pathlib, uuid
if sys.argv[2] == "json":
    assert "orjson" not in sys.modules
import numpy
import pydantic

class Color(enum.Enum):
    RED = "red"

@dataclasses.dataclass
class Item:
    sku: str
    price: decimal.Decimal

Point = collections.namedtuple("Point", "x y")

class Model(pydantic.BaseModel):
    since: datetime.date
    price: decimal.Decimal

class Mute:
    def __str__(self):
        raise RuntimeError("no words")
    __repr__ = __str__

own_dict, own_list = {}, []
own_dict["self"] = own_dict
own_list.append({"again": own_list})
deep = deep_dict = deep_tuple = 1
for _ in range(1000):
    deep, deep_dict, deep_tuple = [deep], {"a": deep_dict}, (deep_tuple,)
SYDNEY = datetime.timezone(datetime.timedelta(hours=10))
AN_ID = uuid.UUID("12345678-1234-5678-1234-567812345678")

VALUES = {
    "Decimal": decimal.Decimal("129.50"),
    "Decimal that is no number": decimal.Decimal("NaN"),
    "UUID": AN_ID,
    "datetime, naive": datetime.datetime(2026, 4, 28, 5, 14),
    "datetime, aware": datetime.datetime(2026, 4, 28, 15, 14, tzinfo=SYDNEY),
    "date": datetime.date(2026, 4, 28),
    "timedelta": datetime.timedelta(minutes=1, milliseconds=500),
    "set": {3, 1, 2},
    "set without an order": {None, "a", 1},
    "frozenset": frozenset({"b", "a"}),
    "bytes": b"abc",
    "bytes of no text": b"\\xff\\x00",
    "Enum": Color.RED,
    "dataclass": Item("a", decimal.Decimal("9.5")),
    "namedtuple": Point(1, Point(2, 3)),
    "Path": pathlib.PurePosixPath("/srv/shop"),
    "exception": ValueError("too small", 3),
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
    "int beyond 64 bits": 2**64,
    "int far beyond": -(10**400),
    "lone surrogate": "half \\ud83d",
    "key int": {7: "a"},
    "key None": {None: "a"},
    "key tuple": {(1, "b"): "a"},
    "key Enum": {Color.RED: "a"},
    "circular dict": own_dict,
    "circular list": own_list,
    "1,000 lists deep": deep,
    "1,000 dicts deep": deep_dict,
    "1,000 tuples deep": deep_tuple,
    "numpy int": numpy.int64(7),
    "numpy float": numpy.float32(1.5),
    "numpy NaN": numpy.float64("nan"),
    "numpy array": numpy.array([[1, 2], [3, 4]]),
    "numpy time": numpy.datetime64("2026-04-28T05:14:00"),
    "numpy key": {numpy.int64(7): "a"},
    "pydantic": Model(since=datetime.date(2026, 4, 28), price=decimal.Decimal("9.5")),
    "mute": Mute(),
    "a mute's key": {Mute(): "a"},
}
logger.addHandler(handler)
for name, value in VALUES.items():
    for number in range(10):
        data = {"name": name, "number": number, **({"odd": value} if number == 4 else {})}
        logger.info("x", extra={"spotzee_event": {
            "name": "odd_logged", "external_id": "cust_001", "data": data, "created_at": "2026-04-28T05:14:00Z"}})
# As an extra of a short tag, and where no value can be made plain because it is an id.
for name, value in VALUES.items():
    logger.info("x", extra={"spotzee_event": "short_logged", "external_id": "cust_001", "kind": name, "odd": value})
    logger.info("x", extra={"spotzee_event": {"name": "id_logged", "external_id": value, "data": {"name": name}}})
assert handler.flush(60)
print(sorted(rejected))
"""


def arrived_by(run_python, sandbox, encoder):
    """What arrives of the odd values with one of the encoders, and which ids are refused."""
    without = "import sys\nsys.modules['orjson'] = None\n" if encoder == "json" else ""
    tell = """
rejected = []
def tell(event, error):
    rejected.append((error.event_name, error.field))
"""
    source = program(ODD).replace("base_url=sys.argv[1],", "base_url=sys.argv[1], on_error=tell,")
    source = without.replace("sys.modules", "sys.modules") + tell + source
    if encoder == "json":
        source = source.replace('assert "orjson" not in sys.modules', "assert sys.modules['orjson'] is None")
    done = run_python(source, sandbox.url, encoder, PYTHONHASHSEED="0", timeout=110)
    events = sandbox.events()
    sandbox.clear()
    for event in events:
        if event["name"] != "odd_logged":
            del event["created_at"]
    return events, done


def test_09_odd_values_cost_nothing_but_themselves(sandbox, run_python):
    """Each beside nine good events: no exception, all ten arrive, the odd one made plain; with orjson and
    without, the same."""
    by_orjson, first = arrived_by(run_python, sandbox, "orjson")
    by_json, second = arrived_by(run_python, sandbox, "json")

    assert json.dumps(by_orjson) == json.dumps(by_json)
    assert (first.stdout, first.stderr) == (second.stdout, second.stderr)
    by_name = {}
    for event in by_orjson:
        by_name.setdefault((event["name"], event["data"].get("name")), []).append(event)
    of_values = [events for (name, _), events in by_name.items() if name == "odd_logged"]
    assert len(of_values) == 41
    for events in of_values:
        assert [event["data"]["number"] for event in events] == list(range(10))
        assert ["odd" in event["data"] for event in events] == [number == 4 for number in range(10)]
    assert len(by_name["short_logged", None]) == 41


def test_09_what_cannot_be_made_plain_is_rejected_by_name(sandbox, run_python):
    """An id is never made up: an odd value in its place is refused with its field, and the others arrive."""
    events, done = arrived_by(run_python, sandbox, "orjson")

    # Of the 41 values one is a text, with half a surrogate pair: none is an id.
    assert done.stdout.strip() == str([("id_logged", "external_id")] * 41)
    assert not any(event["name"] == "id_logged" for event in events)
    assert len(events) == 41 * 11


# 10. Silently nothing


def test_10_track_does_not_depend_on_the_loggers_level(sandbox, make_handler, make_logger):
    """A decorated call is an event at whatever level the logger was left, disabled or not."""
    handler = make_handler()
    logger = make_logger(handler)

    @track("order_placed", external_id="cust_001", data={"number": 1}, logger=logger.name)
    def place():
        pass

    logger.setLevel(logging.WARNING)
    place()
    logger.disabled = True
    place()
    logger.disabled = False
    logging.disable(logging.CRITICAL)
    try:
        place()
    finally:
        logging.disable(logging.NOTSET)

    assert handler.flush(10)
    assert numbers(sandbox) == [1, 1, 1]


def test_10_the_same_handler_on_a_logger_and_its_parent(sandbox, make_handler, make_logger, caplog):
    """A record that meets the handler twice is one event and one warning."""
    handler = make_handler()
    parent = make_logger(handler, name="twice")
    child = make_logger(handler, name="twice.child", propagate=True)

    child.info("x", extra={"spotzee_event": tag(1)})
    child.info("x", extra={"spotzee_event": tag(2)})
    parent.info("x", extra={"spotzee_event": tag(3)})

    assert handler.flush(10)
    assert numbers(sandbox) == [1, 2, 3]
    assert sum("reaches the same SpotzeeHandler twice" in line for line in said(caplog)) == 1


def test_10_another_handler_that_sends_to_the_same_place(sandbox, make_handler, make_logger, caplog):
    """Who adds a second handler like the first, as a notebook's cell does when run again, is told why events double."""
    logger = make_logger(make_handler(), make_handler())

    for number in range(3):
        logger.info("x", extra={"spotzee_event": tag(number)})

    assert flush(10)
    assert sorted(numbers(sandbox)) == [0, 0, 1, 1, 2, 2]
    assert sum("two SpotzeeHandlers with one base_url and one api_key" in line for line in said(caplog)) == 1


@pytest.mark.parametrize(
    "other",
    [{"api_key": "sk_other"}, {"disabled": True}, {"level": "ERROR"}],
    ids=["key", "disabled", "level"],
)
@pytest.mark.parametrize("order", [1, -1])
def test_10_two_handlers_that_double_nothing(make_handler, make_logger, caplog, other, order):
    """Nothing is said of two that have other keys, of one that sends nothing, or of one that the event passes by."""
    logger = make_logger(*[make_handler(), make_handler(**other)][::order])

    logger.info("x", extra={"spotzee_event": tag()})

    assert flush(10)
    assert not any("two SpotzeeHandlers" in line for line in said(caplog))


LEFT_AT_WARNING = """
logger.setLevel(logging.NOTSET)
logging.getLogger().addHandler(handler)
logging.getLogger("shop").info("x", extra={"spotzee_event": {"name": "n", "external_id": "c"}})
"""
DISABLED = """
logging.config.dictConfig({
    "version": 1,
    "handlers": {
        "spotzee": {"class": "spotzee_logging.SpotzeeHandler", "api_key": "sk_test", "base_url": sys.argv[1]}},
    "root": {"level": "INFO", "handlers": ["spotzee"]}})
log(1)
"""
DISABLED_BY_OTHERS = """
logger.addHandler(handler)
logging.config.dictConfig({"version": 1})
log(1)
"""
ADAPTED = """
logger.addHandler(handler)
adapter = logging.LoggerAdapter(logger, {"request": 7})
adapter.info("x", extra={"spotzee_event": {"name": "n", "external_id": "c"}})
"""
ELSEWHERE = """
web = logging.getLogger("web")
web.setLevel(logging.INFO)
web.addHandler(handler)
log(1)
"""
CUT_OFF = """
logging.basicConfig(level=logging.INFO, handlers=[handler])
logger.propagate = False
log(1)
"""
CLOSED = ELSEWHERE.replace("log(1)", "handler.close(); log(1)")
ASKED_FOR = """
access = logging.getLogger("access")

class NoEvents(logging.Filter):
    def filter(self, record):
        access.debug("seen %s", record.levelno)
        return not hasattr(record, "spotzee_event")

def without(record):
    vars(record).pop("spotzee_event", None)
    access.debug("cleaned")

logger.addHandler(handler)
logger.setLevel(logging.INFO)
log = None
"""
ALL_OFF = """
logger.addHandler(handler)
logging.disable(logging.INFO)
log(1)
"""
HANDLER_AT_WARNING = """
logger.addHandler(handler)
handler.setLevel("WARNING")
log(1)
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            LEFT_AT_WARNING,
            "logger 'root' is at WARNING and drops logger.info before any handler sees it. Give it",
        ),
        (DISABLED, "logger 'app' was disabled, as dictConfig and fileConfig do"),
        (DISABLED_BY_OTHERS, "logger 'app' was disabled, as dictConfig and fileConfig do"),
        (ADAPTED, "a LoggerAdapter of logger 'app' puts its own extra in the place of a call's"),
        (
            ELSEWHERE,
            "no SpotzeeHandler is on the way of logger 'app', which tagged lines go to (in __main__.log)",
        ),
        (
            CUT_OFF,
            "no SpotzeeHandler is on the way of logger 'app', which tagged lines go to (in __main__.log)",
        ),
        (CLOSED, "no SpotzeeHandler is on the way of logger 'app'"),
        (ALL_OFF, "logging.disable(INFO) is in force. Take it out."),
        (HANDLER_AT_WARNING, "a SpotzeeHandler is at WARNING and drops what logger.info logs"),
    ],
    ids=[
        "left at WARNING",
        "disable_existing_loggers",
        "closed by another's configuration",
        "LoggerAdapter",
        "handler on another logger",
        "propagate=False",
        "closed before the end",
        "logging.disable",
        "handler at WARNING",
    ],
)
def test_10_what_keeps_every_event_away_is_said_once(sandbox, run_python, body, words):
    """logging drops the line before any handler can see it: at its end the handler says why nothing came."""
    done = run_python(program(body), sandbox.url)

    assert done.stderr.count("no event came to this handler") == done.stderr.count("\n") == 1
    assert words in done.stderr
    assert sandbox.events() == []


def test_10_who_only_asks_for_tags_is_not_blamed(sandbox, run_python):
    """A filter or formatter of the program's that knows the tag logs no tagged line by that: nothing is said."""
    assert run_python(program(ASKED_FOR), sandbox.url).stderr == ""


@pytest.mark.parametrize(
    "body",
    [
        LEFT_AT_WARNING.replace(
            "getLogger().addHandler(handler)", "basicConfig(level=20, handlers=[handler])"
        ),
        DISABLED.replace('"version": 1,', '"version": 1, "disable_existing_loggers": False,'),
        ADAPTED.replace('{"request": 7}', '{"spotzee_event": {"name": "n", "external_id": "c"}}'),
        ADAPTED.replace('adapter.info("x", extra', 'adapter.logger.info("x", extra'),
        LEFT_AT_WARNING.replace('"shop").info', '"shop").warning'),
    ],
    ids=[
        "at INFO",
        "existing loggers left alone",
        "LoggerAdapter with a tag of its own",
        "its logger",
        "logged as a warning",
    ],
)
def test_10_with_the_remedy_each_event_arrives_once(sandbox, run_python, body):
    """What the line advises helps, and then nothing is said."""
    done = run_python(program(body), sandbox.url)

    assert len(sandbox.events()) == 1
    assert done.stderr == ""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="merge_extra came with Python 3.13")
def test_10_an_adapter_that_merges_extra(sandbox, run_python):
    """With merge_extra a call's tag gets through an adapter, once."""
    done = run_python(program(ADAPTED.replace("7}", "7}, merge_extra=True")), sandbox.url)

    assert len(sandbox.events()) == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("count", "named"),
    [(3, "'app0', 'app1', 'app2' was disabled"), (5, "'app0', 'app1', 'app2' and 2 more was disabled")],
)
def test_10_a_few_of_the_loggers_are_named(sandbox, run_python, count, named):
    """Three at most, and how many others there are."""
    body = f"""
for number in range({count}):
    each = logging.getLogger(f"app{{number}}")
    each.addHandler(handler)
    each.setLevel(logging.INFO)
    each.disabled = True
"""

    assert named in run_python(program(body), sandbox.url).stderr


MERGES_ITSELF = """
class Merging(logging.LoggerAdapter):
    def process(self, message, how):
        return message, {**how, "extra": {**self.extra, **how.get("extra", {})}}

adapter = Merging(logger, {"request": 7})
"""
MERGES_AS_FROM_PYTHON_3_13_ON = """
adapter = logging.LoggerAdapter(logger, {"request": 7})
adapter.merge_extra = True
"""


@pytest.mark.parametrize(
    "merges", [MERGES_ITSELF, MERGES_AS_FROM_PYTHON_3_13_ON], ids=["itself", "merge_extra"]
)
def test_10_an_adapter_that_may_keep_the_tag_is_not_blamed(sandbox, run_python, merges):
    """One that makes of `extra` what it wants may well keep the tag; with merge_extra it does."""
    body = f"logger.addHandler(handler)\n{merges}\nadapter.info('no event')"

    assert run_python(program(body), sandbox.url).stderr == ""


def test_10_a_logger_of_no_concern_is_not_blamed(sandbox, run_python):
    """One that is disabled, and whose lines would not come to the handler at any rate, is not named."""
    body = """
logger.addHandler(handler)
other = logging.getLogger("other")
other.propagate, other.disabled = False, True
"""

    assert run_python(program(body), sandbox.url).stderr == ""


def test_10_a_function_that_may_mean_another_logger_is_not_blamed(sandbox, run_python):
    """Where the code does not tell which logger gets the tag, or a queue may carry it on, nothing is said."""
    body = """
import queue
from logging.handlers import QueueHandler

web, audit, queued = map(logging.getLogger, ("web", "audit", "queued"))
web.setLevel(logging.INFO)
web.addHandler(handler)
queued.addHandler(QueueHandler(queue.SimpleQueue()))
extra = {"spotzee_event": "n", "external_id": "c"}
class Shop:
    logger = web
    def pay(self):
        self.logger.info("x", extra={"spotzee_event": "n", "external_id": "c"})
def either():
    audit.info("no event")
    web.info("x", extra={"spotzee_event": "n", "external_id": "c"})
def carried():
    queued.info("x", extra={"spotzee_event": "n", "external_id": "c"})
del log
"""

    assert run_python(program(body), sandbox.url).stderr == ""


def test_10_an_adapter_beneath_another_is_found(sandbox, run_python):
    """The one that stands on the logger is named, whatever else there is of the kind."""
    body = ADAPTED.replace("adapter.info", "outer = logging.LoggerAdapter(adapter, {})\nouter.info")

    assert "a LoggerAdapter of logger 'app'" in run_python(program(body), sandbox.url).stderr


def test_10_a_handler_that_is_switched_off_says_nothing(sandbox, run_python):
    """Where `disabled` is set nothing is to come: that nothing came is no trouble."""
    assert run_python(program(LEFT_AT_WARNING, disabled=True), sandbox.url).stderr == ""


def test_10_a_program_that_tracks_may_leave_its_level(sandbox, run_python):
    """Decorated calls pass levels: where there are some, a logger at WARNING is no mistake to speak of."""
    body = """
from spotzee_logging import track

@track("order_placed", external_id="cust_001")
def place():
    pass

logger.setLevel(logging.NOTSET)
logging.getLogger().addHandler(handler)
"""

    assert run_python(program(body), sandbox.url).stderr == ""


# 11. Bad tags


BAD_TAGS = {
    "no name": ({"external_id": "c"}, "name", 'Name the event, as in "order_placed"'),
    "empty name": (tag(name=""), "name", 'Name the event, as in "order_placed"'),
    "empty short tag": ("", "name", 'Name the event, as in "order_placed"'),
    "name of the wrong type": (tag(name=7), "name", 'Name the event, as in "order_placed"'),
    "no id": ({"name": "order_placed"}, "external_id", "or bind it with contact(external_id=...)"),
    "ids that are None": (
        tag(external_id=None, anonymous_id=None),
        "external_id",
        "contact(external_id=...)",
    ),
    "external_id of the wrong type": (tag(external_id=42), "external_id", "as a string"),
    "anonymous_id of the wrong type": (tag(anonymous_id=b"a"), "anonymous_id", "as a string"),
    "empty id": (tag(external_id=""), "external_id", "leave an unknown id out"),
    "unknown key": ({"name": "n", "externalId": "c"}, "externalId", "Did you mean external_id?"),
    "unknown profile field": (tag(user={"eMail": "a"}), "user.eMail", "Did you mean email?"),
    "timezone too long": (tag(user={"timezone": "A" * 51}), "user.timezone", 'as in "Australia/Sydney"'),
    "timezone unknown": (tag(user={"timezone": "Mars/Base"}), "user.timezone", 'as in "Australia/Sydney"'),
    "locale too long": (tag(user={"locale": "e" * 256}), "user.locale", 'as in "en-AU"'),
    "created_at that is no time": (tag(created_at="yesterday"), "created_at", 'like "2026-04-28T05:14:00Z"'),
    "created_at of no day": (tag(created_at="2026-02-30"), "created_at", 'like "2026-04-28T05:14:00Z"'),
    "created_at of the wrong type": (tag(created_at=1777353240), "created_at", "Give a datetime or a text"),
    "data that is no mapping": (tag(data=[1]), "data", "as a dict"),
    "user that is no mapping": (tag(user="ada"), "user", "as a dict"),
    "a tag of the wrong type": (7, "spotzee_event", "a name"),
}


@pytest.mark.parametrize("what", BAD_TAGS)
def test_11_a_bad_tag_is_rejected_at_the_call(sandbox, make_handler, make_logger, told, teller, caplog, what):
    """With the field and the remedy: counted, told to on_error, said in one line; the good ones around it arrive."""
    bad, field, remedy = BAD_TAGS[what]
    handler = make_handler(on_error=teller)
    logger = make_logger(handler)

    log(logger, 1)
    logger.info("x", extra={"spotzee_event": bad})
    ((event, error),) = told  # at the call, not when it would be sent
    log(logger, 1)

    assert event is None
    assert isinstance(error, InvalidEvent)
    assert (error.field, error.reason) == (field, "invalid_event")
    assert field in str(error)
    assert remedy in str(error)
    assert said(caplog) == [str(error)]
    assert handler.flush(10)
    stats = handler.stats()
    assert (stats.accepted, stats.rejected, stats.delivered) == (3, {"invalid_event": 1}, 2)
    assert numbers(sandbox) == [0, 0]


@pytest.mark.parametrize("what", BAD_TAGS)
def test_11_where_strict_it_is_raised(make_handler, make_logger, told, teller, what):
    """In tests and development an invalid event is an exception where it was logged, and counted all the same."""
    bad, field, _ = BAD_TAGS[what]
    handler = make_handler(strict=True, on_error=teller)

    with pytest.raises(InvalidEvent) as caught:
        make_logger(handler).info("x", extra={"spotzee_event": bad})

    assert caught.value.field == field
    assert handler.stats().rejected == {"invalid_event": 1}
    assert [error for _, error in told] == [caught.value]


# 12. Hooks that raise


@pytest.mark.parametrize("result", [ZeroDivisionError, {"name": "x"}, "text"], ids=str)
def test_12_before_send_that_fails(sandbox, make_handler, make_logger, told, teller, caplog, result):
    """A redactor that raises, or returns what is no event, fails closed; it is counted, told of, said once."""

    def fail(event):
        if isinstance(result, type):
            raise result("rosebud")
        return result

    handler = make_handler(before_send=fail, on_error=teller)
    log(make_logger(handler), 3)

    assert handler.flush(10)
    assert sandbox.events() == []
    assert handler.stats().dropped == {"before_send_error": 3}
    assert len(told) == 3
    for event, error in told:
        assert isinstance(error, EventDropped)
        assert (error.reason, error.event_name, error.external_id) == (
            "before_send_error",
            "order_placed",
            "cust_001",
        )
        assert event.name == "order_placed"
    (line,) = said(caplog)
    assert "before_send" in line
    assert ("test_inside_the_host.py, line " in line) == isinstance(result, type)
    assert "rosebud" not in line


def test_12_on_error_that_raises(sandbox, make_handler, make_logger, caplog):
    """In the caller's thread and in the sending one: each event is counted, and one line says that it raises."""

    def broken(event, error):
        raise RuntimeError("rosebud")

    sandbox.faults([{"status": 418, "body": "a teapot", "times": 2}])
    handler = make_handler(on_error=broken, capacity=1)
    logger = make_logger(handler)
    for _ in range(3):
        logger.info("x", extra={"spotzee_event": ""})
    log(logger, 3)

    assert handler.flush(10)
    stats = handler.stats()
    assert stats.rejected == {"invalid_event": 3, "http_418": 2}
    assert stats.delivered == 1
    lines = said(caplog)
    assert sum("on_error raised RuntimeError" in line for line in lines) == 1
    assert "rosebud" not in "".join(lines)


@pytest.mark.parametrize("returned", ["no json: rosebud", "[1]", None], ids=["text", "list", "None"])
def test_12_a_formatter_that_returns_no_event(make_handler, make_logger, caplog, returned):
    """Its event is counted, and the line says what such a formatter has to return."""

    class Odd(EventFormatter):
        def format(self, record):
            return returned

    handler = make_handler()
    handler.setFormatter(Odd())
    log(make_logger(handler), 1)

    assert handler.stats().rejected == {"formatter_error": 1}
    (line,) = said(caplog)
    assert "format of Odd returned no event as JSON. Return what EventFormatter.format returns" in line
    assert "rosebud" not in line


def test_12_a_formatter_that_raises(sandbox, make_handler, make_logger, told, teller, caplog):
    """A custom formatter that fails costs its event, counted and said once; the others arrive."""

    class Broken(EventFormatter):
        def format(self, record):
            if record.getMessage() == "bad":
                raise ZeroDivisionError("rosebud")
            return super().format(record)

    handler = make_handler(on_error=teller)
    handler.setFormatter(Broken())
    logger = make_logger(handler)
    for message in ("good", "bad", "bad", "good"):
        logger.info(message, extra={"spotzee_event": tag()})

    assert handler.flush(10)
    assert handler.stats().rejected == {"formatter_error": 2}
    assert len(sandbox.events()) == 2
    (line,) = said(caplog)
    assert "ZeroDivisionError" in line
    assert "rosebud" not in line
    assert len(told) == 2
    assert all(isinstance(error, SpotzeeError) for _, error in told)


@pytest.mark.parametrize("hook", ["before_send", "on_error", "formatter"])
def test_12_hooks_that_end_the_program_end_it(make_handler, make_logger, hook):
    """Ctrl-C in a hook is meant for the program: it gets through, and the account still balances."""

    def interrupt(*_):
        raise KeyboardInterrupt

    class Interrupted(EventFormatter):
        format = interrupt

    handler = make_handler(**({} if hook == "formatter" else {hook: interrupt}))
    if hook == "formatter":
        handler.setFormatter(Interrupted())
    logger = make_logger(handler)

    with pytest.raises(KeyboardInterrupt):
        logger.info("x", extra={"spotzee_event": "" if hook == "on_error" else tag()})

    stats = handler.stats()
    assert stats.accepted == sum(stats.rejected.values()) + sum(stats.dropped.values()) + stats.pending


def test_12_a_hook_that_changes_what_it_was_given(sandbox, make_handler, make_logger):
    """What on_error does to an event, or a hook to its data, reaches no other event."""
    seen = []

    def redact(event):
        seen.append(event)
        return dataclasses.replace(event, data={"number": event.data.pop("number")})

    handler = make_handler(before_send=redact)
    log(make_logger(handler), 3)

    assert handler.flush(10)
    assert numbers(sandbox) == [0, 1, 2]
    assert all(isinstance(event, Event) for event in seen)
