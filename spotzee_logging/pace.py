"""How many requests this process makes: below the API's published limits (contract: "Rate limits")."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 10.0
"""The span that the API counts requests over, and that a burst may use up."""


class Pace:
    """At most `WINDOW_SECONDS` worth of requests in any span of that length; all at once, if need be.

    A bucket that fills while it is drained would let through twice as many in its first ten seconds, which
    is over the API's limit.

    :param clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was made, with a lock that nobody holds: in a forked child."""
        self._lock = threading.RLock()
        self._begun: deque[float] = deque()

    def delay_seconds(self, requests_per_second: float | None) -> float:
        """How long until another request may begin; 0 where it may now. None is no limit."""
        if requests_per_second is None:
            return 0.0
        with self._lock:
            since = self._clock() - WINDOW_SECONDS
            while self._begun and self._begun[0] <= since:
                self._begun.popleft()
            over = len(self._begun) - int(WINDOW_SECONDS * requests_per_second)
            return 0.0 if over < 0 else self._begun[over] - since

    def begin(self, requests_per_second: float | None) -> bool:
        """Count a request that begins, where it may now."""
        with self._lock:
            if self.delay_seconds(requests_per_second):
                return False
            if requests_per_second is not None:
                self._begun.append(self._clock())
            return True

    def take_back(self) -> None:
        """The request that was counted last is not made."""
        with self._lock:
            if self._begun:
                self._begun.pop()


_paces: weakref.WeakValueDictionary[str, Pace] = weakref.WeakValueDictionary()


def pace_to(base_url: str, clock: Callable[[], float]) -> Pace:
    """The pace that all handlers of this process to one API share: it counts requests by their source.

    :param clock: of a pace that is new.
    """
    return _paces.setdefault(base_url, Pace(clock))
