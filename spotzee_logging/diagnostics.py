"""What the package says of itself: the logger `spotzee_logging`, one line a kind and minute."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Container
from typing import Final

from spotzee_logging.amounts import amount
from spotzee_logging.foreign import attempt
from spotzee_logging.logger_tree import handlers_on_way, sends_events

LOGGER_NAME: Final = "spotzee_logging"
INTERVAL_SECONDS: Final = 60.0

_logger = logging.getLogger(LOGGER_NAME)


class Diagnostics:
    """Says a line once a kind and minute, and with the next how many were left out. Never raises.

    A forked child begins anew: a thread of the parent may have held the lock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was said, with a lock that nobody holds."""
        self._lock = threading.RLock()
        self._said_at: dict[str, float] = {}
        self._left_out: dict[str, int] = {}
        # Last: another thread may come in, and would take the old lock for the new.
        self._process_id = os.getpid()

    def is_due(self, kind: str) -> bool:
        """Whether a line of this kind would be said now; where it would not, it is counted as left out."""
        if self._process_id != os.getpid():
            self.begin_anew()
        with self._lock:
            now = self._clock()
            if now - self._said_at.get(kind, -INTERVAL_SECONDS) < INTERVAL_SECONDS:
                self._left_out[kind] = self._left_out.get(kind, 0) + 1
                return False
            self._said_at[kind] = now
            return True

    def say(self, kind: str, level: int, message: str) -> bool:
        """Say `message`, unless a line of its kind was said within the last minute; whether it was said."""
        is_due = self.is_due(kind)
        if is_due:
            self.say_now(kind, level, message)
        return is_due

    def say_now(self, kind: str, level: int, message: str) -> None:
        """Say a line that `is_due` has let pass."""
        with self._lock:
            left_out = self._left_out.pop(kind, 0)
        _write(level, f"{message} ({left_out} more like this left out)" if left_out else message)

    def say_left_out(self, *, but: Container[str] = ()) -> None:
        """Say how many lines of each kind were left out and not told of yet: at close, there is no next.

        :param but: kinds of which nothing is said.
        """
        with self._lock:
            left_out, self._left_out = self._left_out, {}
        for kind, count in left_out.items():
            if kind in but:
                continue
            lines = amount(count, "more line was", "more lines were")
            _write(logging.WARNING, f"{lines} left out, of the kind {kind!r}")


def _write(level: int, text: str) -> None:
    """Log a line; where no handler but ours would print it, logging's last resort does (stderr)."""
    record = _logger.makeRecord(LOGGER_NAME, level, __file__, 0, text, (), None, "diagnostics")
    if not _logger.disabled and not _logger.isEnabledFor(level):
        return
    # The handlers and filters that it meets are the program's own: what they raise is not our caller's.
    attempt(_logger.handle, record)
    last_resort = logging.lastResort
    if last_resort is not None and level >= last_resort.level and _is_only_heard_by_us(level):
        attempt(last_resort.handle, record)


def _is_only_heard_by_us(level: int) -> bool:
    """Whether the line met handlers of ours alone, or none at all because dictConfig disabled the logger."""
    if _logger.disabled:
        return True
    handlers = list(handlers_on_way(_logger))
    return bool(handlers) and not any(
        level >= handler.level and not sends_events(handler) for handler in handlers
    )
