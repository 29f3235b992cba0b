"""What a peer's call costs its caller while the server hangs, beside logging's own handlers in its process."""

from __future__ import annotations

import logging

from benchmarks import baselines
from benchmarks.peers import PEERS
from benchmarks.servers import hung_server
from benchmarks.timing import Row, take_turns


def measure(*, peer: str, rounds: int, calls: int) -> dict[str, list[float]]:
    """Samples named `peers/PEER/ROW/...`, where the peer's own row is `call`."""
    logging.disable(logging.DEBUG)
    hung = hung_server()
    opened = PEERS[peer](hung.getsockname()[1])
    rows = [*baselines.scale(), Row("call", opened.record, opened.clear)]
    samples = take_turns(rows, rounds, min(calls, opened.room_events))
    return {f"peers/{peer}/{name}": values for name, values in samples.items()}
