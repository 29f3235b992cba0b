"""The account of every event: where it stands, or how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone


@dataclass(frozen=True)
class Stats:
    """The account of one handler at one moment, in events unless a name says otherwise.

    At all times `accepted == delivered + sum(rejected.values()) + sum(dropped.values()) + pending`.

    :param accepted: every event handed in, good or bad.
    :param delivered: taken over by the API.
    :param rejected: refused for good, by reason: a word of ours (`invalid_event`, `event_too_large`,
        `formatter_error`), the `code` of the server's answer, its status where it gave none (`http_418`), or `other`.
    :param dropped: given up, by reason: `buffer_full`, `before_send`, `before_send_error`, `buffer_error`, `disabled`,
        `closed`, `shutdown`, `spool_lost`.
    :param pending: not yet one of these, those in flight among them.
    :param pending_bytes: what they take in the buffer.
    :param in_flight: of them, in a request that is under way.
    :param requests: requests that were tried.
    :param retries: of them, those that repeated an earlier one.
    :param recovered: of the accepted, those that were taken over from a process that is gone.
    :param unspooled: of the accepted, those that were held in memory alone while the spool took none.
    :param possibly_repeated: of the delivered, those whose key was older than servers remember one: had an
        earlier request got through, unseen, they would be there twice.
    :param last_error: what the last request that failed met; None before any did.
    :param last_delivery_at: when the API last took events over, in UTC; None before it did.
    :param paused_until: when a paused delivery is tried again, in UTC; None where it is not paused.
    """

    accepted: int = 0
    delivered: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0
    pending_bytes: int = 0
    in_flight: int = 0
    requests: int = 0
    retries: int = 0
    recovered: int = 0
    unspooled: int = 0
    possibly_repeated: int = 0
    last_error: str | None = None
    last_delivery_at: datetime | None = None
    paused_until: datetime | None = None


def _none_held() -> int:
    return 0


class Ledger:
    """Keeps the account of what no buffer knows: how events ended, and which came in and were never held.

    What a buffer holds, or has held, it counts itself, in the step that takes it in: a step here as well would be one
    more lock in each call. Each event ends once, in one step under one lock; the rest is pending.

    The lock is re-entrant: a signal's handler or a `__del__` that logs may come in between.
    """

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Start from zero, with a lock that nobody holds: in a forked child."""
        self._lock = threading.RLock()
        self._accepted = 0
        self._delivered = 0
        self._requests = 0
        self._retries = 0
        self._recovered = 0
        self._unspooled = 0
        self._possibly_repeated = 0
        self._rejected: dict[str, int] = {}
        self._dropped: dict[str, int] = {}
        self._last_error: str | None = None
        self._last_delivery_at: datetime | None = None

    def recover(self, count: int) -> None:
        """So many events of a process that is gone are pending here."""
        with self._lock:
            self._accepted += count
            self._recovered += count

    def unspool(self, count: int) -> None:
        """So many pending events are in memory alone."""
        with self._lock:
            self._unspooled += count

    def turn_away(self, *, rejected: str = "", dropped: str = "") -> None:
        """One event came in and ended at once, for the reason given."""
        with self._lock:
            self._accepted += 1
            if rejected:
                self._rejected[rejected] = self._rejected.get(rejected, 0) + 1
            else:
                self._dropped[dropped] = self._dropped.get(dropped, 0) + 1

    def deliver(self, count: int, *, is_possibly_repeated: bool = False) -> None:
        """So many pending events were taken over by the API."""
        with self._lock:
            self._delivered += count
            self._possibly_repeated += count if is_possibly_repeated else 0
            self._last_delivery_at = datetime.now(timezone.utc)

    def reject(self, reason: str, count: int = 1) -> None:
        """So many pending events were refused for good."""
        with self._lock:
            self._rejected[reason] = self._rejected.get(reason, 0) + count

    def drop(self, reason: str, count: int = 1) -> None:
        """So many pending events were given up."""
        with self._lock:
            self._dropped[reason] = self._dropped.get(reason, 0) + count

    def request(self, *, is_retry: bool) -> None:
        """A request is being tried."""
        with self._lock:
            self._requests += 1
            self._retries += is_retry

    def fail(self, error: str) -> None:
        """A request failed."""
        with self._lock:
            self._last_error = error

    def snapshot(
        self,
        *,
        held: Callable[[], int] = _none_held,
        pending_bytes: int,
        in_flight: int,
        paused_seconds: float,
    ) -> Stats:
        """The account as it stands.

        :param held: gives how many events the buffer has ever held; default: none.
        :param paused_seconds: how long delivery is paused yet.
        """
        paused_until = (
            datetime.now(timezone.utc) + timedelta(seconds=paused_seconds) if paused_seconds else None
        )
        with self._lock:
            ended = (*self._rejected.values(), *self._dropped.values())
            # `held` is read last: it then includes every event that has ended by now.
            accepted = self._accepted + held()
            return Stats(
                accepted=accepted,
                delivered=self._delivered,
                rejected=dict(self._rejected),
                dropped=dict(self._dropped),
                pending=accepted - self._delivered - sum(ended),
                pending_bytes=pending_bytes,
                in_flight=in_flight,
                requests=self._requests,
                retries=self._retries,
                recovered=self._recovered,
                unspooled=self._unspooled,
                possibly_repeated=self._possibly_repeated,
                last_error=self._last_error,
                last_delivery_at=self._last_delivery_at,
                paused_until=paused_until,
            )
