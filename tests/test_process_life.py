"""The turns in a process's life: exit, close, shutdown, fork, and configuration while events are pending."""

import logging
import logging.config
import logging.handlers
import multiprocessing
import os
import threading
import time

import pytest

from conftest import tag

PROGRAM = """
import atexit, logging, sys
from spotzee_logging import SpotzeeHandler

handler = SpotzeeHandler("sk_test", base_url=sys.argv[1], **{settings})
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)

def log(number):
    logger.info("placed", extra={{"spotzee_event": {{
        "name": "order_placed", "external_id": "cust_001", "data": {{"number": number}}}}}})

{body}
"""


def program(body, **settings):
    return PROGRAM.format(body=body, settings=settings)


def numbers(sandbox):
    return sorted(event["data"]["number"] for event in sandbox.events())


def test_a_script_that_ends_delivers(sandbox, run_python):
    """Five events, then the script ends: five arrive, and nothing is printed."""
    done = run_python(program("for n in range(5): log(n)", flush_interval_seconds=3600), sandbox.url)

    assert numbers(sandbox) == [0, 1, 2, 3, 4]
    assert (done.stdout, done.stderr) == ("", "")


def test_five_thousand_then_the_script_ends(sandbox, run_python):
    """Fifty batches that were logged at full speed arrive before the process is gone."""
    run_python(program("for n in range(5000): log(n)"), sandbox.url)

    assert numbers(sandbox) == list(range(5000))


@pytest.mark.parametrize("trouble", ["hangs", "refuses"])
def test_exit_has_its_bound(sandbox, run_python, trouble):
    """Where the server hangs or refuses, the process ends in time and says on stderr what it leaves behind."""
    if trouble == "hangs":
        sandbox.faults([{"hang": True, "times": 100}])
    else:
        sandbox.stop()
    body = """
import time
for n in range(5): log(n)
sys.stdout.write(repr(time.time()))
"""

    done = run_python(program(body, shutdown_timeout_seconds=1), sandbox.url)

    took = time.time() - float(done.stdout)
    assert took < 1 + 0.5 + 1  # the bound, its margin, and the interpreter's own end on a busy machine
    assert [line for line in done.stderr.splitlines() if "undelivered" in line] == [
        "spotzee_logging: 5 events undelivered at exit"
    ]
    assert "Traceback" not in done.stderr


def test_what_the_exit_drops_is_counted_and_told(sandbox, run_python):
    """Undelivered events reach on_error with a reason before the process is gone."""
    sandbox.stop()
    body = """
for n in range(3): log(n)
atexit._run_exitfuncs()
print(handler.stats().dropped, handler.stats().pending, told)
"""
    source = "told = []\ndef tell(event, error): told.append((event.data['number'], error.reason))\n"
    source += program(body, shutdown_timeout_seconds=0.2).replace(
        "base_url=sys.argv[1],", "base_url=sys.argv[1], on_error=tell,"
    )

    done = run_python(source, sandbox.url)

    assert done.stdout.strip() == ("{'shutdown': 3} 0 [(0, 'shutdown'), (1, 'shutdown'), (2, 'shutdown')]")


def test_the_first_event_comes_at_exit(sandbox, run_python):
    """An event logged by an atexit callback arrives, also where no thread can be started any more."""
    run_python(program("atexit.register(log, 1)"), sandbox.url)

    assert numbers(sandbox) == [1]


def test_a_callback_older_than_logging_logs_at_exit(sandbox, run_python):
    """Callbacks registered before logging was imported run after its shutdown: their events arrive too."""
    early = "import atexit\natexit.register(lambda: log(2))\n"

    done = run_python(early + program("log(1)"), sandbox.url)

    assert numbers(sandbox) == [1, 2]
    assert done.stderr == ""


