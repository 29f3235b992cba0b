"""What goes wrong in a process's life elsewhere, and does not here: fork, exit, SIGTERM, flush, many handlers."""

import http.server
import json
import logging
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import types

import pytest

from conftest import numbers, program, tag
from spotzee_logging import errors, exit_budget, flush, flush_on_sigterm, lifecycle
from spotzee_logging.buffers.base import NO_VERDICT
from spotzee_logging.buffers.memory import MemoryBuffer

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
forks_with_threads = pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")


def locks_of(thing):
    """Every lock that an object of ours holds, and those of the objects that it is made of."""
    for value in vars(thing).values():
        if isinstance(value, (type(threading.RLock()), threading.Condition)):
            yield value
        elif type(value).__module__.startswith("spotzee_logging") and hasattr(value, "__dict__"):
            yield from locks_of(value)


def is_free(lock):
    """Whether this thread can take the lock: a forked child's must not be one that a thread of the parent held."""
    is_taken = lock.acquire(timeout=10)
    if is_taken:
        lock.release()
    return is_taken


def in_a_child(work):
    """Fork, have the child do `work`, and give its exit code: 0 where `work` gave True."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@forks
@forks_with_threads
@pytest.mark.parametrize("are_locked", [False, True], ids=["at rest", "every lock held"])
def test_13_a_fork_doubles_and_loses_nothing(sandbox, make_handler, make_logger, are_locked):
    """What is pending at a fork arrives once, from the parent; what the child logs, once, from the child."""
    handler = make_handler(flush_interval_seconds=3600)
    logger = make_logger(handler)
    for number in range(9):
        logger.info("x", extra={"spotzee_event": tag(number)})
    locks = [*locks_of(handler), lifecycle._lock] if are_locked else []
    held, done = threading.Event(), threading.Event()

    def hold():
        for lock in locks:
            lock.acquire()
        held.set()
        done.wait(60)
        for lock in locks:
            lock.release()

    def work():
        for number in range(9, 109):
            logger.info("x", extra={"spotzee_event": tag(number)})
        if not handler.flush(20):
            return False
        # Also a lock that no delivery takes which goes well.
        are_free = all(map(is_free, [*locks_of(handler), lifecycle._lock]))
        return are_free and handler.stats().accepted == handler.stats().delivered == 100

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    code = in_a_child(work)
    was_held = thread.is_alive()
    done.set()
    thread.join()

    assert was_held  # the fork has not waited for its end
    assert len(locks) >= (6 if are_locked else 0)
    assert code == 0
    assert handler.flush(20)
    assert handler.stats().delivered == 9
    assert numbers(sandbox) == list(range(109))


@forks
@forks_with_threads
def test_13_a_child_does_not_give_up_what_its_parent_waited_for_in_vain(sandbox, make_handler, make_logger):
    """The parent's exit would not wait again at once; the child's waits for what the child has logged."""
    sandbox.faults([{"hang": True, "times": 100}])
    handler = make_handler(flush_interval_seconds=3600, shutdown_timeout_seconds=0.1)
    logger = make_logger(handler)
    logger.info("x", extra={"spotzee_event": tag()})
    handler.flush()
    has_waited = [handler._dispatcher.has_just_waited_in_vain]

    def work():
        logger.info("x", extra={"spotzee_event": tag(1)})
        return not handler._dispatcher.has_just_waited_in_vain

    assert has_waited == [True]
    assert in_a_child(work) == 0


# uWSGI, the host that does so, is known by the module that it brings.
UWSGIS_MODULE = "import sys, types; sys.modules['uwsgi'] = types.ModuleType('uwsgi')\n"

FORKS_IN_C = """
import ctypes, os, threading
if hooks == "only the last":
    # A host that calls the hook after the fork, and not the one before.
    fork = ctypes.PyDLL(None).fork
    def forked():
        child = fork()
        if child == 0: ctypes.pythonapi.PyOS_AfterFork_Child()
        return child
else:
    forked = ctypes.PyDLL(None).fork

for n in range(9): log(n)
child = forked()
if child == 0:
    if does == "logs":
        for n in range(9, 20): log(n)
    ok = handler.stats().accepted == (11 if does == "logs" else 0) and (does == "ends" or handler.flush(20))
    atexit._run_exitfuncs()
    os._exit(0 if ok and handler.stats().pending == 0 else 1)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), handler.flush(20), handler.stats().delivered)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it calls the C library's fork")
@pytest.mark.parametrize("does", ["logs", "ends"])
@pytest.mark.parametrize("hooks", ["no", "only the last"])
def test_13_a_fork_in_c(sandbox, run_python, hooks, does):
    """A host that forks in C, and calls some or none of Python's hooks, doubles and loses nothing either."""
    if hooks != "no" and sys.version_info >= (3, 13):
        pytest.skip("from Python 3.13 on the interpreter itself ends a child whose first hook was not called")
    source = f"hooks, does = {hooks!r}, {does!r}\n{UWSGIS_MODULE}" + program(
        FORKS_IN_C, flush_interval_seconds=3600
    )

    done = run_python(source, sandbox.url)

    assert done.stdout.strip() == "0 True 9"
    assert done.stderr == ""
    assert numbers(sandbox) == list(range(20 if does == "logs" else 9))


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


@forks
def test_13_a_fork_while_requests_is_imported(sandbox, run_python):
    """A fork in the moment that the sender first imports requests hurts neither parent nor child."""
    done = run_python(IMPORTING, sandbox.url)

    assert done.stdout.strip() == "0 True"
    assert numbers(sandbox) == [0, 1]


TRACKING = """
import importlib.abc, os, sys, threading
import spotzee_logging

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == module:
            importing.set()
            go_on.wait(0.3)

importing, go_on = threading.Event(), threading.Event()
sys.meta_path.insert(0, Slow())
handler = spotzee_logging.SpotzeeHandler("sk_test", base_url=sys.argv[1])
def call(number):
    function = spotzee_logging.track("n", external_id="c", data={"number": spotzee_logging.arg.number})
    function(lambda number: None)(number)
import logging
logging.getLogger().addHandler(handler)
thread = threading.Thread(target=call, args=(0,))
thread.start()
assert importing.wait(20)
import warnings
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    call(1)
    os._exit(0 if handler.flush(20) else 1)
_, status = os.waitpid(child, 0)
thread.join()
print(os.waitstatus_to_exitcode(status), handler.flush(20))
"""


@forks
@pytest.mark.parametrize("module", ["tracking", "markers", "track_wrapt"])
def test_13_a_fork_while_track_is_imported(sandbox, run_python, module):
    """A fork in the moment that another thread first uses `track` hurts neither parent nor child."""
    done = run_python(f"module = 'spotzee_logging.{module}'\n{TRACKING}", sandbox.url)

    assert done.stdout.strip() == "0 True"
    assert numbers(sandbox) == [0, 1]


AT_A_FORK = """
import os, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on
from spotzee_logging import late
from spotzee_logging.buffers.memory import MemoryBuffer

class Broken(MemoryBuffer):
    def fail(self):
        raise LookupError("rosebud")

handlers = [SpotzeeHandler("sk_test", buffer=Broken(1000), **options), handler]
setattr(Broken, {hook!r}, Broken.fail)
logger.handlers[:] = handlers[:1]
log(0)
logger.handlers[:] = handlers[1:]
child = os.fork()
if child == 0:
    log(1)
    os._exit(0 if handler.flush(10) else 1)
assert os.waitpid(child, 0)[1] == 0
log(2)
imported = threading.Thread(target=late.module, args=("colorsys",), daemon=True)
imported.start()
imported.join(10)
print(imported.is_alive(), handler.flush(10))
"""


