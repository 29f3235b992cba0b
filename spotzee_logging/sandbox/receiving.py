"""The client's side of a connection, as ASGI tells of it: a body to its end, or that the client has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Receive


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


async def read_body(receive: Receive, max_body_bytes: int) -> bytes | None:
    """Read a body to its end, since a client that still sends would not see an answer; None: too large.

    :raises ClientGone: where the end never comes.
    """
    chunks: list[bytes] = []
    size_bytes = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size_bytes += len(chunk)
        if size_bytes <= max_body_bytes:
            chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks) if size_bytes <= max_body_bytes else None


async def client_gone(receive: Receive) -> None:
    """Wait until the client hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass  # a server may repeat the end of the body