def test_late_events_share_the_exits_budget(sandbox, run_python):
    """Where the server hangs, events logged during the exit do not each wait anew."""
    sandbox.faults([{"hang": True, "times": 100}])
    early = "import atexit\natexit.register(lambda: [log(n) for n in range(20)])\n"
    started = time.monotonic()

    done = run_python(early + program("log(100)", shutdown_timeout_seconds=0.5), sandbox.url)

    assert time.monotonic() - started < 5
    assert "Traceback" not in done.stderr


def test_logging_shutdown_delivers(sandbox, run_python):
    """logging.shutdown() is an end like any other, and may be called before the real one."""
    done = run_python(program("log(1)\nlogging.shutdown()\nprint(handler.stats().delivered)"), sandbox.url)

    assert done.stdout.strip() == "1"


def test_logging_shutdown_has_its_bound(sandbox, run_python):
    """With the root at DEBUG and our handler on it, a hanging server delays shutdown once, not for ever."""
    sandbox.faults([{"hang": True, "times": 100}])
    body = """
import time
logging.getLogger().addHandler(handler); logging.getLogger().setLevel(logging.DEBUG)
logging.getLogger("shop").removeHandler(handler)
log(1)
started = time.monotonic()
logging.shutdown()
print(time.monotonic() - started)
"""

    done = run_python(program(body, shutdown_timeout_seconds=0.5), sandbox.url)

    assert 0.4 < float(done.stdout) < 1.5


def test_a_handler_forgotten_by_logging_is_flushed_at_exit(sandbox, run_python):
    """After somebody else's dictConfig logging no longer knows the handler; the exit flushes it all the same."""
    body = """
import logging.config
log(1)
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
log(2)
"""

    run_python(program(body, flush_interval_seconds=3600), sandbox.url)

    assert numbers(sandbox) == [1, 2]


def test_dict_config_while_delivering(sandbox, make_handler, make_logger):
    """A configuration that closes the handler, with a slow server, returns at once, and every event arrives."""
    sandbox.faults([{"delay": 0.4, "times": 3}])
    handler = make_handler()
    logger = make_logger(handler)
    for number in range(250):
        logger.info("x", extra={"spotzee_event": tag(number)})
    started = time.monotonic()

    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})

    assert time.monotonic() - started < 0.5
    assert sandbox.wait_for(250, timeout_seconds=20)
    assert handler.flush(10)
    assert numbers(sandbox) == list(range(250))


@pytest.mark.parametrize(
    "how",
    [
        {"class": "spotzee_logging.SpotzeeHandler"},
        {"()": "spotzee_logging.SpotzeeHandler"},
        {"()": "spotzee_logging.SpotzeeHandler", "formatter": "events"},
    ],
    ids=str,
)
def test_by_dict_config(sandbox, how):
    """Configured by dictConfig, by class and by factory, again and again, events arrive once each."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"events": {"()": "spotzee_logging.EventFormatter", "static_fields": {"app": "shop"}}},
        "handlers": {
            "spotzee": {
                "api_key": "sk_test",
                "base_url": sandbox.url,
                "capacity": 50,
                "flush_level": "CRITICAL",
                "level": "INFO",
                **how,
            }
        },
        "loggers": {"configured": {"level": "INFO", "handlers": ["spotzee"], "propagate": False}},
    }
    logger = logging.getLogger("configured")
    try:
        for number in range(2):
            logging.config.dictConfig(config)
            logger.info("x", extra={"spotzee_event": tag(number)})
        (handler,) = logger.handlers

        assert (handler.capacity, handler.flushLevel, handler.level) == (50, logging.CRITICAL, logging.INFO)
        assert sandbox.wait_for(2, timeout_seconds=10)
    finally:
        logger.handlers.clear()
    assert numbers(sandbox) == [0, 1]
    assert [event["data"].get("app") for event in sandbox.events()] == (
        ["shop", "shop"] if "formatter" in how else [None, None]
    )


def test_by_file_config(sandbox, tmp_path):
    """Configured by fileConfig, events arrive."""
    ini = tmp_path / "logging.ini"
    ini.write_text(
        f"""