@forks
@pytest.mark.parametrize("hook", ["before_fork", "after_fork", "begin_anew"])
def test_13_a_buffer_that_fails_at_a_fork(sandbox, run_python, hook):
    """A buffer of the program's own, whatever it raises, costs no other handler's events; it is said, and no more."""
    body = "options = {'base_url': sys.argv[1]}\n" + AT_A_FORK.format(hook=hook)

    done = run_python(program(body), sandbox.url)

    assert done.stdout == "False True\n"
    assert done.stderr == (
        "spotzee_logging: a handler was not made ready for a fork, LookupError was raised\n"
    )
    assert numbers(sandbox) == [0, 1, 2]


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

_, method, handler_is, url = sys.argv
if handler_is == "made by an import":
    set_up(url)
if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on
    if handler_is == "made before":
        log(set_up(url), 0)
    process = multiprocessing.get_context(method).Process(target=work, args=(url,))
    process.start()
    process.join(60)
    print(process.exitcode)
"""


@pytest.mark.parametrize("handler", ["made before", "made by an import", "made in the child"])
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_14_a_child_of_multiprocessing_delivers(sandbox, run_python, method, handler):
    """A child that logs and returns delivers its events, and the parent its own, once each."""
    done = run_python(CHILDREN, method, handler, sandbox.url)

    assert done.stdout.strip() == "0"
    assert done.stderr == ""
    assert numbers(sandbox) == ([0, 1, 2, 3] if handler == "made before" else [1, 2, 3])


# The first of atexit's callbacks is the last that runs: what it says was measured within the exit, all of it.
MEASURED = """
import atexit, time
atexit.register(lambda: print(time.monotonic() - started, flush=True))
"""


def test_16_a_script_that_ends_delivers(sandbox, run_python):
    """Five events, then the script ends: five arrive, with no wait but the request's, and nothing is printed."""
    body = "for n in range(5): log(n)\nstarted = time.monotonic()"

    done = run_python(MEASURED + program(body, flush_interval_seconds=3600), sandbox.url)

    assert numbers(sandbox) == [0, 1, 2, 3, 4]
    assert float(done.stdout) < 1  # one request, which may have to import its library first
    assert len(sandbox.requests()) == 1
    assert done.stderr == ""


TOO_LATE = """
import contextlib, asyncio
from spotzee_logging import track
tracking = track("order_placed", external_id="cust_001", data={"number": 1}, logger=logger)

class LogsAtItsEnd:
    def __del__(self):
        log(1)

@tracking
def rows():
    yield 1
    yield 2

@contextlib.contextmanager
@tracking
def opened():
    yield

@tracking
async def rows_in_time():
    yield 1
    yield 2

async def begin():
    it = rows_in_time()
    await it.__anext__()
    return it
"""

KEPT_TO_THE_END = {
    "__del__": "kept = LogsAtItsEnd()",
    "generator": "kept = rows(); next(kept)",
    "context manager": "kept = contextlib.ExitStack(); kept.enter_context(opened())",
    "async generator": "kept = [begin()]; kept[0] = asyncio.run(kept[0])",
}


@pytest.mark.parametrize(
    "earlier", ["", "log(0)", "log(0); handler.flush()"], ids=["", "pending", "delivered"]
)
@pytest.mark.parametrize("kept", KEPT_TO_THE_END.values(), ids=KEPT_TO_THE_END)
def test_16_what_is_logged_while_the_interpreter_goes(sandbox, run_python, kept, earlier):
    """No thread runs any more that could deliver it: it is said to be lost, and nothing waits for nobody."""
    begun = time.monotonic()

    done = run_python(program(f"{TOO_LATE}\n{earlier}\n{kept}", shutdown_timeout_seconds=50), sandbox.url)

    assert time.monotonic() - begun < 40
    assert done.stderr in {"", "spotzee_logging: 1 event undelivered at exit\n"}
    expected = [0] if earlier else []
    assert numbers(sandbox) == (expected if done.stderr else [*expected, 1])


TAKES_OVER = """
import threading, time
deadline = time.monotonic() + 20
while not handler.stats().delivered and time.monotonic() < deadline:
    threading.Event().wait(0.02)
"""


@pytest.mark.parametrize("earlier", ["", "log(0)"])
def test_16_a_spool_keeps_what_is_logged_while_the_interpreter_goes(sandbox, run_python, tmp_path, earlier):
    """It is in the file when the call returns, and the next process sends it."""
    spool = str(tmp_path / "spool" / "events.db")
    kept = KEPT_TO_THE_END["__del__"]
    run_python(program(f"{TOO_LATE}\n{earlier}\n{kept}", spool=spool), sandbox.url)

    run_python(program(TAKES_OVER, spool=spool), sandbox.url)

    assert numbers(sandbox) == ([0, 1] if earlier else [1])


@pytest.mark.parametrize("is_new", [False, True], ids=["thread at work", "no thread yet"])
@pytest.mark.parametrize("trouble", ["hangs", "refuses", "answers 503"])
def test_16_exit_has_its_bound(sandbox, run_python, trouble, is_new):
    """Where the server is of no use, the process ends in time and says on stderr what it leaves behind."""
    if trouble == "refuses":
        sandbox.stop()
    else:
        sandbox.faults(
            [{"hang": True, "times": 100} if trouble == "hangs" else {"status": 503, "times": 100}]
        )
    body = f"""
for n in range(5): log(n)
if not {is_new}: handler.flush(0.3)
started, ended = time.monotonic(), time.time()
atexit.register(lambda: print(ended))
"""

    done = run_python(MEASURED + program(body, shutdown_timeout_seconds=1), sandbox.url)
    ended, exit_seconds = map(float, done.stdout.split())

    assert exit_seconds < 1 + 0.5
    assert time.time() - ended < 1 + 0.5 + 2  # the interpreter's own end, on a busy machine
    assert [line for line in done.stderr.splitlines() if "undelivered" in line] == [
        "spotzee_logging: 5 events undelivered at exit"
    ]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "end",
    ["atexit.register(handler.close)", "logging.shutdown()", "handler.flush(); handler.close()", "flush()"],
)
def test_16_what_a_program_waits_for_in_vain_just_before_is_the_exits(sandbox, run_python, end):
    """A program that flushes or closes at its end waits once: nothing has come through, and nothing will."""
    sandbox.faults([{"hang": True, "times": 100}])
    body = f"""
from spotzee_logging import flush
log(1)
started = time.monotonic()
{end}
"""

    done = run_python(MEASURED + program(body, shutdown_timeout_seconds=1.5), sandbox.url)

    assert 1.4 < float(done.stdout) < 2 * 1.5
    assert done.stderr.count("1 event undelivered at exit") == 1


