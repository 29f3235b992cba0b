"""`spotzee-logging replay`: its arguments, what it says, and its exit code."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from spotzee_logging.amounts import amount
from spotzee_logging.cli.console import (
    DONE,
    FAILED,
    INTERRUPTED,
    as_json,
    no_diagnostics,
    print_json,
    refuse_disabled,
    say,
    until_timeout,
)
from spotzee_logging.cli.replay.log_lines import LineFormatter, moment_of
from spotzee_logging.cli.replay.run import Plan, Result, look_at_file, replay_file
from spotzee_logging.cli.replay.source import STDIN
from spotzee_logging.settings import Settings

_DRY_RUN_KEY: Final = "sk_dry_run"  # a dry run sends nothing, and needs no key of anybody's


def _moment(_: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """A point in time, in ISO 8601; without an offset in UTC."""
    try:
        return None if value is None else moment_of(value)
    except ValueError:
        problem = f'{value!r} is no time. Give it as in "2026-04-28T05:14:00Z".'
        raise click.BadParameter(problem, param=param) from None


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)
@click.option("--since", callback=_moment, metavar="TIME", help="Events from then on.")
@click.option("--until", callback=_moment, metavar="TIME", help="Events before then.")
@click.option("--name", "names", multiple=True, metavar="NAME", help="Events of this name; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Count, and show the first errors; send nothing.")
@click.option("--journal", type=click.Path(dir_okay=False), metavar="PATH", help="Else FILE.replay.jsonl.")
@click.option("--rejected", type=click.Path(dir_okay=False), metavar="PATH", help="Else FILE.rejected.jsonl.")
@until_timeout(300.0, "Longest without progress.")
@as_json
@click.pass_context
def replay(ctx: click.Context, /, files: tuple[str, ...], is_json: bool, **options: Any) -> None:
    """Send the events of JSON logs (- is standard input), gzip too, each once.

    \b
      spotzee-logging replay --since 2026-04-28 events.log.1.gz events.log

    Lines: events, or python-json-logger's with spotzee_event. Run it again after an
    end of any kind: it goes on where it stopped. Exit codes: 0 all delivered, 1 not
    all, 2 wrong usage, 130 Ctrl-C.
    """  # noqa: D301  \b is click's mark for lines to leave as they are
    places = {"journal": options["journal"], "rejected": options["rejected"]}
    _check_places(files, places)
    plan = _plan(options)
    results: list[Result] = []
    with no_diagnostics():
        for file in files:
            results.append(_of_file(plan, file, places, is_dry=options["dry_run"]))
            if not is_json:
                _tell(results[-1], is_dry=options["dry_run"], is_one_of_many=len(files) > 1)
            if results[-1].stopped is not None:
                break
    if is_json:
        print_json(_summary(results, is_dry=options["dry_run"]))
    ctx.exit(_exit_code(results))


def _check_places(files: tuple[str, ...], places: dict[str, str | None]) -> None:
    for option, place in places.items():
        if place is not None and len(files) > 1:
            raise click.UsageError(f"--{option} is of one FILE: give one, or leave --{option} out.")


def _plan(options: dict[str, Any]) -> Plan:
    """What the arguments and the environment ask for. Raises `InvalidSettings`."""
    given: dict[str, Any] = {"api_key": _DRY_RUN_KEY, "disabled": False} if options["dry_run"] else {}
    settings = Settings.from_env(**{"client_type": "cli", "strict": False, "spool": None, **given})
    refuse_disabled(settings)
    since, until, names = options["since"], options["until"], sorted(set(options["names"]))
    terms = {
        "base_url": settings.base_url,
        "since": since and since.isoformat(),
        "until": until and until.isoformat(),
        "name": names,
        "capacity": settings.capacity,
        "max_batch_bytes": settings.max_batch_bytes,
    }
    return Plan(
        settings, LineFormatter(since=since, until=until, names=names), terms, options["timeout_seconds"]
    )


def _of_file(plan: Plan, file: str, places: dict[str, str | None], *, is_dry: bool) -> Result:
    try:
        if is_dry:
            return look_at_file(plan, file)
        return replay_file(
            plan,
            file,
            _place(file, places["journal"], "replay"),
            _place(file, places["rejected"], "rejected"),
        )
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror}") from error


def _place(file: str, given: str | None, suffix: str) -> Path | None:
    """Beside the file; of standard input nothing is kept where no place is given."""
    if given is not None:
        return Path(given)
    return None if file == STDIN else Path(f"{file}.{suffix}.jsonl")


def _tell(result: Result, *, is_dry: bool, is_one_of_many: bool) -> None:
    if result.stopped is not None:
        say(_stop_words(result, is_dry=is_dry))
    head = f"{result.file}: " if is_one_of_many else ""
    counts = result.counts
    if is_dry:
        batches = amount(result.batches, "batch", "batches")
        parts = [f"{amount(counts.events, 'event', 'events')} in {batches} would be sent"]
        parts += [f"{counts.bad} rejected"]
    else:
        parts = [f"{result.delivered} delivered, {result.rejected} rejected"]
    optional = {
        "delivered by earlier runs": result.earlier,
        "line without an event" if counts.untagged == 1 else "lines without an event": counts.untagged,
        "not selected": counts.not_selected,
        "withheld by before_send": counts.withheld,
    }
    parts += [f"{count} {words}" for words, count in optional.items() if count]
    click.echo(head + ", ".join(parts))
    for name, count in result.names.most_common():
        click.echo(f"  {count:>9}  {name}")


def _stop_words(result: Result, *, is_dry: bool) -> str:
    what = f"{'interrupted' if result.is_interrupted else 'stopped'} after line {result.counts.lines}"
    why = "" if result.is_interrupted else f": {result.stopped}"
    if is_dry or result.file == STDIN:
        return f"{what}{why}"
    return f"{what}{why}\nRun the same command again to go on there."


def _summary(results: list[Result], *, is_dry: bool) -> dict[str, Any]:
    files = [
        {
            "file": result.file,
            **asdict(result.counts),
            "delivered": result.delivered,
            "delivered_by_earlier_runs": result.earlier,
            "rejected": result.rejected,
            "stopped": result.stopped,
            "first_errors": result.reasons,
            **({"batches": result.batches, "names": dict(result.names)} if is_dry else {}),
        }
        for result in results
    ]
    return {
        "dry_run": is_dry,
        "delivered": sum(result.delivered for result in results),
        "rejected": sum(result.rejected for result in results),
        "files": files,
    }


def _exit_code(results: list[Result]) -> int:
    if any(result.is_interrupted for result in results):
        return INTERRUPTED
    is_all = all(not result.rejected and result.stopped is None for result in results)
    return DONE if is_all else FAILED
