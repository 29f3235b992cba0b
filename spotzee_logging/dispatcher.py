"""What a thread that delivers does next, and what callers ask of it: to hold an event, to flush, to give up."""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from spotzee_logging import exit_budget, lifecycle, senders
from spotzee_logging.admission import Admission
from spotzee_logging.buffers.base import Body, Buffer
from spotzee_logging.client import ApiClient, no_bound
from spotzee_logging.delivery import SEARCH_AGAIN_SECONDS, Delivery
from spotzee_logging.errors import SpotzeeError
from spotzee_logging.foreign import attempt
from spotzee_logging.reporting import Reporter
from spotzee_logging.setting_types import ApiKey
from spotzee_logging.settings import Settings
from spotzee_logging.workers import Workers

IDLE_SECONDS: Final = 5.0
"""How long a thread waits for more before it ends; the next event starts another."""

_MOST_OF_IT: Final = 0.9
"""Of the exit's timeout: several handlers that are flushed together share it."""

_LEAST_PAUSE_SECONDS: Final = 0.1
"""How long a thread rests at least after a fault of ours, or of a buffer's."""

_CLOSED: Final = "the handler was closed, and its flushOnClose was False"
_UNDELIVERED: Final = (
    "the process ended before it could be delivered. Raise shutdown_timeout_seconds, "
    "or see in stats().last_error why delivery took so long"
)


def _draw() -> float:
    """A random number from 0 up to 1; the module random would be a fifth of the package's import."""
    return int.from_bytes(os.urandom(7), "big") / (1 << 56)


def _nothing() -> None:
    """The last word of most."""


