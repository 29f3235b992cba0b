"""One log from end to end: replayed, or only looked at; and what came of it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spotzee_logging.cli.replay.journal import Journal
from spotzee_logging.cli.replay.log_lines import LineFormatter
from spotzee_logging.cli.replay.progress import ProgressBar
from spotzee_logging.cli.replay.reading import Counts, Reading
from spotzee_logging.cli.replay.rejected import RejectedLines
from spotzee_logging.cli.replay.sending import Sender, Stopped
from spotzee_logging.cli.replay.source import Damaged, opened
from spotzee_logging.encoding import decode_fields
from spotzee_logging.settings import Settings


@dataclass
class Result:
    """What came of one log, all runs together.

    :param counts: of its lines.
    :param delivered: taken over by the API.
    :param earlier: of them, those that earlier runs have delivered.
    :param refused: by the API, for good.
    :param stopped: why it did not come to the log's end; None where it did.
    :param is_interrupted: whether that was Ctrl-C.
    :param reasons: the first rejections of this run, each with its line.
    :param names: of the events, with how many there are; of a dry run alone.
    """

    file: str
    counts: Counts = field(default_factory=Counts)
    delivered: int = 0
    earlier: int = 0
    refused: int = 0
    stopped: str | None = None
    is_interrupted: bool = False
    reasons: list[dict[str, Any]] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)
    batches: int = 0

    @property
    def rejected(self) -> int:
        """Lines and events that will never be delivered."""
        return self.counts.bad + self.refused


@dataclass(frozen=True)
class Plan:
    """What is to be done with each log.

    :param terms: what the journal must agree with.
    """

    settings: Settings
    formatter: LineFormatter
    terms: dict[str, Any]
    timeout_seconds: float = 0.0


def replay_file(plan: Plan, file: str, journal_path: Path | None, rejected_path: Path | None) -> Result:
    """Send a log's events from where the journal stands. Raises `InvalidSettings` and OSError."""
    result = Result(file)
    with contextlib.ExitStack() as opening:
        source = opening.enter_context(opened(file))
        journal = Journal(journal_path, plan.terms)
        opening.callback(journal.close)
        rejected = RejectedLines(rejected_path)
        opening.callback(rejected.close)
        reading = Reading(source, plan.settings, plan.formatter, _add_bad_lines_to(rejected))
        result.earlier = journal.delivered
        sender = Sender(plan.settings, journal, rejected, plan.timeout_seconds)
        opening.callback(sender.close)
        with _told_to(result, reading):
            if journal.mark is not None:
                reading.go_on_from(journal.mark)
            with ProgressBar(source) as progress:
                _send_all(reading, sender, progress)
        _sum_up(result, journal, rejected)
    return result


def _send_all(reading: Reading, sender: Sender, progress: ProgressBar) -> None:
    for sealed in reading.batches():
        sender.deliver(sealed)
        progress.advance(len(sealed.batch.events))
    sender.settle(reading.here())


@contextlib.contextmanager
def _told_to(result: Result, reading: Reading) -> Iterator[None]:
    """What ends a run before its time is part of its result."""
    try:
        yield
    except Stopped as stop:
        result.stopped = str(stop)
    except Damaged as damage:
        result.stopped = f"{reading.source.name} {damage}"
    except KeyboardInterrupt:
        result.stopped = "interrupted"
        result.is_interrupted = True


def _sum_up(result: Result, journal: Journal, rejected: RejectedLines) -> None:
    if journal.mark is not None:
        result.counts = journal.mark.counts
    result.delivered = journal.delivered
    result.refused = journal.refused
    result.reasons = rejected.reasons


def look_at_file(plan: Plan, file: str) -> Result:
    """Count what would be sent; nothing is, and nothing is written. Raises OSError."""
    result = Result(file)
    rejected = RejectedLines(None)
    with opened(file) as source:
        reading = Reading(source, plan.settings, plan.formatter, _add_bad_lines_to(rejected))
        with _told_to(result, reading), ProgressBar(source) as progress:
            for sealed in reading.batches():
                result.batches += 1
                result.names.update(str(decode_fields(body)["name"]) for body in sealed.batch.events)
                progress.advance(len(sealed.batch.events))
    result.counts = reading.counts
    result.reasons = rejected.reasons
    return result


def _add_bad_lines_to(rejected: RejectedLines) -> Callable[[int, str, bytes | None], None]:
    def add(number: int, reason: str, line: bytes | None) -> None:
        text = None if line is None else line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        rejected.add(number, reason, text=text)

    return add
