"""What the database does not know yet of a spool's batches: written in one transaction, or with the next."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager

from spotzee_logging.buffers.base import Batch, Body, Verdict
from spotzee_logging.buffers.claim import Claim, Sealed
from spotzee_logging.buffers.spool_store import MOST_REJECTED, SpoolStore
from spotzee_logging.errors import SpoolError


class WriteBehind:
    """Collects changes until they are written: where the disk is in trouble, none gets lost and none is half done.

    :param store: the database.
    :param door: held while a claim's backlog is looked at.

    That an owner's journal is sealed up to an address is written with the batches that were sealed, never
    before. Not for several threads at a time.
    """

    def __init__(self, store: SpoolStore, door: AbstractContextManager[object]) -> None:
        self._store = store
        self._door = door
        self._added: dict[str, Sealed] = {}
        self._removed: set[str] = set()
        self._refused: deque[tuple[Body, Verdict]] = deque(maxlen=MOST_REJECTED)
        self._touched: set[Claim] = set()

    def add(self, held: Sealed) -> None:
        """A batch was sealed."""
        self._added[held.key] = held
        self._touched.add(held.claim)

    def remove(self, held: Sealed) -> None:
        """A batch is no more."""
        if self._added.pop(held.key, None) is None:
            self._removed.add(held.key)
        self._touched.add(held.claim)

    def bury(self, batch: Batch, indexes: Iterable[int], verdict: Verdict) -> None:
        """Events of a batch were refused for good."""
        self._refused.extend((batch.events[index], verdict.of(index)) for index in indexes)

    def touch(self, claims: Iterable[Claim]) -> None:
        """Owners live on, or hold less than before."""
        self._touched.update(claims)

    def is_written(self, held: Sealed) -> bool:
        """Whether the database has a batch."""
        return held.key not in self._added

    def write(self, staying: Claim) -> Sequence[Claim]:
        """Write all of it, and delete what files it makes needless; the owners that are to be forgotten.

        Those are all that hold nothing any more, but for the one that is `staying`. Raises `SpoolError`, and
        has all of it to write yet.
        """
        claims = [claim for claim in self._touched if claim.is_begun]
        if not (claims or self._removed or self._refused):
            return ()
        with self._door:
            rows = {claim: claim.row() for claim in claims}
        added = [(held, held.batch) for held in self._added.values() if held.claim.is_begun]
        removed, refused = list(self._removed), list(self._refused)
        ended = [claim for claim in claims if claim.is_empty and claim is not staying]
        with self._store.change() as change:
            change.remove(removed)
            change.add((held.claim.token, held.rank, batch) for held, batch in added if batch is not None)
            change.bury(refused)
            change.save(rows.values())
        self._removed.difference_update(removed)
        for held, _ in added:
            self._added.pop(held.key, None)
        for _ in refused:
            self._refused.popleft()
        self._touched.difference_update(claims)
        with self._door, contextlib.suppress(OSError):  # a file that stays is looked at again with the next
            for claim, row in rows.items():
                claim.free(row)
        return ended

    def forget(self, ended: Sequence[Claim]) -> None:
        """Have nothing left of owners that hold nothing.

        Their journals go first: read without the row that says how far they are sealed, all would come again.
        """
        for claim in ended:
            claim.backlog.journal.remove()
        with contextlib.suppress(SpoolError), self._store.change() as change:
            change.forget(claim.token for claim in ended)
        for claim in ended:
            claim.leave()
