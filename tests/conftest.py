"""What the tests share: a strict server, handlers that are closed, loggers that nobody else uses."""

import itertools
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import jsonschema
import pytest

from spotzee_logging import clear_contact

pytest_plugins = ["pytester"]

SCHEMA = json.loads((pathlib.Path(__file__).parent / "contract" / "events.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
assert "date-time" in VALIDATOR.format_checker.checkers  # by rfc3339-validator; without it nothing is checked

# Each runs in an environment of tox's own, which sets the variable to its name here: they need what the others have
# not installed, or take longer.
OF_THEIR_OWN = ["packaging", "page", "servers", "soak", "test_docs.py", "typing"]
collect_ignore = [name for name in OF_THEIR_OWN if name != os.environ.get("WITH_TESTS_OF")]


def pytest_configure(config):
    config.addinivalue_line("markers", "meets_a_fault: the delivering thread meets an exception, and says so")
    # Where the suite runs in the background of a shell, Ctrl-C is ignored, and by every process it starts too.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in list(os.environ):
        if name.startswith("SPOTZEE_"):
            del os.environ[name]


@pytest.fixture
def sandbox(spotzee_sandbox):
    """The sandbox of the plugin; afterwards, every body that it was sent must keep the contract's own schema."""
    yield spotzee_sandbox
    for request in spotzee_sandbox.requests():
        if (
            request["method"] == "POST"
            and request["path"].endswith("/events")
            and request["body"] is not None
        ):
            VALIDATOR.validate(json.loads(request["body"]))


@pytest.fixture
def make_handler(sandbox, make_spotzee_handler):
    """Makes handlers that send to the sandbox, and closes them."""
    return make_spotzee_handler


class _Met(logging.Filter):
    """Keeps what the delivering thread said of faults that it met, and lets every line pass."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def filter(self, record):
        if record.getMessage().startswith("delivery met"):
            self.lines.append(record.getMessage())
        return True


@pytest.fixture(autouse=True)
def delivery_met_nothing(request):
    """A test whose delivery goes on after a fault of ours has failed, but where the fault is what it is about."""
    met, ours = _Met(), logging.getLogger("spotzee_logging")
    ours.addFilter(met)
    yield
    ours.removeFilter(met)
    if request.node.get_closest_marker("meets_a_fault") is None:
        assert met.lines == []


_numbers = itertools.count()


@pytest.fixture
def make_logger():
    """Makes loggers of new names, at DEBUG, with the given handlers and none above them."""

    made = []

    def make(*handlers, name=None, propagate=False):
        logger = logging.getLogger(name or f"shop{next(_numbers)}")
        logger.setLevel(logging.DEBUG)
        logger.propagate = propagate
        for handler in handlers:
            logger.addHandler(handler)
        made.append(logger)
        return logger

    yield make
    for logger in made:
        logger.handlers.clear()
        logger.filters.clear()


@pytest.fixture(autouse=True)
def no_contact():
    """No test inherits who was acting in another."""
    clear_contact()
    yield
    clear_contact()


UNMEASURED = {"COVERAGE_PROCESS_CONFIG": None, "COVERAGE_PROCESS_START": None}
"""For `run_python`: without coverage, which in every Python that starts takes time and memory, imports and opens."""


@pytest.fixture
def run_python(tmp_path):
    """Runs a program in a Python of its own, and gives its CompletedProcess, with stdout and stderr as text.

    A keyword is a variable of its environment; None takes the variable out.
    """

    def run(source, *arguments, timeout=60, check=True, **environment):
        program = tmp_path / "program.py"
        program.write_text(source)
        done = subprocess.run(
            [sys.executable, "-W", "error", str(program), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={name: value for name, value in {**os.environ, **environment}.items() if value is not None},
        )
        assert not check or done.returncode == 0, f"it ended with {done.returncode} and wrote:\n{done.stderr}"
        return done

    return run


def tag(number=0, **fields):
    """A tag that keeps every rule."""
    return {"name": "order_placed", "external_id": "cust_001", "data": {"number": number}, **fields}


_PROGRAM = """
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
    return _PROGRAM.format(body=body, settings=settings)


def start_again(sandbox):
    """Start a stopped sandbox on the port it had, which a connection of another test's may have for a moment."""
    deadline, tick = time.monotonic() + 20, threading.Event()
    while True:
        try:
            sandbox.start()
        except OSError:
            assert time.monotonic() < deadline
            tick.wait(0.05)
        else:
            return


def numbers(sandbox):
    return sorted(event["data"]["number"] for event in sandbox.events())
