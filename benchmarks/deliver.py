"""How many events a second arrive at a sink that answers at once or late, by each sender; and the CPU they take."""

from __future__ import annotations

import http.client
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import requests

from benchmarks.baselines import logger_with
from benchmarks.ours import handler_to
from benchmarks.peers import PEERS
from benchmarks.servers import account, forget
from benchmarks.workload import Extra, extra_of, ready_body

BATCH_EVENTS = 100
CONTACTS = 10_000
"""Far more than are in flight at a time, so that every connection finds events that may go."""

WARM_UP_EVENTS = 100
DELIVERY_SECONDS = 120.0
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer sk_bench"}

LOGGING_ALONE = "logging alone"
Run = Callable[[], object]
Sender = Callable[[Sequence[Extra]], Run]
"""Takes what it is to send, and gives what is timed: it returns when all has arrived."""


def measure(*, sender: str, port: int, events: int, connections: int = 1) -> dict[str, float]:
    """Events a second that arrived, seconds of CPU for a million, requests, and events lost or out of order."""
    logging.getLogger("spotzee_logging").addHandler(logging.NullHandler())
    prepare = sender_of(sender, port, connections)
    extras = [extra_of(number, CONTACTS) for number in range(WARM_UP_EVENTS + events)]
    prepare(extras[:WARM_UP_EVENTS])()  # imports, connections, threads
    run = prepare(extras[WARM_UP_EVENTS:])
    forget(port)
    began, began_cpu = time.perf_counter(), time.process_time()
    run()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    came = account(port)
    arrived = events if sender == LOGGING_ALONE else came["events"]
    return {
        "events_per_second": arrived / seconds,
        "cpu_seconds_per_million": cpu_seconds / max(arrived, 1) * 1e6,
        "requests": came["requests"],
        "lost": events - arrived,
        "disorders": came["disorders"],
    }


def sender_of(name: str, port: int, connections: int) -> Sender:
    if name in PEERS:
        return _peer(name, port)
    return {"ours": _ours, "http.client": _raw, "requests": _requests, LOGGING_ALONE: _logging}[name](
        port, connections
    )


def _ours(port: int, connections: int) -> Sender:
    handler = handler_to(port, connections=connections)
    logger = logger_with(handler)

    def prepare(extras: Sequence[Extra]) -> Run:
        def run() -> None:
            _log(logger, extras)
            handler.flush(DELIVERY_SECONDS)

        return run

    return prepare


def _log(logger: logging.Logger, extras: Sequence[Extra]) -> None:
    for extra in extras:
        logger.info("viewed", extra=extra)


def _logging(_: int, __: int) -> Sender:
    logger = logger_with(logging.NullHandler())
    return lambda extras: lambda: _log(logger, extras)


def _peer(name: str, port: int) -> Sender:
    """A peer sends the same event each time: what is timed is its own work, and nobody asks for its order."""
    peer = PEERS[name](port)

    def prepare(extras: Sequence[Extra]) -> Run:
        def run() -> None:
            for _ in extras:
                peer.record()
            peer.flush()

        return run

    return prepare


def _bodies(extras: Sequence[Extra]) -> list[bytes]:
    starts = range(0, len(extras), BATCH_EVENTS)
    return [ready_body(extras[start : start + BATCH_EVENTS]) for start in starts]


def _requests(port: int, _: int) -> Sender:
    """Ready bodies, one after the other, by a session of requests."""
    session = requests.Session()
    url = f"http://127.0.0.1:{port}/events"

    def prepare(extras: Sequence[Extra]) -> Run:
        bodies = _bodies(extras)

        def run() -> None:
            for body in bodies:
                session.post(url, data=body, headers=HEADERS)

        return run

    return prepare


def _raw(port: int, connections: int) -> Sender:
    """Ready bodies by http.client, on as many threads as there are connections: what the server lets through."""

    def prepare(extras: Sequence[Extra]) -> Run:
        bodies = iter(_bodies(extras))

        def run() -> None:
            threads = [threading.Thread(target=_post_all, args=(port, bodies)) for _ in range(connections)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return run

    return prepare


def _post_all(port: int, bodies: Iterator[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for body in bodies:  # threads share the list's iterator, which gives each body to one of them
        connection.request("POST", "/events", body, HEADERS)
        connection.getresponse().read()
    connection.close()
