"""How far the process's exit is, and how long it may yet wait: one budget, whoever waits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

JUST_SECONDS: Final = 1.0
"""What was waited for just before, in vain or for a signal's earlier handler, counts as the exit's."""


class ExitBudget:
    """How far the process's exit is. What is waited in it, by whomever, comes out of one budget."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin with none under way: in a forked child."""
        self.has_begun = False
        self._waited_seconds = 0.0
        self._forewaited = (0.0, -math.inf)
        self._is_over = False
        self._afterwards: list[Callable[[], object]] = []

    def begin(self) -> None:
        """From now on every wait is the exit's, and an event is delivered in the call that logs it."""
        if self.has_begun:
            return
        self.has_begun = True
        seconds, until = self._forewaited
        if time.monotonic() - until < JUST_SECONDS:
            self._waited_seconds += seconds

    @contextmanager
    def forewaiting(self) -> Iterator[None]:
        """Around a wait that an exit may follow, or may not."""
        started = time.monotonic()
        try:
            yield
        finally:
            now = time.monotonic()
            self._forewaited = (now - started, now)

    def postpone(self, call: Callable[[], object]) -> None:
        """Have `call` made when the exit's deliveries are over; at once, where they are."""
        self._afterwards.append(call)
        if self._is_over:
            self.finish()

    def wait_no_longer(self) -> None:
        """Leave nothing of any member's timeout."""
        self._waited_seconds = math.inf

    def finish(self) -> None:
        """The deliveries are over: make the calls that waited for it."""
        self._is_over = True
        while self._afterwards:
            self._afterwards.pop()()

    def remaining_seconds(self, timeout_seconds: float) -> float:
        """What is left of a member's timeout: all of it until the exit begins."""
        return max(0.0, timeout_seconds - self._waited_seconds)

    def wait(self, wait: Callable[[float], bool], timeout_seconds: float) -> bool:
        """Wait by `wait`, at most as long as the exit leaves of the timeout; whether all is settled, as that says."""
        started = time.monotonic()
        try:
            return wait(self.remaining_seconds(timeout_seconds))
        finally:
            if self.has_begun:
                self._waited_seconds += time.monotonic() - started
