"""Every error of ours, each with what happened, to which event, and what to do.

An error names an event (its name and ids), never its data, and never holds an API key. One of a refusal has the words
of the server, which might repeat a value.
"""

from __future__ import annotations

from collections.abc import Iterable

from spotzee_logging import late

__all__ = [
    "DeliveryPaused",
    "EventDropped",
    "EventRejected",
    "InvalidEvent",
    "InvalidSettings",
    "MissingExtra",
    "MissingLibrary",
    "SpoolError",
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

    def __init__(  # noqa: PLR0913  named, and most of them None
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
    """An event breaks a rule of the API and is not sent; the message names the field and the remedy.

    :param field: the field that breaks the rule, as in `"user.timezone"`.
    """

    def __init__(self, message: str, *, field: str | None = None, **about: str | None) -> None:
        super().__init__(message, **about)
        self.field = field


class InvalidSettings(SpotzeeError, ValueError):
    """A setting is missing, unknown or out of its range; raised where the handler is made.

    :param setting: its name, or that of its environment variable.
    """

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


class MissingExtra(SpotzeeError, ImportError):
    """A feature needs a library that an optional extra installs.

    :param feature: what was asked for, as the subject of a sentence.
    :param extra: the extra that brings the library.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs more than is installed: pip install "spotzee-logging[{extra}]"')
        self.feature = feature
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        return type(self), (self.feature, self.extra)


class SpoolError(SpotzeeError, OSError):
    """A spool cannot be used; the message says why, and what to do. Its file is left as it was.

    :param path: the spool's file.
    """

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


class MissingLibrary(SpotzeeError, ImportError):
    """A module for a framework was imported where that framework is not installed.

    :param module: the module, as it was imported.
    :param library: the name under which pip installs what it needs.
    """

    def __init__(self, module: str, library: str) -> None:
        super().__init__(
            f"{module} is for programs that use {library}, which is not installed here: "
            f"pip install {library}, or import this module only where it is."
        )
        self.module = module
        self.library = library

    def __reduce__(self) -> tuple[type[MissingLibrary], tuple[str, str]]:
        return type(self), (self.module, self.library)


class EventRejected(SpotzeeError):
    """The API refused an event for good; it will not be sent again. Handed to `on_error`, never raised.

    The message holds what the API says of this very event: each field with its words, where it names such.
    """


class DeliveryPaused(SpotzeeError):
    """The API takes no events until something is set right; they are kept, and it is asked once a minute.

    Handed to `on_error`, once a pause and without an event; never raised.
    """


class EventDropped(SpotzeeError):
    """An event was given up before it was delivered: by a bound, a hook, or the end of the process.

    Handed to `on_error`, never raised.
    """


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A question that names the closest of `known` (`" Did you mean external_id?"`), or nothing.

    `externalId` and `flushLevel` are taken for `external_id` and `flush_level`, as people used to other
    APIs, and to logging's own names, write them.
    """
    if not isinstance(word, str):
        return ""
    closest = late.module("difflib").get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.6)
    return f" Did you mean {closest[0]}?" if closest else ""
