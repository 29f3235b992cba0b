"""Why a handler was handed nothing, though the program logs: what logging's configuration keeps from it."""

from __future__ import annotations

import dis
import gc
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FunctionType
from typing import Any, Final, NamedTuple

from spotzee_logging.diagnostics import LOGGER_NAME
from spotzee_logging.formatter import TAG
from spotzee_logging.logger_tree import all_loggers, handlers_on_way, sends_events

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
    looks = _LOOKS_AT_LINES if may_pass_levels() else (*_LOOKS_AT_LEVELS, *_LOOKS_AT_LINES)
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


def by_logging_disable(_: logging.Handler, __: Iterable[logging.Logger]) -> Silence | None:
    """`logging.disable` drops `logger.info` of every logger."""
    off = logging.root.manager.disable
    if off < logging.INFO:
        return None
    return Silence(f"logging.disable({logging.getLevelName(off)}) is in force", "Take it out.")


def by_handlers_level(handler: logging.Handler, _: Iterable[logging.Logger]) -> Silence | None:
    """The handler's own level drops `logger.info`, and decorated calls of that level too."""
    if handler.level <= logging.INFO:
        return None
    level = logging.getLevelName(handler.level)
    return Silence(
        f"a {type(handler).__name__} is at {level} and drops what logger.info logs",
        "Give it level=logging.INFO, or leave its level out.",
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


def by_place(_: logging.Handler, __: Iterable[logging.Logger]) -> Silence | None:
    """A function tags lines for loggers that no handler of events is on the way of."""
    missed = {logger: function for function, logger in _tagging() if not _may_be_heard(logger)}
    if not missed:
        return None
    function = next(iter(missed.values()))
    return Silence(
        f"no SpotzeeHandler is on the way of logger {names(missed)}, which tagged lines go to (in "
        f"{function.__module__}.{function.__qualname__})",
        "Put the handler on the root logger, or on that one too, and leave its propagate at True.",
    )


def _tagging() -> Iterator[tuple[FunctionType, logging.Logger]]:
    """Functions whose code names the tag, and a logger of their module's, where it names no other."""
    for each in gc.get_objects():
        if type(each) is not FunctionType or not _names_tag(each.__code__.co_consts):
            continue
        if str(each.__module__).partition(".")[0] == LOGGER_NAME:
            continue
        code = dis.get_instructions(each)
        named = {step.argval for step in code if step.opname == "LOAD_GLOBAL"}
        values: list[Any] = [each.__globals__.get(name) for name in named]
        loggers = [value for value in values if issubclass(type(value), logging.Logger)]
        if len(loggers) == 1:
            yield each, loggers[0]


def _names_tag(constants: Sequence[object]) -> bool:
    """Whether a function's constants hold the tag as a key of what it gives as `extra`, or as a keyword of its own.

    Who only asks a record for the tag, as a filter does, names no such keyword.
    """
    keywords = {name for each in constants if type(each) is tuple for name in each}
    return TAG in keywords or ("extra" in keywords and TAG in constants)


def _may_be_heard(logger: logging.Logger) -> bool:
    """Whether a handler on the way sends events, or brings records to others, as those of queues do."""
    return any(
        sends_events(handler) or hasattr(handler, "queue") or hasattr(handler, "target")
        for handler in handlers_on_way(logger)
    )


def reaches(logger: logging.Logger, handler: logging.Handler) -> bool:
    """Whether the logger's records come to the handler, as far as loggers go."""
    return handler in handlers_on_way(logger)


def names(loggers: Iterable[logging.Logger]) -> str:
    """The names of loggers, the first three of them at most."""
    quoted = list(dict.fromkeys(repr(logger.name) for logger in loggers))
    more = f" and {len(quoted) - _MOST_NAMES} more" if len(quoted) > _MOST_NAMES else ""
    return ", ".join(quoted[:_MOST_NAMES]) + more


_Look = Callable[[logging.Handler, Sequence[logging.Logger]], "Silence | None"]

_LOOKS_AT_LEVELS: Final[Sequence[_Look]] = (by_level, by_disabling, by_logging_disable)
"""What decorated calls pass."""

_LOOKS_AT_LINES: Final[Sequence[_Look]] = (by_handlers_level, by_adapters, by_place)
