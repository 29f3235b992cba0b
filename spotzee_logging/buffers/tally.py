"""How much a spool's buffer holds, how much more it may, and what it has to tell of."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from spotzee_logging.buffers.base import Tidings

if TYPE_CHECKING:
    from collections.abc import Callable


class Tally:
    """Counts the events of one buffer, and tells those that wait when there is room again.

    :param max_bytes: the most that all events of the spool may take.

    Its `door` is held by whoever changes it, and by callers for no longer than one event takes; re-entrant.

    :ivar bytes_elsewhere: what the events of other processes take.
    :ivar trouble: what the disk's trouble is; "" where there is none.
    """

    def __init__(self, max_bytes: int) -> None:
        self.door = threading.RLock()
        self.events = self.bytes = self.unsealed = 0
        self.bytes_elsewhere = 0
        self.trouble = ""
        self._max_bytes = max_bytes
        self._room = threading.Condition(self.door)
        self._tidings = Tidings()

    def has_room(self, size: int) -> bool:
        """Whether an event of so many bytes may be put."""
        return self.bytes + self.bytes_elsewhere + size <= self._max_bytes

    def wait_for(self, has_room: Callable[[], bool], timeout_seconds: float) -> None:
        """Wait until there is room, at most so long."""
        self._room.wait_for(has_room, timeout_seconds)

    def put(self, size: int) -> None:
        """One more, in no batch."""
        self.unsealed += 1
        self.events += 1
        self.bytes += size

    def count(self, events: int, size: int) -> None:
        """So many more, or fewer."""
        with self.door:
            self.events += events
            self.bytes += size
            if size < 0:
                self._room.notify_all()

    def tell(self, *, recovered: int = 0, unspooled: int = 0, lost: int = 0) -> None:
        """So many events are to be told of."""
        with self.door:
            told = self._tidings
            self._tidings = Tidings(told.recovered + recovered, told.unspooled + unspooled, told.lost + lost)

    def lose(self, events: int, size: int) -> None:
        """So many are gone with a file."""
        self.tell(lost=events)
        self.count(-events, -size)

    def note_disk(self, trouble: str) -> None:
        """The disk does not take what it should."""
        self.trouble = f"{trouble.rstrip('.')}. Events that it does not take are held in memory meanwhile"

    def note_journal(self, place: str, error: OSError) -> None:
        """The journal of the spool at `place` is in trouble."""
        self.note_disk(f"the spool's journal beside {place}: {error.strerror or error}")

    def note_left(self, place: str, error: OSError) -> None:
        """What a process has left in the spool at `place` cannot be taken over, or read."""
        why = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
        self.trouble = (
            f"the spool {place}: what another process has left cannot be read, and stays as it is ({why})"
        )

    def tidings(self) -> Tidings:
        """What is to be told of, once."""
        with self.door:
            tidings, self._tidings = self._tidings._replace(trouble=self.trouble), Tidings()
            self.trouble = ""
            return tidings
