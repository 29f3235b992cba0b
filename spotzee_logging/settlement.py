"""What becomes of a batch once its request has come to an outcome: one method for each move of the table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from spotzee_logging.answers import PAUSE_REMEDIES, Move, Outcome, move_for
from spotzee_logging.buffers.base import Batch, Buffer
from spotzee_logging.errors import DeliveryPaused
from spotzee_logging.reporting import Reporter
from spotzee_logging.schedule import Schedule


class Settlement:
    """Lets a batch's events go, keeps them for later, or gives them up, and tells schedule and reporter.

    :param buffer: which has given the batch out.
    :param schedule: when to try again.
    :param reporter: counts, and tells of, what is not delivered.
    """

    def __init__(self, buffer: Buffer, schedule: Schedule, reporter: Reporter) -> None:
        self._buffer = buffer
        self._schedule = schedule
        self._reporter = reporter
        self._moves: Mapping[Move, Callable[[Batch, Outcome], None]] = {
            Move.DELIVERED: self._deliver,
            Move.RETRY: self._retry,
            Move.PAUSE: self._pause,
            Move.SIFT: self._sift,
            Move.HALVE: self._halve,
            Move.RENEW: self._renew,
            Move.REJECT: self._reject,
        }
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the batches of before: in a forked child."""
        self._retried_key = ""
        self._renewed_key = ""
        self._has_told_of_pause = False

    def is_retry(self, batch: Batch) -> bool:
        """Whether the batch's last request was tried in vain."""
        return batch.key == self._retried_key

    def settle(self, batch: Batch, outcome: Outcome, *, is_of_old_key: bool) -> None:
        """Make the move that the table gives; an answer to a key that was replaced meanwhile pauses nothing."""
        move = move_for(outcome)
        if move is Move.PAUSE and is_of_old_key:
            self._keep(batch)
        else:
            self._moves[move](batch, outcome)

    def _keep(self, batch: Batch) -> None:
        self._retried_key = batch.key
        self._buffer.release(batch)

    def _succeed(self) -> None:
        self._schedule.succeed()
        self._has_told_of_pause = False

    def _deliver(self, batch: Batch, outcome: Outcome) -> None:
        self._succeed()
        if not self._buffer.ack(batch):
            return
        refused = _indexes(batch, outcome)
        self._reporter.ledger.deliver(len(batch.events) - len(refused))
        if refused:
            self._tell_rejected([batch.events[index] for index in refused], outcome)

    def _retry(self, batch: Batch, outcome: Outcome) -> None:
        self._keep(batch)
        wait_seconds = self._schedule.fail(outcome.retry_after_seconds)
        self._reporter.ledger.fail(str(outcome))
        self._reporter.diagnostics.say(
            "retry",
            logging.WARNING,
            f"{outcome}; {len(self._buffer)} events wait, next try in {wait_seconds:.1f} s",
        )

    def _pause(self, batch: Batch, outcome: Outcome) -> None:
        self._keep(batch)
        self._schedule.pause()
        self._reporter.ledger.fail(str(outcome))
        if not self._has_told_of_pause:
            self._has_told_of_pause = True
            self._reporter.paused(_paused(outcome, len(self._buffer)))

    def _sift(self, batch: Batch, outcome: Outcome) -> None:
        refused = _indexes(batch, outcome)
        if refused:
            self._reject_some(batch, refused, outcome)
        else:
            self._halve(batch, outcome)

    def _halve(self, batch: Batch, outcome: Outcome) -> None:
        count = len(batch.events)
        if count == 1:
            self._reject(batch, outcome)
            return
        self._succeed()
        self._reporter.ledger.fail(str(outcome))
        self._buffer.split(batch, [range(count // 2), range(count // 2, count)])

    def _renew(self, batch: Batch, outcome: Outcome) -> None:
        if batch.key == self._renewed_key:
            self._reject(batch, outcome)
            return
        self._succeed()
        self._reporter.ledger.fail(str(outcome))
        for renewed in self._buffer.split(batch, [range(len(batch.events))]):
            self._renewed_key = renewed.key
        self._reporter.diagnostics.say("renewed", logging.ERROR, f"{outcome}; the batch gets a new key")

    def _reject(self, batch: Batch, outcome: Outcome) -> None:
        self._reject_some(batch, range(len(batch.events)), outcome)

    def _reject_some(self, batch: Batch, indexes: Sequence[int], outcome: Outcome) -> None:
        self._succeed()
        self._tell_rejected(self._buffer.reject(batch, indexes, outcome.reason), outcome)

    def _tell_rejected(self, bodies: Sequence[bytes], outcome: Outcome) -> None:
        self._reporter.ledger.fail(str(outcome))
        self._reporter.rejected(bodies, outcome.reason, str(outcome), outcome.request_id)


def _indexes(batch: Batch, outcome: Outcome) -> list[int]:
    """The events of the batch that the answer names."""
    return sorted(index for index in outcome.items if index < len(batch.events))


def _paused(outcome: Outcome, waiting: int) -> DeliveryPaused:
    remedy = next(words for statuses, words in PAUSE_REMEDIES if outcome.status in statuses)
    message = f"delivery pauses, {outcome}. {remedy}; {waiting} events wait, and it is tried once a minute."
    return DeliveryPaused(message, reason=outcome.reason, request_id=outcome.request_id)
