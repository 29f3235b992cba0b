"""What keeps other sites' pages away from the sandbox's own page and from its controls.

A browser lets any site send requests to loopback. A site whose name is made to resolve to this machine (DNS
rebinding) could even read the answers: it is told apart by its `Host`. A page of another origin that only
sends is told apart by its `Origin`.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from spotzee_logging.sandbox.problems import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HARMLESS_METHODS: Final = frozenset({"GET", "HEAD"})
# The last two: no string becomes markup or code anywhere, since assigning innerHTML throws.
_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_own_host(host: str, bound: str) -> bool:
    """Whether a `Host` header names this machine and no site that was made to resolve to it.

    :param bound: the address or name that the server listens on.
    """
    name = _name_of(host)
    address = _address(name)
    bound_address = _address(bound)
    if bound_address is not None and bound_address.is_unspecified:
        # Reached from elsewhere under any of its addresses, which no other site can bear as its name.
        return address is not None or _is_loopback(name) or name == socket.gethostname().lower()
    same = address == bound_address if address is not None else name == bound.lower()
    return same or _is_loopback(name)


def is_loopback(host: str) -> bool:
    """Whether what listens on this address or name is within reach of this machine alone."""
    return _is_loopback(host.lower())


def _is_loopback(name: str) -> bool:
    address = _address(name)
    if address is not None:
        return address.is_loopback
    return name == "localhost" or name.endswith(".localhost")  # RFC 6761: both are never looked up


def _name_of(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().removesuffix(".")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


class Guard:
    """Lets through what this machine's own browser page, or no browser, asks for.

    :param bound: the address or name that the server listens on.
    """

    def __init__(self, app: ASGIApp, bound: str) -> None:
        self._app = app
        self._bound = bound

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 to a foreign `Host`, 403 to a foreign `Origin`; pass on the rest."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
            return
        answer = refusal.answer(scope["state"]["request_id"])
        response = Response(answer.body, answer.status, dict(answer.headers))
        await response(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not is_own_host(host, self._bound):
            message = "the Host header names none of the sandbox's own addresses; use the URL that it printed"
            return Refusal("permission_denied", message, status=421, param="Host")
        is_foreign = origin is not None and origin.partition("://")[2].lower() != host.lower()
        if is_foreign and scope["method"] not in _HARMLESS_METHODS:
            message = "a page of another origin may not change the sandbox"
            return Refusal("permission_denied", message, param="Origin")
        return None
