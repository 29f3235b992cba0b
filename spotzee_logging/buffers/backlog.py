"""The events of one journal that are in no batch: passed over, read, in its files, and in memory where those fail."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from spotzee_logging.buffers.base import Body
from spotzee_logging.buffers.journal import Journal, Line, framed
from spotzee_logging.encoding import cut_to_size

MOST_PASSED: Final = 1_000
"""Events of busy contacts that are passed over in search of others': the bound of one search."""

MOST_PASSED_BYTES: Final = 4 * 1024 * 1024  # 4 MiB
"""The bound of one search in bytes: the bodies of events that are passed over are held in memory."""

FOREIGN_POSITION: Final = -1
"""Of events that were put elsewhere: they are older than all that were put here."""

_NO_ADDRESS: Final = -1
_GLANCE_BYTES: Final = 4 * 1024


class Waiting(NamedTuple):
    """An event that is in no batch; its address is -1 where it is in memory alone."""

    position: int
    contact: int
    body: Body
    address: int

    @property
    def is_on_disk(self) -> bool:
        """Whether the journal has it."""
        return self.address != _NO_ADDRESS


class InMemory(NamedTuple):
    """Events that are in memory alone: those that were passed over, which are older, and contact and body of others."""

    passed: Sequence[Waiting]
    unseen: Sequence[tuple[int, Body]]

    def __len__(self) -> int:
        return len(self.passed) + len(self.unseen)


