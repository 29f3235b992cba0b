"""`EventFormatter`: a tagged record becomes an `Event`, and an event its line of JSON."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MethodType
from typing import Any, Final, NoReturn

from pythonjsonlogger.core import RESERVED_ATTRS, BaseJsonFormatter

from spotzee_logging import timestamps
from spotzee_logging.contact import RECORD_ATTRIBUTE, contact_of
from spotzee_logging.encoding import encode_event
from spotzee_logging.errors import InvalidEvent
from spotzee_logging.event import Event, check_event, check_rest, fields_of, without_nulls
from spotzee_logging.identity import CONTACT_FIELDS, NOBODY, plain_user

TAG: Final = "spotzee_event"
"""The attribute that makes a record an event: a mapping (`EventTag`), a name, or an `Event`."""

# `taskName` from Python 3.12 on: a record may come here from a newer Python through a queue.
_NEVER_DATA: Final = frozenset({*RESERVED_ATTRS, "taskName", TAG, RECORD_ATTRIBUTE, *CONTACT_FIELDS})

# The attributes that every record has, in the order that logging sets them.
_OF_EVERY_RECORD: Final = [*vars(logging.LogRecord("", 0, "", 0, "", (), None))]

# The same of a structlog event, with what structlog itself puts there.
_NEVER_DATA_OF_STRUCTLOG: Final = frozenset({TAG, *CONTACT_FIELDS, "event", "exc_info", "stack_info"})
_NEVER_DATA_OF_LOGURU: Final = frozenset({TAG, *CONTACT_FIELDS})


def is_tagged(record: logging.LogRecord) -> bool:
    """Whether the record is an event: by its own attribute, or by a field that another library left on it."""
    return record.__dict__.get(TAG) is not None or _fields_inside(record) is not None


def _fields_inside(record: logging.LogRecord) -> tuple[Mapping[Any, Any], frozenset[str]] | None:
    """The fields of a tagged event of another logging library, and those that are never its data.

    structlog's `ProcessorFormatter.wrap_for_formatter` makes its event the record's message; loguru leaves what
    was bound in one attribute, `extra`.
    """
    message, extra = record.msg, record.__dict__.get("extra")
    if isinstance(message, dict) and message.get(TAG) is not None:
        return message, _NEVER_DATA_OF_STRUCTLOG
    if isinstance(extra, dict) and extra.get(TAG) is not None:
        return extra, _NEVER_DATA_OF_LOGURU
    return None


class EventFormatter(BaseJsonFormatter):
    """Makes the event of a tagged record; a python-json-logger formatter whose fields are the event's data.

    :param fmt: attributes of the record that go into the data, in logging's way (`"%(levelname)s"`) or as a
        sequence of names. Default: none.
    :param datefmt: how `asctime` is written where `fmt` names it.
    :param style: how `fmt` is written: `%`, `{`, `$` or `,`.
    :param validate: whether `fmt` is checked against `style`.
    :param rename_fields: new names for fields of the data, old name to new.
    :param static_fields: fields that every event's data gets; the call's own fields win.
    :param defaults: the same, under `static_fields`.
    :param reserved_attrs: names of extras that stay out of a short tag's data, besides logging's own
        and those that start with `_`.

    `format(record)` gives the event as one line of JSON, so that on a `FileHandler` it writes an event log.
    `format` is the method to override: a handler asks it too, and checks again what it returns. An override of
    `fields` is asked as well, by `format` and by handlers, but what it adds to the fields is not checked.
    python-json-logger's own hooks, `add_fields`, `process_log_record` and `jsonify_log_record`, are not asked.
    """

    def __init__(  # noqa: PLR0913  those of python-json-logger that act on an event
        self,
        fmt: str | Sequence[str] | None = None,
        datefmt: str | None = None,
        style: str = "%",
        validate: bool = True,
        *,
        rename_fields: Mapping[str, str] | None = None,
        static_fields: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
        reserved_attrs: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            () if fmt is None else fmt,  # the base would read None as "%(message)s"
            datefmt,
            style,
            validate,
            rename_fields=dict(rename_fields or {}),
            static_fields=dict(static_fields or {}),
            defaults=dict(defaults or {}),
            reserved_attrs=[*_NEVER_DATA, *(reserved_attrs or ())],
        )
        self._kept_out = frozenset(reserved_attrs or ())
        self._takes_data_as_it_is = not (
            self.rename_fields or self.static_fields or self.defaults or self._required_fields
        )

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """The fields of a tagged record's event, checked, with what they take from the contact.

        Changes neither the record nor what it holds. Raises `InvalidEvent` where the tag breaks a rule of
        the API, or where there is none.
        """
        fields = self._shared_fields(record)
        fields["user"] = plain_user(fields.get("user"))
        return without_nulls(fields)

    def _shared_fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """The same, not to be changed: the user fields may be those of every event of a contact."""
        tag: Any = record.__dict__.get(TAG)
        is_common = type(tag) is dict and self._takes_data_as_it_is
        fields = tag.copy() if is_common else self._tagged(record, tag)
        contact = contact_of(record)
        if contact is not NOBODY and contact.apply_to(fields):
            check_rest(fields)
        else:
            check_event(fields)
        if "created_at" not in fields:
            fields["created_at"] = timestamps.from_epoch(record.created)
        return fields

    def format(self, record: logging.LogRecord) -> str:
        """The event of a tagged record as one line of JSON. Raises `InvalidEvent` as `fields` does, and where it is
        larger than any that a handler of this process sends.
        """
        return encode_event(self.fields(record)).decode()

    def _tagged(self, record: logging.LogRecord, tag: Any) -> dict[str, Any]:
        attributes: Mapping[Any, Any] = record.__dict__
        reserved: Collection[str] = self.reserved_attrs
        if tag is None:
            inside = _fields_inside(record)
            if inside is not None:
                attributes, reserved = inside[0], inside[1] | self._kept_out
                tag = attributes[TAG]
        if isinstance(tag, str):
            return self._of_short_tag(record, tag, attributes, reserved)
        if isinstance(tag, dict) or isinstance(tag, Mapping):  # noqa: SIM101  Mapping's own test is slow
            fields = {**tag}
        elif isinstance(tag, Event):
            fields = fields_of(tag)
        else:
            _refuse_tag(tag)
        if not self._takes_data_as_it_is:
            data = fields.get("data")
            if data is None or isinstance(data, Mapping):
                fields["data"] = self._data(record, {} if data is None else data)
        return fields

    def _of_short_tag(
        self,
        record: logging.LogRecord,
        name: str,
        attributes: Mapping[Any, Any],  # `extra` may hold keys of any type
        reserved: Collection[str],
    ) -> dict[str, Any]:
        fields: dict[str, Any] = {"name": name}
        data: dict[Any, Any] = {}
        for key in _extras(attributes):
            if key not in reserved:
                if not (isinstance(key, str) and key[:1] == "_"):
                    data[key] = attributes[key]
            elif key in CONTACT_FIELDS and attributes[key] is not None:
                value = attributes[key]
                # Programs put a name, or a user object, under `user`: that is no profile, and data as other extras.
                is_data = key == "user" and not isinstance(value, Mapping)
                if not (is_data and key in self._kept_out):
                    (data if is_data else fields)[key] = value
        if not self._takes_data_as_it_is:
            data = self._data(record, data)
        if data:
            fields["data"] = data
        return fields

    def _data(self, record: logging.LogRecord, given: Mapping[str, Any]) -> dict[str, Any]:
        """python-json-logger's order: defaults, what `fmt` names, static fields, then what the call gave."""
        named = {field: self._attribute(record, field) for field in self._required_fields}
        fields = {**self.defaults, **named, **self.static_fields, **given}
        return {self.rename_fields.get(field, field): value for field, value in fields.items()}

    def _attribute(self, record: logging.LogRecord, field: str) -> Any:
        if field == "message":
            return record.msg.get("event") if isinstance(record.msg, dict) else record.getMessage()
        if field == "asctime":
            return self.formatTime(record, self.datefmt)
        return getattr(record, field, None)


