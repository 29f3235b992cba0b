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

HURRY_SECONDS: Final = 0.1
"""Between two tries of flushes that do not wait for a backoff of ours: they may be called in a loop."""

FREE_RESUMES: Final = 5
"""How often a pause may be ended, without a success in between, before the next try waits for a backoff."""


def never() -> bool:
    """No."""
    return False


class Schedule:
    """Tells from a buffer's state, and from how requests fare, when to send.

    :param settings: the capacity, and the age at which an event is due.
    :param clock: monotonic seconds.
    :param draw: a random number from 0 up to 1, for jitter.

    Requests run side by side, so several may meet the same trouble. Each carries the `epoch` it began in, and
    trouble begins another: only the first of a wave makes the wait longer, and the success of a request from
    before it does not end it.
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
        self.epoch = 0
        self._failures = 0
        self._resumes = 0
        # Until when not to send: by our own backoff, which a flush may cut short, and by the server's word.
        self._backoff_until = 0.0
        self._hurry_from = 0.0
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
        held = self.held_seconds
        if held:
            return held
        is_due = buffer.has_sealed or buffer.unsealed >= self.capacity or buffer.oldest < self._flush_position
        put_at = buffer.oldest_put_at
        if is_due or put_at is None:
            return 0.0
        return max(0.0, put_at + self._interval_seconds - self._clock())

    @property
    def held_seconds(self) -> float:
        """How long no request may begin at all; 0 where one may."""
        backoff_until = self._backoff_until
        if self._may_hurry:
            backoff_until = min(backoff_until, self._hurry_from)
        return max(0.0, max(self._paused_until, self._refused_until, backoff_until) - self._clock())

    @property
    def refused_seconds(self) -> float:
        """How long the server will have no request, by its own word; 0 where it said nothing."""
        return max(0.0, self._refused_until - self._clock())

    @property
    def is_troubled(self) -> bool:
        """Whether the last request of the newest wave failed: until one succeeds, they go one at a time."""
        return self._failures > 0 or self._paused_until > 0

    def begin_try(self) -> int:
        """A request begins: the hurry, if any, is used up. Gives the epoch that it carries."""
        if self._may_hurry:
            self._may_hurry = False
            self._hurry_from = self._clock() + HURRY_SECONDS
        return self.epoch

    def succeed(self, epoch: int) -> bool:
        """The server answered for good, and the next failure starts from the shortest wait.

        False where others have met trouble since the request began, which this says nothing about.
        """
        with self._lock:
            if epoch != self.epoch:
                return False
            self._failures = self._resumes = 0
            self._backoff_until = self._refused_until = self._paused_until = 0.0
            return True

    @property
    def paused_seconds(self) -> float:
        """How long until a paused delivery is tried again; 0 where it is not paused, or a try is due."""
        return max(0.0, self._paused_until - self._clock())

    def pause(self, unless: Callable[[], bool] = never) -> bool:
        """Nothing gets through until something is set right: one probe a minute. Whether it pauses.

        :param unless: asked while nobody can resume; True: something has been set right already.
        """
        with self._lock:
            if unless():
                return False
            self.epoch += 1
            self._paused_until = self._clock() + PROBE_SECONDS
            return True

    def resume(self) -> None:
        """Something was set right: a try is due now, or after a backoff where it was so some times, in vain.

        A program that sets another bad key whenever it is told of a pause would send without end.
        """
        with self._lock:
            paused_until = self._paused_until
            if not paused_until:
                return
            in_vain = self._resumes - FREE_RESUMES
            wait_seconds = 0.0 if in_vain < 0 else backoff_seconds(in_vain, self._draw)
            self._resumes += 1
            self._paused_until = min(paused_until, self._clock() + wait_seconds) if wait_seconds else 0.0

    def fail(self, epoch: int, retry_after_seconds: float | None) -> float:
        """A request failed: how long to wait, at least as the server asked, where it did.

        Ours doubles from half a second to a minute, with full jitter. The server's holds for flushes too,
        up to 15 minutes.
        """
        with self._lock:
            now = self._clock()
            if epoch == self.epoch:
                self.epoch += 1
                self._backoff_until = now + backoff_seconds(self._failures, self._draw)
                self._failures += 1
            asked = asked_seconds(retry_after_seconds, self._draw)
            if asked:
                self._refused_until = max(self._refused_until, now + asked)
            return max(0.0, max(self._backoff_until, self._refused_until) - now)

    def wait_of_one(self, failures: int, retry_after_seconds: float | None) -> float:
        """How long one batch waits by itself after so many failures, by the same rules."""
        return max(backoff_seconds(failures, self._draw), asked_seconds(retry_after_seconds, self._draw))


def backoff_seconds(failures: int, draw: Callable[[], float]) -> float:
    """Our own wait after so many failures before this one: full jitter below a bound that doubles."""
    return draw() * min(MOST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 16))


def asked_seconds(retry_after_seconds: float | None, draw: Callable[[], float]) -> float:
    """What the server's `Retry-After` asks for, with jitter; 0 where there was none."""
    if retry_after_seconds is None:
        return 0.0
    return min(retry_after_seconds, MOST_RETRY_AFTER_SECONDS) + draw() * RETRY_AFTER_JITTER_SECONDS
