"""What one owner of a spool holds: its lock, the backlog of its journal, and the order of its batches."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from typing import Final

from spotzee_logging.buffers.backlog import FOREIGN_POSITION, Backlog
from spotzee_logging.buffers.base import Batch, Body
from spotzee_logging.buffers.folders import make_folder
from spotzee_logging.buffers.journal import Journal
from spotzee_logging.buffers.owners import OwnerLock, machine, new_token, stem_of, tokens_beside
from spotzee_logging.buffers.spool_rows import BatchRow, OwnerLife, OwnerRow
from spotzee_logging.buffers.spool_store import SpoolStore
from spotzee_logging.errors import SpoolError

RANK_DIGITS: Final = 12
_TRIES: Final = 5


class Claim:
    """One owner's part of a spool, in the hands of this process.

    :param path: the spool's file.
    :param token: the owner; "": one to be, whose files come with its first event.
    :param lock: what makes this process the owner.
    :param backlog: its events that are in no batch.
    :ivar is_unreadable: whether its files could not be read when they were last needed.
    """

    def __init__(self, path: str, token: str, lock: OwnerLock | None, backlog: Backlog) -> None:
        self.token = token
        self.backlog = backlog
        self.next_rank = 0
        self.sealed_events = 0
        self.sealed_bytes = 0
        self.is_unreadable = False
        self._path = path
        self._lock = lock
        self._is_opening = False

    @classmethod
    def begin(cls, path: str, position: int, *, is_synced: bool) -> Claim:
        """A new owner's; nothing is on disk yet."""
        return cls(path, "", None, Backlog(Journal("", is_synced=is_synced), position))

    def append(self, contact: int, body: Body) -> bool:
        """Hold an event behind all others; whether it is on disk. Raises OSError, and does not hold it, in trouble."""
        if self.backlog.in_memory_bytes or self._is_opening:
            self.backlog.add_in_memory(contact, body)
            return False
        if self._lock is None:
            self._open()
        self.backlog.append(contact, body)
        return True

    def write_back(self, most_events: int) -> None:
        """Give the journal what it did not take before. Raises OSError where it still does not."""
        self._open()
        self.backlog.write_back(most_events)

    def _open(self) -> None:
        """Become an owner, with a lock that no other process can have."""
        if self._lock is not None:
            return
        # Whatever logs in the midst of this, a signal's handler, say, waits in memory for its end.
        self._is_opening = True
        try:
            make_folder(os.path.dirname(self._path), is_synced=self.backlog.journal.is_synced)
            for _ in range(_TRIES):
                token = new_token()
                lock = OwnerLock.acquire(stem_of(self._path, token))
                if lock is not None:
                    self.token, self._lock = token, lock
                    self.backlog.journal.stem = stem_of(self._path, token)
                    return
            raise OSError("another process took each new lock first")
        finally:
            self._is_opening = False

    def take_rank(self) -> str:
        """The rank of the next batch: they stand in the order in which they were made."""
        rank = f"{self.next_rank:0{RANK_DIGITS}x}"
        self.next_rank += 1
        return rank

    @property
    def is_begun(self) -> bool:
        """Whether it has something on disk."""
        return self._lock is not None

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing."""
        return not len(self.backlog) and not self.sealed_events

    @property
    def is_in_place(self) -> bool:
        """Whether its files are still where other processes look for them."""
        return self._lock is None or (self._lock.is_in_place() and self.backlog.journal.is_in_place())

    def row(self) -> OwnerRow:
        """What the database is to know of it."""
        backlog = self.backlog
        events = len(backlog) - backlog.in_memory + self.sealed_events
        size = backlog.bytes - backlog.in_memory_bytes + self.sealed_bytes
        return OwnerRow(self.token, backlog.scanned, backlog.passed, events, size)

    def free(self, row: OwnerRow) -> None:
        """Delete files whose events the database knows to be sealed or gone."""
        self.backlog.journal.free(min([row.scanned, *row.passed]))

    def leave(self) -> None:
        """Let go of it, for others to take over; where it holds nothing, leave nothing."""
        if self.is_empty:
            self.backlog.journal.remove()
        else:
            self.backlog.journal.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release(is_done=self.is_empty)

    def forget(self) -> None:
        """In a forked child: close the parent's files, and leave all as it is."""
        self.backlog.journal.close()
        if self._lock is not None:
            self._lock.close()


