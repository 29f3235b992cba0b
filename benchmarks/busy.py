"""The tail of a call that writes, beside a thread that computes: each write gives up Python's lock and waits for it."""

from __future__ import annotations

import logging
import tempfile
import threading
from pathlib import Path

from benchmarks.baselines import log_tagged, logger_with
from benchmarks.ours import begin, handler_to
from benchmarks.servers import hung_server
from benchmarks.timing import Row, take_turns
from spotzee_logging import EventFormatter


def measure(*, rounds: int, calls: int) -> dict[str, list[float]]:
    """Samples named `busy/ROW/...`: a spool, and a `FileHandler` that writes the same line."""
    hung = hung_server()
    stopped = threading.Event()
    with tempfile.TemporaryDirectory(prefix="spotzee-bench-", ignore_cleanup_errors=True) as folder:
        file_handler = logging.FileHandler(Path(folder) / "events.jsonl")
        file_handler.setFormatter(EventFormatter())
        spooled = begin(handler_to(hung.getsockname()[1], spool=str(Path(folder) / "spool.db")))
        threading.Thread(target=_compute, args=(stopped,), daemon=True).start()
        rows = [
            Row("FileHandler", log_tagged(logger_with(file_handler))),
            Row("spool", log_tagged(spooled)),
        ]
        samples = take_turns(rows, rounds, calls)
        stopped.set()
    return {f"busy/{name}": values for name, values in samples.items()}


def _compute(stopped: threading.Event) -> None:
    while not stopped.is_set():
        sum(range(1000))
