"""How long a process takes to end, from its program's last line on, and how many of its events arrived."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.servers import ROOT, account, forget, hung_server

PROGRAM = """
import logging, sys, time
from spotzee_logging import SpotzeeHandler
from benchmarks.baselines import log_tagged, logger_with
log = log_tagged(logger_with(SpotzeeHandler("sk_bench", base_url="http://127.0.0.1:{port}")))
for _ in range({events}):
    log()
print(time.monotonic(), flush=True)
"""
BARE = "import logging.handlers, time; print(time.monotonic(), flush=True)"
TIMEOUT_SECONDS = 60


def measure(port: int | None, events: int) -> dict[str, float]:
    """Seconds to end and events that arrived; a port of None is a server that hangs."""
    hung = hung_server()
    if port is not None:
        forget(port)
    program = PROGRAM.format(port=port or hung.getsockname()[1], events=events)
    seconds = seconds_to_end(program)
    hung.close()
    arrived = 0 if port is None else account(port)["events"]
    return {"seconds": seconds, "lost": events - arrived}


def seconds_to_end(program: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    # The clock is one for all processes of the machine.
    return time.monotonic() - float(done.stdout)
