"""The turns in a process's life: exit, close, shutdown, fork, and configuration while events are pending."""

import logging
import logging.config
import logging.handlers
import os
import threading

import pytest

from conftest import numbers, program, tag
from spotzee_logging.dispatcher import IDLE_SECONDS


def test_five_thousand_then_the_script_ends(sandbox, run_python):
    """Fifty batches that were logged at full speed arrive before the process is gone."""
    run_python(program("for n in range(5000): log(n)"), sandbox.url)

    assert numbers(sandbox) == list(range(5000))


def test_logging_shutdown_delivers(sandbox, run_python):
    """logging.shutdown() is an end like any other, and may be called before the real one."""
    done = run_python(program("log(1)\nlogging.shutdown()\nprint(handler.stats().delivered)"), sandbox.url)

    assert done.stdout.strip() == "1"


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


def test_an_ended_thread_starts_again(sandbox, run_python):
    """A hook that ends the delivering thread (SystemExit) does not end delivery."""
    sandbox.faults([{"status": 422}])
    source = "import sys\ndef leave(event, error): sys.exit()\n" + program(
        "log(1)\nhandler.flush(10)\nlog(2)\nprint(handler.flush(10))"
    ).replace("base_url=sys.argv[1],", "base_url=sys.argv[1], on_error=leave,")

    done = run_python(source, sandbox.url)

    assert done.stdout.strip() == "True"
    assert numbers(sandbox) == [2]


def test_a_closed_handlers_thread_ends_at_once(sandbox, make_handler, make_logger):
    """Nobody waits for it to be idle for long; what is logged yet starts another, and arrives."""
    handler = make_handler()
    logger = make_logger(handler)
    of_other_tests = {*threading.enumerate()}
    for number in range(3):
        logger.info("x", extra={"spotzee_event": tag(number)})
        (thread,) = {*threading.enumerate()} - of_other_tests

        handler.close()

        thread.join(IDLE_SECONDS - 1)
        assert not thread.is_alive()
    assert numbers(sandbox) == [0, 1, 2]


CLOSED_WITH_A_SPOOL = """
import threading, time
log(1)
handler.close()
threading.Event().wait(0.5)
before = time.process_time()
threading.Event().wait(1)
print(time.process_time() - before)
"""


def test_a_closed_handler_with_a_spool_stands_by_quietly(sandbox, run_python, tmp_path):
    """Its thread stays, for what processes leave that die, and takes no processor's time."""
    body = program(CLOSED_WITH_A_SPOOL, spool=str(tmp_path / "events.db"))

    done = run_python(body, sandbox.url)

    assert float(done.stdout) < 0.3
    assert numbers(sandbox) == [1]


def test_closed_and_used_again(sandbox, make_handler, make_logger):
    """A handler that was closed, again and again, takes the next event all the same, and delivers it."""
    handler = make_handler(flush_interval_seconds=3600)
    logger = make_logger(handler)
    for number in range(5):
        logger.info("x", extra={"spotzee_event": tag(number)})
        handler.close()
        handler.close()

    assert numbers(sandbox) == [0, 1, 2, 3, 4]


