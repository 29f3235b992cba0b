"""`Event`, and every rule that the API has for one, as data (contract: events-api.md, "Request").

On its way an event is a dict of its fields, the JSON object that it will be; `Event` is what users' hooks
are handed, and may hand back.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, NoReturn, TypedDict

from spotzee_logging import late, timestamps
from spotzee_logging.errors import InvalidEvent, did_you_mean

MOST_BYTES: Final = 256 * 1024
"""What an event takes at most where the setting `max_event_bytes` says nothing else; the API documents no bound."""


ARRAY_BRACKETS_BYTES: Final = 2
"""What a request's body has around its events; between two of them it has one byte more."""


class UserFields(TypedDict, total=False):
    """Profile fields that an event sets on its contact, all optional."""

    email: str | None
    phone: str | None
    timezone: str | None
    locale: str | None
    data: Mapping[str, Any] | None


class _Named(TypedDict):
    name: str


class EventTag(_Named, total=False):
    """The mapping form of `extra={"spotzee_event": ...}`: an event as the API defines it."""

    external_id: str | None
    anonymous_id: str | None
    data: Mapping[str, Any] | None
    user: UserFields | None
    created_at: datetime | str | None


@dataclass(frozen=True)
class Event:
    """One fact about one contact, as `POST /events` takes it.

    :param name: stable and machine-readable; snake_case past tense by custom (`order_placed`).
    :param external_id: the contact's id in your system. This or `anonymous_id` must be there;
        both together link the two identities for good.
    :param anonymous_id: the contact's id from before it was known.
    :param data: the payload, free-form; shallow is easier to segment on.
    :param user: profile fields applied with the event (see `UserFields`).
    :param created_at: when it happened: a datetime (naive: UTC) or an ISO 8601 text.

    Making one checks nothing; the handler checks what `before_send` returns, and a tag.
    """

    name: str
    external_id: str | None = None
    anonymous_id: str | None = None
    data: Mapping[str, Any] | None = None
    user: Mapping[str, Any] | None = None
    created_at: datetime | str | None = None


class TooLarge:
    """Stands for a value that no event could hold that is sent: the event that holds it is too large.

    :param most_bytes: what the value alone would take more than.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes

    def __repr__(self) -> str:
        return f"<more than {self.most_bytes} bytes>"


def fields_of(event: Event) -> dict[str, Any]:
    """The fields that the event has, as a new dict."""
    return without_nulls(vars(event))


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are there: the API takes null for most, and it says the same as leaving one out."""
    return {field: value for field, value in fields.items() if value is not None}


def check_event(fields: dict[str, Any]) -> None:
    """Hold an event's fields to the API's rules; a given `created_at` becomes ISO 8601 with an offset.

    Fields of None are taken out: that says the same as leaving them out. Raises `InvalidEvent`, which names
    the field, the type it got and the remedy.
    """
    if not is_plainly_right(fields):
        _check_by_rules(fields)
    if "created_at" in fields:
        fields["created_at"] = _iso_time(fields, fields["created_at"])


def check_rest(fields: dict[str, Any]) -> None:
    """As `check_event`, of an event whose ids and user fields are known to keep the rules: in half of the time."""
    name = fields.get("name")
    if not (
        type(name) is str
        and name
        and name.isascii()
        and type(fields.get("data", _EMPTY)) is dict
        and _WITHOUT_TIME.issuperset(fields)
    ):
        check_event(fields)


def too_large(fields: Mapping[str, Any], size: str) -> InvalidEvent:
    """The error of an event that takes more bytes than are sent; `size` says how many."""
    return InvalidEvent(
        f"{describe(fields)}: takes {size}. Put less into data (what stands in several places counts in each), "
        "or raise max_event_bytes.",
        field="data",
        reason="event_too_large",
        **named(fields),
    )


def more_than(most_bytes: int) -> str:
    """The size of what was not written to its end."""
    return f"more than {most_bytes} bytes"


def describe(fields: Mapping[str, Any]) -> str:
    """Which event: its name and ids, where they are texts, and never its data."""
    name = _text(fields, "name")
    nameless = (
        "an event whose name is no text" if "name" in fields and name is None else "an event without a name"
    )
    what = f"event {name[:100]!r}" if name else nameless
    ids = [(field, _text(fields, field)) for field in ("external_id", "anonymous_id")]
    who = ", ".join(f"{field} {value[:100]!r}" for field, value in ids if value)
    return f"{what} ({who})" if who else what