# As it is written above: a test of the program's, or a library that traces it, may put another in its place.
_FIELDS: Final = EventFormatter.fields


def fields_to_encode(formatter: EventFormatter) -> Callable[[logging.LogRecord], dict[str, Any]]:
    """The formatter's `fields` for who only writes them: a contact's may be the same for all its events."""
    # One of the program's own may change what it gets.
    return formatter._shared_fields if _has_our_fields(formatter) else formatter.fields  # noqa: SLF001  of this module


def reads_tag_alone(formatter: EventFormatter) -> bool:
    """Whether no more of a record is read than its time, its tag and its contact, and by no code of the program's."""
    is_plain = type(formatter) is EventFormatter and formatter._takes_data_as_it_is  # noqa: SLF001  as above
    return is_plain and _has_our_fields(formatter)


def _has_our_fields(formatter: EventFormatter) -> bool:
    # By identity: what wrapt puts in the place of a method says that it equals that.
    fields = formatter.fields
    return type(fields) is MethodType and fields.__func__ is _FIELDS


def _extras(attributes: Mapping[Any, Any]) -> list[Any]:
    """The names of a record's attributes, without logging's own where these stand together in front.

    So they do on all but records that others have changed; to look at each of the two dozen takes 1 µs.
    """
    names = [*attributes]
    count = len(_OF_EVERY_RECORD)
    return names[count:] if names[:count] == _OF_EVERY_RECORD else names


def _refuse_tag(tag: object) -> NoReturn:
    got = "has no spotzee_event" if tag is None else f"has a spotzee_event of type {type(tag).__name__}"
    raise InvalidEvent(
        f'a record {got}. Tag it with a mapping ({{"name": ..., "external_id": ...}}) or a name, '
        "or keep it from this formatter by a filter.",
        field=TAG,
        reason="invalid_event",
    )
