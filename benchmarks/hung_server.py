"""The tail of a tagged logging call while the server hangs, against the same with a healthy one, in one run.

    python benchmarks/hung_server.py [rounds]

Both take turns in one process. The healthy server is a process of its own that answers every request with 204;
the hung one takes connections and never answers. Each figure is the median over the rounds.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
import statistics
import sys
import threading
import time
from multiprocessing.connection import Connection

from spotzee_logging import SpotzeeHandler

CALLS = 10_000
EXTRA = {
    "spotzee_event": {
        "name": "product_viewed",
        "external_id": "cust-9f4b21",
        "data": {"product_id": "sku-1024", "value": 49.95, "currency": "AUD"},
        "user": {"email": "jane@example.com", "data": {"plan": "pro"}},
    }
}
BUDGET = 2.0
QUANTILES = {"median": 0.5, "p99": 0.99, "p99.9": 0.999}


def serve(port_to: Connection) -> None:
    """Answer every request on one port with 204."""
    listener = socket.create_server(("127.0.0.1", 0))
    port_to.send(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as requests:
        length = 0
        while line := requests.readline():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            elif line == b"\r\n":
                requests.read(length)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def times_of_calls(port: int, *, is_healthy: bool) -> list[int]:
    """Nanoseconds of each of `CALLS` calls, with a new handler to this port."""
    handler = SpotzeeHandler(
        "sk_bench",
        base_url=f"http://127.0.0.1:{port}",
        connections=1,
        read_timeout_seconds=3600,
        shutdown_timeout_seconds=0,
    )
    logger = logging.Logger("bench", logging.INFO)
    logger.addHandler(handler)
    logger.error("begin", extra=EXTRA)
    handler.flush(1.0)  # the first request imports what it needs; to the hung server it is under way by then
    times = []
    for _ in range(CALLS):
        began = time.perf_counter_ns()
        logger.info("viewed", extra=EXTRA)
        times.append(time.perf_counter_ns() - began)
    handler.flushOnClose = False
    handler.close()
    assert (handler.stats().delivered > 1) is is_healthy
    return sorted(times)


def main(rounds: int) -> None:
    ours, theirs = multiprocessing.Pipe()
    server_process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server_process.start()
    hung = socket.create_server(("127.0.0.1", 0), backlog=1000)
    ports = {"healthy": ours.recv(), "hung": hung.getsockname()[1]}
    figures: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for server, port in ports.items():
            times = times_of_calls(port, is_healthy=server == "healthy")
            for name, part in QUANTILES.items():
                figures.setdefault((server, name), []).append(times[int(len(times) * part)] / 1000)
    server_process.kill()
    print(f"{'µs a call':10} {'healthy':>9} {'hung':>9} {'hung × healthy':>15}")
    ratios = {}
    for name in QUANTILES:
        healthy, hung_us = (statistics.median(figures[server, name]) for server in ports)
        ratios[name] = hung_us / healthy
        print(f"{name:10} {healthy:9.1f} {hung_us:9.1f} {ratios[name]:15.2f}")
    print(f"p99.9: {ratios['p99.9']:.2f}, at most {BUDGET} wanted")


if __name__ == "__main__":
    logging.getLogger("spotzee_logging").addHandler(logging.NullHandler())
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
    sys.stdout.flush()
    os._exit(0)  # nobody waits for events that go nowhere
