"""Points in time as the API takes them: ISO 8601 with an offset, UTC unless it came with another."""

from __future__ import annotations

import functools
import math
import re
import time
from datetime import datetime, timezone

# The profile of ISO 8601 that RFC 3339 (section 5.6) allows, and around it what people write besides:
# no offset, no seconds, no colon in the offset, a comma before the fraction, a date alone. Hours and the
# offset's minutes are held here: some Pythons' datetime takes 24:00, and all take an offset of +10:75.
_ISO_8601 = (
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](?P<minutes>(?:[01]\d|2[0-3]):\d{2})(?:(?P<seconds>:\d{2})(?P<fraction>[.,]\d+)?)?"
    r"(?P<offset>[Zz]|[+-]\d{2}(?::?[0-5]\d)?)?)?"
)
_RFC_3339 = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})"

# Written out once: to format one of them takes as long as the rest of `from_epoch`.
_DIGITS = "0123456789"
_MILLISECONDS = tuple(f".{a}{b}{c}Z" for a in _DIGITS for b in _DIGITS for c in _DIGITS)

# The last whole second and its text: records come many to a second, and formatting is most of the cost.
# One tuple, replaced whole, so that threads need no lock.
_cached_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


def from_epoch(seconds: float) -> str:
    """The time of a record's `created` (seconds since 1970), in UTC with milliseconds.

    >>> from_epoch(1777353240.25)
    '2026-04-28T05:14:00.250Z'
    """
    global _cached_second  # noqa: PLW0603  a cache of one tuple
    second, text = _cached_second
    # To the microsecond first, as datetime does: of .001 s a double holds a little less, which is no .000.
    microseconds = round((seconds - second) * 1_000_000)
    if not 0 <= microseconds < 1_000_000:
        second = math.floor(seconds + 0.000_000_5)
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _cached_second = (second, text)
        microseconds = round((seconds - second) * 1_000_000)
    return text + _MILLISECONDS[microseconds // 1000]


def from_datetime(moment: datetime) -> str:
    """The same instant in UTC, with milliseconds, or microseconds where it has them; naive counts as UTC.

    Raises ValueError or OverflowError where the instant lies outside of what `datetime` holds in UTC, and
    for pandas' NaT, a datetime that is none.

    >>> from_datetime(datetime(2026, 4, 28, 5, 14))
    '2026-04-28T05:14:00.000Z'
    """
    if moment != moment:  # noqa: PLR0124  NaT alone does not equal itself
        raise ValueError("not a time")
    aware = moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    precision = "microseconds" if aware.microsecond % 1000 else "milliseconds"
    return aware.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def from_text(text: str) -> str:
    """An ISO 8601 text, kept to the letter where it is one of RFC 3339; without an offset it counts as UTC.

    Raises ValueError where it is no ISO 8601, or no such day or time exists.

    >>> from_text("2026-04-28T15:14:00+10:00"), from_text("2026-04-28 05:14")
    ('2026-04-28T15:14:00+10:00', '2026-04-28T05:14:00Z')
    """
    match = _compiled(_ISO_8601).fullmatch(text)
    if match is None:
        raise ValueError("no ISO 8601 time")
    parts = {name: value or "" for name, value in match.groupdict().items()}
    minutes, seconds = parts["minutes"] or "00:00", parts["seconds"] or ":00"
    offset = _offset(parts["offset"])
    # Only whether such a moment exists; a leap second (:60) does, though datetime does not know it.
    existing = ":59" if seconds == ":60" else seconds
    datetime.fromisoformat(f"{parts['date']}T{minutes}{existing}{offset.replace('Z', '+00:00')}")
    if _compiled(_RFC_3339).fullmatch(text):
        return text
    return f"{parts['date']}T{minutes}{seconds}{parts['fraction'].replace(',', '.')}{offset}"


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """With the first text: few programs give one, and the two patterns take 0.25 ms."""
    return re.compile(pattern, re.ASCII)


def _offset(text: str) -> str:
    """`Z`, or hours and minutes with a colon between them; nothing counts as UTC."""
    if text in {"", "Z", "z"}:
        return "Z"
    digits = text[1:].replace(":", "")
    return f"{text[0]}{digits[:2]}:{digits[2:] or '00'}"