[loggers]
keys=root,filed
[handlers]
keys=spotzee
[formatters]
keys=
[logger_root]
handlers=
[logger_filed]
level=INFO
handlers=spotzee
propagate=0
qualname=filed
[handler_spotzee]
class=spotzee_logging.SpotzeeHandler
level=INFO
args=("sk_test",)
kwargs={{"base_url": "{sandbox.url}", "capacity": 10}}
"""
    )
    root = logging.getLogger()
    before = root.handlers[:]
    logger = logging.getLogger("filed")
    try:
        logging.config.fileConfig(ini, disable_existing_loggers=False)
        logger.info("x", extra={"spotzee_event": tag(4)})
        assert logger.handlers[0].capacity == 10
        assert logger.handlers[0].flush(10)
    finally:
        logger.handlers.clear()
        root.handlers[:] = before
    assert numbers(sandbox) == [4]


def test_by_environment(sandbox, run_python):
    """With key and URL in the environment, three lines of code are enough."""
    source = """
import logging
from spotzee_logging import SpotzeeHandler
logging.basicConfig(level=logging.INFO, handlers=[SpotzeeHandler()])
logging.info("x", extra={"spotzee_event": {"name": "n", "external_id": "c", "data": {"number": 3}}})
"""

    run_python(source, SPOTZEE_API_KEY="sk_test", SPOTZEE_BASE_URL=sandbox.url)

    assert numbers(sandbox) == [3]


def test_a_wrong_name_in_dict_config_names_the_right_one():
    """A misspelt setting fails the configuration with the remedy."""
    config = {
        "version": 1,
        "handlers": {"s": {"()": "spotzee_logging.SpotzeeHandler", "api_key": "sk_x", "flushLevel": "INFO"}},
    }

    with pytest.raises(ValueError) as caught:
        logging.config.dictConfig(config)

    assert "Did you mean flush_level?" in str(caught.value.__cause__)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_fork_doubles_and_loses_nothing(sandbox, make_handler, make_logger):
    """What is pending at a fork arrives once, from the parent; what the child logs, once, from the child."""
    handler = make_handler(flush_interval_seconds=3600)
    logger = make_logger(handler)
    for number in range(9):
        logger.info("x", extra={"spotzee_event": tag(number)})

    child = os.fork()
    if child == 0:
        code = 1
        try:
            for number in range(9, 109):
                logger.info("x", extra={"spotzee_event": tag(number)})
            if handler.flush(20) and handler.stats().accepted == handler.stats().delivered == 100:
                code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert handler.flush(20)
    assert handler.stats().delivered == 9
    assert numbers(sandbox) == list(range(109))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_fork_while_another_thread_holds_every_lock(sandbox, make_handler, make_logger):
    """A lock that a thread of the parent holds is none of the child's."""
    handler = make_handler(flush_interval_seconds=3600)
    logger = make_logger(handler)
    logger.info("x", extra={"spotzee_event": tag(1)})
    dispatcher = handler._dispatcher
    locks = [
        handler._buffer._lock,
        handler._reporter.ledger._lock,
        handler._reporter.diagnostics._lock,
        dispatcher._start_lock,
        dispatcher.schedule._lock,
        dispatcher._delivery._turn,
        dispatcher._delivery._ended,
        dispatcher._delivery._pace._lock,
        dispatcher._delivery._parking._lock,
        dispatcher._delivery._settlement._lock,
        dispatcher._delivery._client._lock,
    ]
    held, done = threading.Event(), threading.Event()

    def hold():
        for lock in locks:
            lock.acquire()
        held.set()
        done.wait(30)
        for lock in locks:
            lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            logger.info("x", extra={"spotzee_event": tag(2)})
            code = 0 if handler.flush(20) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()

    assert os.waitstatus_to_exitcode(status) == 0
    assert handler.flush(20)
    assert numbers(sandbox) == [1, 2]


