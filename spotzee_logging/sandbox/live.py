"""What happens at the sandbox, as server-sent events: each request as it comes, and again when it is answered.

`reset`     forget all that came before; what is kept follows
`requests`  a JSON array of records, as `GET /sandbox/requests` has them, but with `items`, the texts of the
            body's events, in the place of the `body` they were read from
`faults`    what is left of the script
`forgotten` how many requests the store's bounds have cost
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import Headers

from spotzee_logging.sandbox.item_texts import item_texts
from spotzee_logging.sandbox.ledger import Mark
from spotzee_logging.sandbox.receiving import client_gone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.types import Receive, Scope, Send

    from spotzee_logging.sandbox.faults import FaultScript
    from spotzee_logging.sandbox.store import RequestRecord, Store

_MESSAGE_BYTES: Final = 128 * 1024  # 128 KiB: small enough for a browser to read one between two frames
_PAUSE_SECONDS: Final = 0.05  # between two readings, so that a busy program's requests come many at a time
_RETRY_MILLISECONDS: Final = 1000  # after which a browser looks for a sandbox that has gone


class LiveStream:
    """The endpoint `GET /sandbox/stream`; a browser that comes again gets what it missed."""

    def __init__(self, store: Store, faults: FaultScript) -> None:
        self._store = store
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is kept, then every change, until the client goes."""
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        reader = _Reader(self._store, self._faults, _mark(Headers(scope=scope).get("last-event-id", "")))
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        gone = asyncio.ensure_future(client_gone(receive))
        with self._store.bell.heard_by(wake), self._faults.bell.heard_by(wake):
            try:
                while not gone.done():
                    changed.clear()
                    await _send_all(reader.messages(), send, gone)
                    await _first_of(gone, changed)
            finally:
                gone.cancel()


async def _send_all(messages: Iterator[str], send: Send, gone: asyncio.Future[None]) -> None:
    for message in messages:
        if gone.done():
            return
        await send({"type": "http.response.body", "body": message.encode(), "more_body": True})
        await asyncio.sleep(0)  # making messages takes time, and the API's own clients come first


async def _first_of(gone: asyncio.Future[None], changed: asyncio.Event) -> None:
    waiting = asyncio.ensure_future(changed.wait())
    await asyncio.wait((gone, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await asyncio.sleep(_PAUSE_SECONDS)


class _Reader:
    """One client's place in the store's changes."""

    def __init__(self, store: Store, faults: FaultScript, mark: Mark) -> None:
        self._store = store
        self._faults = faults
        self._mark = mark
        self._script: list[dict[str, Any]] | None = None
        self._forgotten: int | None = None

    def messages(self) -> Iterator[str]:
        """Give the messages that lead from where the client is to where the store is."""
        mark, numbers = self._store.changed_since(self._mark)
        if mark.epoch != self._mark.epoch:
            yield f"retry: {_RETRY_MILLISECONDS}\n{_message('reset', {})}"
        for records in self._portions(numbers):
            yield _message("requests", records)
        yield from self._news()
        # Only now, and where there was anything: a client that is cut off in between reads it all again.
        if mark != self._mark:
            yield f"id: {mark.epoch}.{mark.revision}\n{_message('mark', {})}"
        self._mark = mark

    def _portions(self, numbers: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
        portion: list[dict[str, Any]] = []
        size_bytes = 0
        for number in numbers:
            record = self._store.request(number)
            if record is None:
                continue
            portion.append(_with_items(record))
            size_bytes += len(record["body"] or "")
            if size_bytes >= _MESSAGE_BYTES:
                yield portion
                portion, size_bytes = [], 0
        if portion:
            yield portion

    def _news(self) -> Iterator[str]:
        script, forgotten = self._faults.left(), self._store.forgotten()["requests"]
        if script != self._script:
            yield _message("faults", script)
        if forgotten != self._forgotten:
            yield _message("forgotten", forgotten)
        self._script, self._forgotten = script, forgotten


def _mark(last_event_id: str) -> Mark:
    epoch, _, revision = last_event_id.partition(".")
    return Mark(epoch, int(revision)) if revision.isascii() and revision.isdigit() else Mark()


def _message(event: str, data: Any) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def _with_items(record: RequestRecord) -> dict[str, Any]:
    readable = record["events"] is not None and record["body"] is not None
    items = item_texts(record["body"] or "") if readable else None
    return {**record, "items": items, "body": None if readable else record["body"]}
