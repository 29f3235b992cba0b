"""`SpotzeeHandler` and `track`, set up for each kind of server, and the rows that are timed with them."""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.baselines import CUSTOMER, log_tagged, logger_with, place_order, place_order_async
from benchmarks.timing import Row
from benchmarks.workload import CONTACT, DATA, NAME, USER, event_bytes
from spotzee_logging import Settings, SpotzeeHandler, arg, contact, elapsed, result, track
from spotzee_logging.buffers.memory import MemoryBuffer

HAS_SPOOL = any(field.name == "spool" for field in dataclasses.fields(Settings))
ROOM_BYTES = 4 * 1024**3
DRAIN_SECONDS = 60.0
FIRST_REQUEST_SECONDS = 0.1


def handler_to(port: int, **settings: Any) -> SpotzeeHandler:
    """A handler that drops nothing, and waits for no hung server at the end.

    Its pace is not that of the API: what is measured is what it can do, not what it is allowed.
    """
    given = {
        "max_pending_bytes": ROOM_BYTES,
        "requests_per_second": None,
        "read_timeout_seconds": 3600,
        "shutdown_timeout_seconds": 0,
        **settings,
    }
    return SpotzeeHandler("sk_bench", base_url=f"http://127.0.0.1:{port}", **given)


def begin(handler: SpotzeeHandler) -> logging.Logger:
    """Have its first request, which brings what requests imports, under way or answered."""
    logger = logger_with(handler)
    log_tagged(logger)()
    handler.flush(0)
    while not handler.stats().requests:
        time.sleep(0.01)
    time.sleep(FIRST_REQUEST_SECONDS)
    return logger


def let_go(handler: SpotzeeHandler) -> None:
    """Drop what is pending, so that it is not sent while others are timed."""
    handler.flushOnClose = False
    handler.close()


def rows(server: str, port: int, **settings: Any) -> list[Row]:
    """One row for each way to make an event, with a handler of their own to this server."""
    handler = handler_to(port, **settings)
    logger = begin(handler)
    drain = functools.partial(handler.flush, DRAIN_SECONDS)
    settle = drain if server == "healthy" else functools.partial(let_go, handler)
    short = {"spotzee_event": NAME, **DATA}

    def bound() -> AbstractContextManager[Any]:
        return contact(external_id=CONTACT, user=USER)

    return [
        Row(f"untagged/{server}", lambda: logger.info("viewed"), settle),
        Row(f"mapping/{server}", log_tagged(logger), settle),
        Row(f"short tag in a contact/{server}", log_tagged(logger, short), settle, bound),
        *tracked_rows(server, logger, settle),
    ]


class Onlooker(logging.Handler):
    """Somebody else's handler, as a console is: it sees each record, and does nothing here."""

    def emit(self, record: logging.LogRecord) -> None:
        pass


def tracked_rows(server: str, logger: logging.Logger, settle: Any) -> list[Row]:
    """`@track` with three markers, one of each kind that a call that returns has."""
    seen_by_others = logger_with(*logger.handlers, Onlooker())

    def tracked(function: Any, logger: logging.Logger) -> Any:
        return track(
            "order_placed",
            external_id=arg.customer["id"],
            data={"order_id": result["id"], "seconds": elapsed},
            logger=logger,
        )(function)

    function, coroutine_function = tracked(place_order, logger), tracked(place_order_async, logger)
    function_seen = tracked(place_order, seen_by_others)
    return [
        Row(f"@track/{server}", lambda: function(CUSTOMER, 49.95), settle),
        Row(f"@track async/{server}", lambda: coroutine_function(CUSTOMER, 49.95), settle, is_async=True),
        Row(f"@track beside another handler/{server}", lambda: function_seen(CUSTOMER, 49.95), settle),
    ]


def prefilled_buffer(events: int) -> MemoryBuffer:
    """A buffer with so many events, as if they had been logged while the server hung."""
    buffer = MemoryBuffer(ROOM_BYTES)
    body = event_bytes()
    for number in range(events):
        # Bytes of their own each, as those that are logged are.
        buffer.put(b"%b" % body, f"cust-{number % 10_000:06}")
    return buffer