def test_16_a_short_flush_in_vain_does_not_stand_for_the_exits_wait(
    sandbox, make_handler, make_logger, monkeypatch
):
    """The exit waits again after a flush that was shorter than its own wait, and after one of long ago."""
    sandbox.faults([{"hang": True, "times": 100}])
    handler = make_handler(flush_interval_seconds=3600, shutdown_timeout_seconds=0.2)
    make_logger(handler).info("x", extra={"spotzee_event": tag()})

    assert not handler.flush(0.05)
    assert not handler._dispatcher.has_just_waited_in_vain
    assert not handler.flush()
    assert handler._dispatcher.has_just_waited_in_vain
    monkeypatch.setattr(exit_budget, "JUST_SECONDS", 0.0)  # as if it were long ago
    assert not handler._dispatcher.has_just_waited_in_vain


ANOTHERS_WAIT = """
import threading
hung = SpotzeeHandler("sk_test", base_url=sys.argv[2], shutdown_timeout_seconds=1)
logger.addHandler(hung)
log(0)
hung.close()
logger.removeHandler(hung)
log(1)
"""


def test_16_a_wait_in_vain_takes_no_other_handlers_time(sandbox, run_python):
    """What is logged after it, to a server that is slow and answers, arrives all the same."""
    sandbox.faults([{"delay": 1.2}, {"delay": 1.2}])
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        url = f"http://127.0.0.1:{hangs.getsockname()[1]}"

        done = run_python(program(ANOTHERS_WAIT, shutdown_timeout_seconds=10), sandbox.url, url)

    assert numbers(sandbox) == [0, 1]
    assert [line for line in done.stderr.splitlines() if "at exit" in line] == [
        "spotzee_logging: 1 event undelivered at exit"
    ]


def test_16_what_the_exit_drops_is_counted_and_told(sandbox, run_python):
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


WITHOUT_STDERR = """
import os
told = []
logging.lastResort = None
handlers = [
    SpotzeeHandler("sk_test", base_url=f"{sys.argv[1]}/{number}", shutdown_timeout_seconds=0.2,
                   on_error=lambda event, error, number=number: told.append((number, error.reason)))
    for number in range(2)]
logger.handlers[:] = handlers
log(1)
if is_closed:
    sys.stderr.close()
else:
    reading, writing = os.pipe()
    os.close(reading)
    sys.stderr = open(writing, "w", buffering=1)
atexit._run_exitfuncs()
log(2)
print(sorted(told), [(handler.stats().dropped, handler.stats().pending) for handler in handlers], flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "its reader gone"])
def test_16_without_stderr(sandbox, run_python, is_closed):
    """A daemon whose stderr is gone ends like any other: all is counted and told, and no call that logs raises."""
    sandbox.stop()

    done = run_python(
        f"is_closed = {is_closed}\n{program(WITHOUT_STDERR, shutdown_timeout_seconds=0.2)}", sandbox.url
    )

    told = [(number, "shutdown") for number in (0, 0, 1, 1)]
    assert done.stdout == f"{told} {[({'shutdown': 2}, 0)] * 2}\n"


BROKEN_BUFFER = """
class Broken(MemoryBuffer):
    @property
    def oldest(self):
        raise OSError("rosebud")
    keep = 7  # to call it is a TypeError

options = {"base_url": sys.argv[1], "shutdown_timeout_seconds": 0.2}
logger.handlers[:] = [
    SpotzeeHandler("sk_test", buffer=Broken(1000), **options),
    SpotzeeHandler("sk_test", **options),
]
log(1)
"""


def test_16_a_buffer_that_fails(sandbox, run_python):
    """One handler's buffer of the program's own, that raises at the exit, costs no other handler's events."""
    sandbox.faults([{"status": 503, "times": 100}])
    body = "from spotzee_logging.buffers.memory import MemoryBuffer\n" + BROKEN_BUFFER

    done = run_python(program(body, shutdown_timeout_seconds=0.2), sandbox.url)

    lines = [line for line in done.stderr.splitlines() if "at exit" in line]
    assert lines == [
        "spotzee_logging: what was undelivered at exit could not be counted, TypeError was raised",
        "spotzee_logging: 1 event undelivered at exit",
    ]
    assert "rosebud" not in done.stderr


def test_16_without_flush_on_close_the_exit_waits_for_nothing(sandbox, run_python):
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


def test_17_the_first_event_comes_at_exit(sandbox, run_python):
    """An event logged by an atexit callback arrives, also where no thread can be started any more."""
    run_python(program("atexit.register(log, 1)"), sandbox.url)

    assert numbers(sandbox) == [1]


def test_17_the_thread_has_ended_before(sandbox, run_python):
    """An event that is logged at exit, after the idle thread has ended, arrives."""
    body = """
import threading, time
from spotzee_logging import dispatcher
dispatcher.IDLE_SECONDS = 0.05
log(1)
handler.flush(10)
deadline = time.monotonic() + 10
while threading.active_count() > 1 and time.monotonic() < deadline:
    threading.Event().wait(0.01)
print(threading.active_count())
atexit.register(log, 2)
"""

    done = run_python(program(body), sandbox.url)

    assert done.stdout.strip() == "1"
    assert numbers(sandbox) == [1, 2]


def test_17_a_callback_older_than_logging_logs_at_exit(sandbox, run_python):
    """Callbacks registered before logging was imported run after its shutdown: their events arrive too."""
    early = "import atexit\natexit.register(lambda: log(2))\n"

    done = run_python(early + program("log(1)"), sandbox.url)

    assert numbers(sandbox) == [1, 2]
    assert done.stderr == ""


def test_17_late_events_share_the_exits_budget(sandbox, run_python):
    """Where the server hangs, events logged during the exit do not each wait anew."""
    sandbox.faults([{"hang": True, "times": 100}])
    early = "import atexit\natexit.register(lambda: [log(n) for n in range(20)])\n"
    started = time.monotonic()

    done = run_python(early + program("log(100)", shutdown_timeout_seconds=0.5), sandbox.url)

    assert time.monotonic() - started < 5
    assert "Traceback" not in done.stderr


def test_17_a_late_event_that_cannot_go_is_accounted_for(sandbox, run_python):
    """What is logged after logging's own shutdown, to no server, is dropped, counted and told of."""
    sandbox.stop()
    source = """
import atexit
def late():
    log(2)
    print(handler.stats().dropped, handler.stats().pending, told)
atexit.register(late)
told = []
def tell(event, error): told.append((event.data['number'], error.reason))
""" + program("", shutdown_timeout_seconds=0.2).replace(
        "base_url=sys.argv[1],", "base_url=sys.argv[1], on_error=tell,"
    )

    done = run_python(source, sandbox.url)

    assert done.stdout.strip() == "{'shutdown': 1} 0 [(2, 'shutdown')]"


def test_17_an_on_error_that_logs_at_exit_costs_no_event(sandbox, run_python):
    """It is called on the thread that delivers, which goes on to deliver the others, and what it has logged."""
    sandbox.faults([{"status": 422}])
    source = "def tell(event, error): event.data['number'] < 9 and log(9)\n"
    source += program(
        "for n in range(4): log(n)", capacity=1, connections=1, flush_interval_seconds=3600
    ).replace("base_url=sys.argv[1],", "base_url=sys.argv[1], on_error=tell,")

    done = run_python(source, sandbox.url)

    assert numbers(sandbox) == [1, 2, 3, 9]
    assert done.stderr.count("spotzee_logging: ") == 0


