"""How records come to a program's SpotzeeHandlers: over loggers, queues and memory handlers."""

from __future__ import annotations

import gc
import logging
import logging.handlers
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from spotzee_logging.cli.doctor.program import Program
from spotzee_logging.handler import SpotzeeHandler
from spotzee_logging.logger_tree import handlers_on_any, way_up

_MOST_STEPS: Final = 8
"""A queue may feed a queue; one that feeds itself would do so for ever."""


@dataclass(frozen=True)
class Routes:
    """The ways of one program."""

    program: Program

    @cached_property
    def doors(self) -> Sequence[logging.Handler]:
        """The handlers on loggers that lead to a SpotzeeHandler, be it themselves."""
        on_loggers = {id(handler): handler for handler in handlers_on_any()}
        return [handler for handler in on_loggers.values() if self.ends_of(handler)]

    def ends_of(self, handler: Any, steps: int = _MOST_STEPS) -> list[SpotzeeHandler]:
        """The SpotzeeHandlers that a handler leads to."""
        if isinstance(handler, SpotzeeHandler):
            return [handler]
        if steps and isinstance(handler, logging.handlers.QueueHandler):
            listeners = [each for each in self._listeners if each.queue is handler.queue]
            if not listeners:  # it may be started later, with what is on no logger
                return list(self._detached)
            nexts: list[Any] = [each for listener in listeners for each in listener.handlers]
        elif steps and isinstance(handler, logging.handlers.MemoryHandler):
            nexts = [handler.target]
        else:
            return []
        return [end for each in nexts for end in self.ends_of(each, steps - 1)]

    @cached_property
    def _detached(self) -> Sequence[SpotzeeHandler]:
        on_loggers = set(map(id, handlers_on_any()))
        return [handler for handler in self.program.handlers if id(handler) not in on_loggers]

    @cached_property
    def _listeners(self) -> Sequence[logging.handlers.QueueListener]:
        return [each for each in gc.get_objects() if issubclass(type(each), logging.handlers.QueueListener)]

    def way_of(self, logger: logging.Logger) -> Iterator[tuple[logging.Logger, logging.Handler]]:
        """The handlers that a logger's records meet, each with the logger that it is on."""
        for on_way in way_up(logger):
            for handler in on_way.handlers:
                yield on_way, handler

    def ends_of_logger(self, logger: logging.Logger) -> list[SpotzeeHandler]:
        """The SpotzeeHandlers that a logger's records come to, one as often as they do."""
        return [end for _, handler in self.way_of(logger) for end in self.ends_of(handler)]
