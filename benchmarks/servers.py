"""The servers that events go to: a sink in its own process, and one that hangs."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HUNG_BACKLOG = 1000
ROOT = Path(__file__).parent.parent


@contextmanager
def sink(latency_ms: float = 0) -> Iterator[int]:
    """Run `benchmarks.sink`; gives its port."""
    command = [sys.executable, "-m", "benchmarks.sink", str(latency_ms)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def account(port: int) -> dict[str, int]:
    """What came to the sink since it was last asked to forget."""
    return dict(json.loads(_asked(port, "GET")))


def forget(port: int) -> None:
    _asked(port, "DELETE")


def _asked(port: int, method: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, "/account")
        return connection.getresponse().read()
    finally:
        connection.close()


def hung_server() -> socket.socket:
    """Takes connections and never answers."""
    return socket.create_server(("127.0.0.1", 0), backlog=HUNG_BACKLOG)
