"""What a line of a JSON log says: the record of an event, and when it was; or nothing that concerns us."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from spotzee_logging import timestamps
from spotzee_logging.cli.json_lines import BadLine
from spotzee_logging.contact import RECORD_ATTRIBUTE
from spotzee_logging.event import EVENT_RULES
from spotzee_logging.formatter import TAG, EventFormatter
from spotzee_logging.identity import CONTACT_FIELDS

TIMELESS: Final = "_spotzee_timeless"
"""The attribute of a record whose line tells no time; `_` keeps it out of the event's data."""

_FIRST_MILLISECOND_STAMP: Final = 1e11
"""A number from here on counts milliseconds since 1970: as seconds it would lie beyond the year 5000."""


def record_of(line: Mapping[str, Any]) -> logging.LogRecord | None:
    """The tagged record that a line of a log once was; None for a line without an event.

    A line is an event itself, as `EventFormatter` writes it and `POST /events` takes it, or a line of
    python-json-logger's `JsonFormatter` that carries `spotzee_event`. Raises `BadLine`.
    """
    if line.get(TAG) is not None:
        return _record_of_tagged(line)
    if "message" in line or EVENT_RULES.keys().isdisjoint(line):
        return None
    return _record({TAG: dict(line)}, None)


def _record_of_tagged(line: Mapping[str, Any]) -> logging.LogRecord:
    attributes = dict(line)
    contact = attributes.get(RECORD_ATTRIBUTE)
    if contact is not None and not (isinstance(contact, dict) and contact.keys() == {*CONTACT_FIELDS}):
        raise BadLine(f"holds a {RECORD_ATTRIBUTE} that is not as ContactFilter makes one")
    for field, read in TIME_FIELDS:
        moment = _read_time(read, attributes.get(field))
        if moment is not None:
            del attributes[field]  # the log's own, and no data of the event
            return _record(attributes, moment)
    return _record(attributes, None)


def _record(attributes: dict[str, Any], created: float | None) -> logging.LogRecord:
    record = logging.makeLogRecord(attributes)
    record.created = created or 0.0
    if created is None:
        record.__dict__[TIMELESS] = True
    return record


def _read_time(read: Callable[[Any], float], value: Any) -> float | None:
    try:
        seconds = read(value)
    except (ValueError, TypeError, OverflowError, OSError):
        return None  # a field of the same name that holds something else
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _epoch(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("no number")
    return value / 1000 if value >= _FIRST_MILLISECOND_STAMP else float(value)


def _moment(value: Any) -> float:
    return moment_of(value).timestamp() if isinstance(value, str) else _epoch(value)


def _local_moment(value: Any) -> float:
    """As `asctime` is written: the local time of the machine, without an offset."""
    moment = moment_of(value)
    return moment.timestamp() if _OFFSET.search(value[10:]) else moment.replace(tzinfo=None).timestamp()


TIME_FIELDS: Final[Sequence[tuple[str, Callable[[Any], float]]]] = (
    ("created", _epoch),
    ("timestamp", _moment),
    ("asctime", _local_moment),
    ("time", _moment),
)
"""Where a log's line tells its own time, and how to read it: the first that can be read is the event's."""

_OFFSET: Final = re.compile(r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$")
_PARTS: Final = re.compile(r"(.{19})(?:\.(\d+))?(.+)")


def moment_of(text: str) -> datetime:
    """The point in time of an ISO 8601 text; without an offset it counts as UTC. Raises ValueError.

    >>> moment_of("2026-04-28 05:14").isoformat()
    '2026-04-28T05:14:00+00:00'
    """
    match = _PARTS.fullmatch(timestamps.from_text(text).upper().replace(" ", "T"))
    if match is None:
        raise ValueError("no ISO 8601 time")
    whole, fraction, offset = match.groups()
    existing = whole.replace(":60", ":59")  # a leap second, which datetime does not know
    return datetime.fromisoformat(
        f"{existing}.{(fraction or '')[:6]:0<6}{'+00:00' if offset == 'Z' else offset}"
    )


class NotSelected(Exception):
    """The event is none of those that were asked for."""


class LineFormatter(EventFormatter):
    """Makes the events of lines: of those asked for only, and without a time where the line tells none.

    Another run must make the same bytes of the same line, so the time of the run is none of theirs.

    :param since: events from this time on.
    :param until: events before this time.
    :param names: events of these names; none are all.
    """

    def __init__(
        self, *, since: datetime | None = None, until: datetime | None = None, names: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._since = since
        self._until = until
        self._names = frozenset(names)

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """The event's fields. Raises `InvalidEvent`, `BadLine` and `NotSelected`."""
        tag = record.__dict__[TAG]
        fields = super().fields(record)
        if TIMELESS in record.__dict__ and not (isinstance(tag, dict) and tag.get("created_at")):
            del fields["created_at"]
        if self._names and fields["name"] not in self._names:
            raise NotSelected
        if self._since is not None or self._until is not None:
            self._check_time(fields)
        return fields

    def _check_time(self, fields: Mapping[str, Any]) -> None:
        if "created_at" not in fields:
            raise BadLine("tells no time, and --since or --until asks for one")
        moment = moment_of(fields["created_at"])
        if self._since is not None and moment < self._since:
            raise NotSelected
        if self._until is not None and moment >= self._until:
            raise NotSelected
