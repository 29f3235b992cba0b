"""`spotzee-logging doctor`: its arguments, what it says, and its exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.text import Text

from spotzee_logging.amounts import amount
from spotzee_logging.cli.console import DONE, FAILED, as_json, no_diagnostics, print_json
from spotzee_logging.cli.doctor.checks import CHECKS
from spotzee_logging.cli.doctor.findings import Check, Examined, Finding
from spotzee_logging.cli.doctor.program import load

Found = Sequence[tuple[Check, Sequence[Finding]]]

_NAME_CHARACTERS: Final = max(len(check.name) for check in CHECKS) + 2


@click.command()
@click.option(
    "--import",
    "modules",
    multiple=True,
    metavar="MODULE",
    help="What configures logging: shop.logs, or a function, shop.logs:configure. It is loaded; none of its "
    "events are sent.",
)
@click.option("--django", "django_settings", metavar="SETTINGS", help="The same for Django: shop.settings.")
@click.option("--send", is_flag=True, help="Try the key: send one event, spotzee_logging_doctor.")
@as_json
@click.pass_context
def doctor(
    ctx: click.Context,
    /,
    modules: tuple[str, ...],
    django_settings: str | None,
    *,
    send: bool,
    is_json: bool,
) -> None:
    """Say why nothing arrives, with a remedy for each thing that is wrong.

    \b
      spotzee-logging doctor --import shop.logs

    It looks at settings and where they came from, the way to the API, the clock,
    and, with --import or --django, at what would swallow the program's events.
    Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage.
    """  # noqa: D301  \b is click's mark for lines to leave as they are
    with no_diagnostics():
        program = load(modules, django_settings) if modules or django_settings else None
        examined = Examined(os.environ, program, may_send=send)
        found = [(check, list(check.look(examined))) for check in CHECKS]
    wrong = sum(bool(finding.remedy) for _, findings in found for finding in findings)
    if is_json:
        print_json(_as_json(found))
    else:
        _print(found, wrong)
    ctx.exit(FAILED if wrong else DONE)


def _print(found: Found, wrong: int) -> None:
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    for check, findings in found:
        name = check.name
        for finding in findings:
            style = "red" if finding.remedy else ""
            console.print(Text(f"{name:{_NAME_CHARACTERS}}{finding.says}", style))
            if finding.remedy:
                console.print(Text(f"{'':{_NAME_CHARACTERS}}Remedy: {finding.remedy}"))
            name = ""
    if wrong:
        console.print(Text(amount(wrong, "thing is wrong", "things are wrong"), "bold red"))
    else:
        console.print(Text("nothing is wrong", "bold green"))


def _as_json(found: Found) -> dict[str, Any]:
    checks = [
        {
            "name": check.name,
            "looks_at": check.looks_at,
            "facts": [finding.says for finding in findings if not finding.remedy],
            "wrong": [finding._asdict() for finding in findings if finding.remedy],
        }
        for check, findings in found
    ]
    return {"is_well": not any(each["wrong"] for each in checks), "checks": checks}
