"""The default buffer: a deque of bytes, bounded by their size."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from spotzee_logging.buffers.base import Batch, Body, seal
from spotzee_logging.encoding import ARRAY_BRACKETS_BYTES


class MemoryBuffer:
    """Holds events in memory; see `Buffer` for the contract.

    :param max_bytes: the most that all events held may take, as JSON.
    :param drops_oldest: whether, when full, the oldest event that is in no batch makes room for a new one;
        else the new one is dropped.
    :param clock: monotonic seconds.

    All its state changes under one lock, which is re-entrant: a `__del__` or a signal's handler that logs
    may come in anywhere.
    """

    def __init__(
        self, max_bytes: int, *, drops_oldest: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes = max_bytes
        self._drops_oldest = drops_oldest
        self._clock = clock
        self.begin_anew()

    def begin_anew(self) -> None:
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._waiting: deque[Body] = deque()
        self._released: deque[Batch] = deque()
        self._taken: list[Batch] = []
        self._position = 0
        self._bytes = 0
        # (position, time): whatever is put from that position on is put after that time. A few marks
        # tell the age of the oldest event, where a time for each would cost more than many an event.
        self._marks: deque[tuple[int, float]] = deque()

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting) + sum(len(batch.events) for batch in (*self._released, *self._taken))

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def unsealed(self) -> int:
        return len(self._waiting)

    @property
    def has_sealed(self) -> bool:
        return bool(self._released)

    @property
    def position(self) -> int:
        return self._position

    @property
    def oldest(self) -> int:
        with self._lock:
            sealed = (batch.position for batch in (*self._released, *self._taken))
            return min(self._first_waiting(), *sealed, self._position)

    @property
    def oldest_put_at(self) -> float | None:
        with self._lock:
            return self._marks[0][1] if self._waiting else None

    def put(self, body: Body, key: str, *, wait_seconds: float = 0.0) -> Sequence[Body]:  # noqa: ARG002
        # One queue for all contacts: the order of each key holds because the order of all does.
        dropped: Sequence[Body] = ()
        size = len(body)  # not within the sums below: a signal's handler may come in where a call ends
        with self._lock:
            if self._bytes + size > self._max_bytes:
                dropped = self._make_room(size, wait_seconds)
                if self._bytes + size > self._max_bytes:
                    return [*dropped, body]
            if not self._waiting:
                self._mark()
            self._waiting.append(body)
            self._position += 1
            self._bytes += size
        return dropped

    def take(self, max_events: int, max_bytes: int) -> Batch | None:
        with self._lock:
            if self._released:
                batch = self._released.popleft()
            elif self._waiting:
                position = self._first_waiting()
                batch = seal(self._pop(max_events, max_bytes - ARRAY_BRACKETS_BYTES), position)
                self._mark()
            else:
                return None
            self._taken.append(batch)
            return batch

    def ack(self, batch: Batch) -> bool:
        with self._lock:
            if batch not in self._taken:
                return False
            self._taken.remove(batch)
            self._free(batch.events)
            return True

    def release(self, batch: Batch) -> bool:
        return bool(self._replace(batch, [batch]))

    def split(self, batch: Batch, groups: Sequence[Sequence[int]]) -> Sequence[Batch]:
        if sorted(index for group in groups for index in group) != list(range(len(batch.events))):
            raise ValueError("the groups of a split must hold every index of the batch, once")
        return self._replace(batch, [_part(batch, group) for group in groups if group])

    def reject(self, batch: Batch, indexes: Iterable[int], reason: str) -> Sequence[Body]:  # noqa: ARG002
        leaving = set(indexes)
        if not leaving.issubset(range(len(batch.events))):
            raise ValueError("a batch can only reject events that it has")
        if not leaving:
            self.release(batch)
            return ()
        kept = [index for index in range(len(batch.events)) if index not in leaving]
        with self._lock:
            if batch not in self._taken:
                return ()
            self._replace(batch, [_part(batch, kept)] if kept else [])
            left = [batch.events[index] for index in sorted(leaving)]
            self._free(left)
            return left

    def abandon(self) -> Sequence[Body]:
        with self._lock:
            sealed = sorted((*self._released, *self._taken), key=lambda batch: batch.position)
            held = [body for batch in sealed for body in batch.events] + list(self._waiting)
            self._released.clear()
            self._taken.clear()
            self._waiting.clear()
            self._free(held)
            return held

    def close(self) -> None:
        """Nothing to free: the events are the process's own memory."""

    def _first_waiting(self) -> int:
        return self._position - len(self._waiting)

    def _mark(self) -> None:
        """Note the time, and forget the marks that are older than the oldest event that waits."""
        now = self._clock()  # before the position: a put may come in while the clock is read
        self._marks.append((self._position, now))
        first = self._first_waiting()
        while len(self._marks) > 1 and self._marks[1][0] <= first:
            self._marks.popleft()

    def _pop(self, max_events: int, max_bytes: int) -> list[Body]:
        events = [self._waiting.popleft()]
        size = len(events[0])
        while self._waiting and len(events) < max_events:
            size += len(self._waiting[0]) + 1  # the comma between two
            if size > max_bytes:
                break
            events.append(self._waiting.popleft())
        return events

    def _make_room(self, size: int, wait_seconds: float) -> Sequence[Body]:
        if wait_seconds:
            self._room.wait_for(lambda: self._bytes + size <= self._max_bytes, wait_seconds)
        dropped: list[Body] = []
        while self._drops_oldest and self._waiting and self._bytes + size > self._max_bytes:
            dropped.append(self._waiting.popleft())
            self._bytes -= len(dropped[-1])
        if self._bytes + size > self._max_bytes:
            self._waiting.extendleft(reversed(dropped))  # in vain: what is sealed leaves no room
            self._bytes += sum(map(len, dropped))
            return ()
        return dropped

    def _replace(self, batch: Batch, parts: Sequence[Batch]) -> Sequence[Batch]:
        """Put `parts` where the taken batch was; none where it is held no more."""
        with self._lock:
            if batch not in self._taken:
                return ()
            self._taken.remove(batch)
            self._released.extendleft(reversed(parts))
            return parts

    def _free(self, events: Iterable[Body]) -> None:
        self._bytes -= sum(map(len, events))
        self._room.notify_all()


def _part(batch: Batch, indexes: Sequence[int]) -> Batch:
    return seal([batch.events[index] for index in indexes], batch.position)
