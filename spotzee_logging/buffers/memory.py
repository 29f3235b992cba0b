"""The default buffer: a deque of bytes, bounded by their size."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from spotzee_logging.buffers.base import (
    NO_VERDICT,
    Batch,
    Body,
    KeptNowhere,
    Verdict,
    check_groups,
    check_indexes,
    part_of,
    seal,
)
from spotzee_logging.buffers.marks import Marks
from spotzee_logging.event import ARRAY_BRACKETS_BYTES

MOST_DEFERRED: Final = 1_000
"""Events of busy contacts that are passed over in search of others': the bound of one search."""

_CONTACT_BYTES: Final = 4
_CONTACT_BITS: Final = 0xFFFF_FFFF
"""A contact is its hash, cut to four bytes: one that meets another's only waits for it."""


class _Held(NamedTuple):
    """An event that is in no batch, and where it stands among all that were put."""

    position: int
    contact: bytes
    body: Body


class MemoryBuffer(KeptNowhere):
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
        # One entry an event, its contact and its body in a row: so one step appends both and nothing can come in
        # between, where a pair for each event would take 88 bytes more, and two entries 40.
        self._waiting: deque[bytes] = deque()
        # Events that a search has passed over: all older than those that wait, and still in order.
        self._deferred: deque[_Held] = deque()
        self._released: deque[Batch] = deque()
        self._taken: list[Batch] = []
        # True while events are being taken out: a put from a signal's handler or a `__del__` must not take out any.
        self._is_choosing = False
        self._position = 0
        self._bytes = 0
        self._marks = Marks()

    def __len__(self) -> int:
        with self._lock:
            return self.unsealed + sum(len(batch.events) for batch in self._sealed())

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def unsealed(self) -> int:
        return len(self._waiting) + len(self._deferred)

    @property
    def has_sealed(self) -> bool:
        return bool(self._released)

    @property
    def position(self) -> int:
        return self._position

    @property
    def oldest(self) -> int:
        with self._lock:
            return min(self._first_unsealed(), *(batch.position for batch in self._sealed()), self._position)

    @property
    def oldest_put_at(self) -> float | None:
        with self._lock:
            return self._marks.oldest if self.unsealed else None

    def put(self, body: Body, key: str, *, wait_seconds: float = 0.0) -> Sequence[Body]:
        dropped: Sequence[Body] = ()
        size = len(body)  # not within the sums below: a signal's handler may come in where a call ends
        # A copy, and not the encoder's own bytes: those hold on to KiB for the smallest event.
        entry = (hash(key) & _CONTACT_BITS).to_bytes(_CONTACT_BYTES, "little") + body
        with self._lock:
            if self._bytes + size > self._max_bytes:
                dropped = self._make_room(size, wait_seconds)
                if self._bytes + size > self._max_bytes:
                    return [*dropped, body]
            if not self._waiting:
                self._mark()
            # Counted first: an exception of a signal's handler comes in where a call ends, and finds it whole.
            self._position += 1
            self._bytes += size
            self._waiting.append(entry)
        return dropped

    def take(self, max_events: int, max_bytes: int) -> Batch | None:
        with self._lock, self._choosing():
            batch = self._next_released() or self._next_new(max_events, max_bytes - ARRAY_BRACKETS_BYTES)
            if batch is not None:
                self._taken.append(batch)
            return batch

    def ack(
        self,
        batch: Batch,
        refused: Sequence[int] = (),  # noqa: ARG002
        verdict: Verdict = NO_VERDICT,  # noqa: ARG002
    ) -> bool:
        with self._lock:
            if batch not in self._taken:
                return False
            self._taken.remove(batch)
            self._free(batch.events)
            return True

    def release(self, batch: Batch) -> bool:
        return bool(self._replace(batch, [batch]))

    def split(self, batch: Batch, groups: Sequence[Sequence[int]]) -> Sequence[Batch]:
        check_groups(batch, groups)
        return self._replace(batch, [part_of(batch, group) for group in groups if group])

    def reject(self, batch: Batch, indexes: Iterable[int], reason: Verdict | str) -> Sequence[Body]:  # noqa: ARG002
        leaving = check_indexes(batch, indexes)
        if not leaving:
            self.release(batch)
            return ()
        kept = [index for index in range(len(batch.events)) if index not in leaving]
        with self._lock:
            if batch not in self._taken:
                return ()
            self._replace(batch, [part_of(batch, kept)] if kept else [])
            left = [batch.events[index] for index in sorted(leaving)]
            self._free(left)
            return left

    def abandon(self) -> Sequence[Body]:
        with self._lock, self._choosing():
            sealed = sorted(self._sealed(), key=lambda batch: batch.position)
            held = [body for batch in sealed for body in batch.events]
            held += [event.body for event in self._unsealed_in_order()]
            self._released.clear()
            self._taken.clear()
            self._free(held)
            return held

    @contextmanager
    def _choosing(self) -> Iterator[None]:
        before, self._is_choosing = self._is_choosing, True
        try:
            yield
        finally:
            self._is_choosing = before

    def _sealed(self) -> Iterator[Batch]:
        return itertools.chain(self._released, self._taken)

    def _first_unsealed(self) -> int:
        return self._deferred[0].position if self._deferred else self._first_waiting()

    def _first_waiting(self) -> int:
        return self._position - len(self._waiting)

    def _mark(self) -> None:
        now = self._clock()
        self._marks.add(now, self._position, self._first_unsealed())

    def _next_released(self) -> Batch | None:
        """The first released batch whose contacts are in no batch that is taken, or stands before it."""
        busy = {contact for batch in self._taken for contact in batch.contacts}
        for batch in self._released:
            if busy.isdisjoint(batch.contacts):
                self._released.remove(batch)
                return batch
            busy.update(batch.contacts)
        return None

    def _next_new(self, max_events: int, max_bytes: int) -> Batch | None:
        """A batch of the oldest events that no sealed batch's contacts keep waiting."""
        if not (self._taken or self._released or self._deferred):
            whole = self._next_whole(max_events, max_bytes)
            if whole is not None:
                return whole
        busy: set[Hashable] = {contact for batch in self._sealed() for contact in batch.contacts}
        chosen: list[_Held] = []
        passed: list[_Held] = []
        size = -1  # the first event has no comma before it
        for event in self._unsealed_in_order():
            if event.contact in busy:
                passed.append(event)
                if len(passed) >= MOST_DEFERRED:
                    break
                continue
            size += len(event.body) + 1
            if chosen and size > max_bytes:
                passed.append(event)
                break
            chosen.append(event)
            if len(chosen) == max_events:
                break
        self._deferred.extendleft(reversed(passed))
        if not chosen:
            return None
        self._mark()
        return seal([event.body for event in chosen], chosen[0].position, [event.contact for event in chosen])

    def _next_whole(self, max_events: int, max_bytes: int) -> Batch | None:
        """The oldest events, where no contact keeps any waiting and they fit: in a fifth of a search's time."""
        count = min(max_events, len(self._waiting))
        position = self._first_waiting()
        entries = list(map(deque.popleft, itertools.repeat(self._waiting, count)))
        size = sum(map(len, entries)) - count * (_CONTACT_BYTES - 1) - 1  # with a comma between two of them
        if not count or size > max_bytes:
            self._waiting.extendleft(reversed(entries))
            return None
        self._mark()
        bodies = [entry[_CONTACT_BYTES:] for entry in entries]
        return seal(bodies, position, [entry[:_CONTACT_BYTES] for entry in entries])

    def _unsealed_in_order(self) -> Iterator[_Held]:
        """Takes out the events that are in no batch, the oldest first; what is not to leave is put back."""
        while self._deferred:
            yield self._deferred.popleft()
        while self._waiting:
            position = self._first_waiting()
            entry = self._waiting.popleft()
            yield _Held(position, entry[:_CONTACT_BYTES], entry[_CONTACT_BYTES:])

    def _make_room(self, size: int, wait_seconds: float) -> Sequence[Body]:
        if wait_seconds:
            self._room.wait_for(lambda: self._bytes + size <= self._max_bytes, wait_seconds)
        if not self._drops_oldest or self._is_choosing:
            return ()
        self._is_choosing = True  # not `_choosing`, which takes 0.8 µs: this is a caller's time
        try:
            return self._drop_oldest(size)
        finally:
            self._is_choosing = False

    def _drop_oldest(self, size: int) -> Sequence[Body]:
        dropped: list[_Held] = []
        while self.unsealed and self._bytes + size > self._max_bytes:
            event = next(self._unsealed_in_order())
            dropped.append(event)
            freed = len(event.body)  # not within the sum, as in `put`
            self._bytes -= freed
        if self._bytes + size > self._max_bytes:
            self._deferred.extendleft(reversed(dropped))  # in vain: what is sealed leaves no room
            freed = sum(len(event.body) for event in dropped)
            self._bytes += freed
            return ()
        return [event.body for event in dropped]

    def _replace(self, batch: Batch, parts: Sequence[Batch]) -> Sequence[Batch]:
        """Put `parts` where the taken batch was; none where it is held no more."""
        with self._lock:
            if batch not in self._taken:
                return ()
            self._taken.remove(batch)
            self._released.extendleft(reversed(parts))
            return parts

    def _free(self, events: Iterable[Body]) -> None:
        freed = sum(map(len, events))  # not within the sum, as in `put`
        self._bytes -= freed
        self._room.notify_all()
