"""A tagged record becomes the bytes of its event, or ends here, counted and told of."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, cast

from spotzee_logging.encoding import decode_event, decode_fields
from spotzee_logging.errors import EventDropped, InvalidEvent
from spotzee_logging.event import Event, check_event, describe, fields_of, named, too_large, without_nulls
from spotzee_logging.foreign import attempt, how_raised
from spotzee_logging.formatter import EventFormatter, fields_to_encode, reads_tag_alone
from spotzee_logging.plain_values import bound
from spotzee_logging.redaction import Redaction

if TYPE_CHECKING:
    from spotzee_logging.reporting import Reporter
    from spotzee_logging.setting_types import BeforeSend
    from spotzee_logging.settings import Settings

ROOM_FOR_HOOK: Final = 4
"""How many times `max_event_bytes` an event may take before `before_send`, which may take something away."""


class Intake:
    """Makes events of records, by a formatter, the hook `before_send` and the bound of an event's size.

    :param settings: the hook and the bound, and whether events are accepted at all.
    :param reporter: counts, and tells of, what ends here.
    """

    def __init__(self, settings: Settings, reporter: Reporter) -> None:
        self._reporter = reporter
        self._before_send = cast("BeforeSend | None", settings.before_send)
        self._is_disabled = settings.disabled
        self._encode = Redaction(settings.redact or ()).encode
        self._most_bytes = settings.max_event_bytes
        self._most_bytes_read = self._most_bytes * (1 if self._before_send is None else ROOM_FOR_HOOK)
        bound.raise_to(self._most_bytes_read)
        self.take_formatter(EventFormatter())

    def take_formatter(self, formatter: EventFormatter) -> None:
        """Make events by this formatter from now on."""
        self._formatter = formatter
        # A subclass's own format() has the last word on what an event is.
        has_own_format = type(formatter).format is not EventFormatter.format
        self._fields_of_record = self._fields_by_format if has_own_format else fields_to_encode(formatter)
        self.reads_tag_alone = reads_tag_alone(formatter)

    def take(self, record: logging.LogRecord) -> tuple[bytes, str] | None:
        """The event's bytes and its contact; None where it ends here. Raises `InvalidEvent`."""
        fields, body = self._encode(self._fields_of_record(record), self._most_bytes_read)
        if self._before_send is not None:
            if len(body) > self._most_bytes_read:
                raise too_large(
                    fields, f"{len(body)} bytes, and before_send gets at most {self._most_bytes_read}"
                )
            replaced = self._hooked(self._before_send, decode_event(body))
            if replaced is None:
                return None
            # Redacted once more: the hook may have looked something up.
            fields, body = self._encode(replaced, self._most_bytes)
        if len(body) > self._most_bytes:
            raise too_large(fields, f"{len(body)} bytes, and at most {self._most_bytes} are sent")
        if self._is_disabled:
            self._reporter.ledger.turn_away(dropped="disabled")
            return None
        return body, fields.get("external_id") or fields["anonymous_id"]

    def _fields_by_format(self, record: logging.LogRecord) -> dict[str, Any]:
        fields = without_nulls(self._fields_in(self._formatter.format(record)))
        check_event(fields)
        return fields

    def _fields_in(self, text: str) -> dict[str, Any]:
        try:
            return decode_fields(text)
        except (ValueError, TypeError):
            raise InvalidEvent(
                f"a tagged record: format of {type(self._formatter).__name__} returned no event as JSON. Return what "
                "EventFormatter.format returns, changed by json.loads and json.dumps.",
                reason="formatter_error",
            ) from None

    def _hooked(self, before_send: BeforeSend, event: Event) -> dict[str, Any] | None:
        """The fields of what the hook makes of an event; None where it drops it, or fails."""
        result, failure = attempt(before_send, event)
        if failure is None and isinstance(result, Event):
            fields = fields_of(result)
            check_event(fields)
            return fields
        if failure is None and result is None:
            self._reporter.ledger.turn_away(dropped="before_send")
            return None
        returned = f"returned {type(result).__name__}. It must return an Event or None"
        problem = (
            returned if failure is None else f"{how_raised(failure)}. Mend it: what it fails for is not sent"
        )
        about = fields_of(event)
        message = f"{describe(about)}: dropped, before_send {problem}."
        self._reporter.turned_away(EventDropped(message, reason="before_send_error", **named(about)), event)
        return None
