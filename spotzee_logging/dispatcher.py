"""The thread that delivers: wait for what is due, take a batch, send it, and have its outcome settled."""

from __future__ import annotations

import logging
import math
import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Final

from spotzee_logging import lifecycle
from spotzee_logging.buffers.base import Batch, Buffer
from spotzee_logging.client import ApiClient
from spotzee_logging.reporting import Reporter
from spotzee_logging.schedule import Schedule
from spotzee_logging.settings import ApiKey, Settings
from spotzee_logging.settlement import Settlement

IDLE_SECONDS: Final = 5.0
"""How long the thread waits for more before it ends; the next event starts another."""

_FULL: Final = (
    "the buffer was full. Raise max_pending_bytes, or see in stats().last_error why delivery does not keep up"
)
_CLOSED: Final = "the handler was closed, and its flushOnClose was False"
_UNDELIVERED: Final = (
    "the process ended before it could be delivered. Raise shutdown_timeout_seconds, "
    "or see in stats().last_error why delivery took so long"
)

# Threads that are sending just now, of any dispatcher: what urllib3 and requests log there is our own doing.
_sender_idents: set[int | None] = set()


def is_sender(ident: int | None) -> bool:
    """Whether the thread of this ident is delivering events."""
    return ident in _sender_idents


class Dispatcher:
    """Delivers what a buffer holds, in order, one request at a time.

    :param settings: intervals, sizes and timeouts.
    :param buffer: where the events wait.
    :param client: sends a batch.
    :param reporter: counts, and tells of, what is not delivered.
    :param clock: monotonic seconds.
    :param draw: a random number from 0 up to 1, for jitter.

    A caller's thread only puts an event and leaves a note, in a queue that cannot block it; all else
    happens on the thread, which starts with the first event.
    """

    def __init__(  # noqa: PLR0913  its four parts, and two that tests hand in
        self,
        settings: Settings,
        buffer: Buffer,
        client: ApiClient,
        reporter: Reporter,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.buffer = buffer
        self.schedule = Schedule(settings, clock, draw)
        self.reporter = reporter
        self.flush_on_close = True
        self._settings = settings
        self._client = client
        self._clock = clock
        self._block_seconds = settings.block_timeout_seconds if settings.overflow == "block" else 0.0
        self._settlement = Settlement(buffer, self.schedule, reporter)
        self._set_up()
        lifecycle.register(self)

    def _set_up(self) -> None:
        self._thread: threading.Thread | None = None
        self._start_lock = threading.RLock()
        self._notes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_noted = False
        self._is_idle = False
        self._batch: Batch | None = None
        self._key_changes = 0
        self._inline_deadline: float | None = None
        self._settled = threading.Condition()
        self._is_settling = False

    def begin_anew(self) -> None:
        """In a forked child: the parent's events, connection and account stay the parent's."""
        _sender_idents.clear()
        self.buffer.begin_anew()
        self.schedule.begin_anew()
        self._settlement.begin_anew()
        self.reporter.begin_anew()
        self._client.begin_anew()
        self._set_up()

    @property
    def shutdown_timeout_seconds(self) -> float:
        """The longest that flush, close and exit wait."""
        return self._settings.shutdown_timeout_seconds

    @property
    def in_flight(self) -> int:
        """Events in the request that is under way."""
        batch = self._batch
        return 0 if batch is None else len(batch.events)

    def put(self, body: bytes, key: str) -> None:
        """Hold one event for delivery; waits only where `overflow` is "block" and the buffer full."""
        dropped = self.buffer.put(body, key)
        if dropped:
            dropped = self._put_into_full(body, key) if self._block_seconds else dropped
            self.reporter.dropped(dropped, "buffer_full", _FULL)
            self.deliver_soon()
        if self._thread is None:
            self._start()
        elif self._is_idle:
            self.wake()

    def _put_into_full(self, body: bytes, key: str) -> list[bytes] | tuple[bytes, ...]:
        self.deliver_soon()
        # The thread that makes room must not wait for it: an on_error that logs runs there.
        wait_seconds = 0.0 if is_sender(threading.get_ident()) else self._block_seconds
        try:
            return tuple(self.buffer.put(body, key, wait_seconds=wait_seconds))
        except BaseException:
            # Ctrl-C, or what else a signal's handler raises into the wait: the event has not found room.
            self.reporter.dropped([body], "buffer_full", _FULL)
            raise

    def wake(self) -> None:
        """Have the thread look again at what is due."""
        if not self._is_noted:
            self._is_noted = True
            self._notes.put(None)

    def deliver_soon(self) -> None:
        """All that is pending is due now, though not before a backoff ends."""
        self._ask(may_hurry=False)

    def flush_soon(self) -> None:
        """The same, with one try before a backoff of ours ends."""
        self._ask(may_hurry=True)

    def _ask(self, *, may_hurry: bool) -> None:
        self.schedule.ask_for(self.buffer.position, may_hurry=may_hurry)
        if len(self.buffer):
            self._start()
            self.wake()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until what is pending now is delivered, rejected or dropped; whether it is in time.

        On the thread that delivers there is nobody to wait for: there it says how things stand. So it does
        while delivery is paused.
        """
        position = self.buffer.position
        self.flush_soon()
        if is_sender(threading.get_ident()) or timeout_seconds <= 0:
            return self._is_settled(position)
        if self._thread is None:
            self._run_here(position, self._clock() + timeout_seconds)
            return self._is_settled(position)
        with self._settled:
            self._settled.wait_for(
                lambda: self._is_settled(position) or self.schedule.paused_seconds > 0,
                min(timeout_seconds, threading.TIMEOUT_MAX),
            )
            return self._is_settled(position)

    def set_api_key(self, api_key: ApiKey) -> None:
        """Send with another key from the next request on, which is due at once where delivery is paused."""
        self._client.api_key = api_key
        self._key_changes += 1
        self.schedule.resume()
        self.flush_soon()

    def give_up(self) -> int:
        """Drop, counted and told of, all that is pending at the end; how many events that is, for a last line."""
        bodies = self.buffer.abandon()
        if self.flush_on_close:
            self.reporter.dropped(bodies, "shutdown", _UNDELIVERED)
        else:
            self.reporter.dropped(bodies, "closed", _CLOSED)
        with self._settled:
            self._settled.notify_all()
        return len(bodies)

    def _is_settled(self, position: int) -> bool:
        # In this order: while a batch is being settled its events have left the buffer, but not the account.
        return self.buffer.oldest >= position and not self._is_settling

    def _start(self) -> None:
        with self._start_lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="spotzee_logging", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                # Python 3.12 starts no thread while the interpreter exits, and a system has its limit. The
                # events wait; the next one tries again, and a flush delivers them itself.
                self._thread = None

    def _run(self) -> None:
        ident = threading.get_ident()
        _sender_idents.add(ident)
        try:
            while self._step_safely():
                pass
        finally:
            _sender_idents.discard(ident)
            self._replace_thread()

    def _replace_thread(self) -> None:
        """Where a hook has ended this thread (SystemExit passes both walls), another goes on."""
        with self._start_lock:
            if self._thread is not threading.current_thread():
                return
            self._client.close()
            self._thread = None
        if len(self.buffer):
            self._start()

    def _run_here(self, position: int, deadline: float) -> None:
        """Deliver on the calling thread, where no other can be started, until the deadline."""
        ident = threading.get_ident()
        _sender_idents.add(ident)
        self._inline_deadline = deadline
        try:
            while not self._is_settled(position) and self._clock() < deadline:
                delay = self.schedule.delay_seconds(self.buffer)
                if delay is None or self._clock() + delay > deadline:
                    return
                self._step_safely()
        finally:
            self._inline_deadline = None
            _sender_idents.discard(ident)

    def _step_safely(self) -> bool:
        """The second of the package's two walls: whatever goes wrong within, the thread goes on."""
        try:
            return self._step()
        except Exception as error:  # noqa: BLE001
            self.schedule.fail(None)
            self.reporter.diagnostics.say(
                "internal_error",
                logging.ERROR,
                f"delivery met {type(error).__name__}; it will be tried again",
            )
            return True

    def _step(self) -> bool:
        """Wait for what is due next, or deliver it; False where nothing came for so long that it ends."""
        # Before the buffer is asked: an event that is put after that finds the flag, and leaves a note.
        self._is_idle = True
        delay = self.schedule.delay_seconds(self.buffer)
        if delay is None:
            return self._wait(IDLE_SECONDS) or not self._may_end()
        self._is_idle = False
        if delay > 0:
            self._wait(delay)
        else:
            self._send_next()
        return True

    def _wait(self, seconds: float) -> bool:
        """Wait for a note; whether one came."""
        try:
            self._notes.get(timeout=seconds)
        except queue.Empty:
            return False
        self._is_noted = False
        return True

    def _may_end(self) -> bool:
        with self._start_lock:
            self._client.close()
            # First the thread is gone, then the buffer is asked: an event that is put meanwhile is either
            # seen here, or its caller finds no thread and waits for this lock to start one.
            self._thread = None
            if len(self.buffer) == 0:
                return True
            self._thread = threading.current_thread()
            return False

    def _send_next(self) -> None:
        batch = self.buffer.take(self.schedule.capacity, self._settings.max_batch_bytes)
        if batch is None:
            return
        self._batch = batch
        self.schedule.begin_try()
        self.reporter.ledger.request(is_retry=self._settlement.is_retry(batch))
        key_changes = self._key_changes
        try:
            outcome = self._client.send(batch, self._most_seconds())
            self._is_settling = True
            self._settlement.settle(batch, outcome, is_of_old_key=key_changes != self._key_changes)
        finally:
            self._batch = None
            self.buffer.release(batch)  # only where something went wrong is it still held
            with self._settled:
                self._is_settling = False
                self._settled.notify_all()

    def _most_seconds(self) -> float:
        """What a request may take on a caller's own thread; on ours it has the timeouts that are set."""
        deadline = self._inline_deadline
        return math.inf if deadline is None else max(0.001, deadline - self._clock())
