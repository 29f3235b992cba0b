"""What the sandbox saw: the events it accepted and every request, in memory and bounded."""

from __future__ import annotations

import json
import threading
from collections import deque
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final, Generic, TypedDict, TypeVar

from spotzee_logging.sandbox.idempotency import IdempotencyMemory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

MAX_KEPT: Final = 100_000
MAX_KEPT_BYTES: Final = 256 * 1024 * 1024  # 256 MiB
_RECORD_BYTES: Final = 1024  # what a record weighs beside its body, roughly

_Item = TypeVar("_Item")


class RequestRecord(TypedDict):
    """One request to the API, as `GET /sandbox/requests` gives it.

    `status` and `code` are None where no answer was sent (yet); `body` is None where it was too large;
    `events` counts the events of a body that was read and found valid; `committed` says that this request
    itself (not a replay) committed them; `connection` numbers the TCP connections of this process.
    """

    received_at: str
    method: str
    path: str
    status: int | None
    code: str | None
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


class _Ledger(Generic[_Item]):
    """A list with two bounds, items and bytes; what is over them is forgotten, the oldest first."""

    def __init__(self, max_kept: int, max_kept_bytes: int) -> None:
        self._max_kept = max_kept
        self._max_kept_bytes = max_kept_bytes
        self._items: deque[tuple[_Item, int]] = deque()
        self._bytes = 0
        self.total = 0

    @property
    def forgotten(self) -> int:
        return self.total - len(self._items)

    def append(self, item: _Item, size_bytes: int) -> None:
        self._items.append((item, size_bytes))
        self._bytes += size_bytes
        self.total += 1
        while self._items and (len(self._items) > self._max_kept or self._bytes > self._max_kept_bytes):
            self._bytes -= self._items.popleft()[1]

    def items(self) -> list[_Item]:
        return [item for item, _ in self._items]

    def clear(self) -> None:
        self._items.clear()
        self._bytes = self.total = 0


class Store:
    """Keeps what was accepted and what was asked. Safe to use from several threads.

    :param max_kept: at most so many events, so many requests and so many idempotency keys are kept.
    :param max_kept_bytes: at most so many bytes of events, and as many of requests.
    """

    def __init__(self, *, max_kept: int = MAX_KEPT, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._changed = threading.Condition()
        self._events: _Ledger[str] = _Ledger(max_kept, max_kept_bytes)
        self._requests: _Ledger[RequestRecord] = _Ledger(max_kept, max_kept_bytes)
        self.idempotency = IdempotencyMemory(max_keys=max_kept)

    def commit(self, events: Sequence[dict[str, Any]]) -> None:
        """Accept the events of one request, all at once, and wake who waits for them."""
        texts = [json.dumps(event) for event in events]
        with self._changed:
            for text in texts:
                self._events.append(text, len(text))
            self._changed.notify_all()

    def receive(self, record: RequestRecord) -> None:
        """Keep a request that arrived; it is amended when it is answered."""
        with self._changed:
            self._requests.append(record, len(record["body"] or "") + _RECORD_BYTES)
            self._changed.notify_all()

    def changing(self) -> AbstractContextManager[object]:
        """Give the context in which a record may be changed, since nobody reads it then."""
        return self._changed

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


def _copied(record: RequestRecord) -> RequestRecord:
    copy = record.copy()
    copy["headers"] = dict(record["headers"])
    copy["fault"] = deepcopy(record["fault"])
    return copy
