"""The sealed batches of a spool that are in this process's hands: those that are taken, and those to be taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence

from spotzee_logging.buffers.base import Batch
from spotzee_logging.buffers.claim import Claim, Sealed, held_as
from spotzee_logging.buffers.write_behind import WriteBehind


class Shelf:
    """Keeps the order of batches, and has each change written down.

    :param behind: what writes it down.

    Not for several threads at a time.
    """

    def __init__(self, behind: WriteBehind) -> None:
        self._behind = behind
        self._released: deque[Sealed] = deque()
        self._taken: dict[Batch, Sealed] = {}

    def __iter__(self) -> Iterator[Sealed]:
        yield from self._released
        yield from self._taken.values()

    @property
    def has_released(self) -> bool:
        """Whether a batch waits to be taken, and can be read."""
        return any(not held.is_unreadable for held in self._released)

    @property
    def contacts(self) -> set[Hashable]:
        """Whose events are in batches."""
        return {contact for held in self for contact in held.contacts}

    def next_free(self) -> Sealed | None:
        """The first that can be read, and whose contacts are in no batch that is taken, or stands before it."""
        busy = {contact for held in self._taken.values() for contact in held.contacts}
        for held in self._released:
            if not held.is_unreadable and busy.isdisjoint(held.contacts):
                return held
            busy.update(held.contacts)
        return None

    def take(self, held: Sealed, batch: Batch) -> None:
        """One that waited is taken; `batch` is what it holds."""
        self._released.remove(held)
        self._taken[batch] = held

    def seal(self, batch: Batch, claim: Claim, *, is_in_journal: bool) -> None:
        """A new one, which is taken at once."""
        self._taken[batch] = self._added(
            held_as(batch, claim, claim.take_rank(), is_in_journal=is_in_journal)
        )

    def pop(self, batch: Batch) -> Sealed | None:
        """One that was taken is no more; None where it was not."""
        return self._taken.pop(batch, None)

    def put_first(self, held: Sealed) -> None:
        """One is to be taken again, before all others."""
        self._released.appendleft(held)

    def put_last(self, sealed: Iterable[Sealed]) -> None:
        """Batches of a dead owner wait too."""
        self._released.extend(sealed)

    def replace(self, held: Sealed, parts: Sequence[Batch]) -> None:
        """Batches stand where one was that is popped."""
        self._retire(held)
        self._released.extendleft(
            self._added(held_as(part, held.claim, held.rank_of_part(index), is_in_journal=held.is_in_journal))
            for index, part in reversed(list(enumerate(parts)))
        )

    def lose(self, held: Sealed) -> None:
        """One that waited is gone with its file."""
        self._released.remove(held)
        self._retire(held)

    def clear(self) -> None:
        """All are no more."""
        for held in self:
            self._retire(held)
        self._released.clear()
        self._taken.clear()

    def _added(self, held: Sealed) -> Sealed:
        held.claim.sealed_events += len(held.sizes)
        held.claim.sealed_bytes += held.bytes
        self._behind.add(held)
        return held

    def _retire(self, held: Sealed) -> None:
        """Its owner has it no more."""
        held.claim.sealed_events -= len(held.sizes)
        held.claim.sealed_bytes -= held.bytes
        self._behind.remove(held)