FORGOTTEN = """
import gc, weakref
{before}
for n in range(5): log(n)
alive = weakref.ref(handler)
logger.removeHandler(handler)
del handler
gc.collect()
print(alive())
{after}
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        (
            "import threading; threading.stack_size(1 << 46)",
            "SpotzeeHandler('sk_other', base_url=sys.argv[1]); gc.collect()",
        ),
        (
            "import threading; threading.stack_size(1 << 46)",
            "threading.stack_size(0); SpotzeeHandler('sk_other', base_url=sys.argv[1]).flush(0.5)",
        ),
    ],
    ids=["its thread runs", "no thread could be started", "one can be started again"],
)
def test_a_forgotten_handler_delivers(sandbox, run_python, before, after):
    """A handler that the program forgets with events pending is gone, and its events arrive at the latest at exit."""
    done = run_python(
        program(FORGOTTEN.format(before=before, after=after), flush_interval_seconds=3600), sandbox.url
    )

    assert done.stdout.strip() == "None"
    # The interpreter may find the kept connection open at its very end, which only -W error makes a line.
    assert [line for line in done.stderr.splitlines() if "<socket.socket" not in line] == []
    assert numbers(sandbox) == [0, 1, 2, 3, 4]


def test_what_a_forgotten_handler_cannot_deliver_is_said(sandbox, run_python):
    """Where the server refuses, the events of a forgotten handler are undelivered like any others."""
    sandbox.stop()
    body = FORGOTTEN.format(before="import threading; threading.stack_size(1 << 46)", after="")

    done = run_python(program(body, shutdown_timeout_seconds=0.2), sandbox.url)

    assert "spotzee_logging: 5 events undelivered at exit" in done.stderr


AGAIN_AND_AGAIN = """
import gc, logging, logging.config, sys, threading, time
from spotzee_logging import dispatcher
dispatcher.IDLE_SECONDS = 0.3
how, url = sys.argv[1:3]
config = {
    "version": 1, "disable_existing_loggers": False,
    "handlers": {"s": {"class": "spotzee_logging.SpotzeeHandler", "api_key": "sk_test", "base_url": url}},
    "root": {"handlers": ["s"], "level": "INFO"},
}
if how == "with a spool":
    config["handlers"]["s"]["spool"] = sys.argv[4]
def configure():
    if how == "fileConfig":
        logging.config.fileConfig(sys.argv[3], disable_existing_loggers=False)
    else:
        logging.config.dictConfig(config)
def ours():
    return len([each for each in threading.enumerate() if each.name.startswith("spotzee_logging")])
for number in range(20):
    configure()
    logging.info("x", extra={"spotzee_event": {"name": "n", "external_id": "c", "data": {"number": number}}})
gc.collect()  # dictConfig leaves handlers in circles
deadline, least, tick = time.monotonic() + 20, 100, threading.Event()
while least > 1 and time.monotonic() < deadline:
    # An event now and then keeps the last handler's thread awake, and no other.
    number += 1
    logging.info("x", extra={"spotzee_event": {"name": "n", "external_id": "c", "data": {"number": number}}})
    logging.getLogger().handlers[0].flush(10)
    least = min(least, ours())
    tick.wait(0.02)
print(least, number + 1)
"""


@pytest.mark.parametrize("how", ["dictConfig", "fileConfig", "with a spool"])
def test_configured_again_and_again(sandbox, run_python, tmp_path, how):
    """Twenty configurations leave one thread, that of the last, and lose no event of any."""
    ini = tmp_path / "logging.ini"
    ini.write_text(
        f"""
[loggers]
keys=root
[handlers]
keys=s
[formatters]
keys=
[logger_root]
level=INFO
handlers=s
[handler_s]
class=spotzee_logging.SpotzeeHandler
args=("sk_test",)
kwargs={{"base_url": "{sandbox.url}"}}
"""
    )

    done = run_python(AGAIN_AND_AGAIN, how, sandbox.url, ini, tmp_path / "events.db")
    least, count = map(int, done.stdout.split())

    assert least == 1
    assert numbers(sandbox) == list(range(count))


SPOOL_OF_A_FORGOTTEN = """
import gc, os, threading, time
from spotzee_logging import dispatcher
dispatcher.IDLE_SECONDS = 0.2
def ours():
    return len([each for each in threading.enumerate() if each.name == "spotzee_logging"])
def waited_for(condition, seconds):
    deadline, tick = time.monotonic() + seconds, threading.Event()
    while not condition() and time.monotonic() < deadline:
        tick.wait(0.01)
    return condition()

