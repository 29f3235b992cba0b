"""What logging and wrapt cost by themselves: the scale for everything else."""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import tempfile
from collections import deque
from collections.abc import Callable
from typing import Any

import wrapt
from pythonjsonlogger.json import JsonFormatter

from benchmarks.timing import Row
from benchmarks.workload import EXTRA, Extra

try:
    from orjson import dumps as _dumps
except ImportError:  # one of the runs goes without

    def _dumps(fields: Any) -> bytes:
        return json.dumps(fields, separators=(",", ":")).encode()


MEMORY_HANDLER_RECORDS = 1_000_000


def logger_with(*handlers: logging.Handler) -> logging.Logger:
    """A logger of its own, outside of logging's tree."""
    logger = logging.Logger("bench", logging.INFO)
    for handler in handlers:
        logger.addHandler(handler)
    return logger


def log_tagged(logger: logging.Logger, extra: Extra = EXTRA) -> Callable[[], None]:
    return lambda: logger.info("viewed", extra=extra)


def scale() -> list[Row]:
    """The two handlers that every ratio of a call's cost is taken against."""
    null = logger_with(logging.NullHandler())
    memory_handler = logging.handlers.MemoryHandler(MEMORY_HANDLER_RECORDS, flushLevel=logging.CRITICAL)
    memory = logger_with(memory_handler)
    return [
        Row("NullHandler", log_tagged(null)),
        Row("NullHandler, untagged", lambda: null.info("viewed")),
        Row("MemoryHandler", log_tagged(memory), memory_handler.buffer.clear),
    ]


def others() -> list[Row]:
    """What else logging offers to a program that must not wait, or that writes JSON."""
    records: queue.SimpleQueue[Any] = queue.SimpleQueue()
    queued = logger_with(logging.handlers.QueueHandler(records))  # type: ignore[arg-type]
    with tempfile.NamedTemporaryFile(suffix=".json", delete=False) as file:
        file_handler = logging.FileHandler(file.name)
    file_handler.setFormatter(JsonFormatter())
    return [
        Row("QueueHandler", log_tagged(queued), lambda: _drain(records)),
        Row("JSON to a file", log_tagged(logger_with(file_handler)), lambda: _empty(file_handler)),
        prototype(),
        *decorators(),
    ]


class Prototype(logging.Handler):
    """The least that a handler of events must do in the call: no check, no contact, no bound, no thread."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: deque[bytes] = deque()

    def handle(self, record: logging.LogRecord) -> bool:
        fields = {**record.spotzee_event, "created_at": f"{record.created:.3f}"}  # type: ignore[attr-defined]
        self.bodies.append(b"%b" % _dumps(fields))
        return True


def prototype() -> Row:
    handler = Prototype()
    return Row("prototype: JSON to a deque", log_tagged(logger_with(handler)), handler.bodies.clear)


def _drain(records: queue.SimpleQueue[Any]) -> None:
    while not records.empty():
        records.get()


def _empty(handler: logging.FileHandler) -> None:
    handler.stream.seek(0)
    handler.stream.truncate()


def decorators() -> list[Row]:
    """A decorator of wrapt that does nothing, around what `@track` is measured on."""

    @wrapt.decorator
    def bare(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    function, coroutine_function = bare(place_order), bare(place_order_async)
    return [
        Row("bare wrapt decorator", lambda: function(CUSTOMER, 49.95)),
        Row("bare wrapt decorator, async", lambda: coroutine_function(CUSTOMER, 49.95), is_async=True),
    ]


CUSTOMER = {"id": "cust-9f4b21"}
ORDER = {"id": "ord-1024", "currency": "AUD"}


def place_order(customer: dict[str, str], total: float) -> dict[str, str]:  # noqa: ARG001
    """What `@track` decorates: as good as nothing, so that what is measured is the decorator."""
    return ORDER


async def place_order_async(customer: dict[str, str], total: float) -> dict[str, str]:  # noqa: ARG001
    return ORDER
