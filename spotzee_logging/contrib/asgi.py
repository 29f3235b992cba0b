"""ASGI: who is acting, bound for each request and websocket of FastAPI, Starlette and any other application.

It needs no library: an ASGI application is a function of three arguments.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from spotzee_logging.contact import NOBODY, Contact, LazyContact, acting
from spotzee_logging.contrib.identify import ContactFields, contact_of_fields, found_by
from spotzee_logging.contrib.serverless import flushing
from spotzee_logging.foreign import attempt_async

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Identify = Callable[[Scope], ContactFields | None] | Callable[[Scope], Awaitable[ContactFields | None]]

_WITH_SOMEBODY: Final = frozenset({"http", "websocket"})


class ContactMiddleware:
    """Binds who is acting around each request and websocket; nobody is bound after it.

    Where the server tells the application that it shuts down (ASGI's lifespan), what is pending is delivered first,
    within `shutdown_timeout_seconds`: uvicorn then dies of the signal that stopped it, and no exit of Python's runs.

    :param app: the application inside.
    :param identify: takes the ASGI scope and gives the fields of `contact(...)` as a dict, or None for nobody. A
        plain function is asked with the first event that needs to know, so that it sees what the application's
        own middleware has put into the scope; a coroutine function is awaited before the application.

    Where `identify` fails, events have no contact, and a line a minute says so. Raises what the application does.
    """

    def __init__(self, app: Application, identify: Identify) -> None:
        self._app = app
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the application's life."""
        if scope["type"] == "lifespan":
            send = _delivering_before_the_end(send)
        with acting(await self._who(scope) if scope["type"] in _WITH_SOMEBODY else NOBODY):
            await self._app(scope, receive, send)

    async def _who(self, scope: Scope) -> Contact:
        identify: Any = self._identify  # of which kind it is, no type checker can follow
        if inspect.iscoroutinefunction(identify):
            return contact_of_fields(*await attempt_async(identify, scope))
        return LazyContact(functools.partial(found_by, identify, scope))


def _delivering_before_the_end(send: Send) -> Send:
    async def delivering(message: Any) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            async with flushing():
                pass
        await send(message)

    return delivering
