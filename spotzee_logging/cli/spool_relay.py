"""A spool without its program: what no living process has in hand is delivered, or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from spotzee_logging.amounts import amount
from spotzee_logging.buffers.sqlite import SqliteBuffer
from spotzee_logging.buffers.survey import Found
from spotzee_logging.cli import spool_text
from spotzee_logging.cli.console import no_diagnostics, refuse_disabled
from spotzee_logging.errors import SpotzeeError
from spotzee_logging.event import Event
from spotzee_logging.handler import SpotzeeHandler
from spotzee_logging.settings import Settings

_MOST_NAMED: Final = 100
_UNBOUNDED_BYTES: Final = 2**63


class Relay:
    """One delivery of a spool.

    :param file: the spool.
    :param settings: what is not taken from the environment.

    Raises `InvalidSettings` and `SpoolError` where it is made.
    """

    def __init__(self, file: str, settings: Mapping[str, Any]) -> None:
        self._rejections = 0
        given: dict[str, Any] = {**settings, "client_type": "cli", "on_error": self._on_error}
        refuse_disabled(Settings.from_env(**given))
        self._handler = SpotzeeHandler(**given, buffer=SqliteBuffer(file, max_bytes=_UNBOUNDED_BYTES))

    def run(self, timeout_seconds: float) -> dict[str, int]:
        """Deliver for so long at most; how many events were delivered, rejected and left."""
        with no_diagnostics():
            self._handler.flush(timeout_seconds)
            self._handler.flushOnClose = False  # the exit waits no longer
            self._handler.close()
        stats = self._handler.stats()
        if stats.pending and stats.last_error:
            click.echo(f"undelivered: {stats.last_error}", err=True)
        if self._rejections > _MOST_NAMED:
            more = self._rejections - _MOST_NAMED
            click.echo(amount(more, "more event was rejected", "more events were rejected"), err=True)
        return {
            "delivered": stats.delivered,
            "rejected": sum(stats.rejected.values()),
            "undelivered": stats.pending,
        }

    def _on_error(self, _: Event | None, error: SpotzeeError) -> None:
        self._rejections += 1
        if self._rejections <= _MOST_NAMED:
            click.echo(str(error), err=True)


def purge_pending(file: str, before: float) -> int:
    """Delete batches that no living process has, and all of whose events are older; how many events those are."""
    buffer = SqliteBuffer(file, max_bytes=_UNBOUNDED_BYTES)
    try:
        buffer.tend()
        count = 0
        while (batch := buffer.take(100, 2**20)) is not None:
            times = [spool_text.created(Found("", "", body, {})) for body in batch.events]
            if all(at is not None and at < before for at in times) and buffer.ack(batch):
                count += len(batch.events)
        return count
    finally:
        buffer.close()
