"""From a response's status, headers and body to an `Outcome` (contract: events-api.md, "Error body")."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from spotzee_logging.answers import Outcome

_MAX_MESSAGE_CHARACTERS: Final = 500
_MAX_WORD_CHARACTERS: Final = 100


def outcome_of(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """What a request came to. Never raises: what cannot be read is left out."""
    problem = _problem(body)
    message = problem.get("message") or problem.get("error") or problem.get("title") or ""
    return Outcome(
        status,
        _legible(str(message)[:_MAX_MESSAGE_CHARACTERS]),
        code=_word(problem.get("code")),
        request_id=_word(problem.get("request_id")) or _word(headers.get("X-Request-Id")),
        retry_after_seconds=_retry_after_seconds(headers),
        items=_named_items(problem),
        is_replayed=headers.get("Idempotent-Replayed", "").lower() == "true",
    )


def _word(value: object) -> str | None:
    """A code or an id, which is short; a number in place of a code is an old envelope's repeated status."""
    is_word = isinstance(value, str) and 0 < len(value) <= _MAX_WORD_CHARACTERS
    return _legible(str(value)) if is_word else None


_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def _legible(text: str) -> str:
    """The server's words as one line of Unicode: they go into logs, terminals and a spool's tables.

    Half of a surrogate pair, as a server leaves that cuts a text within an emoji, fits none of these.
    """
    return _CONTROLS.sub(" ", text.encode("utf-8", "replace").decode())


# `3.external_id`, `[3].external_id`, or the index alone.
_ITEM: Final = re.compile(r"\[?(\d{1,3})\]?(?:\.|$)", re.ASCII)


def _named_items(problem: dict[str, Any]) -> frozenset[int]:
    """The indexes that `errors[].param` name (contract: "Error body")."""
    errors = problem.get("errors")
    params = (
        [error.get("param") for error in errors if isinstance(error, dict)]
        if isinstance(errors, list)
        else []
    )
    found = [_ITEM.match(param) for param in params if isinstance(param, str)]
    return frozenset(int(match[1]) for match in found if match is not None)


def _problem(body: bytes) -> dict[str, Any]:
    """The members of an RFC 7807 body; none where it is anything else, such as a proxy's page."""
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, whether it came as such or as a date (RFC 9110, section 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, headers.get("Date", ""))
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(moment: str, now: str) -> float:
    """Seconds between two HTTP dates; the server's own `now` where it gave one, else this machine's."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  requests has imported it

    try:
        then = parsedate_to_datetime(moment).timestamp()
    except _NO_DATE:
        return math.nan
    try:
        return then - parsedate_to_datetime(now).timestamp()
    except _NO_DATE:
        return then - time.time()


_NO_DATE: Final = (ValueError, TypeError, OverflowError)
