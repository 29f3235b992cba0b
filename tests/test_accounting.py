"""Every event ends in one place, whatever the server, the caller and the clock do."""

import json
import logging
import threading

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
