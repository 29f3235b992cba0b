"""The parts of a spool that are in this process's hands: its own, and those of owners that are dead."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice
from typing import Final

from spotzee_logging.buffers.backlog import Waiting
from spotzee_logging.buffers.claim import Claim, Sealed, take_over_the_dead
from spotzee_logging.buffers.owners import tokens_beside
from spotzee_logging.buffers.spool_store import SpoolStore

MOST_OLDER: Final = 100
"""Dead owners whose parts are in hand at a time: each is an open file."""


class Parts:
    """One claim that events are put to, and older ones, whose events go first.

    :param path: the spool's file.
    :param position: of the next event that is put.
    :param is_synced: whether an append also waits for the disk.

    Not for several threads at a time.
    """

    def __init__(self, path: str, position: int, *, is_synced: bool) -> None:
        self._path = path
        self._is_synced = is_synced
        self._older: tuple[Claim, ...] = ()
        self._may_be_more = False
        self.own = Claim.begin(path, position, is_synced=is_synced)

    def __iter__(self) -> Iterator[Claim]:
        """The oldest first."""
        return iter((*self._older, self.own))

    @property
    def position(self) -> int:
        """Of the next event that is put."""
        return self.own.backlog.position

    @property
    def has_older_waiting(self) -> bool:
        """Whether events wait that others have put, or that were put long ago, and can be read."""
        return any(len(claim.backlog) for claim in self._older if not claim.is_unreadable)

    def tokens(self) -> set[str]:
        """The owners in hand."""
        return {claim.token for claim in self}

    def others(self, store: SpoolStore) -> set[str]:
        """The owners that are not. Raises OSError, `SpoolError` too."""
        return {*tokens_beside(self._path), *(life.token for life in store.owners())} - self.tokens()

    @property
    def older(self) -> Sequence[Claim]:
        """Those that events are put to no more."""
        return self._older

    def begin_another(self) -> None:
        """What comes is put to a new claim, as is what is in memory alone; the one before goes on as an older one."""
        own, another = self.own, Claim.begin(self._path, 0, is_synced=self._is_synced)
        older = (*self._older, own)
        drained = own.backlog.drain_memory()
        another.backlog.hold_in_memory(drained)
        added = len(drained.unseen)
        # In one step, in which nothing is called: a signal's handler puts to the one or to the other.
        another.backlog.position, self.own, self._older = own.backlog.position + added, another, older
        # What that one put to the first after all, in memory: it is counted in the position already.
        late = own.backlog.drain_memory()
        another.backlog.hold_in_memory(late)
        another.backlog.position -= len(late.unseen)

    def drop(self, ended: Sequence[Claim]) -> None:
        """Have claims in hand no more."""
        self._older = tuple(claim for claim in self._older if claim not in ended)

    def take_over(
        self, store: SpoolStore, note: Callable[[OSError], None]
    ) -> Iterator[tuple[Claim, Sequence[Sealed]]]:
        """Get in hand what dead owners have left, as many as may be. Raises OSError, `SpoolError` too.

        :param note: is told why one owner's files cannot be taken over.
        """
        room = max(0, MOST_OLDER - len(self._older))
        try:
            for claim, sealed in islice(take_over_the_dead(self._path, store, self.tokens(), note), room):
                self._older = tuple(sorted((*self._older, claim), key=lambda each: each.token))
                room -= 1
                yield claim, sealed
        finally:
            # Events of our own wait while older parts may be left, but not where the disk kept us from looking.
            self._may_be_more = room == 0

    def choose(
        self, busy: set[Hashable], max_events: int, max_bytes: int, note: Callable[[OSError], None]
    ) -> tuple[Claim, Sequence[Waiting]]:
        """Take out of one claim's backlog the events of the next batch, if there are any.

        An event waits while an older claim may have another of its contact, though not for one whose files cannot be
        read: they may never be. Raises OSError where this process's own cannot.

        :param note: is told why an older claim's files cannot.
        """
        for claim in self._older:
            chosen = self._chosen_of_older(claim, busy, max_events, max_bytes, note)
            if chosen or not (claim.is_unreadable or claim.backlog.is_all_seen):
                return claim, chosen
            busy |= claim.backlog.contacts
        if self._may_be_more:
            return self.own, ()
        return self.own, self.own.backlog.choose(busy, max_events, max_bytes)

    def _chosen_of_older(
        self,
        claim: Claim,
        busy: set[Hashable],
        max_events: int,
        max_bytes: int,
        note: Callable[[OSError], None],
    ) -> Sequence[Waiting]:
        if claim.is_unreadable:
            return ()
        try:
            return claim.backlog.choose(busy, max_events, max_bytes)
        except OSError as error:
            claim.is_unreadable = True
            note(error)
            return ()
