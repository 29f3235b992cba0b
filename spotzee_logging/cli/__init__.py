"""The command line, `spotzee-logging`: arguments in, text and exit code out. It needs the extra `cli`."""

from __future__ import annotations

import io
import sys

from spotzee_logging.errors import MissingExtra


def main() -> None:
    """Run the command that `sys.argv` names, and exit with its code; 2 where the extra is not installed."""
    _write_whatever_the_encoding()
    try:
        _run()
    except KeyboardInterrupt:  # before a command could say it
        sys.exit(130)


def _write_whatever_the_encoding() -> None:
    """A character that the terminal's encoding does not know is written as its number, and ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run() -> None:
    try:
        from spotzee_logging.cli.commands import cli  # noqa: PLC0415  click and rich may not be installed
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {"click", "rich"}:
            raise
        sys.stderr.write(f"Error: {MissingExtra('the command line', 'cli')}\n")
        sys.exit(2)
    cli(prog_name="spotzee-logging")
