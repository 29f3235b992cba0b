"""ASGI: who is acting, bound for each request and websocket of FastAPI, Starlette and any other application.

It needs no library: an ASGI application is a function of three arguments.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from spotzee_logging import lifecycle
from spotzee_logging.contact import LazyContact, acting
from spotzee_logging.contrib.identify import ContactFields, contact_of_fields, found_by
from spotzee_logging.contrib.serverless import beside_the_loop
from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.foreign import attempt_async, is_async
from spotzee_logging.identity import NOBODY, Contact
from spotzee_logging.setting_kinds import function_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Identify = Callable[[Scope], ContactFields | None] | Callable[[Scope], Awaitable[ContactFields | None]]

_WITH_SOMEBODY: Final = frozenset({"http", "websocket"})

_diagnostics: Final = Diagnostics()


class ContactMiddleware:
    """Binds who is acting around each request and websocket; nobody is bound after it.

    Where the server tells the application that it shuts down (ASGI's lifespan), what is pending is delivered first,
    within `shutdown_timeout_seconds`: uvicorn then dies of the signal that stopped it, and no exit of Python's runs.
    An application that has no lifespan, such as Django's, gets one: where it returns, or raises, before it has received
    or sent anything of it, the middleware answers the server in its place. Where it takes part, whatever it sends and
    raises, a failed start too, reaches the server.

    :param app: the application inside.
    :param identify: takes the ASGI scope and gives the fields of `contact(...)` as a dict, or None for nobody. A
        plain function is asked with the first event that needs to know, so that it sees what the application's
        own middleware has put into the scope; a coroutine function is awaited before the application.

    Where `identify` fails, events have no contact, and a line a minute says so. Raises `InvalidSettings` where it is no
    function, and at a call what the application does.
    """

    def __init__(self, app: Application, identify: Identify) -> None:
        self._app = app
        self._identify: Identify = function_of("identify", identify)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the application's life."""
        if scope["type"] == "lifespan":
            with acting(NOBODY):
                await _Life(receive, send).of(self._app, scope)
            return
        with acting(await self._who(scope) if scope["type"] in _WITH_SOMEBODY else NOBODY):
            await self._app(scope, receive, send)

    async def _who(self, scope: Scope) -> Contact:
        identify: Any = self._identify  # of which kind it is, no type checker can follow
        if is_async(identify):
            return contact_of_fields(*await attempt_async(identify, scope))
        return LazyContact(functools.partial(found_by, identify, scope))


class _Life:
    """The life of an application, at whose end what is pending is delivered."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._from_server = receive
        self._to_server = send
        self._takes_part = False

    async def of(self, app: Application, scope: Scope) -> None:
        """Have the application live; where it takes no part in that, answer the server in its place."""
        _, failure = await attempt_async(app, scope, self._receive, self._send)
        if not self._takes_part:
            _say_that_it_has_none(failure)
            await self._without_application()
        elif failure is not None:
            raise failure

    async def _receive(self) -> Any:
        # Before it waits: whoever asks for the server's messages knows the protocol, and fails on its own account.
        self._takes_part = True
        return await self._from_server()

    async def _send(self, message: Any) -> None:
        self._takes_part = True
        if message["type"].startswith("lifespan.shutdown."):
            await beside_the_loop(_deliver)
        await self._to_server(message)

    async def _without_application(self) -> None:
        kind = ""
        while kind != "lifespan.shutdown":
            kind = (await self._receive())["type"]
            await self._send({"type": f"{kind}.complete"})


def _deliver() -> None:
    if not lifecycle.flush_all():
        _diagnostics.say(
            "shutdown",
            logging.WARNING,
            "the application shut down with events pending. A server that now dies of the signal that stopped it, as "
            "uvicorn does, takes with it those that are in no spool. See in stats().last_error why delivery takes so "
            "long, or raise shutdown_timeout_seconds.",
        )


def _say_that_it_has_none(refusal: Exception | None) -> None:
    # What a server says of it where nobody answers; it may also be a start that failed.
    reason = "takes no part in" if refusal is None else f"raised {type(refusal).__name__} for"
    _diagnostics.say(
        "lifespan",
        logging.INFO,
        f"the application {reason} the server's lifespan: the middleware answers in its place.",
    )
