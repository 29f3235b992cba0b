"""Why a handler was handed nothing, though the program logs: what logging's configuration keeps from it."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

from spotzee_logging.diagnostics import LOGGER_NAME

_MOST_NAMES: Final = 3


def reason_for(handler: logging.Handler) -> str | None:
    """What keeps tagged lines from the handler, with the remedy; None where nothing is seen to, or it is on no logger.

    It goes through all loggers, and where they are well through all objects of the process: for an end that
    met nothing, or a look that was asked for.
    """
    if not any(handler in logger.handlers for logger in _loggers()):
        return None
    # Decorated calls pass levels and disabled loggers: a program that has some may well mean them so.
    if "spotzee_logging.track_wrapt" not in sys.modules:
        kept_back = _by_level(handler) or _by_disabling(handler)
        if kept_back is not None:
            return kept_back
    return _by_adapters(handler)


def _by_level(handler: logging.Handler) -> str | None:
    if any(logger.getEffectiveLevel() <= logging.INFO for logger in _loggers() if _reaches(logger, handler)):
        return None
    quiet = [logger for logger in _loggers() if handler in logger.handlers]
    level = logging.getLevelName(quiet[0].getEffectiveLevel())
    return (
        f"logger {_names(quiet)} is at {level} and drops logger.info before any handler sees it. "
        "Give it logging.INFO, as in logging.basicConfig(level=logging.INFO)."
    )


def _by_disabling(handler: logging.Handler) -> str | None:
    disabled = [
        logger
        for logger in _loggers()
        if logger.disabled and logger.name != LOGGER_NAME and _reaches(logger, handler)
    ]
    if not disabled:
        return None
    return (
        f"logger {_names(disabled)} was disabled, as dictConfig and fileConfig do with loggers that are there "
        "before them. Configure with disable_existing_loggers=False."
    )


def _by_adapters(handler: logging.Handler) -> str | None:
    dropping = [adapter.logger for adapter in _dropping_adapters() if _reaches(adapter.logger, handler)]
    if not dropping:
        return None
    return (
        f"a LoggerAdapter of logger {_names(dropping)} puts its own extra in the place of a call's, and the tag "
        "is gone. Log through the logger itself, or give the adapter merge_extra=True (Python 3.13)."
    )


def _dropping_adapters() -> Iterator[Any]:
    for each in gc.get_objects():
        # By type(): a lazy proxy that is asked for its class may import, or raise, whatever it stands for.
        if issubclass(type(each), logging.LoggerAdapter) and not getattr(each, "merge_extra", False):
            is_logging_s_own = type(each).process is logging.LoggerAdapter.process
            if is_logging_s_own and isinstance(getattr(each, "logger", None), logging.Logger):
                yield each


def _reaches(logger: logging.Logger, handler: logging.Handler) -> bool:
    on_way: logging.Logger | None = logger
    while on_way is not None:
        if handler in on_way.handlers:
            return True
        on_way = on_way.parent if on_way.propagate else None
    return False


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger


def _names(loggers: Iterable[logging.Logger]) -> str:
    names = list(dict.fromkeys(repr(logger.name) for logger in loggers))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
