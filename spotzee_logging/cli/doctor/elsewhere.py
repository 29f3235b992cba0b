"""Lines that go where no SpotzeeHandler is: the handler on one logger, events on another."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from spotzee_logging.cli.doctor.findings import Examined, Finding
from spotzee_logging.cli.doctor.routes import Routes
from spotzee_logging.cli.doctor.sources import Sources
from spotzee_logging.cli.doctor.tagged_lines import tagged_lines
from spotzee_logging.logger_tree import all_loggers, way_up
from spotzee_logging.silence import names


def elsewhere(examined: Examined) -> Iterator[Finding]:
    """Loggers that the source tags lines for, and that no SpotzeeHandler is on the way of; the others, as a fact."""
    if examined.program is None or not examined.program.handlers:
        return
    routes = Routes(examined.program)
    if not routes.doors:
        return
    missed = {
        logger: places
        for logger, places in _places_by_logger(routes, examined.program.sources).items()
        if not _is_told_as_propagation(routes, logger)
    }
    if missed:
        where = names(logger for logger in all_loggers() if set(logger.handlers) & set(routes.doors))
        told = ", ".join(f"{logger.name!r} ({places[0]})" for logger, places in missed.items())
        yield Finding(
            f"no SpotzeeHandler is on the way of logger {told}: tagged lines are lost there. "
            f"It is on logger {where}.",
            "Put the handler on the root logger instead, or on each of these too.",
        )
    others = [logger for logger in routes.program.loggers if _is_only_there(routes, logger, missed)]
    if others:
        yield Finding(
            f"no SpotzeeHandler is on the way of logger {names(others)}; no tagged line is seen to go there"
        )


def _places_by_logger(routes: Routes, sources: Sources) -> dict[logging.Logger, list[str]]:
    """The lines that are lost, whichever of the loggers that they may go to they do."""
    places: dict[logging.Logger, list[str]] = {}
    for source in sources.of_modules:
        for line in tagged_lines(source):
            if line.loggers and not any(map(routes.ends_of_logger, line.loggers)):
                for logger in line.loggers:
                    places.setdefault(logger, []).append(line.place)
    return places


def _is_told_as_propagation(routes: Routes, logger: logging.Logger) -> bool:
    return any(not each.propagate and each in routes.program.loggers for each in way_up(logger))


def _is_only_there(
    routes: Routes, logger: logging.Logger, missed: Mapping[logging.Logger, Sequence[str]]
) -> bool:
    return not (
        logger is logging.root
        or logger in missed
        or routes.ends_of_logger(logger)
        or _is_told_as_propagation(routes, logger)
    )