class Dispatcher:
    """Has what a buffer holds delivered, by a thread that starts with the first event.

    :param settings: intervals, sizes and timeouts.
    :param buffer: where the events wait.
    :param client: sends a batch.
    :param reporter: counts, and tells of, what is not delivered.
    :param clock: monotonic seconds.
    :param draw: a random number from 0 up to 1, for jitter.

    A caller's thread only puts an event and leaves a note, which cannot block it; all else happens on the
    delivering thread. Once a batch is full a spare thread stands by, which sends what is due where the requests
    under way take long, and has another stand by in its place, up to `connections`. It is there before it is
    needed: Python 3.12 starts none while the process exits.
    """

    def __init__(  # noqa: PLR0913  its four parts, and two that tests hand in
        self,
        settings: Settings,
        buffer: Buffer,
        client: ApiClient,
        reporter: Reporter,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = _draw,
    ) -> None:
        self.buffer = buffer
        self.reporter = reporter
        self.flush_on_close = True
        self.is_forgotten = False
        self.last_word: Callable[[], object] = _nothing
        self._delivery = Delivery(settings, buffer, client, reporter, clock=clock, draw=draw)
        self.schedule = self._delivery.schedule
        self._settings = settings
        self._clock = clock
        self._admission = Admission(settings, buffer, reporter, self.deliver_soon)
        self._hold = self._admission.hold  # looked up once, and not for every event
        self._workers = Workers(self._step_safely, self._rouse)
        self._set_up()
        lifecycle.register(self)
        if buffer.has_company:
            self._workers.start()

    def _set_up(self) -> None:
        self._is_idle = False
        self._is_held = False
        self._waited_in_vain = (-1, -math.inf)

    def before_fork(self) -> None:
        """What must not cross a fork is closed until `after_fork`."""
        self.buffer.before_fork()

    def after_fork(self) -> None:
        """In the parent: go on."""
        self.buffer.after_fork()

    def begin_anew(self) -> None:
        """In a forked child: the parent's events, connection and account stay the parent's."""
        senders.begin_anew()
        self.buffer.begin_anew()
        self.reporter.begin_anew()
        self._delivery.begin_anew()
        self._workers.begin_anew()
        self._set_up()

    @property
    def shutdown_timeout_seconds(self) -> float:
        """The longest that flush, close and exit wait."""
        return self._settings.shutdown_timeout_seconds

    @property
    def in_flight(self) -> int:
        """Events in the requests that are under way."""
        return self._delivery.in_flight

    @property
    def put(self) -> Callable[[Body, str], None]:
        """Hold one event, its body and its contact; waits only where `overflow` is "block" and the buffer full."""
        return self._put if self._admission.is_buffer_ours else self._put_behind_wall

    def _put_behind_wall(self, body: Body, key: str) -> None:
        # Not for our own buffers: there only a signal's handler raises, as a task's time limit does, and must get out.
        _, failure = attempt(self._put, body, key)
        if failure is not None:
            self._admission.say_not_kept_to(failure)

    def _put(self, body: Body, key: str) -> None:
        dropped = self._hold(body, key)
        if dropped:
            self._admission.find_room(dropped, body, key)
            if not self._is_held:
                self.deliver_soon()
        workers = self._workers
        if not workers.threads:
            workers.start()
        elif workers.is_noted or self._is_held:
            return
        elif self._is_idle or self.buffer.unsealed >= self.schedule.capacity:
            workers.wake()  # full batches are due, and the rest may wait for its age

    def rest(self) -> None:
        """No more events are expected: the threads end once nothing is pending, and the next event starts another."""
        self._workers.rest()

    def deliver_soon(self) -> None:
        """All that is pending is due now, though not before a backoff ends."""
        self._ask(may_hurry=False)

    def flush_soon(self) -> None:
        """All that is pending is due now, with one try before a backoff of ours ends."""
        self._ask(may_hurry=True)

    def _ask(self, *, may_hurry: bool) -> None:
        self.schedule.ask_for(self.buffer.position, may_hurry=may_hurry)
        self._rouse()

    def _rouse(self) -> None:
        """Have a thread look at once, where any event is held."""
        if len(self.buffer):
            self._workers.start()
            self._workers.wake()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until what is pending now is delivered, rejected or dropped; whether it is in time.

        On the thread that delivers there is nobody to wait for: there it says how things stand. So it does
        while delivery is paused, and for what is logged as late as by a `__del__` while the interpreter goes.
        """
        position = self.buffer.position
        self.flush_soon()
        if senders.is_sender(threading.get_ident()) or timeout_seconds <= 0 or sys.is_finalizing():
            return self._delivery.is_settled(position)
        oldest, started = self.buffer.oldest, self._clock()
        if self._workers.threads:
            is_settled = self._delivery.wait_until_settled(position, timeout_seconds)
        else:
            self._run_here(position, started + timeout_seconds)
            is_settled = self._delivery.is_settled(position)
        waited_long = self._clock() - started >= _MOST_OF_IT * self.shutdown_timeout_seconds
        if not is_settled and waited_long and self.buffer.oldest == oldest:
            self._waited_in_vain = (oldest, self._clock())
        return is_settled

    @property
    def has_just_waited_in_vain(self) -> bool:
        """Whether a flush has just waited as long as the exit would, and nothing was settled meanwhile."""
        oldest, at = self._waited_in_vain
        return self._clock() - at < exit_budget.JUST_SECONDS and self.buffer.oldest == oldest

    def set_api_key(self, api_key: ApiKey) -> None:
        """Send with another key from the next request on, which is due at once where delivery is paused."""
        self._delivery.set_api_key(api_key)
        self.flush_soon()

    @property
    def place(self) -> str:
        """The file that keeps what is pending at the end; "" where that is dropped."""
        return self.buffer.place

    def give_up(self) -> tuple[int, int]:
        """Drop, counted and told of, what is pending at the end and kept nowhere; how many are dropped, and kept."""
        self._workers.wait_for_ending()
        kept, bodies = self._delivery.give_up()
        if bodies:  # no reason stands in the account with a count of 0
            reason, why = ("shutdown", _UNDELIVERED) if self.flush_on_close else ("closed", _CLOSED)
            self.reporter.dropped(bodies, reason, why)
        return len(bodies), kept

    def _start_spare(self) -> None:
        """Start one more, where every thread is about to have a request under way."""
        self._workers.start_spare(lambda count: count <= self._delivery.requests < self._delivery.connections)

    def _run_here(self, position: int, deadline: float) -> None:
        """Deliver on the calling thread, where no other can be started, until the deadline."""
        with senders.sending():
            while not self._delivery.is_settled(position) and self._clock() < deadline:
                if self._delivery.has_yet_to_look:
                    # Not as a step, which would wait for more, as the thread that this one is not.
                    attempt(self._delivery.tend)
                    self._delivery.wait_until_looked(_LEAST_PAUSE_SECONDS)
                    continue
                delay = self._delivery.delay_seconds()
                if delay is None or self._clock() + delay > deadline:
                    return
                self._step_safely(lambda: max(0.001, deadline - self._clock()))

    def _step_safely(self, most_seconds: Callable[[], float | None] = no_bound) -> bool:
        """The second of the package's two walls: whatever goes wrong within, the thread goes on.

        :param most_seconds: tells how long it may take yet, on a caller's own thread.
        """
        try:
            return self._step(most_seconds)
        except Exception as error:  # noqa: BLE001
            self.schedule.fail(self.schedule.epoch, None)
            met = f"delivery met {type(error).__name__}; it will be tried again"
            # Our own errors say what to do; what others say may hold anything.
            met = f"{met}: {error}" if isinstance(error, SpotzeeError) else met
            self.reporter.diagnostics.say("internal_error", logging.ERROR, met)
            # Here, for what fails may be what tells how long to wait.
            pause = max(_LEAST_PAUSE_SECONDS, self.schedule.held_seconds)
            most = most_seconds()
            self._workers.wait(pause if most is None else min(pause, most))
            return True

    def _step(self, most_seconds: Callable[[], float | None]) -> bool:
        """Wait for what is due next, or deliver it; False where nothing came for so long that it ends."""
        self._is_held = False  # another thread may have found it so, before this one's request got through
        tend_seconds = self._delivery.tend()
        # Before the buffer is asked: an event that is put after that finds the flag, and leaves a note.
        self._is_idle = True
        delay = self._delivery.delay_seconds()
        if delay is None:
            if self._workers.wait(0.0 if self._workers.may_rest else IDLE_SECONDS):
                return True
            self._delivery.tend(is_idle=True)  # before nobody does any more
            return not self._workers.may_end(self._close_as_last)
        # Where all that is pending waits by itself, what comes is due before it.
        self._is_idle = not (self.buffer.has_sealed or self.buffer.unsealed)
        if delay > 0:
            self._wait_for_due(min(delay, tend_seconds))
        else:
            self._deliver_next(most_seconds)
        return True

    def _wait_for_due(self, seconds: float) -> None:
        # While no request may begin, no event changes anything: one that woke this thread would pay for it.
        held_seconds = self._delivery.held_seconds
        if held_seconds > 0:
            self._is_held = True
            if self._delivery.held_seconds <= 0:
                return  # another thread's request has ended it just now: look again
            seconds = min(seconds, held_seconds)
        self._workers.wait(seconds)

    def _deliver_next(self, most_seconds: Callable[[], float | None]) -> None:
        """Deliver the batch that is due, or leave it to the requests under way a little longer."""
        # Not by waiting for a note: while a full batch waits every event leaves one.
        patience = self._delivery.patience_seconds()
        if patience:
            self._delivery.wait_for_turn(min(patience, IDLE_SECONDS))
            return
        request = self._delivery.begin()
        if request is None:
            self._delivery.wait_for_end(SEARCH_AGAIN_SECONDS)
            return
        self._delivery.carry_out(request, most_seconds, self._start_spare)

    def _close_as_last(self) -> bool:
        """Close what is open, as the last thread, to which nothing came; whether it may end."""
        self._delivery.close()
        # One with a spool stays while its handler does: it takes over from processes that die, and what an
        # operator has tried again.
        if len(self.buffer) or (self.buffer.place and not self.is_forgotten):
            return False
        if self.is_forgotten:  # no event comes any more
            self.buffer.close()
            lifecycle.let_go(self)
        return True
