"""What all commands share in speaking: exit codes, lines on stderr, JSON on stdout."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from spotzee_logging.diagnostics import LOGGER_NAME
from spotzee_logging.errors import InvalidSettings
from spotzee_logging.settings import Settings

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130  # what shells give a program that Ctrl-C ended
"""The exit codes: all was done, something was not delivered or is wrong, wrong usage or settings, Ctrl-C."""

as_json = click.option("--json", "is_json", is_flag=True, help="The result as one JSON object, for programs.")
"""The option that every command with a result has."""

as_json_lines = click.option(
    "--json", "is_json", is_flag=True, help="For machines: JSON, a line for each thing."
)
"""The same of a command that may have many."""

_MOST_TIMEOUT_SECONDS: Final = 7 * 24 * 60 * 60


def until_timeout(default_seconds: float, text: str) -> Callable[[Any], Any]:
    """The option `--timeout` of a command that delivers; `text` says what it bounds."""
    return click.option(
        "--timeout",
        "timeout_seconds",
        type=click.FloatRange(0, _MOST_TIMEOUT_SECONDS),
        default=default_seconds,
        show_default=True,
        metavar="SECONDS",
        help=text,
    )


def refuse_disabled(settings: Settings) -> None:
    """Raise `InvalidSettings` where a machine is told to send nothing, before anything is done."""
    if settings.disabled:
        raise InvalidSettings("SPOTZEE_DISABLED is set: nothing would be sent. Unset it.", setting="disabled")


def say(text: str) -> None:
    """One line for whoever watches, on stderr: stdout is the result's."""
    click.echo(text, err=True)


def print_json(result: Any) -> None:
    """The result for programs, on stdout."""
    is_unicode = "utf" in str(getattr(sys.stdout, "encoding", "")).lower()
    click.echo(json.dumps(result, ensure_ascii=not is_unicode, indent=2))


def print_json_line(thing: Any) -> None:
    """One thing for programs, on a line of stdout."""
    click.echo(json.dumps(thing))


@contextlib.contextmanager
def no_diagnostics() -> Iterator[None]:
    """Without the library's own lines, which come once a minute: a command says each thing itself."""
    logger = logging.getLogger(LOGGER_NAME)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
