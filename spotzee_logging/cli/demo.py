"""`spotzee-logging demo`: the whole road, from a shop's log records to what a server holds."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spotzee_logging.amounts import amount
from spotzee_logging.cli.console import DONE, FAILED, as_json, print_json
from spotzee_logging.cli.sandbox import sigterm_as_ctrl_c
from spotzee_logging.cli.shop import CUSTOMERS, LOGGER, Shop
from spotzee_logging.handler import SpotzeeHandler
from spotzee_logging.settings import Settings
from spotzee_logging.stats import Stats

if TYPE_CHECKING:
    from spotzee_logging.sandbox import Sandbox

_DEMO_KEY: Final = "sk_demo"  # the sandbox takes every well-formed key
_SHUTDOWN_TIMEOUT_SECONDS: Final = 30.0


@click.command()
@click.option("--keep", is_flag=True, help="Then keep the sandbox up, for a look at its page, until Ctrl-C.")
@as_json
@click.pass_context
def demo(ctx: click.Context, *, keep: bool, is_json: bool) -> None:
    """Show the whole road on this machine: log records go in, events arrive.

    Starts the sandbox on a free port, lets a small shop log to it from threads and an asyncio task, and
    prints what arrived. Exits with 0 only if every event arrived exactly once. Your SPOTZEE_ variables
    are left aside. It needs the extra `sandbox`.

    Example: spotzee-logging demo --keep
    """
    from spotzee_logging.sandbox import Sandbox  # noqa: PLC0415  another extra than this command line's

    with Sandbox() as sandbox:
        result = _result_of(sandbox) if is_json else None
        all_arrived = show(sandbox, Console()) if result is None else not result["mismatches"]
        # From here on Ctrl-C is an end like any other: whoever has read the result, or the address, may end it at once.
        with contextlib.suppress(KeyboardInterrupt), sigterm_as_ctrl_c():
            if result is not None:
                print_json(result)
            elif keep:
                click.echo(f"\nSee the events at {sandbox.root_url}/ - Ctrl-C ends it.")
            if keep:
                sandbox.serve_forever()
    if keep and not is_json:
        click.echo("The sandbox has stopped.")
    ctx.exit(DONE if all_arrived else FAILED)


def _result_of(sandbox: Sandbox) -> dict[str, Any]:
    """As `show`, but for programs: one JSON object."""
    shop, stats = _open_shop(sandbox.url)
    events = sandbox.events()
    return {
        "page": f"{sandbox.root_url}/",
        "events": events,
        "requests": len(sandbox.requests()),
        "stats": _account(stats),
        "mismatches": _mismatches_of(shop, events),
    }


def show(sandbox: Sandbox, console: Console) -> bool:
    """Run the shop against a running sandbox and print what arrived; whether each event did exactly once."""
    shop, stats = _open_shop(sandbox.url)
    events = sandbox.events()
    console.print(_table(events))
    requests = len(sandbox.requests())
    console.print(f"{len(events)} events in {amount(requests, 'request', 'requests')}")
    console.print(_stats_table(_account(stats)))
    odd = _mismatches_of(shop, events)
    for line in odd:
        click.echo(line, err=True)
    if not odd:
        console.print(_sentence(shop))
    return not odd


def _mismatches_of(shop: Shop, events: Iterable[Mapping[str, Any]]) -> list[str]:
    return mismatches(shop.receipts, (str((event.get("data") or {}).get("receipt")) for event in events))


def mismatches(logged: Iterable[str], arrived: Iterable[str]) -> list[str]:
    """One line for each event that did not arrive as often as it was logged; none where all did."""
    expected, found = Counter(logged), Counter(arrived)
    return [
        f"event {receipt}: logged {expected[receipt]} times, arrived {found[receipt]} times"
        for receipt in sorted(expected | found)
        if expected[receipt] != found[receipt]
    ]


def _open_shop(url: str) -> tuple[Shop, Stats]:
    # Every setting is given, so that none is looked up in the environment of whoever tries this.
    settings: dict[str, Any] = {row["name"]: row["default"] for row in Settings.table()}
    settings |= {"base_url": url, "shutdown_timeout_seconds": _SHUTDOWN_TIMEOUT_SECONDS, "api_key": _DEMO_KEY}
    handler = SpotzeeHandler(**settings)
    LOGGER.addHandler(handler)
    shop = Shop()
    try:
        shop.open()
    finally:
        handler.close()
        LOGGER.removeHandler(handler)
    return shop, handler.stats()


def _table(events: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(title="What the sandbox got, in the order of arrival")
    for column, is_whole in (("name", True), ("contact", True), ("data", False), ("time (UTC)", True)):
        table.add_column(column, no_wrap=is_whole)
    for event in events:
        ids = (event.get("external_id"), event.get("anonymous_id"))
        contact = "\n".join(each for each in ids if each)
        data = ", ".join(f"{key}: {json.dumps(value)}" for key, value in (event.get("data") or {}).items())
        time = str(event.get("created_at", "")).partition("T")[2].removesuffix("Z")
        # As Text: what stands in an event is no markup.
        table.add_row(*map(Text, (str(event["name"]), contact, data, time)))
    return table


def _account(stats: Stats) -> dict[str, int]:
    return {
        "accepted": stats.accepted,
        "delivered": stats.delivered,
        "rejected": sum(stats.rejected.values()),
        "dropped": sum(stats.dropped.values()),
        "pending": stats.pending,
        "requests": stats.requests,
        "retries": stats.retries,
    }


def _stats_table(account: Mapping[str, int]) -> Table:
    table = Table(*account, title="The handler's stats")
    table.add_row(*map(str, account.values()))
    return table


def _sentence(shop: Shop) -> str:
    return (
        f"{len(CUSTOMERS)} threads and an asyncio program logged {len(shop.receipts)} tagged records and "
        f"tracked calls (functions, coroutines, generators) and {shop.untagged_lines} untagged lines: each of "
        "the first arrived as an event exactly once, under the contact of its own thread or task, and no "
        "untagged one did."
    )
