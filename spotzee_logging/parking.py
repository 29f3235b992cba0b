"""Batches that wait by themselves, while all others go on: each is the trouble of one batch, not of the API."""

from __future__ import annotations

import threading
from collections.abc import Callable

from spotzee_logging.buffers.base import Batch


class Parking:
    """Keeps batches, which stay taken in their buffer, until each one's time has come.

    :param clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.begin_anew()

    def begin_anew(self) -> None:
        """Keep none."""
        self._lock = threading.RLock()
        self._batches: dict[Batch, float] = {}

    def keep(self, batch: Batch, seconds: float) -> None:
        """Hold the batch for so long."""
        with self._lock:
            self._batches[batch] = self._clock() + seconds

    def delay_seconds(self) -> float | None:
        """How long until the first is due, 0 where one is; None where none is kept."""
        with self._lock:
            if not self._batches:
                return None
            return max(0.0, min(self._batches.values()) - self._clock())

    def take_due(self) -> Batch | None:
        """The batch whose time came first, if it has come."""
        with self._lock:
            batch = min(self._batches, key=self._batches.__getitem__, default=None)
            if batch is None or self._batches[batch] > self._clock():
                return None
            del self._batches[batch]
            return batch
