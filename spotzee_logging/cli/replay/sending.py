"""Sends batches one after the other, each until it is settled, by the same rules as a handler's."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Final

from spotzee_logging.cli.console import say
from spotzee_logging.cli.replay.journal import Journal
from spotzee_logging.cli.replay.parts import Parts
from spotzee_logging.cli.replay.reading import LineBody, Mark, Sealed
from spotzee_logging.cli.replay.rejected import RejectedLines
from spotzee_logging.client import ApiClient
from spotzee_logging.delivery import Delivery
from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.encoding import decode_fields
from spotzee_logging.errors import DeliveryPaused, SpotzeeError
from spotzee_logging.event import Event
from spotzee_logging.reporting import Reporter
from spotzee_logging.settings import Settings
from spotzee_logging.stats import Ledger

_QUIET_SECONDS: Final = 2.0
"""A wait that is longer is told of."""

_CTRL_C_SECONDS: Final = 0.5
"""Waits are cut to this: a longer one would not let Ctrl-C through on Windows."""


class Stopped(SpotzeeError):
    """Sending cannot go on; the message says why."""


class _LineReporter(Reporter):
    """Tells of each event that the API refuses by the line that it came from."""

    def __init__(self, rejected: RejectedLines) -> None:
        super().__init__(Ledger(), Diagnostics(), self._hear)
        self._rejected_lines = rejected
        self.pause: str | None = None

    def rejected(self, bodies: Sequence[bytes], reason: str, why: str, request_id: str | None) -> None:
        super().rejected(bodies, reason, why, request_id)
        for body in bodies:
            assert isinstance(body, LineBody)
            answer = {} if request_id is None else {"request_id": request_id}
            self._rejected_lines.add(body.line, f"rejected, {why}", event=decode_fields(body), **answer)

    def _hear(self, _: Event | None, error: SpotzeeError) -> None:
        if isinstance(error, DeliveryPaused):
            self.pause = str(error)


class Sender:
    """Delivers one log's batches, and writes its journal.

    :param timeout_seconds: the longest to go on without any progress.
    """

    def __init__(
        self, settings: Settings, journal: Journal, rejected: RejectedLines, timeout_seconds: float
    ) -> None:
        self._journal = journal
        self._rejected = rejected
        self._timeout_seconds = timeout_seconds
        self._parts = Parts()
        self._client = ApiClient(settings)
        self._reporter = _LineReporter(rejected)
        self._delivery = Delivery(
            settings, self._parts, self._client, self._reporter, clock=time.monotonic, draw=random.random
        )
        self._never = threading.Event()
        self._progress_at = time.monotonic()
        self._is_told = False

    def deliver(self, sealed: Sealed) -> None:
        """Send a batch until each of its events is delivered or refused. Raises `Stopped`."""
        self._parts.hold(sealed.batch, self._journal.parts, self._journal.done)
        self._note_progress()
        while len(self._parts):
            self._wait_until_due()
            request = self._delivery.begin()
            if request is not None:
                self._delivery.carry_out(request)
                self._record()
        refused = len(sealed.batch.events) - self._parts.delivered
        self.settle(sealed.mark, self._parts.delivered, refused)

    def settle(self, mark: Mark, delivered: int = 0, refused: int = 0) -> None:
        """All up to the mark is settled: on disk, what was rejected of it first."""
        self._rejected.sync()
        self._journal.settle(
            mark,
            delivered=self._journal.delivered + delivered,
            refused=self._journal.refused + refused,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _record(self) -> None:
        """Keep what a request has changed, unless the batch has ended with it: then its mark says all."""
        notes = self._parts.take_notes()
        if self._reporter.pause is not None:
            raise Stopped(self._reporter.pause)
        if notes:
            self._note_progress()
            if len(self._parts):
                self._rejected.sync()
                self._journal.note(notes)

    def _note_progress(self) -> None:
        self._progress_at = time.monotonic()
        self._is_told = False

    def _wait_until_due(self) -> None:
        while delay := self._delivery.delay_seconds():
            if self._is_in_trouble:
                self._check_patience(delay)
            self._never.wait(min(delay, _CTRL_C_SECONDS))

    @property
    def _is_in_trouble(self) -> bool:
        return self._delivery.schedule.held_seconds > 0

    def _check_patience(self, delay_seconds: float) -> None:
        trouble = self._last_error()
        if time.monotonic() + delay_seconds > self._progress_at + self._timeout_seconds:
            raise Stopped(f"nothing got through for {self._timeout_seconds:g} s. The last trouble: {trouble}")
        if delay_seconds > _QUIET_SECONDS and not self._is_told:
            self._is_told = True
            say(f"waiting {delay_seconds:.0f} s: {trouble}")

    def _last_error(self) -> str:
        stats = self._reporter.ledger.snapshot(pending_bytes=0, in_flight=0, paused_seconds=0)
        return stats.last_error or "none"
