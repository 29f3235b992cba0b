"""The durable buffer: events survive the process, the outage and kill -9, in a file that processes share."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from spotzee_logging.buffers.backlog import Waiting
from spotzee_logging.buffers.base import (
    NO_VERDICT,
    Batch,
    Body,
    Tidings,
    Verdict,
    check_groups,
    check_indexes,
    part_of,
    seal,
    verdict_of,
)
from spotzee_logging.buffers.claim import Claim, loaded
from spotzee_logging.buffers.journal import contact_of
from spotzee_logging.buffers.marks import Marks
from spotzee_logging.buffers.parts import Parts
from spotzee_logging.buffers.shelf import Shelf
from spotzee_logging.buffers.spool_store import SpoolStore
from spotzee_logging.buffers.tally import Tally
from spotzee_logging.buffers.upkeep import Upkeep
from spotzee_logging.buffers.write_behind import WriteBehind
from spotzee_logging.errors import SpoolError
from spotzee_logging.event import ARRAY_BRACKETS_BYTES

MEMORY_BYTES: Final = 32 * 1024 * 1024  # 32 MiB


class SqliteBuffer:
    """Holds events on disk; see `Buffer` for the contract.

    :param path: the spool's file; processes of one host may share it.
    :param max_bytes: the most that all its events may take, as JSON, those of other processes among them.
    :param drops_oldest: whether, when full, the oldest event of this process that is in no batch makes room
        for a new one; else the new one is dropped.
    :param is_power_safe: whether events survive a power failure too; each put waits for the disk then.
    :param max_memory_bytes: the most that is held in memory while the disk is in trouble.
    :param clock: monotonic seconds.

    A put appends a line to a journal of this process, and no more. What is taken from there is sealed in a
    database, with how far the journal is read, in one transaction. Raises `SpoolError` where the file is no
    spool or cannot be used. Later trouble is told of by `tend`; `take` alone raises OSError, where the journal of
    this process cannot be read.

    Batches change under one lock, which is held over the database's work; what waits changes under another,
    the door, which callers meet, and which is not. Both are re-entrant.
    """

    def __init__(  # noqa: PLR0913  named, and most have a default
        self,
        path: str,
        max_bytes: int,
        *,
        drops_oldest: bool = False,
        is_power_safe: bool = False,
        max_memory_bytes: int = MEMORY_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.place = os.path.abspath(path)
        self._max_bytes = max_bytes
        self._max_memory_bytes = max_memory_bytes
        self._drops_oldest = drops_oldest
        self._is_power_safe = is_power_safe
        self._clock = clock
        self._set_up()
        self._store.open()
        self._upkeep.look_for_company()
        # Opened again when it is needed: a server that forks its workers in C has no connection open then.
        self._store.close()

    def _set_up(self) -> None:
        self._lock = threading.RLock()
        self._store = SpoolStore(self.place, is_power_safe=self._is_power_safe)
        self._tally = Tally(self._max_bytes)
        self._door = self._tally.door
        self._hold_nothing()

    def _hold_nothing(self) -> None:
        self._parts = Parts(self.place, 0, is_synced=self._is_power_safe)
        self._marks = Marks()
        self._seal_nothing()

    def _seal_nothing(self) -> None:
        self._behind = WriteBehind(self._store, self._door)
        self._shelf = Shelf(self._behind)
        self._upkeep = Upkeep(self._store, self._parts, self._shelf, self._behind, self._tally)

    def __len__(self) -> int:
        return self._tally.events

    @property
    def bytes(self) -> int:
        return self._tally.bytes

    @property
    def unsealed(self) -> int:
        return self._tally.unsealed

    @property
    def has_sealed(self) -> bool:
        return self._shelf.has_released

    @property
    def position(self) -> int:
        return self._parts.position

    @property
    def oldest(self) -> int:
        with self._door:
            waiting = [claim.backlog.first_position for claim in self._parts if len(claim.backlog)]
            return min([*waiting, *(held.position for held in self._shelf), self.position])

    @property
    def oldest_put_at(self) -> float | None:
        with self._door:
            if self._parts.has_older_waiting:
                return -math.inf
            return self._marks.oldest if len(self._parts.own.backlog) else None

    @property
    def has_company(self) -> bool:
        return self._upkeep.has_company

    def put(self, body: Body, key: str, *, wait_seconds: float = 0.0) -> Sequence[Body]:
        dropped: Sequence[Body] = ()
        size = len(body)
        contact = contact_of(key)
        with self._door:
            if not self._has_room(size):
                dropped = self._make_room(size, wait_seconds)
                if not self._has_room(size):
                    return [*dropped, body]
            own = self._parts.own
            if not own.backlog.bytes:
                self._mark()
            position, events = self.position, self._tally.events
            try:
                self._append(own, contact, body)
                self._tally.put(size)
            except BaseException:
                # A signal's handler has raised: an event that is held by now is counted as well.
                if self.position > position and self._tally.events == events:
                    self._tally.put(size)
                raise
        return dropped

    def _append(self, own: Claim, contact: int, body: Body) -> None:
        """Have the journal hold an event, and memory alone where the journal does not."""
        try:
            is_on_disk = own.append(contact, body)
        except OSError as error:
            self._tally.note_journal(self.place, error)
            own.backlog.add_in_memory(contact, body)
            is_on_disk = False
        if not is_on_disk:
            self._tally.tell(unspooled=1)

    def _has_room(self, size: int) -> bool:
        return self._tally.has_room(size) and self._has_memory(size)

    def _has_memory(self, size: int) -> bool:
        in_memory = self._parts.own.backlog.in_memory_bytes
        return not in_memory or in_memory + size <= self._max_memory_bytes

    def take(self, max_events: int, max_bytes: int) -> Batch | None:
        with self._lock:
            batch = self._next_released()
            if batch is None:
                batch = self._next_new(max_events, max_bytes - ARRAY_BRACKETS_BYTES)
                self._upkeep.write()
            return batch

    def ack(self, batch: Batch, refused: Sequence[int] = (), verdict: Verdict = NO_VERDICT) -> bool:
        with self._lock:
            return self._replace(batch, [], refused, verdict)

    def release(self, batch: Batch) -> bool:
        with self._lock, self._door:
            held = self._shelf.pop(batch)
            if held is not None:
                self._shelf.put_first(held)
            return held is not None

    def split(self, batch: Batch, groups: Sequence[Sequence[int]]) -> Sequence[Batch]:
        check_groups(batch, groups)
        with self._lock:
            parts = [part_of(batch, group) for group in groups if group]
            return parts if self._replace(batch, parts) else ()

    def reject(self, batch: Batch, indexes: Iterable[int], reason: Verdict | str) -> Sequence[Body]:
        leaving = check_indexes(batch, indexes)
        if not leaving:
            self.release(batch)
            return ()
        kept = [index for index in range(len(batch.events)) if index not in leaving]
        left = [batch.events[index] for index in sorted(leaving)]
        with self._lock:
            parts = [part_of(batch, kept)] if kept else []
            return left if self._replace(batch, parts, sorted(leaving), verdict_of(reason)) else ()

    def tend(self, *, is_idle: bool = False) -> Tidings:
        """See `Buffer`: take over from the dead, go back to the disk after trouble, give space back."""
        with self._lock:
            self._upkeep.tend(is_idle=is_idle)
            return self._tally.tidings()

    def keep(self) -> int:
        """See `Buffer`: what is on disk is left to others, what is in memory alone is held on to."""
        self._store.hurry()  # whoever has the lock
        with self._lock, self._door:
            self._store.hurry()
            self._upkeep.write_back()
            kept = self._leave()
            while self._parts.own.is_begun:  # by what logs in the midst of this, a signal's handler, say
                kept += self._leave()
            return kept

    def _leave(self) -> int:
        """Let go of all that is on disk, while what is put goes elsewhere already; how many events that is."""
        self._parts.begin_another()
        self._behind.touch(self._parts)
        self._upkeep.write()
        lost = self._take_in_what_others_deleted(self._parts.older)
        leaving = self._parts.older
        unwritten = [
            held
            for held in self._shelf
            if not (held.is_in_journal and held.claim not in lost) and not self._behind.is_written(held)
        ]
        left = [held for held in self._shelf if held not in unwritten]
        waiting = sum(len(claim.backlog) for claim in leaving)
        events = waiting + sum(len(held.sizes) for held in left)
        size = sum(claim.backlog.bytes for claim in leaving) + sum(held.bytes for held in left)
        for claim in leaving:
            claim.leave()
        self._store.close()
        self._parts.drop(leaving)
        self._seal_nothing()
        self._shelf.put_last(unwritten)
        for held in unwritten:
            self._behind.add(held)
        self._tally.unsealed -= waiting
        self._tally.count(-events, -size)
        return events

    def _take_in_what_others_deleted(self, leaving: Sequence[Claim]) -> Sequence[Claim]:
        """Hold in memory what this process alone can read: with it that would go, and nobody be told. Whose it was."""
        lost = [claim for claim in leaving if not claim.backlog.journal.is_in_place()]
        for claim in reversed(lost):  # each before what came after it
            self._parts.own.backlog.take_back(claim.backlog.drain_as_in_memory())
            self._write_off(claim)
        if lost:
            # So that nobody who finds some of it after all delivers what is told of as undelivered.
            self._behind.touch(lost)
            self._upkeep.write()
        return lost

    def abandon(self) -> Sequence[Body]:
        # Counted by what is let go, never set to nothing: a signal's handler may put in the midst of this.
        with self._lock, self._door:
            bodies: list[Body] = []
            # All of them before any is counted: one may not be readable, and then they are held still.
            batches = [(held, loaded(held, self._store)) for held in self._shelf]
            for held, batch in sorted(batches, key=lambda each: each[0].position):
                if batch is None:
                    self._tally.lose(len(held.sizes), held.bytes)
                    continue
                bodies += batch.events
                self._tally.count(-len(held.sizes), -held.bytes)
            self._shelf.clear()
            for claim in self._parts:
                drained = [waiting.body for waiting in claim.backlog.drain()]
                bodies += drained
                self._tally.unsealed -= len(drained)
                self._tally.count(-len(drained), -sum(map(len, drained)))
                self._write_off(claim)
            self._behind.touch(self._parts)
            self._upkeep.write()
            return bodies

    def before_fork(self) -> None:
        """No connection of SQLite's crosses a fork: its locks would be lost, or taken for the child's."""
        self._store.hurry()
        self._lock.acquire()
        self._store.close()

    def after_fork(self) -> None:
        self._lock.release()

    def begin_anew(self) -> None:
        for claim in self._parts:
            claim.forget()
        self._store.forget()
        self._set_up()

    def close(self) -> None:
        """Leave all to whoever opens the spool next; events put after that are held as ever."""
        self.keep()

    def _mark(self) -> None:
        now = self._clock()
        self._marks.add(now, self.position, self._parts.own.backlog.first_position)

    def _next_released(self) -> Batch | None:
        while (held := self._shelf.next_free()) is not None:
            try:
                batch = loaded(held, self._store)
            except SpoolError as error:
                # One that another process has made. The others go on, but for events of its contacts.
                held.is_unreadable = True
                self._tally.note_disk(str(error))
                continue
            with self._door:
                if batch is not None:
                    self._shelf.take(held, batch)
                    return batch
                self._shelf.lose(held)
                self._tally.lose(len(held.sizes), held.bytes)
        return None

    def _next_new(self, max_events: int, max_bytes: int) -> Batch | None:
        """A batch of the oldest events that no sealed batch's contacts keep waiting."""
        with self._door:
            claim, chosen = self._parts.choose(
                self._shelf.contacts, max_events, max_bytes, self._upkeep.note_left
            )
            self._mark()
            if not chosen:
                self._write_off(claim)
                return None
            self._tally.unsealed -= len(chosen)
            events = [waiting.body for waiting in chosen]
            batch = seal(events, chosen[0].position, [waiting.contact for waiting in chosen])
            self._shelf.seal(batch, claim, is_in_journal=all(waiting.is_on_disk for waiting in chosen))
            return batch

    def _write_off(self, claim: Claim) -> None:
        """Where a claim's files hold less than was written to them, what is missing is lost."""
        lost, size = claim.backlog.write_off()
        self._tally.unsealed -= lost
        self._tally.lose(lost, size)

    def _replace(
        self, batch: Batch, parts: Sequence[Batch], refused: Sequence[int] = (), verdict: Verdict = NO_VERDICT
    ) -> bool:
        """Put `parts` where a taken batch was, and write it all down; whether it was there."""
        with self._door:
            held = self._shelf.pop(batch)
            if held is None:
                return False
            self._shelf.replace(held, parts)
            left = [event for part in parts for event in part.events]
            self._tally.count(len(left) - len(held.sizes), sum(map(len, left)) - held.bytes)
        self._behind.bury(batch, refused, verdict)
        self._upkeep.write()
        return True

    def _make_room(self, size: int, wait_seconds: float) -> Sequence[Body]:
        if wait_seconds:
            self._tally.wait_for(lambda: self._has_room(size), wait_seconds)
        own = self._parts.own.backlog
        if not self._drops_oldest or not self._tally.has_room(size - own.bytes):
            return ()  # in vain: what is sealed leaves no room
        dropped: list[Waiting] = []
        # What is on disk makes no room in memory. It may come after what is in memory, which makes both.
        while not self._has_memory(size):
            dropped.append(self._let_go(own.pop_in_memory()))
        of_memory = len(dropped)
        while not self._tally.has_room(size) and (waiting := own.pop()) is not None:
            dropped.append(self._let_go(waiting))
        if not self._tally.has_room(size):
            own.take_back(dropped[of_memory:])  # in vain: the next cannot be read
            freed = sum(len(waiting.body) for waiting in dropped[of_memory:])
            self._tally.bytes += freed
            del dropped[of_memory:]
        self._tally.unsealed -= len(dropped)
        self._tally.events -= len(dropped)
        return [waiting.body for waiting in dropped]

    def _let_go(self, waiting: Waiting) -> Waiting:
        self._parts.own.backlog.let_go([waiting])
        # Not within the sum: what logs from a signal's handler comes in where a call ends.
        freed = len(waiting.body)
        self._tally.bytes -= freed
        return waiting
