"""Whether structlog hands its tagged lines on to logging, and with the tag."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Any, Final

from spotzee_logging.cli.doctor.findings import Examined, Finding
from spotzee_logging.cli.doctor.tagged_lines import argument
from spotzee_logging.foreign import attempt
from spotzee_logging.formatter import TAG

_TEXT_MAKERS: Final = frozenset({"JSONRenderer", "KeyValueRenderer", "LogfmtRenderer", "ConsoleRenderer"})
_FACTORIES_TO_STREAMS: Final = frozenset({"PrintLoggerFactory", "WriteLoggerFactory", "BytesLoggerFactory"})


def structlog_lines(examined: Examined) -> Iterator[Finding]:
    """What structlog's configuration makes of lines that are tagged by `spotzee_event=`, as its loggers take it."""
    structlog = sys.modules.get("structlog")
    if structlog is None or examined.program is None or not examined.program.handlers:
        return
    calls = (node for node in examined.program.sources.nodes() if isinstance(node, ast.Call))
    if not any(isinstance(call.func, ast.Attribute) and argument(call, TAG) for call in calls):
        return
    configured, _ = attempt(structlog.get_config)
    if configured:
        yield from _lost_by(configured)


def _lost_by(configured: dict[str, Any]) -> Iterator[Finding]:
    factory, last = configured["logger_factory"], configured["processors"][-1:]
    if (name := _of_structlog(factory)) in _FACTORIES_TO_STREAMS:
        yield Finding(
            f"structlog's logger_factory is {name}: its lines do not come to logging, nor their tags.",
            "Configure logger_factory=structlog.stdlib.LoggerFactory() and end the processors with "
            "structlog.stdlib.ProcessorFormatter.wrap_for_formatter.",
        )
    elif last and (name := _of_structlog(last[0])) in _TEXT_MAKERS:
        yield Finding(
            f"structlog's last processor, {name}, makes the event text: no tag comes to logging.",
            "End the processors with structlog.stdlib.ProcessorFormatter.wrap_for_formatter, and put the "
            f"{name} into the ProcessorFormatter of the console's handler.",
        )


def _of_structlog(thing: Any) -> str:
    """The name of the class, where it is structlog's own or made from such."""
    kinds = thing.__mro__ if isinstance(thing, type) else type(thing).__mro__
    return next((kind.__name__ for kind in kinds if kind.__module__.startswith("structlog.")), "")
