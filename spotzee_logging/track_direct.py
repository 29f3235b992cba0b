"""The direct way of a tracked call's event: where one SpotzeeHandler alone would see its record, that gets it at once.

Making a whole record, and logging's way to the handler, are a third of what a tracked call takes. Nobody misses them
where nobody else looks; whoever might look ends this, and the record is made and goes its way as any other: another
handler, a filter, a formatter or record factory of the program's, a step on the way that was replaced or overridden.
"""

from __future__ import annotations

import logging
import threading
import time
from types import FunctionType
from typing import Any, Final, NamedTuple

from spotzee_logging.handler import SpotzeeHandler, reads_tag_alone
from spotzee_logging.logger_tree import sends_events


class Place(NamedTuple):
    """Where a record says that it comes from."""

    module: str
    pathname: str
    line: int
    function_name: str


class DirectRecord(logging.LogRecord):
    """What our handler reads of a tagged record, for nobody else; see `handler.reads_tag_alone`.

    :param logger_name: of the logger that it would have come from.
    """

    def __init__(self, logger_name: str, level: int, tag: dict[str, Any]) -> None:
        self.name = logger_name
        self.levelno = level
        self.created = time.time()
        self.spotzee_event = tag

    @property
    def thread(self) -> int:  # type: ignore[override]  # asked of few records: those of a transport's name
        """That of the call, which is the one that asks."""
        return threading.get_ident()


def sole_handler(logger: logging.Logger, level: int) -> SpotzeeHandler | None:
    """The handler that alone would see the logger's record of this level; None where that is not sure."""
    try:
        sole = _only_one_on_way(logger, level)
        if sole is None or logger.filters or not reads_tag_alone(sole):
            return None
        return sole if _makes_and_hands_on_as_logging_does(logger) else None
    except (TypeError, AttributeError):  # a logger behind a proxy, a handler's level that is a text
        return None


def _only_one_on_way(logger: logging.Logger, level: int) -> SpotzeeHandler | None:
    # One that was replaced may count, or draw lots: it is asked once, on the whole way.
    if type(logger).isEnabledFor is not _IS_ENABLED_FOR or "isEnabledFor" in logger.__dict__:
        return None
    passes = logger.isEnabledFor(level)
    sole: SpotzeeHandler | None = None
    on_way: logging.Logger | None = logger
    while on_way is not None:  # not `handlers_on_way`, which would cost each call 0.2 µs
        for handler in on_way.handlers:
            if type(handler) is SpotzeeHandler:
                if level >= handler.level:
                    if sole is not None:
                        return None
                    sole = handler
            elif (passes and level >= handler.level) or sends_events(handler):
                return None
        on_way = on_way.parent if on_way.propagate else None
    return sole


def _makes_and_hands_on_as_logging_does(logger: logging.Logger) -> bool:
    # By identity, step by step: what wrapt puts in the place of a function says that it equals that.
    kind = type(logger)
    return (
        kind.makeRecord is _MAKE_RECORD
        and kind.handle is _HANDLE
        and kind.filter is _FILTER
        and kind.callHandlers is _CALL_HANDLERS
        and logging.getLogRecordFactory() is _RECORD
        and logger.__dict__.keys().isdisjoint(_STEPS)
    )


def _of_logging(step: str) -> Any:
    """The method of Logger's; None where it was replaced before, as libraries do that trace programs."""
    method = getattr(logging.Logger, step)
    is_its_own = type(method) is FunctionType and method.__globals__ is vars(logging)
    return method if is_its_own else None


_STEPS: Final = ("makeRecord", "handle", "filter", "callHandlers")
_MAKE_RECORD, _HANDLE, _FILTER, _CALL_HANDLERS = map(_of_logging, _STEPS)
_IS_ENABLED_FOR: Final = _of_logging("isEnabledFor")
_RECORD: Final = logging.LogRecord
