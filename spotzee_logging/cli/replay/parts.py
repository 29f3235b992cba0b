"""What is left of one batch, as a buffer: the parts that it was taken apart into, in order, one at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spotzee_logging.buffers.base import (
    NO_VERDICT,
    Batch,
    Body,
    KeptNowhere,
    Verdict,
    check_groups,
    check_indexes,
)
from spotzee_logging.cli.replay.reading import part_of


class Parts(KeptNowhere):
    """Holds one sealed batch at a time, and keeps the contract of `Buffer`, so that the delivery serves it.

    A part's key is derived from its batch's. What becomes of parts is noted, for a journal. Where one waits by
    itself the others wait with it: nothing overtakes, whosever it is.
    """

    def __init__(self) -> None:
        self._waiting: deque[Batch] = deque()
        self._taken: Batch | None = None
        self._notes: list[dict[str, Any]] = []
        self._position = 0
        self.delivered = 0

    def hold(
        self, batch: Batch, parts: Mapping[str, Sequence[Sequence[int]]], done: Mapping[str, int]
    ) -> None:
        """Take over a batch, but for what an earlier run has done of it."""
        self.delivered = 0
        self._position += len(batch.events)
        self._waiting.extend(self._left(batch, parts, done))

    def _left(
        self, batch: Batch, parts: Mapping[str, Sequence[Sequence[int]]], done: Mapping[str, int]
    ) -> Iterator[Batch]:
        if batch.key in done:
            self.delivered += done[batch.key]
        elif batch.key in parts:
            for group in parts[batch.key]:
                yield from self._left(part_of(batch, group), parts, done)
        else:
            yield batch

    def take_notes(self) -> Sequence[dict[str, Any]]:
        """What has become of the parts since this was last asked."""
        notes, self._notes = self._notes, []
        return notes

    def __len__(self) -> int:
        return sum(len(batch.events) for batch in self._sealed())

    @property
    def bytes(self) -> int:
        return sum(len(batch.body) for batch in self._sealed())

    @property
    def unsealed(self) -> int:
        return 0

    @property
    def has_sealed(self) -> bool:
        return bool(self._waiting) and self._taken is None

    @property
    def position(self) -> int:
        return self._position

    @property
    def oldest(self) -> int:
        return self._position - len(self)

    @property
    def oldest_put_at(self) -> float | None:
        return None

    def put(self, body: Body, key: str, *, wait_seconds: float = 0.0) -> Sequence[Body]:  # noqa: ARG002
        """There is never room for a single event: batches come sealed, by `hold`."""
        return [body]

    def take(self, max_events: int, max_bytes: int) -> Batch | None:  # noqa: ARG002  sealed to their sizes
        if self.has_sealed:
            self._taken = self._waiting.popleft()
            return self._taken
        return None

    def ack(
        self,
        batch: Batch,
        refused: Sequence[int] = (),
        verdict: Verdict = NO_VERDICT,  # noqa: ARG002
    ) -> bool:
        if self._taken is not batch:
            return False
        self._replace(())
        delivered = len(batch.events) - len(refused)
        self.delivered += delivered
        self._notes.append({"done": batch.key, "delivered": delivered})
        return True

    def release(self, batch: Batch) -> bool:
        if self._taken is not batch:
            return False
        self._replace([batch])
        return True

    def split(self, batch: Batch, groups: Sequence[Sequence[int]]) -> Sequence[Batch]:
        check_groups(batch, groups)
        return self._take_apart(batch, groups)

    def reject(self, batch: Batch, indexes: Iterable[int], reason: Verdict | str) -> Sequence[Body]:  # noqa: ARG002
        leaving = check_indexes(batch, indexes)
        if self._taken is not batch:
            return ()
        kept = [index for index in range(len(batch.events)) if index not in leaving]
        self._take_apart(batch, [kept])
        return [batch.events[index] for index in sorted(leaving)]

    def abandon(self) -> Sequence[Body]:
        held = [body for batch in self._sealed() for body in batch.events]
        self.begin_anew()
        return held

    def begin_anew(self) -> None:
        self._waiting.clear()
        self._taken = None

    def _sealed(self) -> Iterator[Batch]:
        if self._taken is not None:
            yield self._taken
        yield from self._waiting

    def _take_apart(self, batch: Batch, groups: Sequence[Sequence[int]]) -> Sequence[Batch]:
        if self._taken is not batch:
            return ()
        filled = [list(group) for group in groups if group]
        parts = [part_of(batch, group) for group in filled]
        self._replace(parts)
        self._notes.append({"parts": batch.key, "groups": filled})
        return parts

    def _replace(self, parts: Sequence[Batch]) -> None:
        self._taken = None
        self._waiting.extendleft(reversed(parts))
