"""How the cost of a call grows with the event, with what is pending, with handlers and with threads."""

from __future__ import annotations

import logging
from collections.abc import Callable

from benchmarks import baselines
from benchmarks.baselines import log_tagged, logger_with
from benchmarks.ours import begin, handler_to, let_go, prefilled_buffer
from benchmarks.servers import hung_server
from benchmarks.timing import Row, take_turns
from benchmarks.workload import tag_of_bytes
from spotzee_logging import SpotzeeHandler

EVENT_BYTES = (100, 400, 1_000, 10_000, 100_000)
PENDING_EVENTS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
HANDLERS = (1, 2, 4, 8, 16)
THREADS = (1, 2, 4, 8, 16)

Series = dict[str, list[float]]


def measure(*, by: str, rounds: int, calls: int) -> Series:
    """Samples named `growth/BY/ROW/SIZE/...`, in microseconds a call."""
    logging.getLogger("spotzee_logging").addHandler(logging.NullHandler())
    hung = hung_server()
    series: dict[str, Callable[[int, int, int], Series]] = {
        "bytes": by_bytes,
        "pending": by_pending,
        "handlers": by_handlers,
        "threads": by_threads,
    }
    samples = series[by](hung.getsockname()[1], rounds, calls)
    return {f"growth/{by}/{name}": values for name, values in samples.items()}


def dropping_row(name: str, handler: SpotzeeHandler, call: Callable[[], object]) -> Row:
    return Row(name, call, lambda: let_go(handler))


def by_bytes(port: int, rounds: int, calls: int) -> Series:
    handler = handler_to(port)
    logger, null = begin(handler), logger_with(logging.NullHandler())
    rows = []
    for size in EVENT_BYTES:
        extra = {"spotzee_event": tag_of_bytes(size)}
        rows += [
            dropping_row(f"SpotzeeHandler/{size}", handler, log_tagged(logger, extra)),
            Row(f"NullHandler/{size}", log_tagged(null, extra)),
        ]
    return take_turns(rows, rounds, calls)


def by_pending(port: int, rounds: int, calls: int) -> Series:
    samples: Series = {}
    for pending in PENDING_EVENTS:
        handler = handler_to(port, buffer=prefilled_buffer(pending))
        rows = [
            Row(f"SpotzeeHandler/{pending}", log_tagged(begin(handler))),
            Row(f"NullHandler/{pending}", log_tagged(logger_with(logging.NullHandler()))),
        ]
        samples |= take_turns(rows, rounds, min(calls, max(100, pending)))
        let_go(handler)
    return samples


def by_handlers(port: int, rounds: int, calls: int) -> Series:
    rows = []
    for count in HANDLERS:
        handlers = [handler_to(port, connections=1) for _ in range(count)]
        for handler in handlers:
            begin(handler)
        nulls = [logging.NullHandler() for _ in range(count)]
        rows += [
            Row(f"SpotzeeHandler/{count}", log_tagged(logger_with(*handlers)), _let_all_go(handlers)),
            Row(f"NullHandler/{count}", log_tagged(logger_with(*nulls))),
        ]
    return take_turns(rows, rounds, calls)


def _let_all_go(handlers: list[SpotzeeHandler]) -> Callable[[], None]:
    def settle() -> None:
        for handler in handlers:
            let_go(handler)

    return settle


def by_threads(port: int, rounds: int, calls: int) -> Series:
    handler = handler_to(port)
    mapping = log_tagged(begin(handler))
    samples: Series = {}
    for threads in THREADS:
        null, _, memory = baselines.scale()
        rows = [
            dropping_row(f"SpotzeeHandler/{threads}", handler, mapping),
            null._replace(name=f"NullHandler/{threads}"),
            memory._replace(name=f"MemoryHandler/{threads}"),
        ]
        samples |= take_turns(rows, rounds, calls, threads)
    return samples
