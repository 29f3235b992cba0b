"""The way of a record: from its logger up to the root, as far as each passes it on, and the handlers there."""

from __future__ import annotations

import logging
from collections.abc import Iterator


def way_up(logger: logging.Logger) -> Iterator[logging.Logger]:
    """The logger, and those above it that its records come to."""
    on_way: logging.Logger | None = logger
    while on_way is not None:
        yield on_way
        on_way = on_way.parent if on_way.propagate else None


def handlers_on_way(logger: logging.Logger) -> Iterator[logging.Handler]:
    """The handlers that the logger's records meet, whatever their level."""
    for on_way in way_up(logger):
        yield from on_way.handlers


def all_loggers() -> Iterator[logging.Logger]:
    """The root logger, and every other that was asked for."""
    yield logging.root
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger


def handlers_on_any() -> Iterator[logging.Handler]:
    """The handlers that are on loggers; one that is on several comes as often."""
    for logger in all_loggers():
        yield from logger.handlers


def sends_events(handler: logging.Handler) -> bool:
    """Whether a handler is ours: told by an attribute, so that who asks need not import it."""
    return getattr(handler, "sends_events", False) is True
