"""At what rate a backlog is delivered: events that wait already, so that no logging shares the time."""

from __future__ import annotations

import logging
import time

from benchmarks.baselines import log_tagged, logger_with
from benchmarks.ours import handler_to, prefilled_buffer

DELIVERY_SECONDS = 600


def measure(*, port: int, events: int) -> float:
    """Events a second."""
    logging.getLogger("spotzee_logging").addHandler(logging.NullHandler())
    handler = handler_to(port, buffer=prefilled_buffer(events))
    began = time.perf_counter()
    log_tagged(logger_with(handler))()
    assert handler.flush(DELIVERY_SECONDS)
    return events / (time.perf_counter() - began)
