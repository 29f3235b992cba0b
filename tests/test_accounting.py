"""Every event ends in one place, whatever the server, the caller and the clock do."""

import json
import logging
import os
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import VALIDATOR, tag
from spotzee_logging import SpotzeeHandler
from spotzee_logging.sandbox import Sandbox

PASSING = [
    {},
    {"status": 204},
    {"status": 500},
    {"status": 429, "headers": {"Retry-After": "0"}},
    {"reset": "before"},
]
# Not both in one script: a server that keeps the contract refuses nothing that it has committed.
FAULTS = st.one_of(
    st.lists(st.sampled_from([*PASSING, {"reset": "after"}]), max_size=6),
    st.lists(st.sampled_from([*PASSING, {"status": 422}, {"status": 400}, {"status": 418}]), max_size=6),
)
STEPS = st.lists(
    st.sampled_from(["good", "invalid", "hidden", "flush", "close", "stats", "huge"]), min_size=1, max_size=40
)


def balanced(stats):
    ended = stats.delivered + sum(stats.rejected.values()) + sum(stats.dropped.values())
    return stats.accepted == ended + stats.pending


@given(faults=FAULTS, threads=st.lists(STEPS, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_account_balances(faults, threads):
    """accepted == delivered + rejected + dropped + pending, at every look, and on_error hears of every loss."""
    told, unbalanced, lock = [], [], threading.Lock()

    def on_error(event, error):
        with lock:
            told.append(error.reason)

    with Sandbox() as sandbox:
        sandbox.faults(faults)
        handler = SpotzeeHandler(
            "sk_test",
            base_url=sandbox.url,
            capacity=7,
            max_event_bytes=1024,
            on_error=on_error,
            before_send=lambda event: None if event.name == "hidden" else event,
        )
        logger = logging.Logger("shop")
        logger.addHandler(handler)
        moves = {
            "good": lambda: logger.info("x", extra={"spotzee_event": tag()}),
            "invalid": lambda: logger.info("x", extra={"spotzee_event": {"name": "x"}}),
            "hidden": lambda: logger.info("x", extra={"spotzee_event": tag(name="hidden")}),
            "huge": lambda: logger.info("x", extra={"spotzee_event": tag(data={"x": "x" * 2000})}),
            "flush": lambda: handler.flush(0.01),
            "close": handler.close,
            "stats": lambda: None,
        }

        def work(steps):
            for step in steps:
                moves[step]()
                if not balanced(handler.stats()):
                    unbalanced.append(handler.stats())

        workers = [threading.Thread(target=work, args=(steps,)) for steps in threads]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        is_settled = handler.flush(30)
        stats = handler.stats()
        delivered = len(sandbox.events())
        keys = [(r["idempotency_key"], r["body"]) for r in sandbox.requests()]

    assert is_settled
    assert unbalanced == []
    assert stats.pending == stats.pending_bytes == stats.in_flight == 0
    assert balanced(stats)
    steps = [step for each in threads for step in each]
    assert stats.accepted == sum(step in {"good", "invalid", "hidden", "huge"} for step in steps)
    assert stats.delivered == delivered
    assert stats.dropped.get("before_send", 0) == steps.count("hidden")
    assert stats.rejected.get("event_too_large", 0) == steps.count("huge")
    assert len(told) == sum(stats.rejected.values())
    assert len({key for key, _ in keys}) == len(set(keys))
    for _, body in keys:
        VALIDATOR.validate(json.loads(body))
        assert len(json.loads(body)) <= 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@given(
    faults=FAULTS, before=st.integers(0, 30), children=st.lists(st.integers(0, 30), min_size=1, max_size=2)
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_account_of_each_process_balances(faults, before, children):
    """A fork at any moment of a delivery: each process accounts for its own events, and none arrives twice."""

    def log(process, count):
        for number in range(count):
            logger.info("x", extra={"spotzee_event": tag([process, number])})

    def is_accounted(count):
        is_settled, stats = handler.flush(30), handler.stats()
        return is_settled and balanced(stats) and stats.accepted == count and stats.pending == 0

    def work(child, count):
        log(child, count)
        return is_accounted(count)

    with Sandbox() as sandbox:
        sandbox.faults(faults)
        handler = SpotzeeHandler("sk_test", base_url=sandbox.url, capacity=7)
        logger = logging.Logger("shop")
        logger.addHandler(handler)
        log("parent", before)
        pids = [forked(work, child, count) for child, count in enumerate(children)]
        is_parents_accounted = is_accounted(before)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        arrived = [tuple(event["data"]["number"]) for event in sandbox.events()]
        delivered = handler.stats().delivered

    assert is_parents_accounted
    assert codes == [0] * len(children)
    assert len(arrived) == len(set(arrived))
    assert delivered == sum(process == "parent" for process, _ in arrived)


def forked(work, *arguments):
    """The pid of a child that does this work, and whose exit code is 0 where it gives True."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = 0 if work(*arguments) else 2
    finally:
        os._exit(code)


OUT_OF_FILES = """
import logging, sys
from spotzee_logging import SpotzeeHandler

handler = SpotzeeHandler("sk_test", base_url=sys.argv[1])
logging.getLogger().addHandler(handler)
logging.error("x", extra={"spotzee_event": {"name": "n", "external_id": "c"}})
handler.flush(20)
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
print(handler.stats().accepted)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows sets no such limit")
def test_the_account_is_given_where_no_file_can_be_opened(sandbox, run_python):
    """A process that has run out of files is one whose account somebody looks at: `stats()` opens none."""
    assert run_python(OUT_OF_FILES, sandbox.url).stdout == "1\n"
