"""The direct way of a tracked call's event: where one SpotzeeHandler alone would see its record, that gets it at once.

Making a whole record, and logging's way to the handler, are a third of what a tracked call takes. Nobody misses them
where nobody else looks; whoever might look ends this, and the record is made and goes its way as any other: another
handler, a filter, a record factory of the program's, a step of `Logger` that was replaced or overridden.
"""

from __future__ import annotations

import logging
import operator
import time
from types import FunctionType
from typing import Any, Final, NamedTuple


class Place(NamedTuple):
    """Where a record says that it comes from."""

    module: str
    pathname: str
    line: int
    function_name: str


class DirectRecord(logging.LogRecord):
    """Has what a handler reads of a tagged record, and all else as soon as anybody asks for any of it.

    :param logger_name: of the logger that it would have come from.
    """

    def __init__(self, logger_name: str, level: int, place: Place, tag: dict[str, Any]) -> None:
        self.name = logger_name
        self.levelno = level
        self.created = time.time()
        self.spotzee_event = tag
        self._place = place

    def __getattr__(self, name: str) -> Any:
        attributes = self.__dict__
        if "_place" not in attributes or "pathname" in attributes:
            raise AttributeError(f"a record has no {name}")
        place, created = self._place, self.created
        event_name = self.spotzee_event["name"]
        super().__init__(
            self.name, self.levelno, place.pathname, place.line, event_name, (), None, place.function_name
        )
        self.created = created
        return getattr(self, name)


def sole_handler(logger: logging.Logger, level: int) -> Any:
    """The SpotzeeHandler that alone would see the logger's record of this level; None where that is not sure."""
    passes = logger.isEnabledFor(level)
    sole: Any = None
    on_way: logging.Logger | None = logger
    while on_way is not None:  # not `handlers_on_way`, which would cost each call 0.2 µs
        for handler in on_way.handlers:
            if level < handler.level or type(handler) is logging.NullHandler:
                continue
            reads_tag_alone = getattr(handler, "reads_tag_alone", None)  # others have no such attribute
            if reads_tag_alone is True and sole is None:
                sole = handler
            elif passes or reads_tag_alone is not None:
                return None
        on_way = on_way.parent if on_way.propagate else None
    return sole if sole is not None and _is_loggings_own(logger) else None


def _is_loggings_own(logger: logging.Logger) -> bool:
    """Whether a record would be made, and find its way, as logging itself does it, and past no filter."""
    return (
        not logger.filters
        and _steps_of(type(logger)) == _LOGGINGS_OWN
        and logging.getLogRecordFactory() is logging.LogRecord
        and logger.__dict__.keys().isdisjoint(_STEPS)
    )


_STEPS: Final = ("makeRecord", "handle", "filter", "callHandlers")
_steps_of: Final = operator.attrgetter(*_STEPS)
# Libraries that trace programs put functions of theirs in the place of these, some before this module is imported.
_LOGGINGS_OWN: Final = tuple(
    step if isinstance(step, FunctionType) and step.__module__ == "logging" else None
    for step in _steps_of(logging.Logger)
)
