"""An answer whose head, the lines before its body, comes within one timeout, or not at all.

A socket's timeout bounds each read alone: a server that sends a byte whenever the patience ends would hold a
connection, and the events of its contacts, for as long as it likes.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any, Final

# Before the answer itself a server may send any number of these: such a head has not come whole with its first lines.
_INTERIM: Final = (b"HTTP/1.1 1", b"HTTP/1.0 1")

# http.client skips 100 by itself, and takes the others for the answer: the next request would get the real one.
_MORE_TO_COME: Final = range(102, 200)


class BoundedAnswer(http.client.HTTPResponse):
    """For a connection's `response_class`: TimeoutError where the head takes longer than the socket's timeout."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._sock = sock

    def begin(self) -> None:
        """Read the head."""
        sock, stream, seconds = self._sock, self.fp, self._sock.gettimeout()
        deadline = time.monotonic() + (seconds or 0.0)
        first = stream.peek(1)
        if seconds is None or (b"\r\n\r\n" in first and not first.startswith(_INTERIM)):
            super().begin()  # it finds there all that it asks for, as nearly always
            return
        self.fp = _Lines(stream, sock, deadline)  # type: ignore[assignment]  # all that is asked of it meanwhile
        try:
            super().begin()
            while self.status in _MORE_TO_COME:
                self.headers = self.msg = None  # type: ignore[assignment]  # so that it is begun again
                super().begin()
        finally:
            if self.fp is not None:
                self.fp = stream
            sock.settimeout(seconds)


class _Lines:
    """The lines of a stream, until the deadline."""

    def __init__(self, stream: io.BufferedReader, sock: socket.socket, deadline: float) -> None:
        self._stream = stream
        self._sock = sock
        self._deadline = deadline
        self.close = stream.close

    def readline(self, most_bytes: int) -> bytes:
        line = b""
        while len(line) < most_bytes and not line.endswith(b"\n"):
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer's head did not come in time")
            self._sock.settimeout(left)
            seen = self._stream.peek(1)[: most_bytes - len(line)]  # one read of the socket, at most
            if not seen:
                break
            line += self._stream.read(seen.find(b"\n") + 1 or len(seen))
        return line
