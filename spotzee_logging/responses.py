"""From a response's status, headers and body to an `Outcome` (contract: events-api.md, "Error body")."""

from __future__ import annotations

import json
import math
import re
import reprlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from spotzee_logging.answers import Complaint, Outcome

_MAX_MESSAGE_CHARACTERS: Final = 500
_MAX_COMPLAINT_CHARACTERS: Final = 200
_MAX_WORD_CHARACTERS: Final = 100


def outcome_of(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """What a request came to. Never raises: what cannot be read is left out."""
    problem = _problem(body)
    message = problem.get("message") or problem.get("error") or problem.get("title")
    return Outcome(
        status,
        _words(message, _MAX_MESSAGE_CHARACTERS),
        code=_word(problem.get("code")),
        request_id=_word(problem.get("request_id")) or _word(headers.get("X-Request-Id")),
        retry_after_seconds=_retry_after_seconds(headers),
        items=_named_items(problem),
        is_replayed=headers.get("Idempotent-Replayed", "").lower() == "true",
    )


def _words(value: object, most_characters: int) -> str:
    """What the server says, cut; what is no text is shown in short, however large or deep it is."""
    text = value if isinstance(value, str) else reprlib.repr(value) if value else ""
    return _legible(text[:most_characters])


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


def _named_items(problem: dict[str, Any]) -> Mapping[int, Sequence[Complaint]]:
    """What `errors` say, by the index that each `param` names (contract: "Error body")."""
    errors = problem.get("errors")
    named: dict[int, list[Complaint]] = {}
    for error in errors if isinstance(errors, list) else ():
        param = error.get("param") if isinstance(error, dict) else None
        found = _ITEM.match(param) if isinstance(param, str) else None
        if found is not None:
            named.setdefault(int(found[1]), []).append(_complaint(found.string[found.end() :], error))
    return named


def _complaint(field: str, error: dict[str, Any]) -> Complaint:
    return Complaint(
        _words(field, _MAX_WORD_CHARACTERS).strip(),
        _words(error.get("message"), _MAX_COMPLAINT_CHARACTERS).strip().rstrip("."),  # more may follow
        _word(error.get("code")),
    )


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
