"""Sees what the code under test tracks, whatever its logging configuration lets through, and keeps it from being sent.

It looks where logging begins, in the classes `Logger` and `SpotzeeHandler` themselves: handlers and levels of its
own would be gone with the next `dictConfig`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final

from spotzee_logging import track_road
from spotzee_logging.diagnostics import LOGGER_NAME, Diagnostics
from spotzee_logging.encoding import decode_event
from spotzee_logging.errors import InvalidEvent
from spotzee_logging.formatter import TAG, is_tagged
from spotzee_logging.handler import SpotzeeHandler
from spotzee_logging.intake import Intake
from spotzee_logging.reporting import Reporter
from spotzee_logging.settings import Settings
from spotzee_logging.stats import Ledger
from spotzee_logging.testing.tracked_events import TrackedEvents

SetAttribute = Callable[[Any, str, Any], None]

# On a record that was seen. Copies carry it, as a QueueHandler makes them, and no event's data does: it begins
# with an underscore.
_SEEN: Final = "_spotzee_seen"


class Capture:
    """Makes events of records, each once, as a handler with default settings would, and `strict`.

    :param events: where they go.
    :param may_send: whether a handler sends what it is handed, beside being seen.
    """

    def __init__(self, events: TrackedEvents, may_send: Callable[[SpotzeeHandler], bool]) -> None:
        self._events = events
        self._may_send = may_send
        reporter = Reporter(Ledger(), Diagnostics(), None)
        # From no environment: what the tests see is the same on every machine.
        self._intake = Intake(Settings.from_env({}, api_key="sk_test"), reporter)

    def install(self, set_attribute: SetAttribute) -> None:
        """Put this in the place of what a record passes; `set_attribute` is one that takes it back."""
        set_attribute(logging.Logger, "isEnabledFor", self._around_is_enabled_for())
        set_attribute(logging.Logger, "handle", self._around_handle())
        set_attribute(logging.Logger, "callHandlers", self._around_call_handlers())
        set_attribute(SpotzeeHandler, "emit", self._around_emit())
        set_attribute(track_road, "hand_to_ours", self._around_hand_to_ours())
        set_attribute(track_road, "is_carried", lambda _logger, _level: True)

    def take(self, record: logging.LogRecord) -> None:
        """Keep the record's event, if it has one and was not seen before. Raises `InvalidEvent`."""
        if _SEEN in vars(record) or record.name.startswith(LOGGER_NAME) or not is_tagged(record):
            return
        setattr(record, _SEEN, True)
        try:
            taken = self._intake.take(record)
        except InvalidEvent as error:
            self._events.invalid.append(error)
            raise
        if taken is not None:
            self._events.append(decode_event(taken[0]))

    def _take_past_level(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        """What the logger's level keeps from its handlers: its filters have their say nonetheless."""
        passed: Any = logger.filter(record)  # bool before Python 3.12, or a record in place of this one
        if passed:
            self.take(passed if isinstance(passed, logging.LogRecord) else record)

    def _around_is_enabled_for(self) -> Callable[[logging.Logger, int], bool]:
        is_enabled_for = logging.Logger.isEnabledFor

        def seeing(logger: logging.Logger, level: int) -> bool:
            is_enabled = is_enabled_for(logger, level)
            if not is_enabled:
                # Around `info` and its like this would be the line that their records come from.
                record = _refused(logger, level, sys._getframe(1))  # noqa: SLF001  as logging itself does
                if record is not None:
                    self._take_past_level(logger, record)
            return is_enabled

        return seeing

    def _around_handle(self) -> Callable[[logging.Logger, logging.LogRecord], None]:
        handle = logging.Logger.handle

        def seeing(logger: logging.Logger, record: logging.LogRecord) -> None:
            if logger.disabled:
                self._take_past_level(logger, record)
            handle(logger, record)

        return seeing

    def _around_hand_to_ours(self) -> Callable[[logging.Logger, logging.LogRecord], bool]:
        hand_to_ours = track_road.hand_to_ours

        def seeing(logger: logging.Logger, record: logging.LogRecord) -> bool:
            hand_to_ours(logger, record)
            if _SEEN not in vars(record):
                self._take_past_level(logger, record)
            return True

        return seeing

    def _around_call_handlers(self) -> Callable[[logging.Logger, logging.LogRecord], None]:
        call_handlers = logging.Logger.callHandlers

        def seeing(logger: logging.Logger, record: logging.LogRecord) -> None:
            self.take(record)
            call_handlers(logger, record)

        return seeing

    def _around_emit(self) -> Callable[[SpotzeeHandler, logging.LogRecord], None]:
        emit = SpotzeeHandler.emit

        def seeing(handler: SpotzeeHandler, record: logging.LogRecord) -> None:
            self.take(record)
            if self._may_send(handler):
                emit(handler, record)

        return seeing


_LEVEL_METHODS: Final = frozenset(
    method.__code__
    for method in (
        logging.Logger.debug,
        logging.Logger.info,
        logging.Logger.warning,
        logging.Logger.error,
        logging.Logger.critical,
        logging.Logger.log,
    )
)


def _refused(logger: logging.Logger, level: int, asking: FrameType | None) -> logging.LogRecord | None:
    """The tagged record of a call that asks for its level in vain; None where it is no such call."""
    while asking is not None and asking.f_code is logging.LoggerAdapter.isEnabledFor.__code__:
        asking = asking.f_back
    if asking is None:
        return None
    call = asking.f_locals
    if asking.f_code is logging.LoggerAdapter.log.__code__:
        message, keywords = _adapted(call["self"], call["msg"], call["kwargs"])
    elif asking.f_code in _LEVEL_METHODS:
        message, keywords = call["msg"], call["kwargs"]
    else:
        return None
    extra = keywords.get("extra")
    # The latter is an event of structlog's.
    if not any(isinstance(each, Mapping) and each.get(TAG) is not None for each in (extra, message)):
        return None
    path, line, function = _place(asking)
    return logger.makeRecord(logger.name, level, path, line, message, call["args"], None, function, extra)


def _adapted(adapter: Any, message: Any, keywords: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    while isinstance(adapter, logging.LoggerAdapter):
        message, keywords = adapter.process(message, dict(keywords))
        adapter = adapter.logger
    return message, keywords


def _place(frame: FrameType) -> tuple[str, int, str]:
    """Where the call was made: the first line outside of logging's own."""
    inside = frame.f_code.co_filename
    while frame.f_code.co_filename == inside and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name
