"""What becomes of a batch once its request has come to an outcome: one method for each move of the table."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from spotzee_logging.amounts import amount
from spotzee_logging.answers import PAUSE_REMEDIES, REJECTION_REMEDIES, Move, Outcome, move_for, remedy_for
from spotzee_logging.buffers.base import Batch, Buffer, Verdict
from spotzee_logging.errors import DeliveryPaused
from spotzee_logging.parking import Parking
from spotzee_logging.reporting import Reporter
from spotzee_logging.schedule import Schedule, never

IDEMPOTENCY_KEY_SECONDS: Final = 24 * 60 * 60.0
"""How long the server remembers a batch's key (contract: "Idempotency")."""


class Answered(NamedTuple):
    """A batch whose request has come to its outcome.

    :param epoch: of the schedule, when the request began.
    :param is_of_old_key: tells whether the API key has been replaced since then.
    """

    batch: Batch
    outcome: Outcome
    epoch: int
    is_of_old_key: Callable[[], bool] = never


class Settlement:
    """Lets a batch's events go, keeps them for later, or gives them up, and tells schedule and reporter.

    :param buffer: which has given the batch out.
    :param schedule: when to try again.
    :param parking: where a batch waits by itself.
    :param reporter: counts, and tells of, what is not delivered.

    Safe to use from several threads, each with a batch of its own.
    """

    def __init__(self, buffer: Buffer, schedule: Schedule, parking: Parking, reporter: Reporter) -> None:
        self._buffer = buffer
        self._schedule = schedule
        self._parking = parking
        self._reporter = reporter
        self._moves: Mapping[Move, Callable[[Answered], None]] = {
            Move.DELIVERED: self._deliver,
            Move.RETRY: self._retry,
            Move.WAIT: self._wait,
            Move.PAUSE: self._pause,
            Move.SIFT: self._sift,
            Move.HALVE: self._fit,
            Move.RENEW: self._renew,
            Move.REJECT: self._reject,
        }
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the batches of before: in a forked child, and where all of them were given up."""
        self._lock = threading.RLock()
        self._failures: dict[str, int] = {}
        self._renewed_keys: set[str] = set()
        self.expect_success()

    def expect_success(self) -> None:
        """Something was set right: another pause, be it for the same reason, is told of as a new one."""
        self._told_pause: str | None = None
        self._is_pause_said = False

    def is_retry(self, batch: Batch) -> bool:
        """Whether the batch's last request was tried in vain."""
        return batch.key in self._failures

    def settle(self, answered: Answered) -> None:
        """Make the move that the table gives; an answer to a key that was replaced meanwhile pauses nothing."""
        self._moves[move_for(answered.outcome)](answered)

    def _keep(self, answered: Answered) -> None:
        batch = answered.batch
        if answered.outcome.is_replayed:
            # A refusal that the server keeps under this key, for 24 hours (contract: "Idempotency"), whatever was
            # set right since: only under another key is it asked anew. Nothing of a refused batch is committed.
            self._failures.pop(batch.key, None)
            self._buffer.split(batch, [range(len(batch.events))])
            return
        self._count_failure(batch)
        self._buffer.release(batch)

    def _count_failure(self, batch: Batch) -> int:
        """How often the batch had failed before."""
        before = self._failures.get(batch.key, 0)
        self._failures[batch.key] = before + 1
        return before

    def _end(self, answered: Answered) -> None:
        """The batch is not tried again, and the API answers."""
        self._failures.pop(answered.batch.key, None)
        self._renewed_keys.discard(answered.batch.key)
        if self._schedule.succeed(answered.epoch):
            self.expect_success()

    def _deliver(self, answered: Answered) -> None:
        batch = answered.batch
        self._end(answered)
        refused = _indexes(answered)
        if not self._buffer.ack(batch, refused, _verdict(answered.outcome)):
            return
        self._reporter.ledger.deliver(
            len(batch.events) - len(refused),
            is_possibly_repeated=time.time() - batch.sealed_at > IDEMPOTENCY_KEY_SECONDS,
        )
        self._tell_rejected(answered, refused)

    def _retry(self, answered: Answered) -> None:
        outcome = answered.outcome
        wait_seconds = self._schedule.fail(answered.epoch, outcome.retry_after_seconds)
        self._keep(answered)
        self._say_retry(outcome, len(self._buffer), wait_seconds)

    def _wait(self, answered: Answered) -> None:
        batch, outcome = answered.batch, answered.outcome
        self._schedule.succeed(answered.epoch)
        failures = self._count_failure(batch)
        wait_seconds = self._schedule.wait_of_one(failures, outcome.retry_after_seconds)
        self._parking.keep(batch, wait_seconds)
        self._say_retry(outcome, len(batch.events), wait_seconds)

    def _say_retry(self, outcome: Outcome, waiting: int, wait_seconds: float) -> None:
        self._reporter.ledger.fail(str(outcome))
        self._reporter.diagnostics.say(
            "retry",
            logging.WARNING,
            f"{outcome}; {_how_many_wait(waiting)}, next try in {wait_seconds:.1f} s",
        )

    def _pause(self, answered: Answered) -> None:
        # The schedule first, here and in a retry: what is released may be taken by another thread at once.
        is_paused = self._schedule.pause(unless=answered.is_of_old_key)
        self._keep(answered)
        if not is_paused:
            return
        self._reporter.ledger.fail(str(answered.outcome))
        reason = answered.outcome.reason
        with self._lock:
            is_new = self._told_pause != reason
            is_to_be_said = is_new or not self._is_pause_said
            self._told_pause, self._is_pause_said = reason, not is_to_be_said
        error = _paused(answered.outcome)
        if is_new:
            self._reporter.paused(error)
        if is_to_be_said:
            meanwhile = f"{_how_many_wait(len(self._buffer))}, and it is tried once a minute"
            # Not where such a line stands a moment before: then with a later try.
            is_said = self._reporter.say_paused(error, meanwhile)
            with self._lock:
                if self._told_pause == reason:
                    self._is_pause_said |= is_said

    def _sift(self, answered: Answered) -> None:
        refused = _indexes(answered)
        if refused:
            self._reject_some(answered, refused)
        else:
            self._halve(answered)

    def _fit(self, answered: Answered) -> None:
        events = answered.batch.events
        if len(events) > 1:
            self._halve(answered)
            return
        # The server names no number: the event's own is what its author can act on.
        outcome = answered.outcome.of(0)
        words = f"{outcome.message} (it takes {sum(map(len, events))} bytes)".lstrip()
        self._reject(answered._replace(outcome=outcome._replace(message=words)))

    def _halve(self, answered: Answered) -> None:
        count = len(answered.batch.events)
        if count == 1:
            self._reject(answered)
            return
        self._end(answered)
        self._reporter.ledger.fail(str(answered.outcome))
        self._buffer.split(answered.batch, [range(count // 2), range(count // 2, count)])

    def _renew(self, answered: Answered) -> None:
        batch, outcome = answered.batch, answered.outcome
        if batch.key in self._renewed_keys:
            self._reject(answered)
            return
        self._end(answered)
        self._reporter.ledger.fail(str(outcome))
        for renewed in self._buffer.split(batch, [range(len(batch.events))]):
            self._renewed_keys.add(renewed.key)
        self._reporter.diagnostics.say("renewed", logging.ERROR, f"{outcome}; the batch gets a new key")

    def _reject(self, answered: Answered) -> None:
        self._reject_some(answered, range(len(answered.batch.events)))

    def _reject_some(self, answered: Answered, indexes: Sequence[int]) -> None:
        self._end(answered)
        left = self._buffer.reject(answered.batch, indexes, _verdict(answered.outcome))
        if left:  # else the batch is held no more
            self._tell_rejected(answered, indexes)

    def _tell_rejected(self, answered: Answered, indexes: Sequence[int]) -> None:
        """Count and tell of events that have left; those in a row of which the same is said, together."""
        for outcome, group in groupby(indexes, answered.outcome.of):
            bodies = [answered.batch.events[index] for index in group]
            self._reporter.ledger.fail(str(outcome))
            why = f"{str(outcome).rstrip('.')}. {remedy_for(outcome, REJECTION_REMEDIES)}."
            self._reporter.rejected(bodies, outcome.reason, why, outcome.request_id)


def _verdict(outcome: Outcome) -> Verdict:
    of_events = {index: _verdict(outcome.of(index)) for index in outcome.items}
    return Verdict(outcome.reason, str(outcome), outcome.request_id, of_events)


def _indexes(answered: Answered) -> list[int]:
    """The events of the batch that the answer names."""
    return sorted(index for index in answered.outcome.items if index < len(answered.batch.events))


def _how_many_wait(events: int) -> str:
    return amount(events, "event waits", "events wait")


def _paused(outcome: Outcome) -> DeliveryPaused:
    message = f"delivery pauses, {outcome}. {remedy_for(outcome, PAUSE_REMEDIES)}."
    return DeliveryPaused(message, reason=outcome.reason, request_id=outcome.request_id)