def test_17_the_first_event_at_exit_keeps_the_bound_too(sandbox, run_python):
    """Where no thread can be started any more, a hanging server delays the exit no longer than else."""
    sandbox.faults([{"hang": True, "times": 100}])
    body = "import time\natexit.register(log, 1)\natexit.register(lambda: print(time.time(), flush=True))"

    done = run_python(program(body, shutdown_timeout_seconds=0.5, read_timeout_seconds=20), sandbox.url)

    assert time.time() - float(done.stdout) < 4
    assert "1 event undelivered at exit" in done.stderr


def sigterm(body, **settings):
    """A program that has called `flush_on_sigterm`, and then does `body`; `end()` sends it SIGTERM."""
    return """
import os, signal, sys, threading, time
def end(times=1):
    for _ in range(times): os.kill(os.getpid(), signal.SIGTERM)
def live():
    threading.Event().wait(60)
""" + program(
        "from spotzee_logging import flush_on_sigterm\n" + body,
        **{"flush_interval_seconds": 3600, **settings},
    )


unix = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process may catch")


@unix
def test_18_sigterm_delivers(sandbox, run_python):
    """Five events, then SIGTERM: five arrive, and the process has died of SIGTERM, without a word."""
    body = "flush_on_sigterm()\nfor n in range(5): log(n)\nend(); live()"

    done = run_python(sigterm(body), sandbox.url, check=False)

    assert numbers(sandbox) == [0, 1, 2, 3, 4]
    assert done.returncode == -signal.SIGTERM
    assert (done.stdout, done.stderr) == ("", "")


@unix
def test_18_without_the_opt_in_nothing_changes(sandbox, run_python):
    """A program that does not ask for it dies at once, as it always did."""
    done = run_python(sigterm("for n in range(5): log(n)\nend(); live()"), sandbox.url, check=False)

    assert done.returncode == -signal.SIGTERM
    assert numbers(sandbox) == []


@unix
@pytest.mark.parametrize("leaves", [True, False], ids=["that exits", "that goes on"])
def test_18_the_earlier_handler_runs(sandbox, run_python, leaves):
    """A handler of the program's is called once, in the main thread, after the delivery, as SIGTERM calls it."""
    body = f"""
def handle(signum, frame):
    is_main = threading.current_thread() is threading.main_thread()
    print(signum == signal.SIGTERM, type(frame).__name__, is_main, handler.stats().delivered, flush=True)
    if {leaves}: sys.exit(3)
    came.set()
came = threading.Event()
signal.signal(signal.SIGTERM, handle)
flush_on_sigterm()
for n in range(5): log(n)
end()
came.wait(60); came.clear()
log(5)
end()
came.wait(60)
"""

    done = run_python(sigterm(body), sandbox.url, check=False)

    assert done.returncode == (3 if leaves else 0)
    assert done.stdout.splitlines() == ["True frame True 5"] + ([] if leaves else ["True frame True 6"])
    assert numbers(sandbox) == list(range(5 if leaves else 6))
    assert done.stderr == ""


@unix
def test_18_what_is_ignored_stays_ignored(sandbox, run_python):
    """Where SIGTERM is ignored, it stays so, for what the program starts too."""
    body = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
flush_on_sigterm()
log(1)
end()
print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN, handler.stats().pending)
"""

    done = run_python(sigterm(body), sandbox.url)

    assert done.stdout.strip() == "True 1"
    assert numbers(sandbox) == [1]


@unix
def test_18_calling_it_again_changes_nothing(sandbox, run_python):
    """Called twice, and once more in a forked child, it delivers in each process what is pending there, once.

    There is one handler of ours: each that stood before another would take a timeout of its own.
    """
    body = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on
flush_on_sigterm()
ours = signal.getsignal(signal.SIGTERM)
flush_on_sigterm()
for n in range(5): log(n)
child = os.fork()
if child == 0:
    flush_on_sigterm()
    for n in range(5, 10): log(n)
    end(); live()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), signal.getsignal(signal.SIGTERM) is ours, flush=True)
end(); live()
"""

    done = run_python(sigterm(body), sandbox.url, check=False)

    assert done.stdout == f"{-signal.SIGTERM} True\n"
    assert done.returncode == -signal.SIGTERM
    assert numbers(sandbox) == list(range(10))


@unix
@pytest.mark.parametrize("method", sorted({"fork"} & set(multiprocessing.get_all_start_methods())))
def test_18_a_terminated_child_of_multiprocessing_delivers(sandbox, run_python, method):
    """`Process.terminate()` is a SIGTERM: a forked child inherits the opt-in, and delivers."""
    body = f"""
import multiprocessing, warnings
warnings.simplefilter("ignore", DeprecationWarning)
flush_on_sigterm()
context = multiprocessing.get_context({method!r})
ready = context.Event()
def work():
    for n in range(5): log(n)
    ready.set()
    live()
process = context.Process(target=work)
process.start()
ready.wait(60)
process.terminate()
process.join(60)
print(process.exitcode)
"""

    done = run_python(sigterm(body), sandbox.url)

    assert done.stdout.strip() == str(-signal.SIGTERM)
    assert numbers(sandbox) == [0, 1, 2, 3, 4]


TELLING = (
    "told = []\ndef tell(event, error): os.write(1, f'{event.data[\"number\"]} {error.reason}\\n'.encode())\n"
)


@unix
@pytest.mark.parametrize("trouble", ["hangs", "refuses"])
def test_18_sigterm_has_its_bound(sandbox, run_python, trouble):
    """Where the server hangs or refuses, the process dies in time; what is lost is told of, and said in a line."""
    if trouble == "hangs":
        sandbox.faults([{"hang": True, "times": 100}])
    else:
        sandbox.stop()
    body = (
        "flush_on_sigterm()\nfor n in range(3): log(n)\nsys.stderr.write(f'{time.time()}\\n')\nend(); live()"
    )
    source = TELLING + sigterm(body, shutdown_timeout_seconds=1).replace(
        "base_url=sys.argv[1],", "base_url=sys.argv[1], on_error=tell,"
    )

    done = run_python(source, sandbox.url, check=False)
    ended = time.time()
    began, *lines = done.stderr.splitlines()

    assert ended - float(began) < 1 + 0.5 + 0.2  # reading the process's end, on a busy machine
    assert done.returncode == -signal.SIGTERM
    assert [line for line in lines if "undelivered" in line] == [
        "spotzee_logging: 3 events undelivered at exit"
    ]
    assert done.stdout.splitlines() == ["0 shutdown", "1 shutdown", "2 shutdown"]
    assert "Traceback" not in done.stderr


@unix
def test_18_a_handler_that_exits_has_one_bound_with_the_exit(sandbox, run_python):
    """Where the server hangs, the wait before the program's own handler comes out of the exit's budget.

    So it does where something came through meanwhile, and the exit would have reason to try again.
    """
    sandbox.faults([{"delay": 0.3}, {"hang": True, "times": 100}])
    body = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
flush_on_sigterm()
for n in range(5): log(n)
started = time.monotonic()
end(); live()
"""

    done = run_python(
        MEASURED + sigterm(body, shutdown_timeout_seconds=1, capacity=1, connections=1), sandbox.url
    )

    assert float(done.stdout) < 1 + 0.8
    assert re.search("spotzee_logging: [45] events undelivered at exit", done.stderr)


def test_18_an_exit_long_after_has_its_whole_budget(monkeypatch):
    """What a program waited for before a handler that let it go on, or in a flush of its own, is not the exit's."""
    process_exit, tick = exit_budget.ExitBudget(), threading.Event()
    with process_exit.forewaiting():
        tick.wait(0.01)
    process_exit.wait(tick.wait, 0.01)
    monkeypatch.setattr(exit_budget, "JUST_SECONDS", 0.0)  # as if it were long ago

    process_exit.begin()

    assert process_exit.remaining_seconds(10) == 10
    process_exit.wait(tick.wait, 0.01)
    assert process_exit.remaining_seconds(10) < 10 - 0.005


