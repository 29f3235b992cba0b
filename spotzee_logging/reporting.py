"""Every event that is not delivered is counted, told to `on_error`, and said: all three, here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.encoding import decode_event
from spotzee_logging.errors import DeliveryPaused, EventDropped, EventRejected, SpotzeeError
from spotzee_logging.event import Event, describe, fields_of, named
from spotzee_logging.foreign import attempt, how_raised
from spotzee_logging.setting_types import OnError
from spotzee_logging.stats import Ledger

MOST_REASONS: Final = 50
"""How many of a server's codes are counted by themselves; the API has 20."""

OTHER_REASON: Final = "other"


class Reporter:
    """Ends events in the ledger, and tells the program of each."""

    def __init__(self, ledger: Ledger, diagnostics: Diagnostics, on_error: OnError | None) -> None:
        self.ledger = ledger
        self.diagnostics = diagnostics
        self._on_error = on_error
        self._telling = threading.local()
        self._reasons_of_rejections: set[str] = set()
        self._reasons_of_pauses: set[str] = set()

    def begin_anew(self) -> None:
        """Start from zero: in a forked child."""
        self.ledger.begin_anew()
        self.diagnostics.begin_anew()

    def turned_away(self, error: SpotzeeError, event: Event | None = None) -> None:
        """An event ended before it was pending: `error` says why, and under which reason."""
        reason = error.reason or type(error).__name__
        if isinstance(error, EventDropped):
            self.ledger.turn_away(dropped=reason)
        else:
            self.ledger.turn_away(rejected=reason)
        self._tell(event, error)
        self.diagnostics.say(reason, logging.WARNING, str(error))

    def paused(self, error: DeliveryPaused) -> None:
        """Delivery has paused: told once a pause."""
        self._tell(None, error)

    def say_paused(self, error: DeliveryPaused, meanwhile: str) -> bool:
        """Say it loudly, with what goes on meanwhile; whether it was said, as it is once a reason and minute."""
        kind = f"paused, {_kept_under(error.reason or '', self._reasons_of_pauses)}"
        return self.diagnostics.say(kind, logging.ERROR, f"{error} {meanwhile}.")

    def rejected(self, bodies: Sequence[bytes], reason: str, why: str, request_id: str | None) -> None:
        """Pending events were refused for good by the server, whose words `why` are."""
        counted = _kept_under(reason, self._reasons_of_rejections)
        self.ledger.reject(counted, len(bodies))

        def error_of(event: Event) -> SpotzeeError:
            fields = fields_of(event)
            message = f"{describe(fields)}: rejected, {why}"
            return EventRejected(message, reason=reason, request_id=request_id, **named(fields))

        self._tell_each(bodies, counted, error_of)

    def dropped(self, bodies: Sequence[bytes], reason: str, why: str) -> None:
        """Pending events were given up; `why` says why and what to do. What the exit drops it says itself."""
        self.ledger.drop(reason, len(bodies))
        kind = None if reason == "shutdown" else reason
        self._tell_each(bodies, kind, lambda event: _dropped(event, reason, why))

    def not_held(self, body: bytes, reason: str, why: str) -> None:
        """An event that was made found no place to wait in: it is accepted and given up, in one step."""
        self.ledger.turn_away(dropped=reason)
        self._tell_each([body], reason, lambda event: _dropped(event, reason, why))

    def _tell_each(
        self, bodies: Sequence[bytes], kind: str | None, error_of: Callable[[Event], SpotzeeError]
    ) -> None:
        """Tell `on_error` of each, and say a line; the events are only read where somebody hears of them."""
        for body in bodies:
            is_due = kind is not None and self.diagnostics.is_due(kind)
            if not is_due and self._on_error is None:
                continue
            event = decode_event(body)
            error = error_of(event)
            self._tell(event, error)
            if kind is not None and is_due:
                self.diagnostics.say_now(kind, logging.WARNING, str(error))

    def _tell(self, event: Event | None, error: SpotzeeError) -> None:
        # An on_error that logs what is lost again would be told of itself, without end: it is only counted.
        if self._on_error is None or getattr(self._telling, "is_on", False):
            return
        self._telling.is_on = True
        try:
            _, failure = attempt(self._on_error, event, error)
        finally:
            self._telling.is_on = False
        if failure is not None:
            self.diagnostics.say(
                "on_error",
                logging.ERROR,
                f"on_error {how_raised(failure)}; what it was told stands",
            )


def _kept_under(word: str, known: set[str]) -> str:
    """The server's word, or where it has had too many of them one for all others: each is kept, and says lines."""
    if word not in known and len(known) >= MOST_REASONS:
        return OTHER_REASON
    known.add(word)
    return word


def _dropped(event: Event, reason: str, why: str) -> SpotzeeError:
    fields = fields_of(event)
    return EventDropped(f"{describe(fields)}: dropped, {why}", reason=reason, **named(fields))
