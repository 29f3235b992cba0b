"""From a log's lines to batches that are the same in every run: same events, same bytes, same key."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, NamedTuple

from spotzee_logging.buffers.base import Batch
from spotzee_logging.cli import json_lines
from spotzee_logging.cli.replay.log_lines import LineFormatter, NotSelected, record_of
from spotzee_logging.cli.replay.source import Source
from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.encoding import join_events
from spotzee_logging.errors import InvalidEvent, SpotzeeError
from spotzee_logging.event import ARRAY_BRACKETS_BYTES, Event
from spotzee_logging.intake import Intake
from spotzee_logging.reporting import Reporter
from spotzee_logging.settings import Settings
from spotzee_logging.stats import Ledger

_KEY_CHARACTERS: Final = 32


class LineBody(bytes):
    """An event's JSON, which knows the number of the line that it came from."""

    line: int


@dataclass
class Counts:
    """What became of the lines that were read, blank ones left aside.

    :param lines: the number of the last one.
    :param events: that are to be sent.
    :param bad: lines that hold no good event.
    :param untagged: lines of a log that never were an event.
    :param not_selected: events that were not asked for.
    :param withheld: by the hook `before_send`.
    """

    lines: int = 0
    events: int = 0
    bad: int = 0
    untagged: int = 0
    not_selected: int = 0
    withheld: int = 0


@dataclass(frozen=True)
class Mark:
    """A place in a log, and what was read up to it.

    :param size_bytes: of the log up to there, unpacked.
    :param digest: of these bytes.
    """

    size_bytes: int
    digest: str
    counts: Counts

    def as_json(self) -> dict[str, Any]:
        """As the journal keeps it."""
        return {"bytes": self.size_bytes, "digest": self.digest, "counts": asdict(self.counts)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Mark:
        """As the journal has kept it."""
        return cls(kept["bytes"], kept["digest"], Counts(**kept["counts"]))


class Sealed(NamedTuple):
    """A batch, and the place behind its last line."""

    batch: Batch
    mark: Mark


OnBadLine = Callable[[int, str, bytes | None], None]
"""Told of a line that holds no good event: its number, why, and its bytes where they were not too many."""


@dataclass
class Reading:
    """One log, read from a mark on.

    :param settings: the sizes of events and batches, and the hook `before_send`.
    :param formatter: makes the events, of those asked for.
    """

    source: Source
    settings: Settings
    formatter: LineFormatter
    on_bad_line: OnBadLine
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._hook_failure: str | None = None
        self._intake = Intake(self.settings, Reporter(Ledger(), Diagnostics(), self._hear_of_hook))
        self._intake.take_formatter(self.formatter)
        self._events: list[LineBody] = []
        self._size_bytes = ARRAY_BRACKETS_BYTES

    def go_on_from(self, mark: Mark) -> None:
        """Pass over what an earlier run has done. Raises `InvalidSettings` where that has changed."""
        self.source.pass_over(mark.size_bytes, mark.digest)
        self.counts = replace(mark.counts)

    def batches(self) -> Iterator[Sealed]:
        """All that is to be sent, in order. Raises `source.Damaged`."""
        mark = self.here()
        most_line_bytes = self.settings.max_event_bytes * json_lines.LINE_BYTES_PER_EVENT_BYTE
        for number, line in json_lines.numbered(self.source, most_line_bytes, self.counts.lines):
            self.counts.lines = number
            body = self._event_of(number, line)
            if body is None:
                continue
            if self._events and self._size_bytes + len(body) + 1 > self.settings.max_batch_bytes:
                yield self._seal(mark)
            self._events.append(body)
            self._size_bytes += len(body) + 1
            self.counts.events += 1
            mark = self.here()
            if len(self._events) == self.settings.capacity:
                yield self._seal(mark)
        if self._events:
            yield self._seal(mark)

    def here(self) -> Mark:
        """The place behind the last line that was read."""
        return Mark(self.source.bytes, self.source.digest(), replace(self.counts))

    def _event_of(self, number: int, line: bytes | None) -> LineBody | None:
        try:
            record = record_of(json_lines.parse(line))
            if record is None:
                self.counts.untagged += 1
                return None
            taken = self._intake.take(record)
        except NotSelected:
            self.counts.not_selected += 1
            return None
        except (json_lines.BadLine, InvalidEvent) as error:
            self.counts.bad += 1
            self.on_bad_line(number, str(error), line)
            return None
        if taken is None:
            self._turn_away(number, line)
            return None
        body = LineBody(taken[0])
        body.line = number
        return body

    def _turn_away(self, number: int, line: bytes | None) -> None:
        failure, self._hook_failure = self._hook_failure, None
        if failure is None:
            self.counts.withheld += 1
        else:
            self.counts.bad += 1
            self.on_bad_line(number, failure, line)

    def _hear_of_hook(self, _: Event | None, error: SpotzeeError) -> None:
        """That `before_send` has failed, as the intake tells it; what it withholds is told to nobody."""
        self._hook_failure = str(error)

    def _seal(self, mark: Mark) -> Sealed:
        events, self._events = self._events, []
        self._size_bytes = ARRAY_BRACKETS_BYTES
        body = join_events(events)
        key = _key(mark.digest, str(events[0].line), hashlib.sha256(body).hexdigest())
        return Sealed(Batch(tuple(events), (), key, events[0].line, body, time.time()), mark)


def part_of(batch: Batch, indexes: Sequence[int]) -> Batch:
    """A batch of some of a batch's events, under a key that every run derives alike."""
    events = tuple(batch.events[index] for index in indexes)
    key = _key(batch.key, ",".join(map(str, indexes)))
    return Batch(events, (), key, batch.position, join_events(events), batch.sealed_at)


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_KEY_CHARACTERS]