@unix
def test_18_a_hook_that_blocks_keeps_no_process_alive(sandbox, run_python):
    """An on_error that never returns is left behind, as the program dies in time all the same."""
    sandbox.stop()
    body = "flush_on_sigterm()\nlog(1)\nprint(time.time(), flush=True)\nend(); live()"
    source = "def block(event, error): threading.Event().wait()\n" + sigterm(
        body, shutdown_timeout_seconds=0.5
    ).replace("base_url=sys.argv[1],", "base_url=sys.argv[1], on_error=block,")

    done = run_python(source, sandbox.url, check=False)

    assert time.time() - float(done.stdout) < 0.5 + 0.5 + 0.2
    assert done.returncode == -signal.SIGTERM


@unix
def test_18_the_longest_timeout_is_waited_for(sandbox, run_python):
    """Another handler's short timeout does not hand the signal on while this one's events are under way."""
    sandbox.faults([{"delay": 0.5}])
    body = """
short = SpotzeeHandler("sk_short", base_url=sys.argv[1], shutdown_timeout_seconds=0.1)
flush_on_sigterm()
log(1); log(2)  # the second goes once the first is answered
end(); live()
"""

    done = run_python(sigterm(body, capacity=1, connections=1), sandbox.url, check=False)

    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
    assert numbers(sandbox) == [1, 2]


@unix
def test_18_a_hook_that_ends_its_thread_is_not_waited_for(sandbox, run_python):
    """An on_error that calls sys.exit() for what is dropped ends the delivery, and the process dies at once."""
    sandbox.faults([{"status": 401, "times": 100}])
    source = "def leave(event, error): event is None or sys.exit()\n" + sigterm(
        "flush_on_sigterm()\nlog(1)\nend(); live()", shutdown_timeout_seconds=40
    ).replace("base_url=sys.argv[1],", "base_url=sys.argv[1], on_error=leave,")

    done = run_python(source, sandbox.url, check=False, timeout=30)

    assert done.returncode == -signal.SIGTERM


@unix
def test_18_again_after_one_that_the_main_thread_saw_late(sandbox, run_python):
    """A main thread that is busy in C when the delivery is over is told again and again; the next SIGTERM counts."""
    body = """
import hashlib
calls = []
signal.signal(signal.SIGTERM, lambda *_: calls.append(handler.stats().delivered))
flush_on_sigterm()
log(0)
end()
deadline = time.monotonic() + 20
while not handler.stats().delivered and time.monotonic() < deadline:
    hashlib.pbkdf2_hmac("sha256", b"x", b"x", 500_000)
log(1)
while len(calls) < 2 and time.monotonic() < deadline:
    end()
    threading.Event().wait(0.02)
print(calls[:2])
"""

    assert run_python(sigterm(body), sandbox.url).stdout == "[1, 2]\n"


@unix
@pytest.mark.parametrize("seconds", [0.3, 60], ids=["for a while", "for ever"])
def test_18_while_logging_is_locked(sandbox, run_python, seconds):
    """SIGTERM interrupts a line that holds logging's locks: the process dies in time, and delivers if it can."""
    body = f"""
flush_on_sigterm()
logging.getLogger().addHandler(logging.StreamHandler())
for n in range(5): log(n)
with logging._lock, logging.getLogger().handlers[0].lock, handler.lock:
    print(time.time(), flush=True)
    end()
    threading.Event().wait({seconds})
live()
"""

    done = run_python(sigterm(body, shutdown_timeout_seconds=2), sandbox.url, check=False)

    assert time.time() - float(done.stdout) < 2 + 0.5 + 0.2
    assert done.returncode == -signal.SIGTERM
    if seconds < 1:
        assert numbers(sandbox) == [0, 1, 2, 3, 4]
    else:
        # The transport asks logging whether its own lines are wanted, and that takes logging's lock.
        assert numbers(sandbox) == [0, 1, 2, 3, 4] or "5 events undelivered" in done.stderr


ANY_LINE = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
flush_on_sigterm()
log(0)
handler.flush(20)

def child(at_line):
    seen = 0
    def trace(frame, event, arg):
        nonlocal seen
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(("spotzee_logging", "logging")):
            return None
        if event == "line":
            seen += 1
            if seen == at_line:
                os.write(1, f"{at_line} {len(handler._buffer)}\\n".encode())
                end()
        return trace
    sys.settrace(trace)
    log(at_line)
    sys.settrace(None)
    return seen

def outcome(at_line):
    pid = os.fork()
    if pid == 0:
        seen = child(at_line)
        if seen < at_line:
            os._exit(100)
        live()
        os._exit(101)
    return pid

at_line, results = 1, {}
while 100 not in results.values():
    pids = [outcome(at_line + each) for each in range(8)]
    for each, pid in enumerate(pids):
        results[at_line + each] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    at_line += 8
died = [line for line, code in results.items() if code != 100]
assert {results[line] for line in died} == {-signal.SIGTERM}
"""


@unix
def test_18_at_any_line_of_emit(sandbox, run_python):
    """SIGTERM may come at any line of a logging call: the process dies in time, and what was held has arrived."""
    done = run_python(sigterm(ANY_LINE, shutdown_timeout_seconds=10), sandbox.url)
    held_at = dict(map(int, line.split()) for line in done.stdout.splitlines())
    arrived = numbers(sandbox)

    assert len(held_at) > 100
    assert {line for line, held in held_at.items() if held} <= set(arrived)
    assert set(arrived) <= {0, *held_at}
    assert len(arrived) == len(set(arrived))
    # An event that comes between the flush and the end may be given up, and that is said.
    assert "Traceback" not in done.stderr


@unix
def test_18_what_had_returned_was_delivered(sandbox, run_python):
    """While threads log on and on, SIGTERM loses none without a word whose logging call had returned."""
    body = """
flush_on_sigterm()
def work(first):
    for n in range(first, first + 100000):
        log(n)
        os.write(1, f"{n}\\n".encode())
for first in (0, 1000000):
    threading.Thread(target=work, args=(first,), daemon=True).start()
while handler.stats().accepted < 200:
    threading.Event().wait(0.001)
end(); live()
"""

    done = run_python(sigterm(body), sandbox.url, check=False)

    assert done.returncode == -signal.SIGTERM
    returned = {int(line) for line in done.stdout.split()}
    arrived = numbers(sandbox)
    assert len(returned) > 100
    said = re.findall(r"spotzee_logging: (\d+) events? undelivered", done.stderr)
    assert len(returned - set(arrived)) <= sum(map(int, said))
    assert len(arrived) == len(set(arrived))


@unix
@pytest.mark.parametrize(
    "moment",
    [
        "end()",
        "end(3)",
        "threading.Timer(0.2, end).start(); handler.flush(30)",
        "threading.Timer(0.1, end).start(); threading.Timer(0.3, end).start(); handler.flush(30)",
    ],
    ids=["alone", "thrice", "in a flush", "twice in a flush"],
)
def test_18_during_a_flush_and_another_sigterm(sandbox, run_python, moment):
    """SIGTERM in the midst of a flush, and more of them, with a slow server: five of five arrive, once."""
    sandbox.faults([{"delay": 0.5}])
    body = f"flush_on_sigterm()\nfor n in range(5): log(n)\n{moment}\nlive()"

    done = run_python(sigterm(body), sandbox.url, check=False)

    assert done.returncode == -signal.SIGTERM
    assert numbers(sandbox) == [0, 1, 2, 3, 4]
    assert done.stderr == ""


@unix
def test_18_during_the_exit(sandbox, run_python):
    """A SIGTERM that comes while the exit delivers to a slow server lets it deliver, and then ends the process."""
    sandbox.faults([{"delay": 0.8}])
    body = """
