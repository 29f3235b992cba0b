"""What a call costs with a spool, as ratios against the same call in memory and a FileHandler, in one process.

    python benchmarks/spool_cost.py [rounds]

First the calls alone, all rows taking turns within a round, and the figures are of all calls of a row. Then the same
beside a thread that computes in Python: what gives up the interpreter's lock waits there to get it back, so that
the 99th percentile tells. The server is hung, and the FileHandler writes the same event as the spool does.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spotzee_logging import EventFormatter, SpotzeeHandler

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


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("bench", logging.INFO)
    logger.addHandler(handler)
    return logger


def spotzee(spool: str | None, durability: str = "process") -> logging.Logger:
    """A logger whose events wait: every connection waits for an answer that never comes."""
    handler = SpotzeeHandler(
        "sk_bench",
        base_url=f"http://127.0.0.1:{HUNG.getsockname()[1]}",
        connections=1,
        read_timeout_seconds=3600,
        shutdown_timeout_seconds=0,
        max_pending_bytes=2**30,
        spool=spool,
        durability=durability,
    )
    logger = logger_with(handler)
    logger.error("begin", extra={"spotzee_event": TAG})
    while not handler.stats().in_flight:
        handler.flush(0.01)
    return logger


def calls(folder: str) -> dict[str, Callable[[], None]]:
    file_handler = logging.FileHandler(f"{folder}/events.jsonl")
    file_handler.setFormatter(EventFormatter())
    loggers = {
        "in memory": spotzee(None),
        "FileHandler, same line": logger_with(file_handler),
        "in a spool": spotzee(f"{folder}/events.db"),
    }
    extra = {"spotzee_event": TAG}
    return {
        name: lambda logger=logger: logger.info("viewed", extra=extra) for name, logger in loggers.items()
    }


def times(call: Callable[[], None]) -> list[float]:
    """Microseconds of each of `CALLS` calls."""
    taken = []
    for _ in range(CALLS):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1e6)
    return taken


@contextmanager
def busy_thread() -> Iterator[None]:
    """Another thread that computes in Python meanwhile."""
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            sum(range(1000))

    thread = threading.Thread(target=compute, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def measure(rows: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """The times of all calls of all rounds, in order of length."""
    found: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, call in rows.items():
            found[name] += times(call)
    return {name: sorted(each) for name, each in found.items()}


def show(title: str, found: dict[str, list[float]]) -> None:
    memory, file = found["in memory"], found["FileHandler, same line"]
    print(
        f"{title:24} {'median µs':>10} {'× memory':>9} {'p99 µs':>9} {'× FileHandler':>14} {'over 1 ms':>10}"
    )
    for name, each in found.items():
        median, p99 = statistics.median(each), percentile(each)
        late = sum(time > 1000 for time in each) / len(each)
        ratios = median / statistics.median(memory), p99 / percentile(file)
        print(f"{name:24} {median:10.1f} {ratios[0]:9.2f} {p99:9.1f} {ratios[1]:14.2f} {late:10.2%}")


def percentile(ordered: list[float]) -> float:
    return ordered[len(ordered) * 99 // 100]


def main(rounds: int) -> None:
    folder = tempfile.mkdtemp()
    try:
        rows = calls(folder)
        show("alone", measure(rows, rounds))
        with busy_thread():
            show("beside a busy thread", measure(rows, rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    logging.getLogger("spotzee_logging").addHandler(logging.NullHandler())
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
    sys.stdout.flush()
    os._exit(0)  # nobody waits for events that go nowhere
