"""Why a handler was handed nothing, though the program logs: what logging's configuration keeps from it."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from spotzee_logging.diagnostics import LOGGER_NAME
from spotzee_logging.logger_tree import all_loggers, handlers_on_way

_MOST_NAMES: Final = 3


class Silence(NamedTuple):
    """What keeps tagged lines from a handler, and what to do about it."""

    says: str
    remedy: str


def reason_for(handler: logging.Handler) -> str | None:
    """What keeps tagged lines from the handler, with the remedy; None where nothing is seen to, or it is on no logger.

    It goes through all loggers, and where they are well through all objects of the process: for an end that
    met nothing, or a look that was asked for.
    """
    loggers = list(all_loggers())
    if not any(handler in logger.handlers for logger in loggers):
        return None
    looks = (by_adapters,) if may_pass_levels() else (by_level, by_disabling, by_adapters)
    found = next((silence for look in looks if (silence := look(handler, loggers))), None)
    return None if found is None else f"{found.says}. {found.remedy}"


def may_pass_levels() -> bool:
    """Whether there are decorated calls, which pass levels and disabled loggers: these may well be meant so."""
    return "spotzee_logging.track_wrapt" in sys.modules


def by_level(handler: logging.Handler, loggers: Sequence[logging.Logger]) -> Silence | None:
    """All of these loggers that reach the handler, or, where none does, those that it is on, drop `logger.info`."""
    on = [logger for logger in all_loggers() if handler in logger.handlers]
    reaching = [logger for logger in loggers if reaches(logger, handler)] or on
    if any(logger.getEffectiveLevel() <= logging.INFO for logger in reaching):
        return None
    quiet = [logger for logger in on if logger.getEffectiveLevel() > logging.INFO] or reaching
    level = logging.getLevelName(quiet[0].getEffectiveLevel())
    return Silence(
        f"logger {names(quiet)} is at {level} and drops logger.info before any handler sees it",
        "Give it logging.INFO, as in logging.basicConfig(level=logging.INFO).",
    )


def by_disabling(handler: logging.Handler, loggers: Iterable[logging.Logger]) -> Silence | None:
    """Some of these loggers that reach the handler are disabled."""
    disabled = [
        logger
        for logger in loggers
        if logger.disabled and logger.name != LOGGER_NAME and reaches(logger, handler)
    ]
    if not disabled:
        return None
    return Silence(
        f"logger {names(disabled)} was disabled, as dictConfig and fileConfig do with loggers that are there "
        "before them",
        "Configure with disable_existing_loggers=False.",
    )


def by_adapters(handler: logging.Handler, _: Iterable[logging.Logger]) -> Silence | None:
    """A LoggerAdapter of a logger that reaches the handler drops a call's `extra`."""
    dropping = [adapter.logger for adapter in _dropping_adapters() if reaches(adapter.logger, handler)]
    if not dropping:
        return None
    return Silence(
        f"a LoggerAdapter of logger {names(dropping)} puts its own extra in the place of a call's, and the tag "
        "is gone",
        "Log through the logger itself, or give the adapter merge_extra=True (Python 3.13).",
    )


def _dropping_adapters() -> Iterator[Any]:
    for each in gc.get_objects():
        # By type(): a lazy proxy that is asked for its class may import, or raise, whatever it stands for.
        if issubclass(type(each), logging.LoggerAdapter) and not getattr(each, "merge_extra", False):
            is_logging_s_own = type(each).process is logging.LoggerAdapter.process
            if is_logging_s_own and isinstance(getattr(each, "logger", None), logging.Logger):
                yield each


def reaches(logger: logging.Logger, handler: logging.Handler) -> bool:
    """Whether the logger's records come to the handler, as far as loggers go."""
    return handler in handlers_on_way(logger)


def names(loggers: Iterable[logging.Logger]) -> str:
    """The names of loggers, the first three of them at most."""
    quoted = list(dict.fromkeys(repr(logger.name) for logger in loggers))
    more = f" and {len(quoted) - _MOST_NAMES} more" if len(quoted) > _MOST_NAMES else ""
    return ", ".join(quoted[:_MOST_NAMES]) + more