flush_on_sigterm()
for n in range(5): log(n)
atexit.register(lambda: threading.Event().wait(0))
pid = os.fork()
if pid == 0:
    threading.Event().wait(0.4)
    os.kill(os.getppid(), signal.SIGTERM)
    os._exit(0)
"""
    quiet = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"

    done = run_python(quiet + sigterm(body), sandbox.url, check=False)

    assert done.returncode == -signal.SIGTERM
    assert numbers(sandbox) == [0, 1, 2, 3, 4]
    assert done.stderr == ""


@unix
def test_18_in_the_midst_of_other_callbacks_of_the_exit(sandbox, run_python):
    """So does one that comes before our part of the exit has begun, also where no thread can be started."""
    body = """
flush_on_sigterm()
for n in range(5): log(n)
atexit.register(end)
"""

    done = run_python(sigterm(body), sandbox.url, check=False)

    assert done.returncode == -signal.SIGTERM
    assert numbers(sandbox) == [0, 1, 2, 3, 4]


@unix
def test_18_the_second_ends_an_exit_that_hangs(sandbox, run_python):
    """Where a callback of the program's hangs before our part of the exit has begun, the next SIGTERM is the end."""
    body = "flush_on_sigterm()\natexit.register(lambda: (end(), end(), live()))"

    done = run_python(sigterm(body), sandbox.url, check=False, timeout=20)

    assert done.returncode == -signal.SIGTERM


@unix
def test_18_after_the_exits_deliveries(sandbox, run_python):
    """One that comes when they are over finds nothing to wait for: a callback that hangs keeps no process alive."""
    hangs = "import atexit\natexit.register(lambda: (end(), live()))\n"

    done = run_python(hangs + sigterm("flush_on_sigterm()\nlog(1)"), sandbox.url, check=False, timeout=20)

    assert done.returncode == -signal.SIGTERM
    assert numbers(sandbox) == [1]


@unix
@pytest.mark.parametrize("comes", ["before", "after"])
def test_18_with_asyncios_handler(sandbox, run_python, comes):
    """A callback of asyncio's for SIGTERM is called once, and the events arrive by then or at the exit."""
    body = f"""
import asyncio
calls = []
async def main():
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    def stop():
        calls.append(1)
        loop.call_later(0.5, stopped.set)
    if "{comes}" == "before": flush_on_sigterm()
    loop.add_signal_handler(signal.SIGTERM, stop)
    if "{comes}" == "after": flush_on_sigterm()
    for n in range(5): log(n)
    end()
    await asyncio.wait_for(stopped.wait(), 20)
asyncio.run(main())
print(len(calls))
"""

    done = run_python(sigterm(body), sandbox.url)

    assert done.stdout.strip() == "1"
    assert numbers(sandbox) == [0, 1, 2, 3, 4]


@unix
def test_18_again_and_again_with_asyncios_handler(sandbox, run_python):
    """A program whose callback lets it go on has what is pending delivered at each SIGTERM."""
    body = """
import asyncio
async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
    flush_on_sigterm()
    deadline = time.monotonic() + 20
    for n in range(2):
        log(n)
        while handler.stats().delivered == n and time.monotonic() < deadline:
            end()
            await asyncio.sleep(0.02)
    print(handler.stats().delivered, flush=True)
    os._exit(0)
asyncio.run(main())
"""

    assert run_python(sigterm(body), sandbox.url).stdout == "2\n"


@unix
def test_18_a_later_handler_stays_where_the_program_goes_on(sandbox, run_python):
    """A handler that is installed later and calls ours is the one that the next SIGTERM finds."""
    body = """
calls = []
came = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: (calls.append("earlier"), came.set()))
flush_on_sigterm()
ours = signal.getsignal(signal.SIGTERM)
def chain(signum, frame):
    calls.append("later")
    ours(signum, frame)
signal.signal(signal.SIGTERM, chain)
log(0)
end()
came.wait(20)
print(calls, signal.getsignal(signal.SIGTERM) is chain)
"""

    assert run_python(sigterm(body), sandbox.url).stdout == "['later', 'earlier'] True\n"
    assert numbers(sandbox) == [0]


@unix
@pytest.mark.parametrize("again", ["", "flush_on_sigterm()"], ids=["above ours", "between two of ours"])
def test_18_a_later_handler_that_chains(sandbox, run_python, again):
    """A handler that is installed later and calls ours is called once, and then the process dies."""
    body = f"""
flush_on_sigterm()
ours = signal.getsignal(signal.SIGTERM)
def chain(signum, frame):
    os.write(1, b"called\\n")
    ours(signum, frame)
signal.signal(signal.SIGTERM, chain)
{again}
for n in range(5): log(n)
end(); live()
"""

    done = run_python(sigterm(body), sandbox.url, check=False)

    assert done.stdout == "called\n"
    assert done.returncode == -signal.SIGTERM
    assert numbers(sandbox) == [0, 1, 2, 3, 4]


@unix
def test_18_where_no_thread_can_be_started(sandbox, run_python):
    """At the system's limit of threads SIGTERM ends the process, as it would without us."""
    body = "flush_on_sigterm()\nlog(0)\nhandler.flush(20)\nthreading.stack_size(1 << 46)\nend(); live()"

    done = run_python(sigterm(body), sandbox.url, check=False, timeout=20)

    assert done.returncode == -signal.SIGTERM
    assert numbers(sandbox) == [0]


def can_be_first():
    """Whether this system lets us start the first process of a PID namespace."""
    unshare = shutil.which("unshare")
    return unshare is not None and subprocess.run([*FIRST, "true"], capture_output=True).returncode == 0


FIRST = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]


@pytest.mark.skipif(not can_be_first(), reason="this system makes no PID namespaces for us")
def test_18_as_the_first_process_of_a_container(sandbox, tmp_path):
    """Linux spares process 1 the default of SIGTERM: it delivers, goes on, and a handler of its own ends it."""
    body = """
flush_on_sigterm()
for n in range(5): log(n)
end()
deadline = time.monotonic() + 20
while handler.stats().pending and time.monotonic() < deadline:
    threading.Event().wait(0.01)
threading.Event().wait(0.3)
log(5)
print(os.getpid(), handler.stats().delivered, handler.stats().dropped)
"""
    path = tmp_path / "program.py"
    path.write_text(sigterm(body))

    done = subprocess.run(
        [*FIRST, sys.executable, str(path), sandbox.url], capture_output=True, text=True, timeout=60
    )

    assert done.stdout.strip() == "1 5 {}"
    assert done.returncode == 0
    assert numbers(sandbox) == [0, 1, 2, 3, 4, 5]


