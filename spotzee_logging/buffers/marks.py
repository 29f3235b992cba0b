"""How long events wait: a few marks tell the age of the oldest.

A time for each event would cost more memory than many an event.
"""

from __future__ import annotations

from collections import deque
from typing import Final

MOST_MARKS: Final = 100
"""Marks that are kept. Past that, as where the oldest event waits long, every other one goes."""


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
        mark = (position, now)
        if self._marks and self._marks[-1][0] == position:
            self._marks[-1] = mark  # nothing was put since that one
        else:
            self._marks.append(mark)
        while len(self._marks) > 1 and self._marks[1][0] <= first:
            self._marks.popleft()
        if len(self._marks) > MOST_MARKS:
            # Events behind one that goes are told by the one before it, as a little older than they are. Of a
            # copy, which is made in one step: a `__del__` that logs may come in and mark too.
            self._marks = deque([*self._marks.copy()][::2])

    @property
    def oldest(self) -> float:
        """When the oldest event was put, or a little before; there must have been a mark."""
        return self._marks[0][1]