class Backlog:
    """Gives the events of a journal in order, once each; holds few of their bodies, however many there are.

    :param journal: where they are.
    :param position: of the next event that is appended; where they were put by another process, none ever is.
    :param scanned: the address to read on from.

    Not for several threads at a time, though a signal's handler may append in the midst of any call.
    """

    def __init__(self, journal: Journal, position: int = FOREIGN_POSITION, scanned: int = 0) -> None:
        self.journal = journal
        self.position = position
        self.bytes = 0
        self.in_memory_bytes = 0
        self._passed: deque[Waiting] = deque()
        self._read: deque[Line] = deque()
        self._read_to = scanned
        self._unread = 0
        self._unread_bytes = 0
        self._in_memory: deque[tuple[int, Body]] = deque()
        # Of events that left before older ones: the position behind some in a row, and how many those are.
        self._gaps: deque[tuple[int, int]] = deque()

    def __len__(self) -> int:
        return len(self._passed) + self._unseen

    @property
    def _unseen(self) -> int:
        return len(self._read) + self._unread + len(self._in_memory)

    @property
    def is_all_seen(self) -> bool:
        """Whether every event that is left was passed over."""
        return not self._unseen

    @property
    def in_memory(self) -> int:
        """Events that the journal did not take, passed over or not."""
        return len(self._in_memory) + sum(not waiting.is_on_disk for waiting in self._passed)

    @property
    def contacts(self) -> set[int]:
        """Whose events were passed over."""
        return {waiting.contact for waiting in self._passed}

    @property
    def first_position(self) -> int:
        """The position of the oldest event; of the next one where there is none."""
        return self._passed[0].position if self._passed else self._first_unseen()

    def _first_unseen(self) -> int:
        if self.position == FOREIGN_POSITION:
            return FOREIGN_POSITION
        first = self.position - self._unseen - sum(count for _, count in self._gaps)
        while self._gaps and first >= self._gaps[0][0] - self._gaps[0][1]:
            first += self._gaps.popleft()[1]
        return first

    @property
    def scanned(self) -> int:
        """Up to which address every event has been given, but for those at the `passed` ones."""
        return self._read[0].address if self._read else self._read_to

    @property
    def passed(self) -> Sequence[int]:
        """The addresses of the events that were passed over."""
        return [waiting.address for waiting in self._passed if waiting.is_on_disk]

    def append(self, contact: int, body: Body) -> None:
        """Have the journal take an event. Raises OSError where it does not."""
        line, end, size = framed(contact, body), self.journal.end, len(body)
        try:
            self.journal.append(line)
        except OSError:
            raise
        except BaseException:
            # A signal's handler has raised, as Ctrl-C does: what is written by now is held, and is counted.
            if self.journal.has_line_behind(end, line):
                self._wrote(body)
                self._count(body)
            raise
        # Written out, not by the two methods below: this is the caller's time.
        self._unread += 1
        self._unread_bytes += size
        self.bytes += size
        self.position += 1

    def add_in_memory(self, contact: int, body: Body) -> None:
        """Hold an event that the journal did not take, and all that come while there are such."""
        kept = cut_to_size(body)
        self.in_memory_bytes += len(body)
        self._count(body)
        self._in_memory.append((contact, kept))

    def _count(self, body: Body) -> None:
        self.bytes += len(body)
        self.position += 1

    def _wrote(self, body: Body) -> None:
        self._unread += 1
        self._unread_bytes += len(body)

    def write_back(self, most_events: int) -> None:
        """Give the journal what it did not take before. Raises OSError where it still does not."""
        passed = [index for index, waiting in enumerate(self._passed) if not waiting.is_on_disk][:most_events]
        for index in passed:
            self._write_back_passed(index)
        for _ in range(min(most_events - len(passed), len(self._in_memory))):
            contact, body = self._in_memory[0]
            self.journal.append(framed(contact, body))
            self._in_memory.popleft()
            self.in_memory_bytes -= len(body)
            self._wrote(body)

    def _write_back_passed(self, index: int) -> None:
        """Give the journal an event that was passed over; it keeps its place before those that were put later."""
        waiting = self._passed[index]
        line = framed(waiting.contact, waiting.body)
        self.journal.append(line)
        self._read_to = self.journal.end
        self._passed[index] = waiting._replace(address=self._read_to - len(line))
        self.in_memory_bytes -= len(waiting.body)

    def drain_memory(self) -> InMemory:
        """Take out what is in memory alone."""
        passed = [waiting for waiting in self._passed if not waiting.is_on_disk]
        unseen, self._in_memory = list(self._in_memory), deque()
        self._passed = deque(waiting for waiting in self._passed if waiting.is_on_disk)
        # Not all that is counted as in memory: a signal's handler may have put more meanwhile.
        size = sum(len(waiting.body) for waiting in passed) + sum(len(body) for _, body in unseen)
        self.bytes -= size
        self.in_memory_bytes -= size
        self.position -= len(unseen)
        return InMemory(passed, unseen)

    def hold_in_memory(self, drained: InMemory) -> None:
        """Go on with what was taken out of another, which ended where this one begins."""
        for waiting in drained.passed:
            self._passed.append(waiting)
            self._count_bytes(waiting, 1)
        for contact, body in drained.unseen:
            self.add_in_memory(contact, body)

    def recall(self, passed: Sequence[int]) -> None:
        """Find what a process before this one has left. Raises OSError."""
        for address in passed:
            lines, _ = self.journal.read(address, _GLANCE_BYTES)
            if lines and lines[0].address == address:
                self._passed.append(Waiting(FOREIGN_POSITION, lines[0].contact, lines[0].body, address))
                self.bytes += len(lines[0].body)
        address = self._read_to
        while True:
            lines, following = self.journal.read(address)
            for line in lines:
                self._wrote(line.body)
                self.bytes += len(line.body)
            if following == address:
                return
            address = following

    def choose(self, busy: Collection[Hashable], max_events: int, max_bytes: int) -> list[Waiting]:
        """Take out the oldest events whose contacts are not busy, as many as one batch may have.

        Raises OSError where the next cannot be read, and has taken out none.
        """
        drawn: list[Waiting] = []
        chosen: list[Waiting] = []
        passed: list[Waiting] = []
        size, passed_bytes = -1, 0  # the first event has no comma before it
        try:
            for waiting in self._in_order():
                drawn.append(waiting)
                if waiting.contact in busy:
                    passed.append(waiting)
                    passed_bytes += len(waiting.body)
                    if len(passed) >= MOST_PASSED or passed_bytes >= MOST_PASSED_BYTES:
                        break
                    continue
                size += len(waiting.body) + 1
                if chosen and size > max_bytes:
                    passed.append(waiting)
                    break
                chosen.append(waiting)
                if len(chosen) == max_events:
                    break
        except BaseException:
            self.put_back(drawn)
            raise
        self.put_back(passed)
        self.let_go(chosen)
        return chosen

    def pop(self) -> Waiting | None:
        """Take out the oldest event; None where there is none, or it cannot be read."""
        try:
            return next(self._in_order(), None)
        except OSError:
            return None

    def pop_in_memory(self) -> Waiting:
        """Take out the oldest event that is in memory alone, of which there must be one."""
        for index, waiting in enumerate(self._passed):
            if not waiting.is_on_disk:
                del self._passed[index]
                return waiting
        position = self.position - len(self._in_memory)
        contact, body = self._in_memory.popleft()
        before = self._gaps.pop()[1] if self._gaps and self._gaps[-1][0] == position else 0
        self._gaps.append((position + 1, before + 1))
        return Waiting(position, contact, body, _NO_ADDRESS)

    def drain(self) -> list[Waiting]:
        """Take out all events."""
        drained = list(self._in_order())
        self.let_go(drained)
        return drained

    def drain_as_in_memory(self) -> list[Waiting]:
        """Take out all events, to be held in memory alone: those of a file that nobody else can read."""
        return [waiting._replace(address=_NO_ADDRESS) for waiting in self.drain()]

    def let_go(self, taken: Iterable[Waiting]) -> None:
        """Count what was just taken out as gone."""
        for waiting in taken:
            self._count_bytes(waiting, -1)

    def _count_bytes(self, waiting: Waiting, sign: int) -> None:
        self.bytes += sign * len(waiting.body)
        if not waiting.is_on_disk:
            self.in_memory_bytes += sign * len(waiting.body)

    def put_back(self, taken: Sequence[Waiting]) -> None:
        """Have what was just taken out, and not counted as gone, at the beginning again."""
        self._passed.extendleft(reversed(taken))

    def take_back(self, taken: Sequence[Waiting]) -> None:
        """Have what was taken out, and counted as gone, at the beginning again."""
        self.put_back(taken)
        for waiting in taken:
            self._count_bytes(waiting, 1)

    def _in_order(self) -> Iterator[Waiting]:
        while self._passed:
            yield self._passed.popleft()
        while self._read or self._refill():
            position = self._first_unseen()
            line = self._read.popleft()
            yield Waiting(position, line.contact, line.body, line.address)
        while self._in_memory:
            position = self._first_unseen()
            contact, body = self._in_memory.popleft()
            yield Waiting(position, contact, body, _NO_ADDRESS)

    def _refill(self) -> bool:
        """Read on; whether there was something."""
        while self._unread > 0:
            lines, following = self.journal.read(self._read_to)
            if following == self._read_to:
                return False
            if (
                len(lines) > self._unread
            ):  # its owner lives after all, without its lock: what it writes is its own
                lines, following = lines[: self._unread], lines[self._unread].address
            self._read_to = following
            self._read.extend(lines)
            self._unread -= len(lines)
            read_bytes = sum(len(line.body) for line in lines)
            self._unread_bytes -= read_bytes
            if lines:
                return True
        return False

    def write_off(self) -> tuple[int, int]:
        """Let go of events that were written and are in no file any more; how many those are, and their bytes."""
        lost, size = self._unread, self._unread_bytes
        if lost <= 0 or self.journal.read(self._read_to)[1] != self._read_to:
            return 0, 0
        self._unread -= lost
        self._unread_bytes -= size
        self.bytes -= size
        return lost, size
