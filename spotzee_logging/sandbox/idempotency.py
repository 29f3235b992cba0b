"""What an `Idempotency-Key` stands for: one body, its first answer, for 24 hours."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spotzee_logging.sandbox.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotzee_logging.sandbox.problems import Answer

LIFETIME_SECONDS: Final = 24 * 60 * 60.0
IN_PROGRESS_RETRY_AFTER_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class _Memory:
    body_digest: bytes
    answer: Answer
    expires_at: float
    running: Callable[[], bool]


class IdempotencyMemory:
    """Remembers the first answer to each key, per API key; bounded, the oldest forgotten first.

    The keys themselves are kept as digests only. Safe to use from several threads.

    :param max_keys: how many keys are remembered.
    :param clock: seconds, never going back.
    """

    def __init__(self, *, max_keys: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._lock = threading.Lock()
        self._memories: OrderedDict[bytes, _Memory] = OrderedDict()

    def __len__(self) -> int:
        return len(self._memories)

    def recall(self, api_key: str, key: str, body: bytes) -> Answer | None:
        """Give the first answer to this key and body, or None where the key is new.

        :raises Refusal: 409 `idempotency_key_mismatch` for another body, 409 `idempotency_in_progress`
            while the first request still runs.
        """
        with self._lock:
            self._forget_expired()
            memory = self._memories.get(_digest(api_key, key))
        if memory is None:
            return None
        if memory.body_digest != hashlib.sha256(body).digest():
            message = "this Idempotency-Key was used with another body; a new body needs a new key"
            raise Refusal("idempotency_key_mismatch", message, param="Idempotency-Key")
        if memory.running():
            message = "the first request with this Idempotency-Key still runs; try again"
            retry_after = (("Retry-After", str(IN_PROGRESS_RETRY_AFTER_SECONDS)),)
            raise Refusal("idempotency_in_progress", message, param="Idempotency-Key", headers=retry_after)
        return memory.answer

    def knows(self, api_key: str, key: str) -> bool:
        """Whether the key stands for a request."""
        with self._lock:
            self._forget_expired()
            return _digest(api_key, key) in self._memories

    def remember(
        self, api_key: str, key: str, body: bytes, answer: Answer, running: Callable[[], bool]
    ) -> None:
        """Keep the first answer to a key.

        :param running: whether the request that brought the key is still being answered.
        """
        expires_at = self._clock() + LIFETIME_SECONDS
        memory = _Memory(hashlib.sha256(body).digest(), answer, expires_at, running)
        with self._lock:
            self._memories[_digest(api_key, key)] = memory
            while len(self._memories) > self._max_keys:
                self._memories.popitem(last=False)

    def forget(self) -> None:
        """Forget every key."""
        with self._lock:
            self._memories.clear()

    def _forget_expired(self) -> None:
        # All live equally long and none is renewed, so the oldest stand first.
        now = self._clock()
        while self._memories and next(iter(self._memories.values())).expires_at <= now:
            self._memories.popitem(last=False)


def _digest(api_key: str, key: str) -> bytes:
    return hashlib.sha256(f"{api_key}\n{key}".encode()).digest()
