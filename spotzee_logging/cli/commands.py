"""The commands under one name, and the exit code of what none of them can go on with."""

from __future__ import annotations

from typing import Any

import click

from spotzee_logging.cli.console import INTERRUPTED, USAGE
from spotzee_logging.cli.demo import demo
from spotzee_logging.cli.doctor.command import doctor
from spotzee_logging.cli.replay.command import replay
from spotzee_logging.cli.sandbox import sandbox
from spotzee_logging.cli.send import send
from spotzee_logging.cli.spool import spool
from spotzee_logging.errors import InvalidSettings, MissingExtra, SpoolError
from spotzee_logging.version import __version__


class _Refused(click.ClickException):
    exit_code = USAGE


class _Commands(click.Group):
    """Says in one line what is set wrong or not installed, and what Ctrl-C has ended, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (InvalidSettings, MissingExtra, SpoolError) as error:
            raise _Refused(str(error)) from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Business events ride on Python's logging and arrive at Spotzee.

    \b
      spotzee-logging demo

    New here? Start with `spotzee-logging demo`: it shows the whole road on this machine alone, without an
    account, a key or a network.
    """  # noqa: D301  \b is click's mark for lines to leave as they are


for _command in (demo, doctor, replay, sandbox, send, spool):
    cli.add_command(_command)
