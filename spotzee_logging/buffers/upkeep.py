"""What a spool needs beside its events' coming and going: the disk's troubles, the dead, the database, the space."""

from __future__ import annotations

from typing import Final

from spotzee_logging.buffers.parts import Parts
from spotzee_logging.buffers.shelf import Shelf
from spotzee_logging.buffers.spool_store import SpoolStore
from spotzee_logging.buffers.tally import Tally
from spotzee_logging.buffers.write_behind import WriteBehind
from spotzee_logging.errors import SpoolError

_WRITTEN_BACK_AT_ONCE: Final = 100


class Upkeep:
    """Looks after the parts of one buffer. Trouble is noted in the tally, and met again with the next look.

    Not for several threads at a time, though callers put meanwhile.

    :ivar has_company: whether other processes have, or have left, events in the spool.
    """

    def __init__(
        self, store: SpoolStore, parts: Parts, shelf: Shelf, behind: WriteBehind, tally: Tally
    ) -> None:
        self.has_company = False
        self._store = store
        self._parts = parts
        self._shelf = shelf
        self._behind = behind
        self._tally = tally

    def look_for_company(self) -> None:
        """See who else is there. Raises OSError, `SpoolError` too."""
        self.has_company = bool(self._parts.others(self._store))

    def tend(self, *, is_idle: bool) -> None:
        """Take over from the dead, go back to the disk after trouble, give space back."""
        self._leave_what_is_not_in_place()
        self._try_again()
        self.write_back()
        with self._tally.door:
            if is_idle and self._parts.own.is_begun and self._parts.own.is_empty:
                self._parts.begin_another()  # so that the files of this one go
        try:
            self._take_over()
            self._behind.touch(self._parts)
            self.write()
            self.look_for_company()
            self._tally.bytes_elsewhere = self._store.bytes_of_others(self._parts.tokens())
            if not self._tally.events:
                self._store.give_back_space()
                self._store.close()
        except OSError as error:  # `SpoolError` among them
            self._tally.note_disk(str(error))

    def write(self) -> None:
        """Bring the database up to date; what it does not take now it gets with the next change."""
        try:
            ended = self._behind.write(self._parts.own)
        except SpoolError as error:
            self._tally.note_disk(str(error))
            return
        if ended:
            self._behind.forget(ended)
            with self._tally.door:
                self._parts.drop(ended)

    def write_back(self) -> None:
        """Give the journal what it did not take, a little at a time: callers wait at the door meanwhile."""
        try:
            while self._parts.own.backlog.in_memory:
                with self._tally.door:
                    self._parts.own.write_back(_WRITTEN_BACK_AT_ONCE)
        except OSError as error:
            self._tally.note_journal(self._store.path, error)

    def _try_again(self) -> None:
        """What could not be read may be readable by now."""
        for held in (*self._shelf, *self._parts):
            held.is_unreadable = False

    def _leave_what_is_not_in_place(self) -> None:
        """Where others have deleted or cut our files, go on with new ones; the old are read as far as they go."""
        place = self._store.path
        if not self._store.is_in_place():
            self._tally.trouble = f"the spool {place} was deleted or replaced; another is made"
            self._store.close()
            for held in self._shelf:
                self._behind.add(held)
        with self._tally.door:
            if not self._parts.own.is_in_place:
                self._tally.trouble = (
                    f"the spool's journal beside {place} was deleted or cut; another is made"
                )
                self._parts.begin_another()

    def note_left(self, error: OSError) -> None:
        """What a process has left cannot be taken over, or read."""
        self._tally.note_left(self._store.path, error)

    def _take_over(self) -> None:
        for claim, sealed in self._parts.take_over(self._store, self.note_left):
            waiting = len(claim.backlog)
            with self._tally.door:
                self._tally.unsealed += waiting
                self._shelf.put_last(sealed)
                self._tally.count(waiting + claim.sealed_events, claim.backlog.bytes + claim.sealed_bytes)
            self._tally.tell(recovered=waiting + claim.sealed_events)
