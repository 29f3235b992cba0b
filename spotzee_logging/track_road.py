"""The road is the log: an event's record, and its way to every SpotzeeHandler at whatever level."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from types import CodeType, FrameType
from typing import Any, NamedTuple

from spotzee_logging.contact import RECORD_ATTRIBUTE, get_contact
from spotzee_logging.errors import InvalidEvent
from spotzee_logging.foreign import attempt
from spotzee_logging.formatter import TAG, EventFormatter
from spotzee_logging.identity import Contact, as_dict
from spotzee_logging.logger_tree import handlers_on_way, sends_events
from spotzee_logging.track_diagnostics import say_failure, voice
from spotzee_logging.track_direct import DirectRecord, sole_handler


class Place(NamedTuple):
    """Where a record says that it comes from."""

    module: str
    pathname: str
    line: int
    function_name: str


class Road:
    """Logs the events of one tracked function, or block, at one level."""

    def __init__(self, logger: logging.Logger | str | None, level: int, place: Place) -> None:
        if not isinstance(logger, logging.Logger):
            logger = logging.getLogger(logger or place.module)
        self._logger = logger
        self._level = level
        self._place = place

    def send(self, tag: dict[str, Any], contact: Contact) -> None:
        """Log an event for the contact that the call began with.

        Raises only `InvalidEvent`, which a handler lets out only where it is `strict`; what other people's
        handlers and filters raise is said, and goes no further.
        """
        _, failure = attempt(self._log, tag, contact)
        if isinstance(failure, InvalidEvent):
            raise failure
        if failure is not None:
            say_failure(f"logging to {self._logger.name!r}", failure, "an event may be lost")

    def _log(self, tag: dict[str, Any], contact: Contact) -> None:
        logger, level = self._logger, self._level
        handler = sole_handler(logger, level)
        record = self._whole_record(tag) if handler is None else DirectRecord(logger.name, level, tag)
        if contact is not get_contact():
            setattr(record, RECORD_ATTRIBUTE, as_dict(contact))
        if handler is not None:
            handler.emit(record)
        elif logger.isEnabledFor(level):
            logger.handle(record)
            if not is_carried(logger, level):
                _warn(logger, level)
        elif not hand_to_ours(logger, record):
            _warn(logger, level)

    def _whole_record(self, tag: dict[str, Any]) -> logging.LogRecord:
        name, place = self._logger.name, self._place
        record = self._logger.makeRecord(
            name, self._level, place.pathname, place.line, tag["name"], (), None, place.function_name
        )
        setattr(record, TAG, tag)
        return record


def hand_to_ours(logger: logging.Logger, record: logging.LogRecord) -> bool:
    """Past a level that would drop it, to the SpotzeeHandlers alone; whether there are any."""
    ours = [handler for handler in handlers_on_way(logger) if sends_events(handler)]
    # bool before Python 3.12, whose filters may give another record in place of this one.
    passed: Any = logger.filter(record) if ours else False
    if passed:
        filtered = passed if isinstance(passed, logging.LogRecord) else record
        for handler in ours:
            if filtered.levelno >= handler.level:
                handler.handle(filtered)
    return bool(ours)


def is_carried(logger: logging.Logger, level: int) -> bool:
    """Whether a handler on the way sends events, or may bring the record to one that does."""
    on_way: logging.Logger | None = logger
    while on_way is not None:  # not `handlers_on_way`, which would cost each call 0.2 µs
        for handler in on_way.handlers:
            if sends_events(handler) or (level >= handler.level and _may_carry(handler)):
                return True
        on_way = on_way.parent if on_way.propagate else None
    return False


def _may_carry(handler: logging.Handler) -> bool:
    if isinstance(handler, logging.StreamHandler):
        return isinstance(handler.formatter, EventFormatter)
    return not isinstance(handler, logging.NullHandler)


def _warn(logger: logging.Logger, level: int) -> None:
    voice.warn_once(
        f"a tracked call met no SpotzeeHandler on the way of logger {logger.name!r}: its event is not sent. "
        "Add one there or above, as in logging.getLogger().addHandler(SpotzeeHandler()); if a QueueHandler "
        f"brings records to one elsewhere, let the logger pass the level {logging.getLevelName(level)}."
    )


def place_of_block(frame: FrameType) -> Place:
    """Where a block stands."""
    module = frame.f_globals.get("__name__", "__main__")
    return Place(module, frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def place_of_function(function: Any) -> Place:
    """Where a function, or whatever else is called, was written."""
    inner = innermost(function)
    module = getattr(inner, "__module__", None) or "__main__"
    name = getattr(inner, "__name__", None) or type(inner).__name__
    code = getattr(body_of(inner), "__code__", None)
    if isinstance(code, CodeType):
        return Place(module, code.co_filename, code.co_firstlineno, name)
    pathname = getattr(sys.modules.get(module), "__file__", None) or "(unknown file)"
    return Place(module, pathname, getattr(inner, "__firstlineno__", 0), name)


def innermost(function: Any) -> Any:
    """The function beneath what others have put around it: `partial`, `functools.wraps`, binding."""
    inner = function
    while True:
        if isinstance(inner, (classmethod, staticmethod)) or inspect.ismethod(inner):
            inner = inner.__func__
        elif isinstance(inner, (functools.partial, functools.partialmethod, functools.singledispatchmethod)):
            inner = inner.func
        elif hasattr(inner, "__wrapped__") and not inspect.isclass(inner):
            inner = attempt(inspect.unwrap, inner)[0]
        else:
            return inner


def body_of(inner: Any) -> Any:
    """What holds the code of a call of `inner`: itself, or the method of its class that runs."""
    if inspect.isclass(inner):
        return inner.__init__
    return inner if hasattr(inner, "__code__") else inspect.getattr_static(type(inner), "__call__", None)
