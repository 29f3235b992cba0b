"""`spotzee-logging spool`: look into a spool, set right what was refused, and send without the program."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from spotzee_logging.buffers.survey import Found, SpoolSurvey
from spotzee_logging.cli import spool_text
from spotzee_logging.cli.console import DONE, FAILED, as_json_lines, print_json_line, say, until_timeout
from spotzee_logging.cli.spool_relay import Relay, purge_pending

_FILE = click.argument("file", type=click.Path(dir_okay=False))


def _example(arguments: str) -> str:
    return f"Example: spotzee-logging spool {arguments}"


@click.group(epilog=_example("status events.db"))
def spool() -> None:
    """Look into a spool, set right what was refused, and send without the program.

    FILE is what a program has as `spool`. All of it works while programs write to it, and nothing changes a file
    that is no spool.

    \b
    Exit codes: 0 done
                1 an ID is unknown, or an event was rejected or undelivered
                2 wrong usage or settings, or the file is no spool of use
    """  # noqa: D301  \b is click's mark for lines to leave as they are


@contextlib.contextmanager
def _survey(file: str) -> Iterator[SpoolSurvey]:
    survey = SpoolSurvey(file)
    try:
        yield survey
    finally:
        survey.close()


@spool.command(epilog=_example("status events.db"))
@_FILE
@as_json_lines
def status(file: str, *, is_json: bool) -> None:
    """Say what the spool holds: pending and in batches, by owner, how old, what was rejected, its size.

    Events in batches of a living owner may be under way.
    """
    with _survey(file) as survey:
        report = spool_text.status_of(survey)
    _print(report, spool_text.status, is_json=is_json)


@spool.command("list", epilog=_example("list --rejected events.db"))
@_FILE
@click.option("--pending", "state", flag_value="pending", help="Only events that are yet to be delivered.")
@click.option("--rejected", "state", flag_value="rejected", help="Only events that the server refused.")
@as_json_lines
def list_events(file: str, state: str | None, *, is_json: bool) -> None:
    """List events, a line each: ID, state, name and ids, what the server said. Never their data."""
    with _survey(file) as survey:
        for found in _chosen(survey, state):
            _print(spool_text.about(found), spool_text.line, is_json=is_json)


@spool.command(epilog=_example("show events.db 12"))
@_FILE
@click.argument("identity", metavar="ID")
@click.option("--data", "with_data", is_flag=True, help="Print the whole event, with its data.")
@as_json_lines
@click.pass_context
def show(ctx: click.Context, file: str, identity: str, *, with_data: bool, is_json: bool) -> None:
    """Show one event: names and ids, and what the server said of it."""
    with _survey(file) as survey:
        found = survey.find(identity)
    if found is None:
        _say_unknown(ctx, [identity])
        return
    about = spool_text.about(found) | ({"event": json.loads(found.body)} if with_data else {})
    _print(about, spool_text.details, is_json=is_json)


@spool.command(epilog=_example("retry --all events.db"))
@_FILE
@click.argument("identities", metavar="[ID]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Every event that was rejected.")
@as_json_lines
@click.pass_context
def retry(ctx: click.Context, file: str, identities: tuple[str, ...], *, is_all: bool, is_json: bool) -> None:
    """Have rejected events sent again, once what the server refused is set right there.

    They go under a new key with the next program that uses the spool, or with `spool send`.
    """
    if bool(identities) == is_all:
        raise click.UsageError("give IDs of rejected events, or --all")
    with _survey(file) as survey:
        found = {each: survey.find(each) for each in identities}
        for each, event in found.items():
            if event is not None and event.state != "rejected":
                say(f"the event {each} is not rejected: it is yet to be delivered")
                ctx.exit(FAILED)
        unknown = [each for each, event in found.items() if event is None]
        if unknown:
            _say_unknown(ctx, unknown)
            return
        count = survey.retry(None if is_all else identities)
    _say_count(count, "retried", is_json=is_json)


@spool.command(epilog=_example("export --rejected events.db > rejected.jsonl"))
@_FILE
@click.option("--pending", "state", flag_value="pending", help="Only events that are yet to be delivered.")
@click.option("--rejected", "state", flag_value="rejected", help="Only events that the server refused.")
def export(file: str, state: str | None) -> None:
    """Write events to standard output, data and all, one JSON object a line, as `send` reads them."""
    with _survey(file) as survey:
        for found in _chosen(survey, state):
            sys.stdout.buffer.write(found.body + b"\n")
        sys.stdout.buffer.flush()


@spool.command(epilog=_example("purge --older-than 30d events.db"))
@_FILE
@click.option("--rejected", "is_rejected", is_flag=True, help="Delete events that the server refused.")
@click.option("--older-than", "age", metavar="AGE", help="Only what is older: 90s, 15m, 36h or 7d.")
@as_json_lines
def purge(file: str, *, is_rejected: bool, age: str | None, is_json: bool) -> None:
    """Delete events for good: rejected ones, or with --older-than alone pending ones too.

    Pending events go where no living process has them, and their whole batch is so old.
    """
    if not is_rejected and age is None:
        raise click.UsageError("give --rejected, --older-than, or both")
    before = None if age is None else time.time() - spool_text.seconds(age)
    with _survey(file) as survey:
        count = survey.purge(before)
    if not is_rejected and before is not None:
        count += purge_pending(file, before)
    _say_count(count, "deleted", is_json=is_json)


@spool.command(epilog=_example("send events.db"))
@_FILE
@click.option(
    "--base-url", metavar="URL", help="Where the API is; else SPOTZEE_BASE_URL, else Spotzee's own."
)
@until_timeout(60.0, "The longest to wait for delivery.")
@as_json_lines
@click.pass_context
def send(
    ctx: click.Context, file: str, base_url: str | None, timeout_seconds: float, *, is_json: bool
) -> None:
    """Deliver what no living process has in hand. What is undelivered at the end stays in the spool.

    The API key is read from SPOTZEE_API_KEY alone; the other SPOTZEE_ variables hold too.
    """
    with _survey(file):
        pass  # a missing file is no empty spool
    relay = Relay(file, {} if base_url is None else {"base_url": base_url})
    outcome: dict[str, Any] = relay.run(timeout_seconds)
    _print(outcome, spool_text.outcome, is_json=is_json)
    ctx.exit(FAILED if outcome["rejected"] or outcome["undelivered"] else DONE)


def _chosen(survey: SpoolSurvey, state: str | None) -> Iterator[Found]:
    if state != "rejected":
        yield from survey.pending()
    if state != "pending":
        yield from survey.rejected()


def _say_unknown(ctx: click.Context, identities: list[str]) -> None:
    for each in identities:
        say(f"no event has the ID {each}, any more; see `spool list`")
    ctx.exit(FAILED)


def _say_count(count: int, what: str, *, is_json: bool) -> None:
    _print({what: count}, lambda _: f"{count} {what}", is_json=is_json)


def _print(thing: dict[str, Any], text_of: Callable[[dict[str, Any]], str], *, is_json: bool) -> None:
    if is_json:
        print_json_line(thing)
    else:
        click.echo(text_of(thing))