def test_18_outside_of_the_main_thread():
    """Called where Python installs no handlers, it says where to call it."""
    caught = []

    def call():
        try:
            flush_on_sigterm()
        except errors.InvalidSettings as error:
            caught.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()

    assert len(caught) == 1
    assert "main thread" in caught[0]


@pytest.mark.parametrize("host", ["uWSGI", "one that Python has found at its start"])
def test_18_under_a_host_whose_handler_is_no_pythons(monkeypatch, host):
    """Where SIGTERM is handled by a host's C code, which could not be called any more, it says what to do."""
    if host == "uWSGI":
        monkeypatch.setitem(sys.modules, "uwsgi", types.ModuleType("uwsgi"))
    else:
        monkeypatch.setattr(signal, "getsignal", lambda number: None)  # as Python documents it

    with pytest.raises(errors.InvalidSettings, match="Leave it out, and call flush"):
        flush_on_sigterm()


class Recorder(http.server.BaseHTTPRequestHandler):
    """Takes whatever it is sent, and keeps it with the key that it came with; the sandbox shows no keys."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.headers["Authorization"], json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Nothing: the tests look at what was taken."""


@pytest.fixture
def recorder():
    """A server on loopback that keeps the key and the events of each request."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.daemon_threads = True
        server.taken = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def flushed_in():
    """Calls a flush, and gives what it returned and the seconds that it took."""

    def call(flush, *arguments):
        started = time.monotonic()
        result = flush(*arguments)
        return result, time.monotonic() - started

    return call


@pytest.fixture
def log(make_logger):
    """Logs an event by a handler."""

    def call(handler, number=0):
        logger = make_logger(handler)
        logger.info("x", extra={"spotzee_event": tag(number)})

    return call


MARGIN_SECONDS = 0.5


def test_19_while_a_request_is_in_flight(sandbox, make_handler, log, flushed_in):
    """A flush that is shorter than the request in flight says False in time; a longer one says True."""
    sandbox.faults([{"delay": 1}])
    handler = make_handler(flush_level="INFO")
    log(handler)
    assert sandbox.wait_for_requests(1, 10)

    early, early_seconds = flushed_in(handler.flush, 0.1)
    late, late_seconds = flushed_in(handler.flush, 20)

    assert (early, late) == (False, True)
    assert early_seconds < 0.1 + MARGIN_SECONDS
    assert late_seconds < 1 + MARGIN_SECONDS


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_19_while_paused(sandbox, make_handler, log, flushed_in, status):
    """While delivery is paused a flush says False at once, and asks the server nothing."""
    sandbox.faults([{"status": status, "times": 100}])
    handler = make_handler(flush_interval_seconds=3600)
    log(handler)
    handler.flush(20)
    before = len(sandbox.requests())

    is_settled, seconds = flushed_in(handler.flush, 20)

    assert is_settled is False
    assert seconds < MARGIN_SECONDS
    assert len(sandbox.requests()) == before


@forks
@forks_with_threads
@pytest.mark.parametrize("hangs", [False, True])
def test_19_forked(sandbox, make_handler, log, flushed_in, hangs):
    """In a child a flush of what the child has logged keeps its timeout, and the parent's does too."""
    handler = make_handler(flush_interval_seconds=3600)
    log(handler, 0)
    if hangs:
        sandbox.faults([{"hang": True, "times": 100}])

    def work():
        nothing, nothing_seconds = flushed_in(handler.flush, 20)
        log(handler, 1)
        is_settled, seconds = flushed_in(handler.flush, 0.5 if hangs else 20)
        return (
            (nothing, is_settled) == (True, not hangs)
            and nothing_seconds < MARGIN_SECONDS
            and (seconds < 0.5 + MARGIN_SECONDS or not hangs)
        )

    assert in_a_child(work) == 0
    is_settled, seconds = flushed_in(handler.flush, 0.5 if hangs else 20)
    assert is_settled is not hangs
    assert seconds < 0.5 + MARGIN_SECONDS or not hangs


def test_19_called_from_on_error(sandbox, make_handler, log, flushed_in):
    """Called from on_error, on the delivering thread and on the caller's, a flush answers at once."""
    answers = []

    def tell(event, error):
        answers.append(
            (threading.current_thread() is threading.main_thread(), *flushed_in(handler.flush, 20))
        )

    sandbox.faults([{"status": 422}])
    handler = make_handler(on_error=tell, flush_interval_seconds=3600)
    log(handler)

    assert handler.flush(20)
    make_logger_less(handler)

    (on_the_senders, on_the_callers) = answers
    assert on_the_senders[:1] == (False,)
    assert on_the_callers[:2] == (True, True)
    assert isinstance(on_the_senders[1], bool)
    assert on_the_senders[2] < MARGIN_SECONDS
    assert on_the_callers[2] < MARGIN_SECONDS


def make_logger_less(handler):
    """Hand the handler a record whose tag is invalid, in this thread."""
    record = logging.LogRecord("shop", logging.INFO, __file__, 1, "x", (), None)
    record.spotzee_event = ""
    handler.handle(record)


def test_19_called_from_the_sender_itself(sandbox, make_handler, log, flushed_in):
    """A flush by what runs on the delivering thread, here the function that gives the key, answers at once."""
    answers = []

    def key():
        answers.append(flushed_in(handler.flush, 20))
        return "sk_test"

    handler = make_handler(key, flush_interval_seconds=3600)
    log(handler)

    assert handler.flush(20)
    ((is_settled, seconds),) = answers
    assert is_settled is False
    assert seconds < MARGIN_SECONDS


WORKER_DEAD = """
import threading, time
threading.stack_size(1 << 46)  # no system gives that much: from here on no thread can be started
for n in range(3): log(n)
started = time.monotonic()
result = handler.flush(2)
print(result, time.monotonic() - started, [each.name for each in threading.enumerate()], handler.stats().requests)
"""


@pytest.mark.parametrize("trouble", ["none", "hangs", "answers 503"])
def test_19_with_the_worker_dead(sandbox, run_python, trouble):
    """Where there is no thread and none can be started, flush delivers itself, within its timeout, and never spins."""
    script = {"hangs": [{"hang": True, "times": 100}], "answers 503": [{"status": 503, "times": 1000}]}
    sandbox.faults(script.get(trouble, []))

    done = run_python(program(WORKER_DEAD, shutdown_timeout_seconds=0.1), sandbox.url)
    result, seconds, threads, requests = done.stdout.split()

    assert result == str(trouble == "none")
    assert float(seconds) < 2 + MARGIN_SECONDS
    assert threads == "['MainThread']"
    assert int(requests) <= 8  # by chance, with full jitter, seldom more than four
    assert numbers(sandbox) == ([0, 1, 2] if trouble == "none" else [])


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"reset": "before"}], ids=str)
def test_19_never_spins(sandbox, make_handler, log, fault):
    """Three seconds of flushing against a server that fails at once cost a handful of requests."""
    sandbox.faults([{**fault, "times": 10000}])
    handler = make_handler(flush_interval_seconds=3600)
    log(handler)
    deadline = time.monotonic() + 3

    results = set()
    flushes = 0
    while time.monotonic() < deadline:
        results.add(handler.flush(deadline - time.monotonic()))
        flushes += 1

    assert results == {False}
    assert len(sandbox.requests()) <= 8
    assert flushes < 100


