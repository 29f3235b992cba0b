"""Who is acting, by a function of the user's: what the modules for frameworks share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, TypedDict

from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.event import UserFields
from spotzee_logging.foreign import attempt, how_raised
from spotzee_logging.identity import NOBODY, Contact, make_contact

_diagnostics: Final = Diagnostics()


class ContactFields(TypedDict, total=False):
    """What such a function gives: the fields of `contact(...)`, as a dict."""

    external_id: str | None
    anonymous_id: str | None
    user: UserFields | None


def found_by(identify: Callable[..., ContactFields | None], *arguments: Any) -> Contact:
    """The contact that `identify` gives for these arguments; nobody, and said, where it fails. Never raises."""
    return contact_of_fields(*attempt(identify, *arguments))


def contact_of_fields(fields: object, failure: Exception | None = None) -> Contact:
    """The contact of what such a function gave, or of how it failed. Never raises."""
    if fields is None and failure is None:
        return NOBODY
    problem = how_raised(failure) if failure is not None else f"gave {type(fields).__name__}"
    if isinstance(fields, Mapping):
        made, failure = attempt(lambda: make_contact(**fields))
        if made is not None:
            return made
        problem = f"gave fields that no contact has ({', '.join(map(str, fields))})"
    _diagnostics.say(
        "identify",
        logging.WARNING,
        f"the function that says who is acting {problem}: events have no contact. "
        'It must give a dict such as {"external_id": "cust_001"}, or None.',
    )
    return NOBODY


def nobody_in_the_event_loop() -> Contact:
    """Nobody, and said: an event in the event loop needs to know who is acting, and a coroutine function would tell."""
    _diagnostics.say(
        "identify_in_the_event_loop",
        logging.WARNING,
        "an event was logged in the event loop outside of a view, where the coroutine function that says who is acting "
        "cannot be awaited: it has no contact. Bind contact(...) around the call, or make it a plain function.",
    )
    return NOBODY
