"""What an event takes in memory while it waits for a server that hangs, by what the system counts (Linux)."""

from __future__ import annotations

import gc
import logging
import logging.handlers
import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.baselines import MEMORY_HANDLER_RECORDS, log_tagged, logger_with
from benchmarks.ours import begin, handler_to
from benchmarks.peers import PEERS
from benchmarks.servers import hung_server

WARM_UP_EVENTS = 2_000
SETTLE_SECONDS = 0.5


def measure(*, holder: str, events: int) -> float:
    """Bytes a pending event takes."""
    logging.getLogger("spotzee_logging").addHandler(logging.NullHandler())
    hung = hung_server()
    record = recorder(holder, hung.getsockname()[1])
    _record(record, WARM_UP_EVENTS)
    time.sleep(SETTLE_SECONDS)  # what is being sent by now is held twice, as events and as a body
    before = resident_bytes()
    _record(record, events)
    return (resident_bytes() - before) / events


def recorder(holder: str, port: int) -> Callable[[], object]:
    if holder in PEERS:
        return PEERS[holder](port).record
    if holder == "MemoryHandler":
        memory = logging.handlers.MemoryHandler(MEMORY_HANDLER_RECORDS, flushLevel=logging.CRITICAL)
        return log_tagged(logger_with(memory))
    return log_tagged(begin(handler_to(port)))


def _record(record: Callable[[], object], events: int) -> None:
    for _ in range(events):
        record()


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
