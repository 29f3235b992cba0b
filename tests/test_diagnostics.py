"""What the package says of itself: one line a kind and minute, where somebody sees it."""

import logging
import os

import pytest

from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.errors import DeliveryPaused
from spotzee_logging.reporting import Reporter
from spotzee_logging.stats import Ledger


@pytest.fixture
def told():
    """What on_error was told."""
    return []


@pytest.fixture
def said(caplog):
    return lambda: [record.getMessage() for record in caplog.records if record.name == "spotzee_logging"]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_one_line_a_kind_and_minute(said):
    """A flood of the same trouble is a line a minute, with the number of those left out."""
    clock = Clock()
    diagnostics = Diagnostics(clock)

    for _ in range(5):
        diagnostics.say("retry", logging.WARNING, "no answer")
    diagnostics.say("dropped", logging.WARNING, "full")
    clock.now = 59.9
    diagnostics.say("retry", logging.WARNING, "no answer")
    clock.now = 60
    diagnostics.say("retry", logging.WARNING, "no answer")

    assert said() == ["no answer", "full", "no answer (5 more like this left out)"]


def test_the_rest_is_told_at_close(said):
    """At the end nobody waits for a next line: the numbers left out are said."""
    diagnostics = Diagnostics(Clock())
    for _ in range(3):
        diagnostics.say("retry", logging.WARNING, "no answer")
    for _ in range(2):
        diagnostics.say("dropped", logging.WARNING, "full")
        diagnostics.say("told", logging.WARNING, "elsewhere")

    diagnostics.say_left_out(but={"told"})
    diagnostics.say_left_out()

    assert said() == [
        "no answer",
        "full",
        "elsewhere",
        "2 more lines were left out, of the kind 'retry'",
        "1 more line was left out, of the kind 'dropped'",
    ]


def test_a_server_with_words_without_end(said, told):
    """Codes that differ in every answer are counted, and said, as some dozens of kinds; the hook is told each."""
    ledger, codes = Ledger(), [f"err_{number}" for number in range(200)]
    reporter = Reporter(ledger, Diagnostics(Clock()), lambda event, error: told.append(error.reason))

    for code in [*codes, *codes]:
        reporter.rejected([b'{"name": "n", "external_id": "c"}'], code, f"418 {code}", None)

    rejected = ledger.snapshot(pending_bytes=0, in_flight=0, paused_seconds=0).rejected
    assert rejected == {**dict.fromkeys(codes[:50], 2), "other": 300}
    assert len(said()) == 51
    assert told == [*codes, *codes]


def test_pauses_of_a_server_with_words_without_end(said):
    """They are said as some dozens of kinds too, and take no words from the account of what is rejected."""
    ledger = Ledger()
    reporter = Reporter(ledger, Diagnostics(Clock()), None)

    for number in range(200):
        reporter.say_paused(DeliveryPaused("paused", reason=f"err_{number}"), "1 event waits")
    reporter.rejected([b'{"name": "n", "external_id": "c"}'], "validation_failed", "422 no", None)

    assert len(said()) == 51 + 1
    rejected = ledger.snapshot(pending_bytes=0, in_flight=0, paused_seconds=0).rejected
    assert rejected == {"validation_failed": 1}


SCRIPT = """
import logging, logging.config
from spotzee_logging import SpotzeeHandler
handler = SpotzeeHandler("sk_test", base_url="http://127.0.0.1:9")
logger = logging.getLogger("shop")
{setup}
logger.warning("x", extra={{"spotzee_event": ""}})
"""


@pytest.mark.parametrize(
    ("setup", "is_seen"),
    [
        ("logger.addHandler(handler)", True),
        ("logging.getLogger().addHandler(handler)", True),
        ("logging.basicConfig(handlers=[handler])", True),
        ("logging.basicConfig(handlers=[logging.StreamHandler(), handler])", True),
        (
            "logger.addHandler(handler); logging.config.dictConfig({'version': 1}); logger.disabled = False",
            True,
        ),
        ("logger.addHandler(handler); logging.getLogger('spotzee_logging').setLevel(100)", False),
        (
            "logger.addHandler(handler); logging.getLogger('spotzee_logging').addHandler(logging.NullHandler())",
            False,
        ),
    ],
    ids=["child", "root", "only ours", "with a stream", "disabled by dictConfig", "silenced", "null handler"],
)
def test_a_line_is_seen_once_unless_silenced(run_python, setup, is_seen):
    """Where no handler but ours would print it, it goes to stderr; where one does, it is not doubled."""
    done = run_python(SCRIPT.format(setup=setup))

    assert done.stderr.count("an event without a name: name is empty") == is_seen


def test_the_last_resort_may_be_switched_off(run_python):
    """A program that wants nothing on stderr sets logging.lastResort to None, and gets nothing."""
    done = run_python(SCRIPT.format(setup="logger.addHandler(handler); logging.lastResort = None"))

    assert "an event without a name" not in done.stderr


FORKING = """
import logging, os
from spotzee_logging.diagnostics import Diagnostics

diagnostics = Diagnostics()
diagnostics.say("retry", logging.WARNING, "the parent says it")
child = os.fork()
if child == 0:
    diagnostics.say("retry", logging.WARNING, "the child says it")
    os._exit(0)
os.waitpid(child, 0)
diagnostics.say("retry", logging.WARNING, "the parent says it again")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_speaks_for_itself(run_python):
    """What its parent has said within the minute, it has not."""
    assert run_python(FORKING).stderr.splitlines() == ["the parent says it", "the child says it"]
