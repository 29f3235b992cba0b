"""One step of the delivery: which batch may go now, its request, and its settlement. Any thread may make it."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Final

from spotzee_logging.amounts import amount
from spotzee_logging.buffers.base import Batch, Buffer
from spotzee_logging.client import ApiClient, no_bound
from spotzee_logging.pace import pace_to
from spotzee_logging.parking import Parking
from spotzee_logging.reporting import Reporter
from spotzee_logging.schedule import Schedule
from spotzee_logging.setting_types import ApiKey
from spotzee_logging.settings import Settings
from spotzee_logging.settlement import Answered, Settlement

PATIENCE_SECONDS: Final = 0.005
"""How long a batch that is due leaves it to the requests under way; past that, another connection takes it.

A near server answers sooner, and one connection serves it faster than several that share Python's lock.
"""

SEARCH_AGAIN_SECONDS: Final = 0.05
"""How long until it is looked again for a batch, where all that wait are of contacts whose batch is under way."""


TEND_SECONDS: Final = 2.0
"""How often a buffer is asked to look after itself."""


class Request:
    """A request that is under way.

    :param epoch: of the schedule, when it began.
    :param begun_at: in monotonic seconds.
    :param key_changes: how often the API key had been set until then.
    :param is_answered: whether it has come to an outcome, which is being settled: its events may have left the
        buffer, and stand in the account not yet.
    """

    __slots__ = ("batch", "begun_at", "epoch", "is_answered", "key_changes")

    def __init__(self, batch: Batch, epoch: int, begun_at: float, key_changes: int) -> None:
        self.batch = batch
        self.epoch = epoch
        self.begun_at = begun_at
        self.key_changes = key_changes
        self.is_answered = False


def _nothing() -> None:
    pass


class Delivery:
    """Delivers what a buffer holds: each contact's events in order, at most `connections` requests at a time.

    :param settings: sizes, pace and number of connections.
    :param buffer: where the events wait.
    :param client: sends a batch.
    :param reporter: counts, and tells of, what is not delivered.
    :param clock: monotonic seconds.
    :param draw: a random number from 0 up to 1, for jitter.
    """

    def __init__(  # noqa: PLR0913  its four parts, and two that tests hand in
        self,
        settings: Settings,
        buffer: Buffer,
        client: ApiClient,
        reporter: Reporter,
        *,
        clock: Callable[[], float],
        draw: Callable[[], float],
    ) -> None:
        self.schedule = Schedule(settings, clock, draw)
        self._settings = settings
        self._buffer = buffer
        self._client = client
        self._reporter = reporter
        self._clock = clock
        self._parking = Parking(clock)
        self._pace = pace_to(settings.base_url, clock)
        self._settlement = Settlement(buffer, self.schedule, self._parking, reporter)
        self._set_up()

    def _set_up(self) -> None:
        self._turn = threading.RLock()
        self._ended = threading.Condition()
        self._requests: tuple[Request, ...] = ()
        self._key_changes = 0
        self._tended_at = -math.inf
        self._has_tended = False

    def begin_anew(self) -> None:
        """In a forked child: what the parent had under way stays the parent's."""
        self.schedule.begin_anew()
        self._parking.begin_anew()
        self._pace.begin_anew()
        self._settlement.begin_anew()
        self._client.begin_anew()
        self._set_up()

    @property
    def connections(self) -> int:
        """The most requests that may be under way at a time."""
        return self._settings.connections

    @property
    def requests(self) -> int:
        """How many are under way."""
        return len(self._requests)

    @property
    def in_flight(self) -> int:
        """Events in the requests that are under way."""
        return sum(len(request.batch.events) for request in self._requests)

    def tend(self, *, is_idle: bool = False) -> float:
        """Have the buffer look after itself where it is time, and tell of what it found; how long until the next."""
        if not self._buffer.place:
            return math.inf
        with self._turn:
            left = self._tended_at + TEND_SECONDS - self._clock()
            if left > 0:
                return left
            self._tended_at = self._clock()
        try:
            tidings = self._buffer.tend(is_idle=is_idle)
        finally:
            self._has_tended = True
            self.notify()
        self._reporter.ledger.recover(tidings.recovered)
        self._reporter.ledger.unspool(tidings.unspooled)
        if tidings.lost:
            self._lose(tidings.lost)
        if tidings.trouble:
            self._reporter.diagnostics.say("spool", logging.WARNING, tidings.trouble)
        return TEND_SECONDS

    def _lose(self, count: int) -> None:
        """Events are gone that nobody has any more: they are counted, and said; there is none to tell of."""
        self._reporter.ledger.drop("spool_lost", count)
        message = (
            f"{amount(count, 'event is', 'events are')} gone that the spool {self._buffer.place} held: one of its "
            "files was deleted, cut or damaged. Counted as dropped, spool_lost"
        )
        self._reporter.diagnostics.say("spool_lost", logging.WARNING, message)

    def delay_seconds(self) -> float | None:
        """How long until a batch is due: 0 where one is, None where nothing waits to be sent."""
        parked = self._parking.delay_seconds()
        delays = [self.schedule.delay_seconds(self._buffer)]
        if parked is not None:
            delays.append(max(parked, self.schedule.held_seconds))
        due = [delay for delay in delays if delay is not None]
        if not due:
            return None
        return max(min(due), self._pace.delay_seconds(self._settings.requests_per_second))

    @property
    def held_seconds(self) -> float:
        """How long no request may begin at all, for the sake of a wait or of the pace; 0 where one may."""
        return max(self.schedule.held_seconds, self._pace.delay_seconds(self._settings.requests_per_second))

    def patience_seconds(self) -> float:
        """How long to leave what is due to the requests under way; 0 where another may begin."""
        requests = self._requests
        if not requests:
            return 0.0
        if self.schedule.is_troubled or len(requests) >= self.connections:
            return math.inf
        youngest = max(request.begun_at for request in requests)
        return max(0.0, youngest + PATIENCE_SECONDS - self._clock())

    def begin(self) -> Request | None:
        """Take the batch that goes next; None where there is none, or it was another thread's turn."""
        with self._turn:
            per_second = self._settings.requests_per_second
            if self.patience_seconds() or not self._pace.begin(per_second):
                return None
            held = len(self._buffer)
            batch = self._parking.take_due() or self._buffer.take(
                self.schedule.capacity, self._settings.max_batch_bytes
            )
            if batch is None:
                if len(self._buffer) < held:
                    self._tended_at = -math.inf  # it may have found some gone: they are counted at once
                if per_second is not None:
                    self._pace.take_back()
                return None
            request = Request(batch, self.schedule.begin_try(), self._clock(), self._key_changes)
            self._requests += (request,)
        self._reporter.ledger.request(is_retry=self._settlement.is_retry(batch))
        return request

    def carry_out(
        self,
        request: Request,
        most_seconds: Callable[[], float | None] = no_bound,
        when_full: Callable[[], None] = _nothing,
    ) -> None:
        """Send the batch and settle what it comes to.

        :param most_seconds: tells how long the request may take, where less time is left than its timeouts allow.
        :param when_full: called first, where the batch has as many events as it may: more may wait behind it.
        """
        is_settled = False
        try:
            if len(request.batch.events) >= self.schedule.capacity:
                when_full()
            outcome = self._client.send(request.batch, most_seconds)
            request.is_answered = True
            answered = Answered(
                request.batch, outcome, request.epoch, lambda: request.key_changes != self._key_changes
            )
            self._settlement.settle(answered)
            is_settled = True
        finally:
            try:
                if not is_settled:
                    self._buffer.release(request.batch)
            finally:
                # Whatever a buffer of the program's own does: a request that seems to go on lets no other begin.
                with self._turn:
                    self._requests = tuple(each for each in self._requests if each is not request)
                self.notify()

    def notify(self) -> None:
        """Have those that wait for a settlement look again."""
        with self._ended:
            self._ended.notify_all()

    @property
    def has_yet_to_look(self) -> bool:
        """Whether events of processes that are gone may be there, and none were looked for yet."""
        return not self._has_tended and self._buffer.has_company and bool(self._buffer.place)

    def wait_until_looked(self, timeout_seconds: float) -> None:
        """Wait while another thread looks for them, at most so long."""
        with self._ended:
            self._ended.wait_for(lambda: not self.has_yet_to_look, timeout_seconds)

    def is_settled(self, position: int) -> bool:
        """Whether all that was put before this position is delivered, rejected or dropped.

        So is what processes before this one have left: where they may have, it is looked for first.
        """
        if self.has_yet_to_look:
            return False
        # The buffer first: what leaves it between the two looks is still among the answered requests.
        return self._buffer.oldest >= position and all(
            request.batch.position >= position for request in self._requests if request.is_answered
        )

    def wait_until_settled(self, position: int, timeout_seconds: float) -> bool:
        """Wait until all before `position` is settled, at most `timeout_seconds`; whether it is.

        Returns early, False, where delivery is paused, or the server has asked for a longer wait.
        """
        deadline = self._clock() + timeout_seconds
        with self._ended:
            self._ended.wait_for(
                lambda: self.is_settled(position) or self._is_hopeless(deadline),
                min(timeout_seconds, threading.TIMEOUT_MAX),
            )
            return self.is_settled(position)

    def _is_hopeless(self, deadline: float) -> bool:
        """Whether delivery is paused, or the server asks for a wait beyond the deadline and nothing is under way."""
        if self.schedule.paused_seconds > 0:
            return True
        return not self._requests and self._clock() + self.schedule.refused_seconds > deadline

    def wait_for_turn(self, timeout_seconds: float) -> None:
        """Wait until another request may begin or one has ended, at most `timeout_seconds`."""
        with self._ended:
            if self.patience_seconds():
                self._ended.wait(timeout_seconds)

    def wait_for_end(self, timeout_seconds: float) -> None:
        """Wait until a request ends, at most so long."""
        with self._ended:
            self._ended.wait(timeout_seconds)

    def set_api_key(self, api_key: ApiKey) -> None:
        """Send with another key from the next request on."""
        self._client.api_key = api_key
        self._key_changes += 1
        self._settlement.expect_success()
        self.schedule.resume()

    def give_up(self) -> tuple[int, tuple[bytes, ...]]:
        """Let go of every event: how many are kept for another process, and the bodies of the others."""
        kept = self._buffer.keep()
        bodies = tuple(self._buffer.abandon())
        self._parking.begin_anew()
        self._settlement.begin_anew()
        self.notify()
        return kept, bodies

    def close(self) -> None:
        """Close the connections; the next request opens one again."""
        self._client.close()