def named(fields: Mapping[str, Any]) -> dict[str, str | None]:
    """What an error carries of an event: `event_name`, `external_id` and `anonymous_id`."""
    return {
        "event_name": _text(fields, "name"),
        "external_id": _text(fields, "external_id"),
        "anonymous_id": _text(fields, "anonymous_id"),
    }


class Unresolved:
    """Stands in an event for an id that was named and not found.

    :param problem: how, in an error's words: `was not found at the call`.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem


class Rule(NamedTuple):
    """What one field must be, and what to do where it is not."""

    type: Any
    words: str
    remedy: str
    min_length: int = 0
    max_length: int = sys.maxsize
    accepts: Callable[[Any], bool] | None = None
    problem: str = ""

    def broken_by(self, value: Any) -> str | None:
        """What is wrong with `value`, without a word of it; None where nothing is."""
        if isinstance(value, Unresolved):
            return value.problem
        if not isinstance(value, self.type):
            return f"must be {self.words}, got {type(value).__name__}"
        if not isinstance(value, datetime) and len(value) < self.min_length:
            return "is empty"
        if not isinstance(value, datetime) and len(value) > self.max_length:
            return f"has {len(value)} characters, and at most {self.max_length} are allowed"
        return self.problem if self.accepts is not None and not self.accepts(value) else None


def _check_by_rules(fields: dict[str, Any]) -> None:
    for field in [field for field, value in fields.items() if value is None]:
        del fields[field]
    _check_each(fields, fields, EVENT_RULES, "")
    if "name" not in fields:
        _refuse(fields, "name", "is missing", EVENT_RULES["name"].remedy)
    if "external_id" not in fields and "anonymous_id" not in fields:
        _refuse(fields, "external_id", "is missing, and so is anonymous_id", _ID.remedy)
    if "user" in fields:
        _check_each(fields, fields["user"], USER_RULES, "user.")


def _check_each(
    event: Mapping[str, Any], fields: Mapping[str, Any], rules: Mapping[str, Rule], prefix: str
) -> None:
    for field, value in fields.items():
        if field not in rules:
            _refuse_unknown(event, field, rules, prefix)
        problem = None if value is None and prefix else rules[field].broken_by(value)
        if problem is not None and isinstance(value, TooLarge):
            raise too_large(event, more_than(value.most_bytes))
        if problem is not None:
            _refuse(event, prefix + field, problem, rules[field].remedy)


def is_plainly_right(fields: dict[str, Any]) -> bool:  # noqa: PLR0911  each is a rule that may not be kept
    """Whether the event surely keeps every rule, as most do; where it may not, the tables decide.

    This runs in the caller's thread for every event, and takes 0.5 µs where the tables take 4: one function that
    asks for each field by its name, since a loop over them would take twice as long, and each call within it a
    tenth. A test holds that it lets nothing pass that they refuse.
    """
    get = fields.get
    name, external_id, anonymous_id = get("name"), get("external_id", _ABSENT), get("anonymous_id", _ABSENT)
    if not (
        type(name) is type(external_id) is type(anonymous_id) is str and _EVENT_FIELDS.issuperset(fields)
    ):
        return False
    if external_id is anonymous_id or not (name and external_id and anonymous_id):
        return False
    if not (name.isascii() and external_id.isascii() and anonymous_id.isascii()):
        return False
    user = get("user", _EMPTY)
    if not (type(get("data", _EMPTY)) is type(user) is dict and type(get("created_at", _ABSENT)) is str):
        return False
    if not user:
        return True
    get = user.get
    zone, locale = get("timezone", _ABSENT), get("locale", _ABSENT)
    if not (type(zone) is type(locale) is type(get("email", _ABSENT)) is type(get("phone", _ABSENT)) is str):
        return False
    if (
        type(get("data", _EMPTY)) is not dict
        or not _USER_FIELDS.issuperset(user)
        or len(locale) > _MOST_LOCALE
    ):
        return False
    return "timezone" not in user or (len(zone) <= _MOST_ZONE and _is_time_zone(zone))


def _iso_time(fields: Mapping[str, Any], created_at: datetime | str) -> str:
    try:
        if isinstance(created_at, str):
            return timestamps.from_text(created_at)
        return timestamps.from_datetime(created_at)
    except (ValueError, OverflowError):
        _refuse(
            fields,
            "created_at",
            "is no time in a readable form of ISO 8601",
            EVENT_RULES["created_at"].remedy,
        )


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@functools.lru_cache(maxsize=1024)
def _is_time_zone(name: str) -> bool:
    """Whether the IANA database has `name`; where a machine has no database, every name passes."""
    return _has_zone(name) or not _has_zone("Etc/UTC")


def _has_zone(name: str) -> bool:
    zoneinfo: Any = late.module("zoneinfo")
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


# An empty id would put every contact without one into the same profile, and one with its odd characters
# replaced would meet others: both are refused, though the API would take them.
_ID: Final = Rule(
    str,
    "a string",
    'Give the contact\'s id as a string, as in external_id="cust_001", or bind it with '
    "contact(external_id=...) around the call; leave an unknown id out.",
    min_length=1,
    accepts=_is_unicode,
    problem="holds half of a surrogate pair, which is no Unicode text",
)

EVENT_RULES: Final[Mapping[str, Rule]] = {
    "name": Rule(
        str,
        "a string",
        'Name the event, as in "order_placed".',
        min_length=1,
        accepts=_is_unicode,
        problem=_ID.problem,
    ),
    "external_id": _ID,
    "anonymous_id": _ID,
    "data": Rule(Mapping, "a mapping", 'Give the payload as a dict, as in data={"total": 129.5}.'),
    "user": Rule(Mapping, "a mapping", 'Give profile fields as a dict, as in user={"email": ...}.'),
    "created_at": Rule(
        (datetime, str),
        "a datetime or an ISO 8601 text",
        'Give a datetime or a text like "2026-04-28T05:14:00Z", or leave it out for the time of the call.',
    ),
}
"""The fields of an event. `name` and one of the ids must be there; a field that is not here is refused."""

USER_RULES: Final[Mapping[str, Rule]] = {
    "email": Rule(str, "a string", "Give it as a string or leave it out."),
    "phone": Rule(str, "a string", 'Give it as a string in E.164, as in "+61400123456", or leave it out.'),
    "timezone": Rule(
        str,
        "a string",
        'Give an IANA name, as in "Australia/Sydney", or leave it out.',
        max_length=50,
        accepts=_is_time_zone,
        problem="is unknown to this machine's time zone database",
    ),
    "locale": Rule(str, "a string", 'Give a BCP 47 tag, as in "en-AU", or leave it out.', max_length=255),
    "data": Rule(Mapping, "a mapping", 'Give custom attributes as a dict, as in {"plan": "pro"}.'),
}
"""The fields of an event's `user`; each may be None."""