log(0)
assert waited_for(lambda: handler.stats().retries == 0 < handler.stats().requests, 20)
logger.removeHandler(handler)
del handler
gc.collect()
stays = SpotzeeHandler("sk_test", base_url=sys.argv[1], spool=sys.argv[2])
logger.addHandler(stays)
log(1)
print(waited_for(lambda: ours() == 1, 20), waited_for(lambda: ours() != 1, 1), flush=True)
os._exit(0)
"""


def test_the_thread_of_a_spool_goes_with_its_handler(sandbox, run_python, tmp_path):
    """That of a forgotten handler ends, though not before it has delivered what it holds; another's stays."""
    sandbox.faults([{"status": 503, "headers": {"Retry-After": "1"}}])
    body = program(SPOOL_OF_A_FORGOTTEN, spool=str(tmp_path / "forgotten.db"))

    done = run_python(body, sandbox.url, tmp_path / "stays.db")

    assert done.stdout == "True False\n"
    assert numbers(sandbox) == [0, 1]


CONFIGURING = """
import importlib.abc, logging, logging.config, os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on
from spotzee_logging import SpotzeeHandler

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "requests":
            importing.set()
            configuring.wait(20)

importing, configuring = threading.Event(), threading.Event()
sys.meta_path.insert(0, Slow())
handler = SpotzeeHandler("sk_test", base_url=sys.argv[1])
logging.getLogger("shop").addHandler(handler)
logging.getLogger("shop").error("x", extra={"spotzee_event": {"name": "n", "external_id": "c"}})
assert importing.wait(20)

def make():
    configuring.set()
    if sys.argv[2] == "forks":
        if os.fork() == 0:
            os._exit(0)
        os.wait()
        return logging.NullHandler()
    return SpotzeeHandler("sk_test", base_url=sys.argv[1], spool=sys.argv[2])

logging.config.dictConfig({
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"second": {"()": make}},
    "root": {"handlers": ["second"], "level": "INFO"},
})
print(handler.flush(20))
"""


def test_a_handler_is_made_while_another_thread_imports(sandbox, run_python, tmp_path):
    """dictConfig makes a handler, holding logging's lock, which urllib3 waits for where it is just imported."""
    done = run_python(CONFIGURING, sandbox.url, tmp_path / "events.db")

    assert done.stdout == "True\n"
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_within_dictconfig_waits_for_no_import(sandbox, run_python):
    """Where the import needs logging's lock, which whoever forks holds, neither would ever go on."""
    assert run_python(CONFIGURING, sandbox.url, "forks").stdout == "True\n"


FORKED_WHILE_CONFIGURING = """
import logging, logging.config, os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on
from spotzee_logging import SpotzeeHandler

url, what, given = sys.argv[1:4]
configuring, forking = threading.Event(), threading.Event()

class Slow(logging.NullHandler):
    def __init__(self):
        super().__init__()
        configuring.set()
        forking.wait(20)

# Hooks are called in reverse: this one just after those of ours, with which the first handler comes.
os.register_at_fork(before=forking.set)
SpotzeeHandler("sk_test", base_url=url)
thread = threading.Thread(target=logging.config.dictConfig, daemon=True, args=({
    "version": 1,
    "handlers": {"a slow one": {"()": Slow}, "ours": {
        "class": "spotzee_logging.SpotzeeHandler", "api_key": "sk_test", "base_url": url, what: given}},
    "root": {"handlers": ["a slow one", "ours"]},
},))
thread.start()
assert configuring.wait(20)
threading.Timer(20, os._exit, [3]).start()
child = os.fork()
if child == 0:
    os._exit(0)
_, status = os.waitpid(child, 0)
thread.join(20)
print(os.waitstatus_to_exitcode(status), thread.is_alive(), flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("what", ["spool", "before_send"])
def test_a_fork_while_another_thread_configures_logging(run_python, tmp_path, what):
    """A dictConfig that makes the first handler with a spool, or with a hook by its name, hinders no fork."""
    given = {"spool": tmp_path / "events.db", "before_send": "os:getcwd"}[what]

    done = run_python(FORKED_WHILE_CONFIGURING, "http://127.0.0.1:9", what, given)

    assert done.stdout == "0 False\n"
