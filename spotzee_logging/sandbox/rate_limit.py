"""The API's rate limit: so many requests per source address in any 10 seconds."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from spotzee_logging.sandbox.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_SECONDS: Final = 10.0


class RateLimit:
    """Counts requests in a sliding window, for all sources together: the sandbox has one, loopback.

    :param requests: at most so many per window; None is no limit.
    :param clock: seconds, never going back.
    """

    def __init__(self, requests: int | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests = requests
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self) -> None:
        """Count one request.

        :raises Refusal: 429 `rate_limited`, with `Retry-After` in whole seconds.
        """
        if self._requests is None:
            return
        now = self._clock()
        while self._taken and self._taken[0] + WINDOW_SECONDS <= now:
            self._taken.popleft()
        if len(self._taken) >= self._requests:
            seconds = max(1, math.ceil(self._taken[0] + WINDOW_SECONDS - now))
            message = f"more than {self._requests} requests in {WINDOW_SECONDS:.0f} seconds"
            raise Refusal("rate_limited", message, headers=(("Retry-After", str(seconds)),))
        self._taken.append(now)
