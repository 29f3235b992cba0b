"""The table of all checks, in the order in which their findings are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from spotzee_logging.cli.doctor import elsewhere, network, structlog_lines, surroundings, swallowed, tags
from spotzee_logging.cli.doctor.findings import Check

CHECKS: Final[Sequence[Check]] = (
    Check("versions", "Python, spotzee_logging and what it needs", surroundings.versions),
    Check("extras", "the extras that are installed", surroundings.extras),
    Check("settings", "each setting, and where it came from", surroundings.settings),
    Check("variables", "variables that begin with SPOTZEE_", surroundings.variables),
    Check("spool", "the spool's file, which is not opened", surroundings.spool),
    Check("address", "the base URL, and its name in DNS", network.address),
    Check("proxy", "the proxy on the way there", network.proxy),
    Check("connection", "an answer, and TLS", network.connection),
    Check("clock", "this machine's clock against the server's", network.clock),
    Check("key", "whether the API takes events under the key", network.key),
    Check("logging", "the program's SpotzeeHandlers and their loggers", swallowed.handlers),
    Check("levels", "levels of loggers and handlers, and logging.disable", swallowed.levels),
    Check("disabled", "loggers that disable_existing_loggers has disabled", swallowed.disabled),
    Check("propagation", "loggers with propagate=False", swallowed.propagation),
    Check("elsewhere", "loggers of tagged lines with no SpotzeeHandler on their way", elsewhere.elsewhere),
    Check("filters", "filters, tried with a tagged line", swallowed.filters),
    Check("twice", "a handler that is met more than once", swallowed.twice),
    Check("adapters", "LoggerAdapters that drop a call's extra", swallowed.adapters),
    Check(
        "structlog",
        "whether structlog's lines come to logging with their tags",
        structlog_lines.structlog_lines,
    ),
    Check("contacts", "queues without ContactFilter", swallowed.contacts),
    Check(
        "tags", "tags in the program's source, and those that it logged while it was loaded", tags.bad_tags
    ),
)
