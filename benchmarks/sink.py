"""A server that takes whatever is sent, answers after a while, and tells afterwards what came.

    python -m benchmarks.sink LATENCY_MS

It prints its port, and ends when its stdin does. It runs in a process of its own, so that it shares no lock of
Python's with what is measured, and looks into the bodies only when it is asked for its account.
"""

from __future__ import annotations

import gzip
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from benchmarks.workload import MARK

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Message(NamedTuple):
    """One request."""

    method: bytes
    path: bytes
    headers: dict[bytes, bytes]
    body: bytes


class Sink:
    """Keeps the bodies of all requests in the order they came; `GET /account` tells of them, DELETE forgets."""

    def __init__(self, latency_seconds: float) -> None:
        self._latency_seconds = latency_seconds
        self._messages: list[Message] = []

    def serve(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            for message in messages(stream):
                connection.sendall(self._answer(message))

    def _answer(self, message: Message) -> bytes:
        if message.path == b"/account":
            if message.method == b"DELETE":
                self._messages = []
                return NO_CONTENT
            return json_answer(account_of(self._messages))
        self._messages.append(message)
        if self._latency_seconds:
            time.sleep(self._latency_seconds)
        # Ours takes a 204 as its API gives it; all peers take an empty object.
        return NO_CONTENT if message.path == b"/events" else json_answer({})


def messages(stream: BinaryIO) -> Iterator[Message]:
    """The requests of one connection, until it ends."""
    while first := stream.readline():
        method, path, _ = first.split(b" ")
        headers = {}
        while (line := stream.readline()).strip():
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        yield Message(method, path, headers, stream.read(int(headers.get(b"content-length", 0))))


def json_answer(content: object) -> bytes:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def account_of(taken: list[Message]) -> dict[str, int]:
    """How many requests and events came, and how many events came before an older one of their contact."""
    bodies = [plain_body(message) for message in taken]
    return {
        "requests": len(bodies),
        "events": sum(body.count(MARK) for body in bodies),
        "disorders": disorders([body for body in bodies if body.startswith(b"[")]),
    }


def plain_body(message: Message) -> bytes:
    is_packed = message.headers.get(b"content-encoding") == b"gzip"
    return gzip.decompress(message.body) if is_packed else message.body


def disorders(arrays: list[bytes]) -> int:
    newest: dict[str, float] = {}
    count = 0
    for body in arrays:
        for event in json.loads(body):
            contact, number = event.get("external_id"), event["data"].get("value", 0)
            count += number < newest.get(contact, 0)
            newest[contact] = number
    return count


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    sink = Sink(float(sys.argv[1]) / 1000)
    threading.Thread(target=sink.serve, args=(listener,), daemon=True).start()
    sys.stdin.read()  # whoever started it has ended


if __name__ == "__main__":
    main()
