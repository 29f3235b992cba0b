"""The direct way of a tracked call's event: where one SpotzeeHandler alone would see its record, that gets it at once.

Making a whole record, and logging's way to the handler, are a third of what a tracked call takes. Nobody misses them
where nobody else looks; whoever might look ends this, and the record is made and goes its way as any other: another
handler, a filter, a formatter or record factory of the program's, a step on the way that was replaced or overridden.
"""

from __future__ import annotations

import logging
import time
from types import FunctionType, MethodType
from typing import Any, Final

from spotzee_logging.handler import SpotzeeHandler, reads_tag_alone
from spotzee_logging.logger_tree import sends_events


class DirectRecord(logging.LogRecord):
    """What our handler reads of a tagged record, for nobody else; see `handler.reads_tag_alone`.

    :param logger_name: of the logger that it would have come from.
    """

    thread = None  # whoever asks is on the call's own thread, and asks for that too

    def __init__(self, logger_name: str, level: int, tag: dict[str, Any]) -> None:
        self.name = logger_name
        self.levelno = level
        self.created = time.time()
        self.spotzee_event = tag


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
    is_enabled_for = logger.isEnabledFor
    # One that was replaced may count, or draw lots: it is asked once, on the whole way.
    if type(is_enabled_for) is not MethodType or is_enabled_for.__func__ is not _IS_ENABLED_FOR:
        return None
    passes = is_enabled_for(level)
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


def _makes_and_hands_on_as_logging_does(logger: Any) -> bool:
    # By identity: what wrapt puts in the place of a method says that it equals that. Not by the instance's `__dict__`,
    # though that is shorter: once it was asked for, Python 3.11 and 3.12 find all its attributes more slowly.
    make, handle, filter_, call = logger.makeRecord, logger.handle, logger.filter, logger.callHandlers
    return (
        type(make) is type(handle) is type(filter_) is type(call) is MethodType
        and make.__func__ is _MAKE_RECORD
        and handle.__func__ is _HANDLE
        and filter_.__func__ is _FILTER
        and call.__func__ is _CALL_HANDLERS
        and logging.getLogRecordFactory() is _RECORD
    )


def _of_logging(step: str) -> Any:
    """The method of Logger's; None where it was replaced before, as libraries do that trace programs."""
    method = getattr(logging.Logger, step)
    is_its_own = type(method) is FunctionType and method.__globals__ is vars(logging)
    return method if is_its_own else None


_IS_ENABLED_FOR: Final = _of_logging("isEnabledFor")
_MAKE_RECORD: Final = _of_logging("makeRecord")
_HANDLE: Final = _of_logging("handle")
_FILTER: Final = _of_logging("filter")
_CALL_HANDLERS: Final = _of_logging("callHandlers")
_RECORD: Final = logging.LogRecord
