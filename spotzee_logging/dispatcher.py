"""The threads that deliver, and what callers ask of them: to hold an event, to flush, to give up."""

from __future__ import annotations

import functools
import logging
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from spotzee_logging import lifecycle
from spotzee_logging.buffers.base import Body, Buffer
from spotzee_logging.client import ApiClient, no_bound
from spotzee_logging.delivery import SEARCH_AGAIN_SECONDS, Delivery
from spotzee_logging.errors import SpotzeeError
from spotzee_logging.foreign import attempt
from spotzee_logging.reporting import Reporter
from spotzee_logging.senders import idents as _sender_idents
from spotzee_logging.senders import is_sender
from spotzee_logging.setting_types import ApiKey
from spotzee_logging.settings import Settings

IDLE_SECONDS: Final = 5.0
"""How long a thread waits for more before it ends; the next event starts another."""

_MOST_OF_IT: Final = 0.9
"""Of the exit's timeout: several handlers that are flushed together share it."""

_ENDING_SECONDS: Final = 1.0
"""How long the end waits for a thread that ends."""

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


class Dispatcher:
    """Has what a buffer holds delivered, by a thread that starts with the first event.

    :param settings: intervals, sizes and timeouts.
    :param buffer: where the events wait.
    :param client: sends a batch.
    :param reporter: counts, and tells of, what is not delivered.
    :param clock: monotonic seconds.
    :param draw: a random number from 0 up to 1, for jitter.

    A caller's thread only puts an event and leaves a note, in a queue that cannot block it; all else
    happens on the delivering thread. Once a batch is full a spare thread stands by, which sends what is due
    where the requests under way take long, and has another stand by in its place, up to `connections`. It is
    there before it is needed: Python 3.12 starts none while the process exits.
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
        self._delivery = Delivery(settings, buffer, client, reporter, clock=clock, draw=draw)
        self.schedule = self._delivery.schedule
        self._settings = settings
        self._clock = clock
        self._hold: Callable[..., Sequence[Body]] = (
            buffer.put if _is_ours(buffer) else _put_safely(buffer, reporter)
        )
        self._block_seconds = settings.block_timeout_seconds if settings.overflow == "block" else 0.0
        self._set_up()
        lifecycle.register(self)
        if buffer.has_company:
            self._start()

    def _set_up(self) -> None:
        self._threads: set[threading.Thread] = set()
        self._start_lock = threading.RLock()
        self._notes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_noted = False
        self._is_idle = False
        self._is_held = False
        self._may_rest = False
        self._waited_in_vain = (-1, -math.inf)

    def before_fork(self) -> None:
        """What must not cross a fork is closed until `after_fork`."""
        self.buffer.before_fork()

    def after_fork(self) -> None:
        """In the parent: go on."""
        self.buffer.after_fork()

    def begin_anew(self) -> None:
        """In a forked child: the parent's events, connection and account stay the parent's."""
        _sender_idents.clear()
        self.buffer.begin_anew()
        self.reporter.begin_anew()
        self._delivery.begin_anew()
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
        return self._put if _is_ours(self.buffer) else self._put_behind_wall

    def _put_behind_wall(self, body: Body, key: str) -> None:
        # Not for our own buffers: there only a signal's handler raises, as a task's time limit does, and must get out.
        _, failure = attempt(self._put, body, key)
        if failure is not None:
            raised = f"{type(self.buffer).__name__} raised {type(failure).__name__}"
            self.reporter.diagnostics.say(
                "buffer_error",
                logging.ERROR,
                f"{raised}, or gave what its contract does not have, where an event was put: whether it holds that is "
                "its own to say. Mend it, or leave buffer out",
            )

    def _put(self, body: Body, key: str) -> None:
        dropped = self._hold(body, key)
        if dropped:
            if self._block_seconds and dropped[-1] is body:
                dropped = self._put_into_full(body, key)
            self._drop_for_room(dropped, body)
            if not self._is_held:
                self.deliver_soon()
        if not self._threads:
            self._start()
        elif self._is_noted or self._is_held:
            return
        elif self._is_idle or self.buffer.unsealed >= self.schedule.capacity:
            self.wake()  # full batches are due, and the rest may wait for its age

    def _drop_for_room(self, dropped: Sequence[Body], body: Body) -> None:
        """Count, and tell of, the events that a full buffer has given; `body` is the one that was put."""
        if dropped and dropped[-1] is body:
            self.reporter.not_held(body, "buffer_full", self._why_full)
            dropped = dropped[:-1]
        if dropped:
            self.reporter.dropped(dropped, "buffer_full", self._why_full)

    def _put_into_full(self, body: Body, key: str) -> Sequence[Body]:
        self.deliver_soon()
        # The thread that makes room must not wait for it: an on_error that logs runs there.
        wait_seconds = 0.0 if is_sender(threading.get_ident()) else self._block_seconds
        position = self.buffer.position
        try:
            return self._hold(body, key, wait_seconds=wait_seconds)
        except BaseException:
            # Ctrl-C, or what else a signal's handler raises into the wait: the event has seldom found room.
            if self.buffer.position == position:
                self.reporter.not_held(body, "buffer_full", self._why_full)
            raise

    @property
    def _why_full(self) -> str:
        bound = "Raise spool_max_bytes" if self.buffer.place else "Raise max_pending_bytes"
        remedy = bound if _is_ours(self.buffer) else "Give it more room"
        return f"the buffer was full. {remedy}, or see in stats().last_error why delivery does not keep up"

    def wake(self) -> None:
        """Have a thread look again at what is due."""
        if not self._is_noted:
            self._is_noted = True
            self._notes.put(None)

    def rest(self) -> None:
        """No more events are expected: the threads end once nothing is pending, and the next event starts another.

        Not while the process exits, which needs none to end, and tears apart what wakes.
        """
        if not lifecycle.process_exit.has_begun:
            self._may_rest = True
            if self._threads:
                self.wake()

    def deliver_soon(self) -> None:
        """All that is pending is due now, though not before a backoff ends."""
        self._ask(may_hurry=False)

    def flush_soon(self) -> None:
        """All that is pending is due now, with one try before a backoff of ours ends."""
        self._ask(may_hurry=True)

    def _ask(self, *, may_hurry: bool) -> None:
        self.schedule.ask_for(self.buffer.position, may_hurry=may_hurry)
        if len(self.buffer):
            self._start()
            self.wake()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until what is pending now is delivered, rejected or dropped; whether it is in time.

        On the thread that delivers there is nobody to wait for: there it says how things stand. So it does
        while delivery is paused, and for what is logged as late as by a `__del__` while the interpreter goes.
        """
        position = self.buffer.position
        self.flush_soon()
        if is_sender(threading.get_ident()) or timeout_seconds <= 0 or sys.is_finalizing():
            return self._delivery.is_settled(position)
        oldest, started = self.buffer.oldest, self._clock()
        if self._threads:
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
        return self._clock() - at < lifecycle.JUST_SECONDS and self.buffer.oldest == oldest

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
        # A thread that is ending just now closes its connection under this lock: the process's end would tear it apart.
        if self._start_lock.acquire(timeout=_ENDING_SECONDS):
            self._start_lock.release()
        kept, bodies = self._delivery.give_up()
        if bodies:  # no reason stands in the account with a count of 0
            reason, why = ("shutdown", _UNDELIVERED) if self.flush_on_close else ("closed", _CLOSED)
            self.reporter.dropped(bodies, reason, why)
        return len(bodies), kept

    def _start(self) -> None:
        """Start the first thread, where there is none."""
        with self._start_lock:
            if not self._threads:
                # Made with the thread: gevent may have replaced both kinds since this dispatcher was made, and
                # a queue of the old kind would block every greenlet of the process.
                self._notes = queue.SimpleQueue()
                self._is_noted = self._may_rest = False
                self._start_thread()

    def _start_spare(self) -> None:
        """Start one more, where every thread is about to have a request under way."""
        with self._start_lock:
            if len(self._threads) <= self._delivery.requests < self._delivery.connections:
                self._start_thread()

    def _start_thread(self) -> None:
        if sys.is_finalizing():
            return  # no other thread runs any more: until Python 3.11 to start one would wait for it for ever
        thread = threading.Thread(target=self._run, name="spotzee_logging", daemon=True)
        try:
            self._threads.add(thread)
            thread.start()
        except BaseException as error:
            if thread.ident is None:
                self._threads.discard(thread)
            # Python 3.12 starts no thread while the interpreter exits, and a system has its limit. The
            # events wait; the next one tries again, and a flush delivers them itself.
            if not isinstance(error, RuntimeError):
                raise  # of a signal's handler, as Ctrl-C is

    def _run(self) -> None:
        ident = threading.get_ident()
        _sender_idents.add(ident)
        try:
            # Without the lock: an interrupted start may take a thread for one that never runs, and whoever
            # interrupts it may hold the lock and wait for this one's deliveries.
            self._threads.add(threading.current_thread())
            while self._step_safely():
                pass
        finally:
            _sender_idents.discard(ident)
            self._replace_thread()

    def _replace_thread(self) -> None:
        """Where a hook has ended this thread (SystemExit passes both walls), another goes on."""
        with self._start_lock:
            if threading.current_thread() not in self._threads:
                return
            self._threads.discard(threading.current_thread())
            self._is_held = False
            if len(self.buffer):
                self._start()
                self.wake()

    def _run_here(self, position: int, deadline: float) -> None:
        """Deliver on the calling thread, where no other can be started, until the deadline."""
        ident = threading.get_ident()
        _sender_idents.add(ident)
        try:
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
        finally:
            _sender_idents.discard(ident)

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
            self._wait(pause if most is None else min(pause, most))
            return True

    def _step(self, most_seconds: Callable[[], float | None]) -> bool:
        """Wait for what is due next, or deliver it; False where nothing came for so long that it ends."""
        tend_seconds = self._delivery.tend()
        # Before the buffer is asked: an event that is put after that finds the flags, and leaves a note.
        self._is_idle = True
        self._is_held = False  # another thread may have found it so, before this one's request got through
        delay = self._delivery.delay_seconds()
        if delay is None:
            if self._wait(0.0 if self._may_rest and not lifecycle.process_exit.has_begun else IDLE_SECONDS):
                return True
            self._delivery.tend(is_idle=True)  # before nobody does any more
            return not self._may_end()
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
        self._wait(seconds)
        self._is_held = False

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

    def _wait(self, seconds: float) -> bool:
        """Wait for a note; whether one came."""
        try:
            self._notes.get(timeout=min(seconds, threading.TIMEOUT_MAX))
        except queue.Empty:
            return False
        self._is_noted = False
        return True

    def _may_end(self) -> bool:
        """Whether this thread, to which nothing came, is needed no more."""
        with self._start_lock:
            if lifecycle.process_exit.has_begun:
                return False
            # First the thread is gone, then the buffer is asked: an event that is put meanwhile is either
            # seen here, or its caller finds no thread and waits for this lock to start one.
            self._threads.discard(threading.current_thread())
            if self._threads:
                return True
            self._delivery.close()
            # One with a spool stays while its handler does: it takes over from processes that die, and what an
            # operator has tried again.
            if len(self.buffer) == 0 and (self.is_forgotten or not self.buffer.place):
                self._leave_if_forgotten()
                return True
            self._may_rest = False  # it stays: else it would look for more without a pause
            self._threads.add(threading.current_thread())
            return False

    def _leave_if_forgotten(self) -> None:
        """Free the spool's files where no event comes any more."""
        if self.is_forgotten:
            self.buffer.close()
            lifecycle.let_go(self)


def _is_ours(buffer: Buffer) -> bool:
    return type(buffer).__module__.startswith("spotzee_logging.")


def _put_safely(buffer: Buffer, reporter: Reporter) -> Callable[..., Sequence[Body]]:
    """The `put` of a buffer of the program's own: an event that it raises for is dropped, counted and told of."""

    def put(body: Body, key: str, *, wait_seconds: float = 0.0) -> Sequence[Body]:
        waiting_put = functools.partial(buffer.put, wait_seconds=wait_seconds)
        dropped, failure = attempt(waiting_put if wait_seconds else buffer.put, body, key)
        if failure is None:
            return dropped or ()
        why = f"put of {type(buffer).__name__} raised {type(failure).__name__}. Mend it, or leave buffer out"
        reporter.not_held(body, "buffer_error", why)
        return ()

    return put
