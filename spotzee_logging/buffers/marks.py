"""How long events wait: a few marks tell the age of the oldest.

A time for each event would cost more memory than many an event.
"""

from __future__ import annotations

from collections import deque


class Marks:
    """Each says that whatever is put from a position on is put after a time. Not for several threads at a time."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, float]] = deque()

    def add(self, now: float, position: int, first: int) -> None:
        """Note the time, and forget the marks that are older than the oldest event that waits.

        :param now: read before the position: an event may be put while the clock is read.
        :param position: of the next event that is put.
        :param first: of the oldest event that waits.
        """
        self._marks.append((position, now))
        while len(self._marks) > 1 and self._marks[1][0] <= first:
            self._marks.popleft()

    @property
    def oldest(self) -> float:
        """When the oldest event was put, or a little before; there must have been a mark."""
        return self._marks[0][1]