CHILDREN = """
import logging, multiprocessing, sys, warnings
from spotzee_logging import SpotzeeHandler

def set_up(url):
    logger = logging.getLogger("shop")
    logger.setLevel(logging.INFO)
    logger.addHandler(SpotzeeHandler("sk_test", base_url=url, flush_interval_seconds=3600))
    return logger

def log(logger, number):
    logger.info("x", extra={"spotzee_event": {"name": "n", "external_id": "c", "data": {"number": number}}})

def work(url):
    logger = logging.getLogger("shop")
    for number in range(1, 4):
        log(logger if logger.handlers else set_up(url), number)

if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on
    _, method, has_handler, url = sys.argv
    if has_handler == "True":
        log(set_up(url), 0)
    process = multiprocessing.get_context(method).Process(target=work, args=(url,))
    process.start()
    process.join(60)
    print(process.exitcode)
"""


@pytest.mark.parametrize("has_handler", [True, False], ids=["handler before", "handler in the child"])
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_child_of_multiprocessing_delivers(sandbox, run_python, method, has_handler):
    """A child that logs and returns delivers its events, and the parent its own, once each."""
    done = run_python(CHILDREN, method, has_handler, sandbox.url)

    assert done.stdout.strip() == "0"
    assert done.stderr == ""
    assert numbers(sandbox) == ([0, 1, 2, 3] if has_handler else [1, 2, 3])


IMPORTING = """
import importlib.abc, os, sys, threading
from spotzee_logging import SpotzeeHandler
import logging

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "requests":
            importing.set()
            go_on.wait(0.3)

importing, go_on = threading.Event(), threading.Event()
sys.meta_path.insert(0, Slow())
handler = SpotzeeHandler("sk_test", base_url=sys.argv[1])
logger = logging.getLogger("shop")
logger.addHandler(handler)
def log(number):
    logger.error("x", extra={"spotzee_event": {"name": "n", "external_id": "c", "data": {"number": number}}})
log(0)
assert importing.wait(20)
import warnings
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    log(1)
    os._exit(0 if handler.flush(20) else 1)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), handler.flush(20))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_while_requests_is_imported(sandbox, run_python):
    """A fork in the moment that the sender first imports requests hurts neither parent nor child."""
    done = run_python(IMPORTING, sandbox.url)

    assert done.stdout.strip() == "0 True"
    assert numbers(sandbox) == [0, 1]


def test_an_ended_thread_starts_again(sandbox, run_python):
    """A hook that ends the delivering thread (SystemExit) does not end delivery."""
    sandbox.faults([{"status": 422}])
    source = "import sys\ndef leave(event, error): sys.exit()\n" + program(
        "log(1)\nhandler.flush(10)\nlog(2)\nprint(handler.flush(10))"
    ).replace("base_url=sys.argv[1],", "base_url=sys.argv[1], on_error=leave,")

    done = run_python(source, sandbox.url)

    assert done.stdout.strip() == "True"
    assert numbers(sandbox) == [2]


def test_without_flush_on_close_the_exit_waits_for_nothing(sandbox, run_python):
    """A program that sets flushOnClose to False ends at once, and its pending events are counted as closed."""
    sandbox.faults([{"hang": True, "times": 100}])
    body = """
import time
handler.flushOnClose = False
for n in range(5): log(n)
started = time.monotonic()
atexit._run_exitfuncs()
print(time.monotonic() - started < 1, handler.stats().dropped)
"""

    done = run_python(program(body, shutdown_timeout_seconds=5), sandbox.url)

    assert done.stdout.strip() == "True {'closed': 5}"


def test_the_first_event_at_exit_keeps_the_bound_too(sandbox, run_python):
    """Where no thread can be started any more, a hanging server delays the exit no longer than else."""
    sandbox.faults([{"hang": True, "times": 100}])
    body = "import time\natexit.register(log, 1)\natexit.register(lambda: print(time.time(), flush=True))"

    done = run_python(program(body, shutdown_timeout_seconds=0.5, read_timeout_seconds=20), sandbox.url)

    assert time.time() - float(done.stdout) < 4
    assert "1 event undelivered at exit" in done.stderr
