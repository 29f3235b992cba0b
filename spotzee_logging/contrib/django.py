"""Django: the logged-in user, or who a function of yours says, is who is acting in each request.

    MIDDLEWARE = [..., "django.contrib.auth.middleware.AuthenticationMiddleware",
                  "spotzee_logging.contrib.django.contact_middleware"]

Under WSGI and under ASGI, with views of both kinds.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final

from spotzee_logging.contact import LazyContact, acting, replace_contact
from spotzee_logging.contrib.identify import (
    ContactFields,
    contact_of_fields,
    found_by,
    nobody_in_the_event_loop,
)
from spotzee_logging.errors import MissingLibrary
from spotzee_logging.foreign import attempt_async
from spotzee_logging.identity import NOBODY, Contact
from spotzee_logging.setting_kinds import function_of

try:
    from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
    from django import conf
    from django.utils.decorators import sync_and_async_middleware
except ImportError as error:
    raise MissingLibrary("spotzee_logging.contrib.django", "django") from error

_ASKED: Final = "_spotzee_asked"
"""Set on a request whose contact was looked for before the view."""


def logged_in_user(request: Any) -> ContactFields | None:
    """The user of the request, `external_id` its primary key as text; None where nobody is logged in."""
    user = getattr(request, "user", None)
    return {"external_id": str(user.pk)} if user is not None and user.is_authenticated else None


@sync_and_async_middleware  # type: ignore[untyped-decorator]
def contact_middleware(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Bind who is acting around each request; nobody is bound after it.

    The setting `SPOTZEE_CONTACT` is a function, or its place as text: it takes the request, and gives the fields of
    `contact(...)` as a dict, or None for nobody. Default: `logged_in_user`. It is asked with the first event that
    needs to know, so that a request without events touches no session; where the view is a coroutine function, in
    which the database cannot be asked, before the view.

    Raises `InvalidSettings` where it is neither, when Django makes its middleware.

    It may be a coroutine function. What that one says before a view of its kind then holds for the view: an event
    cannot wait, so a login in there is not seen, nor is anybody for an event of asynchronous middleware before it.
    """
    given = getattr(conf.settings, "SPOTZEE_CONTACT", None)
    # A text of nothing is what `os.environ.get("SPOTZEE_CONTACT", "")` gives.
    ways = _Ways(logged_in_user if given is None or given == "" else function_of("SPOTZEE_CONTACT", given))
    if iscoroutinefunction(get_response):

        async def around_async(request: Any) -> Any:
            with acting(ways.lazily(request)):
                return await get_response(request)

        around_async.process_view = ways.before_view_async  # type: ignore[attr-defined]  # where Django looks
        return around_async

    def around(request: Any) -> Any:
        with acting(ways.lazily(request)):
            return get_response(request)

    around.process_view = ways.before_view  # type: ignore[attr-defined]
    return around


class _Ways:
    """The ways to ask a function who is acting."""

    def __init__(self, identify: Callable[[Any], Any]) -> None:
        self._is_async = is_async = iscoroutinefunction(identify)
        self._ask: Callable[[Any], Any] = async_to_sync(identify) if is_async else identify
        self._ask_async: Callable[[Any], Awaitable[Any]] = identify if is_async else sync_to_async(identify)
        self._may_ask: Callable[[Any], bool] = _has_session if identify is logged_in_user else _always

    def lazily(self, request: Any) -> Contact:
        return LazyContact(functools.partial(self._find, request))

    def before_view(self, request: Any, view: Any, *_: Any) -> None:
        if iscoroutinefunction(view) and self._may_ask(request):
            with acting(NOBODY):  # what the function itself logs is nobody's
                who = self._find(request)
            _bind(request, who)

    async def before_view_async(self, request: Any, view: Any, *_: Any) -> None:
        if iscoroutinefunction(view) and self._may_ask(request):
            with acting(NOBODY):
                answer = await attempt_async(self._ask_async, request)
            _bind(request, contact_of_fields(*answer))

    def _find(self, request: Any) -> Contact:
        # Never from the loop's own thread: whoever waits there for a coroutine stops the loop that is to run it.
        if self._is_async and _is_in_an_event_loop():
            return NOBODY if hasattr(request, _ASKED) else nobody_in_the_event_loop()
        return found_by(self._ask, request)


def _bind(request: Any, who: Contact) -> None:
    setattr(request, _ASKED, True)
    # Where it is nobody the lazy one stays: a plain function finds whom the view logs in.
    if who is not NOBODY:
        replace_contact(who)


def _is_in_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _always(_: Any) -> bool:
    return True


def _has_session(request: Any) -> bool:
    return conf.settings.SESSION_COOKIE_NAME in request.COOKIES
