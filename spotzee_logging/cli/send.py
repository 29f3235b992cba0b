"""`spotzee-logging send`: events from a file or a pipe, over the same road as any program's."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, BinaryIO, Final

import click

from spotzee_logging.amounts import amount
from spotzee_logging.cli import json_lines
from spotzee_logging.cli.console import (
    DONE,
    FAILED,
    INTERRUPTED,
    as_json,
    no_diagnostics,
    print_json,
    say,
    until_timeout,
)
from spotzee_logging.errors import DeliveryPaused, SpotzeeError
from spotzee_logging.event import Event
from spotzee_logging.formatter import TAG
from spotzee_logging.handler import SpotzeeHandler
from spotzee_logging.settings import Settings
from spotzee_logging.stats import Stats

_QUIET_SECONDS: Final = 2.0
"""How long to wait for delivery before saying so."""

_MOST_NAMED: Final = 100
"""Rejections by the server that are named; the others are counted."""


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--base-url", metavar="URL", help="Where the API is; else SPOTZEE_BASE_URL.")
@until_timeout(60.0, "Longest to wait after the last line, or for a server that is behind.")
@as_json
@click.pass_context
def send(
    ctx: click.Context, /, file: BinaryIO, base_url: str | None, timeout_seconds: float, is_json: bool
) -> None:
    """Deliver the events in FILE (- is standard input), one JSON object a line.

    \b
      spotzee-logging send events.jsonl
      {"name": "order_placed", "external_id": "cust_001", "data": {"n": 1}}

    An event without created_at gets the time of sending. A bad line is named on
    stderr, the others go. The key is read from SPOTZEE_API_KEY alone, since others
    see command lines. Exit codes: 0 all delivered, 1 not all, 2 wrong usage, 130 Ctrl-C.
    """  # noqa: D301  \b is click's mark for lines to leave as they are
    settings: dict[str, Any] = {
        "client_type": "cli",
        "overflow": "block",
        "block_timeout_seconds": timeout_seconds,
        "strict": False,
        "spool": None,  # what is undelivered is told of, and not kept: the lines are in their file still
        **({} if base_url is None else {"base_url": base_url}),
    }
    with no_diagnostics():
        ctx.exit(_Sending(settings, timeout_seconds, is_json=is_json).run(file))


class _Sending:
    """One run of the command: what it says of each line, and of them all.

    Raises `InvalidSettings` where it is made.
    """

    def __init__(self, settings: dict[str, Any], timeout_seconds: float, *, is_json: bool) -> None:
        self._timeout_seconds = timeout_seconds
        self._is_json = is_json
        self._max_line_bytes = (
            Settings.from_env(**settings).max_event_bytes * json_lines.LINE_BYTES_PER_EVENT_BYTE
        )
        self._handler = SpotzeeHandler(**settings, on_error=self._on_error)
        self._reader = threading.get_ident()
        self._line: int | None = None
        self._unparsed_lines = 0
        self._rejected_by_server = 0
        self._has_room = True
        self._is_paused = False

    def run(self, stream: BinaryIO) -> int:
        """Send every line, wait for delivery, print the summary, and give the exit code."""
        was_interrupted = False
        try:
            self._read(stream)
            self._wait()
        except KeyboardInterrupt:
            was_interrupted = True
            say("interrupted: lines that were not read yet are not sent")
        # What the wait was too short for is given up, here and not at the interpreter's exit.
        self._handler.flushOnClose = False
        self._handler.close()
        all_delivered = self._summarize(self._handler.stats())
        if was_interrupted:
            return INTERRUPTED
        return DONE if all_delivered else FAILED

    def _read(self, stream: BinaryIO) -> None:
        for number, line in json_lines.numbered(stream, self._max_line_bytes):
            self._line = number
            self._send(line)
            if not self._has_room:
                say(
                    f"stopped at line {number}: the server was behind for {self._timeout_seconds:g} s. "
                    "This line and those after it are not sent"
                )
                break
            if self._is_paused:
                say(f"stopped after line {number}: the lines after it are not sent")
                break
        self._line = None

    def _send(self, line: bytes | None) -> None:
        try:
            event = json_lines.parse(line)
        except json_lines.BadLine as error:
            self._unparsed_lines += 1
            say(f"line {self._line}: {error}")
            return
        record = {"name": "send", "levelno": logging.INFO, "levelname": "INFO", TAG: event}
        self._handler.handle(logging.makeLogRecord(record))

    def _on_error(self, _: Event | None, error: SpotzeeError) -> None:
        """Say what became of an event: one that ends on the reading thread is that of the line just read."""
        if isinstance(error, DeliveryPaused):
            self._is_paused = True
            say(str(error))
        elif error.reason == "buffer_full":
            self._has_room = False
        elif error.reason == "closed":
            pass  # the summary's undelivered ones
        elif self._line is not None and threading.get_ident() == self._reader:
            say(f"line {self._line}: {error}")
        else:
            self._rejected_by_server += 1
            if self._rejected_by_server <= _MOST_NAMED:
                say(str(error))

    def _wait(self) -> None:
        deadline = time.monotonic() + self._timeout_seconds
        if self._handler.flush(min(_QUIET_SECONDS, self._timeout_seconds)):
            return
        stats = self._handler.stats()
        if self._is_paused:
            return
        if time.monotonic() < deadline:
            events = amount(stats.pending, "event", "events")
            say(f"waiting for {events}; the last trouble: {stats.last_error or 'none'}")
        self._handler.flush(max(0.0, deadline - time.monotonic()))

    def _summarize(self, stats: Stats) -> bool:
        """Print how the events ended; whether all that were to be sent were delivered."""
        if self._rejected_by_server > _MOST_NAMED:
            more = self._rejected_by_server - _MOST_NAMED
            say(amount(more, "more event was rejected", "more events were rejected"))
        withheld = stats.dropped.get("before_send", 0)
        rejected = self._unparsed_lines + sum(stats.rejected.values())
        undelivered = stats.accepted - stats.delivered - sum(stats.rejected.values()) - withheld
        if undelivered:
            say(f"undelivered: {_why(stats)}")
        ends = {"delivered": stats.delivered, "rejected": rejected, "undelivered": undelivered}
        if self._is_json:
            print_json({**ends, "withheld": withheld, "last_error": stats.last_error})
        else:
            summary = ", ".join(f"{count} {how}" for how, count in ends.items())
            click.echo(f"{summary}, {withheld} withheld by before_send" if withheld else summary)
        return not rejected and not undelivered


def _why(stats: Stats) -> str:
    if "disabled" in stats.dropped:
        return "SPOTZEE_DISABLED is set, nothing was sent"
    return stats.last_error or "there was no time for a request"