@dataclass(eq=False)
class Sealed:
    """A batch that is held, and where it stands.

    :param batch: None while its body is on disk alone.
    :param is_in_journal: whether its events are there too, as long as the database does not have it.
    :param is_unreadable: whether its body could not be read when it was last needed.
    """

    claim: Claim
    key: str
    rank: str
    sealed_at: float
    sizes: tuple[int, ...]
    contacts: tuple[Hashable, ...]
    position: int
    batch: Batch | None
    is_in_journal: bool = True
    is_unreadable: bool = False

    @classmethod
    def recalled(cls, claim: Claim, row: BatchRow) -> Sealed:
        """A batch that another process has made."""
        sizes, contacts = tuple(row.sizes), tuple(row.contacts)
        return cls(claim, row.key, row.rank, row.sealed_at, sizes, contacts, FOREIGN_POSITION, None)

    @property
    def bytes(self) -> int:
        """What its events take."""
        return sum(self.sizes)

    def rank_of_part(self, index: int) -> str:
        """The rank of one of the batches that it is split into: they stand in its place."""
        return f"{self.rank}.{index:02x}"


def held_as(batch: Batch, claim: Claim, rank: str, *, is_in_journal: bool) -> Sealed:
    """A batch that this process has made, for a claim."""
    sizes = tuple(len(event) for event in batch.events)
    return Sealed(
        claim,
        batch.key,
        rank,
        batch.sealed_at,
        sizes,
        batch.contacts,
        batch.position,
        batch,
        is_in_journal=is_in_journal,
    )


def loaded(held: Sealed, store: SpoolStore) -> Batch | None:
    """The batch with the body that it was sealed with; None where that is gone. Raises `SpoolError`."""
    if held.batch is None:
        body = store.body(held.key)
        if body is None:
            return None
        start, events = 1, []
        for size in held.sizes:
            events.append(body[start : start + size])
            start += size + 1
        held.batch = Batch(tuple(events), held.contacts, held.key, held.position, body, held.sealed_at)
    return held.batch


def take_over_the_dead(
    path: str, store: SpoolStore, mine: Collection[str], note: Callable[[OSError], None]
) -> Iterator[tuple[Claim, list[Sealed]]]:
    """What owners that live no more have left, the oldest first. Raises OSError, `SpoolError` too.

    :param note: is told why one owner's files cannot be taken over, another user's, say; they stay as they are.
    """
    lives = {life.token: life for life in store.owners()}
    for token in sorted({*tokens_beside(path), *lives}.difference(mine)):
        if token not in lives or not _is_alive_elsewhere(lives[token]):
            try:
                taken = _take_over(path, token, store)
            except SpoolError:
                raise  # the database is every owner's
            except OSError as error:
                note(error)
                continue
            if taken is not None:
                yield taken


def _is_alive_elsewhere(life: OwnerLife) -> bool:
    """Whether an owner may live on another machine, of whose locks nothing may be known here."""
    return life.machine not in {"", machine()} and life.lease_until > time.time()


def _take_over(path: str, token: str, store: SpoolStore) -> tuple[Claim, list[Sealed]] | None:
    stem = stem_of(path, token)
    lock = OwnerLock.acquire(stem)
    if lock is None:
        return None
    try:
        row, batches = store.owner(token), store.batches(token)
        backlog = Backlog(Journal(stem), scanned=row.scanned)
        backlog.recall(row.passed)
    except BaseException:
        lock.release(is_done=False)
        raise
    claim = Claim(path, token, lock, backlog)
    held = [Sealed.recalled(claim, batch) for batch in batches]
    claim.next_rank = 1 + max((int(each.rank[:RANK_DIGITS], 16) for each in held), default=-1)
    claim.sealed_events = sum(len(each.sizes) for each in held)
    claim.sealed_bytes = sum(each.bytes for each in held)
    return claim, held
