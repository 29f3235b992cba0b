"""Every error of ours, each with what happened, to which event, and what to do.

An error names an event (its name and ids), never its data, and never holds an API key.
"""

from __future__ import annotations

__all__ = [
    "EventDropped",
    "EventRejected",
    "InvalidEvent",
    "InvalidSettings",
    "MissingExtra",
    "SpotzeeError",
]


class SpotzeeError(Exception):
    """The root of every error that `spotzee_logging` raises or hands to `on_error`.

    :param message: what happened and what to do about it.
    :param event_name: the `name` of the event it is about, where there is one.
    :param external_id: that event's `external_id`.
    :param anonymous_id: that event's `anonymous_id`.
    :param request_id: the server's id of the request, for its support, where it answered.
    :param reason: the word that `Stats` counts it under.
    """

    def __init__(
        self,
        message: str,
        *,
        event_name: str | None = None,
        external_id: str | None = None,
        anonymous_id: str | None = None,
        request_id: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.event_name = event_name
        self.external_id = external_id
        self.anonymous_id = anonymous_id
        self.request_id = request_id
        self.reason = reason


class InvalidEvent(SpotzeeError, ValueError):
    """An event breaks a rule of the API and was not accepted; the message names the field and the remedy."""


class InvalidSettings(SpotzeeError, ValueError):
    """A setting is missing, unknown or out of its range; raised where the handler is made."""


class MissingExtra(SpotzeeError, ImportError):
    """A feature needs a library that an optional extra installs; the message names the extra."""


class EventRejected(SpotzeeError):
    """The API refused an event for good; it will not be sent again."""


class EventDropped(SpotzeeError):
    """An event was given up before it was delivered: by a bound, a hook, or the end of the process."""
