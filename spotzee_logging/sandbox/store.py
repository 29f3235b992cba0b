"""What the sandbox saw: the events it accepted and every request, in memory and bounded."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final, TypedDict

from spotzee_logging.sandbox.bell import Bell
from spotzee_logging.sandbox.idempotency import IdempotencyMemory
from spotzee_logging.sandbox.ledger import Ledger, Mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_KEPT: Final = 100_000
MAX_KEPT_BYTES: Final = 256 * 1024 * 1024  # 256 MiB
_RECORD_BYTES: Final = 1024  # what a record weighs beside its body, roughly


class RequestRecord(TypedDict):
    """One request to the API, as `GET /sandbox/requests` gives it.

    `number` counts the requests of a store; `ended_at` is when the answer was sent, or the connection ended
    without one, None before; `status` and `code` are None where no answer was sent (yet); `answer` is its body
    where that is a JSON object; the request's `body` is None where it was too large;
    `events` counts the events of a body that was read and found valid; `committed` says that this request
    itself (not a replay) committed them; `connection` numbers the TCP connections of this process.
    """

    number: int
    received_at: str
    ended_at: str | None
    method: str
    path: str
    status: int | None
    code: str | None
    answer: dict[str, Any] | None
    request_id: str
    idempotency_key: str | None
    headers: dict[str, str]
    body: str | None
    events: int | None
    committed: bool
    replayed: bool
    fault: dict[str, Any] | None
    connection: int
    peer_port: int | None


class Store:
    """Keeps what was accepted and what was asked. Safe to use from several threads.

    :param max_kept: at most so many events, so many requests and so many idempotency keys are kept.
    :param max_kept_bytes: at most so many bytes of events, and as many of requests.
    """

    def __init__(self, *, max_kept: int = MAX_KEPT, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._changed = threading.Condition()
        self._events: Ledger[str] = Ledger(max_kept, max_kept_bytes)
        self._requests: Ledger[RequestRecord] = Ledger(max_kept, max_kept_bytes)
        self.idempotency = IdempotencyMemory(max_keys=max_kept)
        self.bell = Bell()

    def commit(self, events: Sequence[dict[str, Any]]) -> None:
        """Accept the events of one request, all at once, and wake who waits for them."""
        texts = [json.dumps(event) for event in events]
        with self._changed:
            for text in texts:
                self._events.append(text, len(text))
            self._changed.notify_all()

    def receive(self, record: RequestRecord) -> None:
        """Keep a request that arrived, under a number; it is amended when it is answered."""
        with self._changed:
            record["number"] = self._requests.next_number
            self._requests.append(record, len(record["body"] or "") + _RECORD_BYTES)
            self._changed.notify_all()
        self.bell.ring()

    @contextmanager
    def changing(self, record: RequestRecord) -> Iterator[None]:
        """Give the context in which a record may be changed, since nobody reads it then."""
        with self._changed:
            yield
            self._requests.touch(record["number"])
        self.bell.ring()

    def events_json(self) -> str:
        """Give the accepted events as a JSON array, in the order of their commit."""
        with self._changed:
            texts = self._events.items()
        return f"[{','.join(texts)}]"

    def events(self) -> list[dict[str, Any]]:
        """Give copies of the accepted events, in the order of their commit."""
        events: list[dict[str, Any]] = json.loads(self.events_json())
        return events

    def requests(self) -> list[RequestRecord]:
        """Give copies of the requests, in the order of their arrival."""
        with self._changed:
            return [_copied(record) for record in self._requests.items()]

    def request(self, number: int) -> RequestRecord | None:
        """Give a copy of one request; None where it is forgotten."""
        with self._changed:
            record = self._requests.get(number)
            return None if record is None else _copied(record)

    def changed_since(self, mark: Mark) -> tuple[Mark, list[int]]:
        """Give a new mark, and the numbers of the requests that came or changed between the two.

        After a `forget` the mark is of another epoch, and all that is kept has changed.
        """
        with self._changed:
            return self._requests.changed_since(mark)

    def wait_for(self, count: int, timeout_seconds: float) -> bool:
        """Wait until `count` events were accepted since the last `forget`; False where time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: self._events.total >= count, timeout_seconds)

    def wait_for_requests(self, count: int, timeout_seconds: float) -> bool:
        """Wait until `count` requests arrived since the last `forget`; False where time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: self._requests.total >= count, timeout_seconds)

    def forgotten(self) -> dict[str, int]:
        """Say how many events and requests the bounds cost."""
        with self._changed:
            return {"events": self._events.forgotten, "requests": self._requests.forgotten}

    def forget(self) -> None:
        """Forget events, requests and idempotency keys, and start counting afresh."""
        with self._changed:
            self._events.clear()
            self._requests.clear()
            self.idempotency.forget()
        self.bell.ring()


def _copied(record: RequestRecord) -> RequestRecord:
    copy = record.copy()
    copy["headers"] = dict(record["headers"])
    copy["fault"] = deepcopy(record["fault"])
    copy["answer"] = deepcopy(record["answer"])
    return copy
