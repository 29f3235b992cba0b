"""What keeps a program's events from being sent, or sends them twice (what `silence` sees, and more)."""

from __future__ import annotations

import logging
import logging.handlers
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from spotzee_logging import silence
from spotzee_logging.cli.doctor.findings import Examined, Finding
from spotzee_logging.cli.doctor.program import Program
from spotzee_logging.cli.doctor.routes import Routes
from spotzee_logging.contact import ContactFilter
from spotzee_logging.foreign import attempt
from spotzee_logging.formatter import TAG
from spotzee_logging.logger_tree import all_loggers
from spotzee_logging.silence import Silence, names

_MEMORY_OR_QUEUE: Final = (logging.handlers.QueueHandler, logging.handlers.MemoryHandler)


def _routes_of(examined: Examined) -> Routes | None:
    """Of a program that was loaded; None where there is none to look at."""
    loaded = examined.program
    return None if loaded is None or not loaded.handlers else Routes(loaded)


def handlers(examined: Examined) -> Iterator[Finding]:
    """Whether the program loads, and has a handler that records come to."""
    loaded = examined.program
    if loaded is None:
        yield Finding("not looked at: name the program's with --import MODULE or --django SETTINGS")
        return
    if loaded.failure:
        yield Finding(*loaded.failure)
    routes = _routes_of(examined)
    if routes is None or not routes.doors:
        if loaded.failure:
            return
        yield _finding_of_none(loaded)
        return
    for door in routes.doors:
        on = [logger for logger in all_loggers() if door in logger.handlers]
        yield Finding(f"{type(door).__name__} on logger {names(on)}")


def _finding_of_none(loaded: Program) -> Finding:
    add = "Add one, as in logging.basicConfig(handlers=[SpotzeeHandler()]), or --import what does."
    if logging.root.handlers:
        add = (
            "Add one, as in logging.getLogger().addHandler(SpotzeeHandler()), or --import what does. (The root logger "
            "has handlers already, and there logging.basicConfig does nothing.)"
        )
    return Finding(
        "no SpotzeeHandler is on any logger" if loaded.handlers else "there is no SpotzeeHandler",
        f"{add} In dictConfig, and so in Django's LOGGING, name it among the handlers of the root logger too.",
    )


def levels(examined: Examined) -> Iterator[Finding]:
    """Levels of loggers and handlers, and `logging.disable`."""
    routes = _routes_of(examined)
    if routes is None:
        return
    loggers = routes.program.loggers
    found = [silence.by_level(door, loggers) for door in routes.doors]
    told = [each for each in found if each is not None]
    yield from _findings(told or _by_own_levels(routes, loggers), routes.program)
    yield from _by_handlers_levels(routes)
    yield from _findings(set(_by(silence.by_logging_disable, examined)), routes.program)


def _by_own_levels(routes: Routes, loggers: Sequence[logging.Logger]) -> Iterator[Silence]:
    quiet = [logger for logger in loggers if logger.level > logging.INFO and routes.ends_of_logger(logger)]
    if quiet and quiet != [logging.root]:
        told = [logger for logger in quiet if logger is not logging.root]
        level = logging.getLevelName(told[0].level)
        yield Silence(f"logger {names(told)} is at {level} and drops logger.info", "Give it logging.INFO.")


def _by_handlers_levels(routes: Routes) -> Iterator[Finding]:
    met = {id(each): each for door in routes.doors for each in (door, *routes.ends_of(door))}
    for handler in met.values():
        found = silence.by_handlers_level(handler, ())
        if found is not None:
            yield Finding(f"{found.says}.", found.remedy)


def _findings(found: Iterable[Silence], program: Program) -> Iterator[Finding]:
    """Each as something wrong; where there are decorated calls, which pass it, as a fact."""
    has_decorated_calls = program.sources.mention({"track"})
    for each in dict.fromkeys(found):
        if has_decorated_calls:
            yield Finding(f"{each.says}; calls decorated by @track pass it")
        else:
            yield Finding(f"{each.says}.", each.remedy)


def disabled(examined: Examined) -> Iterator[Finding]:
    """Loggers that `disable_existing_loggers` has disabled."""
    if examined.program is not None:
        yield from _findings(_by(silence.by_disabling, examined), examined.program)


