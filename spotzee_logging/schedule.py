"""When the next batch is due, and how long to wait after a failure (contract: events-api.md, 429 and 5xx)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from spotzee_logging.buffers.base import Buffer
from spotzee_logging.settings import Settings

FIRST_BACKOFF_SECONDS: Final = 0.5
MOST_BACKOFF_SECONDS: Final = 60.0
MOST_RETRY_AFTER_SECONDS: Final = 15 * 60.0
RETRY_AFTER_JITTER_SECONDS: Final = 0.5
PROBE_SECONDS: Final = 60.0


class Schedule:
    """Tells from a buffer's state when to send.

    :param settings: the capacity, and the age at which an event is due.
    :param clock: monotonic seconds.
    :param draw: a random number from 0 up to 1, for jitter.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float], draw: Callable[[], float]) -> None:
        self.capacity = settings.capacity
        self._interval_seconds = settings.flush_interval_seconds
        self._clock = clock
        self._draw = draw
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was asked, and what failed."""
        self._lock = threading.RLock()
        self._failures = 0
        # Until when not to send: by our own backoff, which a flush may cut short, and by the server's word.
        self._backoff_until = 0.0
        self._refused_until = 0.0
        self._paused_until = 0.0
        self._flush_position = 0
        self._may_hurry = False

    def ask_for(self, position: int, *, may_hurry: bool) -> None:
        """What was put before `position` is due now; `may_hurry`: with one try during a backoff of ours."""
        with self._lock:
            self._flush_position = max(self._flush_position, position)
            self._may_hurry = self._may_hurry or may_hurry

    def delay_seconds(self, buffer: Buffer) -> float | None:
        """How long until a batch is due: 0 where one is, None where nothing is pending."""
        if not buffer.has_sealed and not buffer.unsealed:
            return None
        now = self._clock()
        backoff_until = 0.0 if self._may_hurry else self._backoff_until
        hold_until = max(self._paused_until, self._refused_until, backoff_until)
        if hold_until > now:
            return hold_until - now
        is_due = buffer.has_sealed or buffer.unsealed >= self.capacity or buffer.oldest < self._flush_position
        put_at = buffer.oldest_put_at
        return 0.0 if is_due or put_at is None else max(0.0, put_at + self._interval_seconds - now)

    def begin_try(self) -> None:
        """A request begins: the hurry, if any, is used up."""
        self._may_hurry = False

    def succeed(self) -> None:
        """The server answered for good: the next failure starts from the shortest wait."""
        self._failures = 0
        self._backoff_until = self._refused_until = self._paused_until = 0.0

    @property
    def paused_seconds(self) -> float:
        """How long until a paused delivery is tried again; 0 where it is not paused, or a try is due."""
        return max(0.0, self._paused_until - self._clock())

    def pause(self) -> None:
        """Nothing gets through until something is set right: one probe a minute."""
        self._paused_until = self._clock() + PROBE_SECONDS

    def resume(self) -> None:
        """Something was set right: a try is due now."""
        self._paused_until = 0.0

    def fail(self, retry_after_seconds: float | None) -> float:
        """A request failed: how long to wait, at least as the server asked, where it did.

        Ours doubles from half a second to a minute, with full jitter. The server's holds for flushes too,
        up to 15 minutes.
        """
        bound = min(MOST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(self._failures, 16))
        self._failures += 1
        now = self._clock()
        wait = self._draw() * bound
        if retry_after_seconds is not None:
            asked = min(retry_after_seconds, MOST_RETRY_AFTER_SECONDS)
            wait = max(wait, asked + self._draw() * RETRY_AFTER_JITTER_SECONDS)
            self._refused_until = now + wait
        self._backoff_until = now + wait
        return wait