# What `is_plainly_right` and `check_rest` read of the tables.
_EVENT_FIELDS: Final = frozenset(EVENT_RULES)
_WITHOUT_TIME: Final = _EVENT_FIELDS - {"created_at"}
_USER_FIELDS: Final = frozenset(USER_RULES)
_MOST_ZONE: Final = USER_RULES["timezone"].max_length
_MOST_LOCALE: Final = USER_RULES["locale"].max_length
_ABSENT: Final = "-"
_EMPTY: Final[Mapping[str, Any]] = {}


def _refuse(fields: Mapping[str, Any], field: str, problem: str, remedy: str) -> NoReturn:
    message = f"{describe(fields)}: {field} {problem}. {remedy}"
    raise InvalidEvent(message, field=field, reason="invalid_event", **named(fields))


def _refuse_unknown(
    fields: Mapping[str, Any], key: object, known: Mapping[str, Rule], prefix: str
) -> NoReturn:
    shown = f"{prefix}{key[:100]}" if isinstance(key, str) else f"a key of type {type(key).__name__}"
    listed = ", ".join(prefix + name for name in known)
    remedy = f"{did_you_mean(key, known)} The API knows {listed}; what is yours goes into {prefix}data."
    _refuse(fields, shown, "is no field of an event", remedy.lstrip())


def _text(fields: Mapping[str, Any], field: str) -> str | None:
    value = fields.get(field)
    return value if isinstance(value, str) else None
