"""What a call costs its caller: ours for each server and way to make an event, beside logging's own handlers."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from benchmarks import baselines
from benchmarks.ours import begin, handler_to, let_go, rows
from benchmarks.servers import hung_server
from benchmarks.timing import Row, take_turns


def measure(
    *, variant: str, ports: dict[str, int], rounds: int, calls: int, threads: int = 1, spool: bool = False
) -> dict[str, list[float]]:
    """Samples named `caller/VARIANT/ROW/...`, in microseconds.

    :param ports: of the servers that answer, by their names; the one that hangs is added.
    :param spool: whether the handlers keep their events in a spool; those in memory then stand beside them.
    """
    logging.getLogger("spotzee_logging").addHandler(logging.NullHandler())
    hung = hung_server()
    servers = {**ports, "hung": hung.getsockname()[1]}
    with tempfile.TemporaryDirectory(prefix="spotzee-bench-", ignore_cleanup_errors=True) as folder:
        timed = [*baselines.scale(), *baselines.others()]
        for server, port in servers.items():
            if spool:
                timed += rows(server, port, spool=str(Path(folder) / f"{server}.db"))
            else:
                timed += rows(server, port)
        if spool:
            timed += _in_memory(hung.getsockname()[1])
        samples = take_turns(timed, rounds, calls, threads)
    return {f"caller/{variant}/{name}": values for name, values in samples.items()}


def _in_memory(port: int) -> list[Row]:
    handler = handler_to(port)
    logger = begin(handler)
    return [Row("mapping in memory/hung", baselines.log_tagged(logger), lambda: let_go(handler))]
