"""Flask: who is acting, bound for each request of an application."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from spotzee_logging.contact import LazyContact, replace_contact
from spotzee_logging.contrib.identify import ContactFields, found_by
from spotzee_logging.errors import MissingLibrary
from spotzee_logging.setting_kinds import plain_function_of

try:
    from flask import Flask, Request, appcontext_pushed, g, request
except ImportError as error:
    raise MissingLibrary("spotzee_logging.contrib.flask", "flask") from error

_EXTENSION: Final = "spotzee_logging"
_WHO: Final = "_spotzee_contact"
_OUTER: Final = "_spotzee_contact_before"


def bind_contacts(app: Flask, identify: Callable[[Request], ContactFields | None]) -> None:
    """Bind who is acting from the start of each request of `app` to its end; nobody is bound after it.

    :param identify: takes the request, and gives the fields of `contact(...)` as a dict, or None for nobody. It is
        asked with the first event that needs to know, while the request is there: `g` and `session` can be read.

    Call it before other functions are registered that log events before a request. Where `identify` fails, events
    have no contact, and a line a minute says so. A second call for the same application replaces the first.
    Raises `InvalidSettings` where `identify` cannot be called, or only awaited.
    """
    is_bound = _EXTENSION in app.extensions
    app.extensions[_EXTENSION] = plain_function_of("identify", identify)
    if is_bound:
        return  # bound twice, the request's own contact would be taken for who acts around it, and act after it

    def begin() -> None:
        current = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  what a proxy has for it
        setattr(g, _WHO, LazyContact(functools.partial(found_by, app.extensions[_EXTENSION], current)))
        resume(app)

    def resume(_: Flask, **__: Any) -> None:
        # A streamed response is made after the request's end, in its context pushed again.
        who = g.get(_WHO)
        if who is not None:
            setattr(g, _OUTER, replace_contact(who))

    def end(_: BaseException | None) -> None:
        outer = g.pop(_OUTER, None)
        if outer is not None:
            replace_contact(outer)

    app.before_request(begin)
    app.teardown_request(end)
    appcontext_pushed.connect(resume, app, weak=False)