def adapters(examined: Examined) -> Iterator[Finding]:
    """LoggerAdapters that drop a call's `extra`."""
    for each in dict.fromkeys(_by(silence.by_adapters, examined)):
        yield Finding(f"{each.says}.", each.remedy)


def _by(
    look: Callable[[logging.Handler, Sequence[logging.Logger]], Silence | None], examined: Examined
) -> Iterator[Silence]:
    routes = _routes_of(examined)
    for door in () if routes is None else routes.doors:
        found = look(door, routes.program.loggers if routes else ())
        if found is not None:
            yield found


def propagation(examined: Examined) -> Iterator[Finding]:
    """Loggers with `propagate` False that no SpotzeeHandler is on."""
    routes = _routes_of(examined)
    if routes is None or not routes.doors:
        return
    for logger in routes.program.loggers:
        if not logger.propagate and not routes.ends_of_logger(logger):
            yield Finding(
                f"logger {logger.name!r} has propagate=False, and no SpotzeeHandler is on it: its events are lost.",
                "Leave propagate out, or give the logger the handler.",
            )


def twice(examined: Examined) -> Iterator[Finding]:
    """The same handler, or two for the same key, more than once on a logger's way."""
    routes = _routes_of(examined)
    if routes is None:
        return
    told: set[tuple[int, ...]] = set()
    for logger in sorted(routes.program.loggers, key=_depth):  # those below it have it from the first
        ends = routes.ends_of_logger(logger)
        identity = tuple(sorted(map(id, ends)))
        if identity in told:
            continue
        if max(Counter(identity).values(), default=0) > 1:
            told.add(identity)
            yield Finding(
                f"logger {logger.name!r} reaches the same SpotzeeHandler more than once.",
                "Take the handler off one of the loggers on its way.",
            )
        elif _for_one_key(routes.program, ends):
            told.add(identity)
            yield Finding(
                f"logger {logger.name!r} reaches {len(ends)} SpotzeeHandlers with the same key: "
                "each event is sent as often.",
                "Leave one, on the root logger.",
            )


def _depth(logger: logging.Logger) -> int:
    return 0 if logger is logging.root else 1 + logger.name.count(".")


def _for_one_key(loaded: Program, ends: Sequence[Any]) -> bool:
    targets = [(settings.base_url, settings.api_key) for settings in map(loaded.settings_of, ends)]
    return len(set(targets)) < len(targets)


def filters(examined: Examined) -> Iterator[Finding]:
    """Filters that drop a tagged line at INFO, of any logger: each is tried with one."""
    routes = _routes_of(examined)
    if routes is None:
        return
    loggers = [logger for logger in routes.program.loggers if routes.ends_of_logger(logger)]
    for logger in loggers:
        if logger.filters and not _passes(logger, logger.name):
            yield _dropping(f"of logger {logger.name!r}", logger)
    met = {id(each): each for door in routes.doors for each in (door, *routes.ends_of(door))}
    for handler in met.values():
        if handler.filters and not any(_passes(handler, logger.name) for logger in loggers):
            yield _dropping(f"of a {type(handler).__name__}", handler)


def _passes(filterer: logging.Filterer, name: str) -> bool:
    tag = {"name": "order_placed", "external_id": "cust_001"}
    record = logging.makeLogRecord(
        {"name": name, "levelno": logging.INFO, "levelname": "INFO", "msg": "order placed", TAG: tag}
    )
    passed, failure = attempt(filterer.filter, record)
    return failure is None and bool(passed)


def _dropping(of: str, filterer: logging.Filterer) -> Finding:
    kinds = ", ".join(getattr(each, "__qualname__", type(each).__name__) for each in filterer.filters)
    return Finding(
        f"a filter {of} ({kinds}) drops a tagged line at INFO.",
        "Let records pass that have the attribute spotzee_event.",
    )


def contacts(examined: Examined) -> Iterator[Finding]:
    """Queues and memory handlers that leave behind who is acting."""
    routes = _routes_of(examined)
    for door in () if routes is None else routes.doors:
        if isinstance(door, _MEMORY_OR_QUEUE) and not any(
            isinstance(each, ContactFilter) for each in door.filters
        ):
            yield Finding(
                f"a {type(door).__name__} has no ContactFilter: events get no contact, "
                "or that of whoever empties it.",
                "Add it, as in handler.addFilter(spotzee_logging.ContactFilter()).",
            )
