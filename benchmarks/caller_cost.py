"""What one logging call costs its caller, as ratios against logging's own handlers in the same process.

    python benchmarks/caller_cost.py [rounds]

All rows take turns within a round, and each row's figure is the median of its rounds. The server is hung: it
takes connections and never answers, so that the figures are of the call alone. Absolute times mean little
beyond the machine.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable

from spotzee_logging import SpotzeeHandler, contact

CALLS = 2_000
TAG = {
    "name": "product_viewed",
    "anonymous_id": "anon-2c8a3e",
    "external_id": "cust-9f4b21",
    "data": {"product_id": "sku-1024", "value": 49.95, "currency": "AUD"},
    "user": {
        "email": "jane@example.com",
        "phone": "+61400123456",
        "timezone": "Australia/Sydney",
        "locale": "en-AU",
        "data": {"plan": "pro"},
    },
}


HUNG = socket.create_server(("127.0.0.1", 0), backlog=1000)


def spotzee() -> SpotzeeHandler:
    """A handler whose thread waits for an answer that never comes."""
    handler = SpotzeeHandler(
        "sk_bench",
        base_url=f"http://127.0.0.1:{HUNG.getsockname()[1]}",
        read_timeout_seconds=3600,
        shutdown_timeout_seconds=0,
    )
    logger = logger_with(handler)
    logger.error("begin", extra={"spotzee_event": TAG})
    while not handler.stats().in_flight:
        handler.flush(0.01)
    return handler


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("bench", logging.INFO)
    logger.addHandler(handler)
    return logger


def calls() -> dict[str, Callable[[], None]]:
    """Each row: one logging call."""
    null = logger_with(logging.NullHandler())
    memory_handler = logging.handlers.MemoryHandler(100_000, flushLevel=100)
    memory = logger_with(memory_handler)
    ours = logger_with(spotzee())
    extra = {"spotzee_event": TAG}
    short = {"spotzee_event": "product_viewed", "product_id": "sku-1024", "value": 49.95, "currency": "AUD"}

    def with_contact() -> None:
        with contact(external_id="cust-9f4b21", user={"email": "jane@example.com"}):
            ours.info("viewed", extra=short)

    return {
        "NullHandler": lambda: null.info("viewed", extra=extra),
        "MemoryHandler": lambda: memory.info("viewed", extra=extra),
        "SpotzeeHandler, untagged": lambda: ours.info("viewed"),
        "SpotzeeHandler, tagged": lambda: ours.info("viewed", extra=extra),
        "SpotzeeHandler, short tag in a contact": with_contact,
    }


def measure(call: Callable[[], None]) -> float:
    """Microseconds a call, over `CALLS` of them; every one of them times the same work."""
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - started) / CALLS * 1e6


def main(rounds: int) -> None:
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, call in calls().items():
            times.setdefault(name, []).append(measure(call))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{'':40} {'µs':>8} {'× Null':>8} {'× Memory':>9}")
    for name, median in medians.items():
        null, memory = medians["NullHandler"], medians["MemoryHandler"]
        print(f"{name:40} {median:8.2f} {median / null:8.2f} {median / memory:9.2f}")


if __name__ == "__main__":
    logging.getLogger("spotzee_logging").addHandler(logging.NullHandler())
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
    os._exit(0)  # nobody waits for events that go nowhere
