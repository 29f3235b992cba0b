"""Times calls one by one, on one or more threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from benchmarks.samples import quantile

QUANTILES = {"median": 0.5, "p99": 0.99, "p99.9": 0.999}


class Row(NamedTuple):
    """Something that is timed.

    :param name: as samples and tables call it.
    :param call: one call of it; gives a coroutine to wait for where `is_async`.
    :param settle: leaves nothing behind of the calls that were made, for the sake of the next row.
    :param around: what is entered by each thread around its calls, untimed.
    """

    name: str
    call: Callable[[], Any]
    settle: Callable[[], object] = lambda: None
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    is_async: bool = False


def time_row(row: Row, calls: int, threads: int = 1) -> dict[str, float]:
    """Microseconds a call: their mean by the clock on the wall, and quantiles of each call's own."""
    taken_ns, wall_ns = _on_threads(row, calls // threads, threads)
    row.settle()
    ordered = sorted(taken_ns)
    figures = {name: quantile(ordered, part) / 1e3 for name, part in QUANTILES.items()}
    return {f"{row.name}/mean": wall_ns / len(ordered) / 1e3} | {
        f"{row.name}/{name}": value for name, value in figures.items()
    }


def _on_threads(row: Row, calls: int, threads: int) -> tuple[list[int], int]:
    """How long each call took, and all of them together, from the first's begin to the last's end."""
    if threads == 1:
        return _timed(row, calls)
    taken: list[tuple[list[int], int]] = []
    barrier = threading.Barrier(threads + 1)

    def run() -> None:
        barrier.wait()
        taken.append(_timed(row, calls))

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    began = time.perf_counter_ns()
    for worker in workers:
        worker.join()
    wall_ns = time.perf_counter_ns() - began
    return [each for own, _ in taken for each in own], wall_ns


def _timed(row: Row, calls: int) -> tuple[list[int], int]:
    with row.around():
        taken = asyncio.run(_timed_async(row.call, calls)) if row.is_async else _timed_sync(row.call, calls)
    return taken, sum(taken)


def _timed_sync(call: Callable[[], Any], calls: int) -> list[int]:
    taken, now = [], time.perf_counter_ns
    for _ in range(calls):
        began = now()
        call()
        taken.append(now() - began)
    return taken


async def _timed_async(call: Callable[[], Any], calls: int) -> list[int]:
    taken, now = [], time.perf_counter_ns
    for _ in range(calls):
        began = now()
        await call()
        taken.append(now() - began)
    return taken


def take_turns(rows: list[Row], rounds: int, calls: int, threads: int = 1) -> dict[str, list[float]]:
    """Every row once a round; the first round, which warms caches and starts threads, does not count."""
    samples: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for row in rows:
            for name, value in time_row(row, calls, threads).items():
                if number:
                    samples.setdefault(name, []).append(value)
    return samples