class AskedBuffer(MemoryBuffer):
    """Counts how often a thread that delivers has asked whether anything is due."""

    times_asked = 0

    @property
    def has_sealed(self):
        self.times_asked += threading.current_thread().name == "spotzee_logging"
        return super().has_sealed


@pytest.fixture
def eager_threads():
    """A thread that is woken runs at once."""
    seconds = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(seconds)


@pytest.mark.usefixtures("eager_threads")
def test_19_no_event_wakes_it_while_it_may_not_send(sandbox, make_handler, log):
    """A thousand events in an outage leave the thread asleep: the program pays for no switch to it and back."""
    sandbox.faults([{"status": 503, "headers": {"Retry-After": "600"}}])
    buffer = AskedBuffer(2**20)
    handler = make_handler(buffer=buffer, capacity=1)
    log(handler)
    handler.flush(0.5)
    assert handler.stats().requests == 1
    before = buffer.times_asked

    for number in range(1000):
        log(handler, number)

    assert buffer.times_asked <= before + 20  # it, and the one that stands by, may just have looked
    assert len(sandbox.requests()) == 1


def test_19_no_event_wakes_the_thread_for_a_request_that_the_pace_forbids(make_handler, log, sandbox):
    """A burst beyond the pace costs the program no switch to the thread and back for each event."""
    buffer = AskedBuffer(2**20)
    handler = make_handler(buffer=buffer, capacity=1, requests_per_second=0.1)
    log(handler)
    assert handler.flush(20)
    log(handler)
    before = buffer.times_asked

    for number in range(1000):
        log(handler, number)

    assert buffer.times_asked <= before + 10  # it may just have looked, and started
    assert len(sandbox.requests()) == 1
    handler.flushOnClose = False


class FaultyBuffer(AskedBuffer):
    """Raises where it is asked what there is to do, until it is mended."""

    is_mended = False

    @property
    def unsealed(self):
        if threading.current_thread().name == "spotzee_logging" and not self.is_mended:
            self.times_asked += 1
            raise ValueError("no buffer of ours")
        return super().unsealed


@pytest.mark.meets_a_fault
def test_19_a_fault_in_telling_what_is_due_does_not_make_it_spin(make_handler, log, caplog):
    """Each time it meets one the thread rests before it looks again, ever longer; one line tells of it."""
    buffer = FaultyBuffer(2**20)
    handler = make_handler(buffer=buffer, flush_interval_seconds=0)
    log(handler)
    threading.Event().wait(0.5)
    is_troubled = handler._dispatcher.schedule.is_troubled
    times_asked, buffer.is_mended = buffer.times_asked, True

    assert 1 <= times_asked <= 10
    assert is_troubled
    assert handler.flush(20)
    assert sum("delivery met ValueError" in line.getMessage() for line in caplog.records) == 1


class HalfABuffer(MemoryBuffer):
    """Its batches cannot be given back, and the first answer that it hears of is too much for it."""

    is_mended = False

    def ack(self, batch, refused=(), verdict=NO_VERDICT):
        if not self.is_mended:
            raise errors.SpoolError("the place of my own: no room. Make some.", path="")
        return super().ack(batch, refused, verdict)

    def release(self, batch):
        super().release(batch)
        self.is_mended = True
        raise LookupError("no such batch")


@pytest.mark.meets_a_fault
def test_19_a_buffer_of_the_programs_own_that_fails_at_an_answer(make_handler, log, caplog, sandbox):
    """Its words are not ours to repeat; the request is over, others begin, and what it holds arrives."""
    handler = make_handler(buffer=HalfABuffer(2**20), connections=1, flush_interval_seconds=0)
    log(handler)

    assert handler.flush(20)

    assert handler.stats().in_flight == 0
    assert len(sandbox.requests()) == 2
    said = [line for line in caplog.messages if "delivery met" in line]
    assert said == ["delivery met LookupError; it will be tried again"]


@pytest.mark.meets_a_fault
def test_19_an_error_of_ours_that_delivery_meets_says_what_to_do(make_handler, log, caplog):
    """Where the batch could be given back the line has what is wrong, and the remedy."""
    buffer = HalfABuffer(2**20)
    buffer.release = lambda batch: setattr(buffer, "is_mended", True) or MemoryBuffer.release(buffer, batch)
    handler = make_handler(buffer=buffer, flush_interval_seconds=0)
    log(handler)

    assert handler.flush(20)

    said = [line for line in caplog.messages if "delivery met" in line]
    assert said == [
        "delivery met SpoolError; it will be tried again: the place of my own: no room. Make some."
    ]


MANY = """
import logging, sys, threading, time
from spotzee_logging import SpotzeeHandler, dispatcher, flush
dispatcher.IDLE_SECONDS = 1.0
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
for number in range(100):
    child = logger.getChild(str(number))
    child.addHandler(SpotzeeHandler(f"sk_{number}", base_url=sys.argv[1]))
for _ in range(2):
    for number in range(100):
        logger.getChild(str(number)).info(
            "x", extra={"spotzee_event": {"name": "n", "external_id": "c", "data": {"number": number}}})
print(flush(60))
def ours():
    return [each for each in threading.enumerate() if each.name.startswith("spotzee_logging")]
before, deadline = time.process_time(), time.monotonic() + 30
most, tick = len(ours()), threading.Event()
while ours() and time.monotonic() < deadline:
    tick.wait(0.1)
print(most, len(ours()), time.process_time() - before)
"""


def test_20_a_hundred_handlers(recorder, run_python):
    """A hundred handlers idle without work, their threads end, and each sends its own events, by its own key."""
    done = run_python(MANY, recorder.url)
    settled, most, left, cpu_seconds = done.stdout.split()

    assert settled == "True"
    assert int(most) <= 100
    assert int(left) == 0
    assert float(cpu_seconds) < 0.5
    sent = [(key, event["data"]["number"]) for key, events in recorder.taken for event in events]
    assert sorted(sent) == sorted([(f"Bearer sk_{number}", number) for number in range(100)] * 2)


def test_20_a_flush_of_all_begins_with_all(sandbox, recorder, make_handler, log):
    """One whose server hangs for the whole of the timeout does not keep the others' events waiting."""
    hung = make_handler(flush_interval_seconds=3600, shutdown_timeout_seconds=0.1)
    other = make_handler(base_url=recorder.url, flush_interval_seconds=3600)
    log(other)
    assert other.flush(20)  # what delivers is imported by now
    sandbox.faults([{"hang": True, "times": 100}])
    log(hung)
    log(other)

    assert not flush(0.7)

    assert other.stats().delivered == 2


def test_20_two_keys_never_mix(recorder, make_handler, make_logger):
    """Two handlers of different keys, used at once by many threads, send each their own events alone."""
    handlers = [make_handler(f"sk_{parity}", base_url=recorder.url, capacity=7) for parity in range(2)]
    loggers = [make_logger(handler) for handler in handlers]

    def work(first):
        for number in range(first, first + 50):
            loggers[number % 2].info("x", extra={"spotzee_event": tag(number)})

    threads = [threading.Thread(target=work, args=(50 * each,)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [handler.flush(20) for handler in handlers] == [True, True]
    sent = [(key, event["data"]["number"]) for key, events in recorder.taken for event in events]
    assert sorted(sent) == sorted((f"Bearer sk_{number % 2}", number) for number in range(400))
