"""The commands under one name, and the exit code of what none of them can go on with."""

from __future__ import annotations

from typing import Any, Final

import click

from spotzee_logging.cli.demo import demo
from spotzee_logging.cli.sandbox import sandbox
from spotzee_logging.cli.send import send
from spotzee_logging.cli.spool import spool
from spotzee_logging.errors import InvalidSettings, MissingExtra, SpoolError
from spotzee_logging.version import __version__

USAGE_EXIT_CODE: Final = 2


class _Refused(click.ClickException):
    exit_code = USAGE_EXIT_CODE


class _Commands(click.Group):
    """Says in one line what is set wrong or not installed, where Python would show a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (InvalidSettings, MissingExtra, SpoolError) as error:
            raise _Refused(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Business events ride on Python's logging and arrive at Spotzee.

    New here? Start with `spotzee-logging demo`: it shows the whole road on this machine alone, without an
    account, a key or a network.
    """


cli.add_command(demo)
cli.add_command(sandbox)
cli.add_command(send)
cli.add_command(spool)
