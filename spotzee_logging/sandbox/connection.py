"""The TCP connection under a request, within reach of the application: its number, its end, its reset."""

from __future__ import annotations

import itertools
import logging
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import MutableMapping

_STATE_KEY: Final = "spotzee_connection"
_LINGER_FORMAT: Final = "hh" if sys.platform == "win32" else "ii"

# uvicorn's own loggers are the host program's; what the sandbox has to say goes to the library's.
_logger: Final = logging.getLogger("spotzee_logging.sandbox")


class Connection:
    """One TCP connection; number 0 is one that another server holds, out of reach."""

    def __init__(self, number: int = 0, transport: asyncio.Transport | None = None) -> None:
        self.number = number
        self.gone = False
        self._transport = transport

    def reset(self) -> None:
        """End it with a RST, so that the client sees `ConnectionResetError` and no answer.

        :raises ConnectionResetError: where the transport is out of reach.
        """
        if self._transport is None:
            raise ConnectionResetError("a scripted reset, by a server that cannot reset connections")
        handle: socket.socket = self._transport.get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER_FORMAT, 1, 0))
        self._transport.abort()


def connection_of(scope: MutableMapping[str, Any]) -> Connection:
    """Give the connection that carries a request."""
    connection = scope.get("state", {}).get(_STATE_KEY)
    return connection if isinstance(connection, Connection) else Connection()


class SandboxProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which also hands each request its `Connection`."""

    _numbers = itertools.count(1)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Give the connection its number."""
        super().connection_made(transport)
        self.logger = _logger
        self.access_log = False
        self.connection = Connection(next(self._numbers), transport)
        self.app_state = {**self.app_state, _STATE_KEY: self.connection}

    def eof_received(self) -> None:
        """Note that the client has hung up."""
        # Told before the loop reads any later connection: a retry never meets its own dead first try.
        self.connection.gone = True
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended, by either side."""
        self.connection.gone = True
        super().connection_lost(exc)
