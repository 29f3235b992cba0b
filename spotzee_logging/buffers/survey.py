"""A look at a spool from outside, while programs write: what it holds, whose it is, and what is done by hand."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from spotzee_logging.buffers.base import Body, seal
from spotzee_logging.buffers.journal import Journal, contact_of
from spotzee_logging.buffers.owners import is_owned, new_token, stem_of, tokens_beside
from spotzee_logging.buffers.spool_rows import OwnerLife, RejectedRow
from spotzee_logging.buffers.spool_store import SpoolStore
from spotzee_logging.encoding import decode_event
from spotzee_logging.event import ARRAY_BRACKETS_BYTES

BATCH_EVENTS: Final = 100
BATCH_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class OwnerSurvey:
    """What one owner has.

    :param pid: its process; None where it has not said yet.
    :param is_alive: whether that process lives, and has its events in hand.
    :param waiting: events that are in no batch.
    :param sealed: events in batches, whose requests may be under way.
    """

    token: str
    pid: int | None
    is_alive: bool
    waiting: int
    sealed: int


@dataclass(frozen=True)
class Found:
    """An event in a spool.

    :param id: what `SpoolSurvey.find` finds it by.
    :param state: `waiting`, `sealed` or `rejected`.
    :param where: the owner of a pending event, with the key of its batch; the verdict on a rejected one.
    """

    id: str
    state: str
    body: Body
    where: Mapping[str, object]


class SpoolSurvey:
    """Reads a spool that others write to. Raises `SpoolError`, or another OSError, from every method, where it cannot.

    :param path: its file, which must be there.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._store = SpoolStore(self.path, may_create=False)
        self._store.open()

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def size_bytes(self) -> int:
        """What all files of the spool take on disk."""
        folder, name = os.path.split(self.path)
        size_bytes = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name == name or entry.name.startswith((f"{name}.", f"{name}-")):
                    with suppress(FileNotFoundError):  # its last event was delivered meanwhile
                        size_bytes += entry.stat().st_size
        return size_bytes

    def owners(self) -> list[OwnerSurvey]:
        """All that have, or had, something in it, the oldest first."""
        lives = self._lives()
        found = []
        for token in sorted(tokens_beside(self.path) | set(lives)):
            stem = stem_of(self.path, token)
            sealed = sum(len(batch.sizes) for batch in self._store.batches(token))
            waiting = sum(1 for _ in self._waiting(token))
            pid = lives[token].pid if token in lives else 0
            found.append(OwnerSurvey(token, pid or None, is_owned(stem), waiting, sealed))
        return found

    def _lives(self) -> dict[str, OwnerLife]:
        return {life.token: life for life in self._store.owners()}

    def pending(self) -> Iterator[Found]:
        """Every event that is yet to be delivered, by owner, in order."""
        for token in sorted(tokens_beside(self.path) | set(self._lives())):
            yield from self._sealed(token)
            yield from self._waiting(token)

    def _sealed(self, token: str) -> Iterator[Found]:
        for batch in self._store.batches(token):
            body, start = self._store.body(batch.key), 1
            if body is None:
                continue  # delivered meanwhile
            for index, size in enumerate(batch.sizes):
                where = {"owner": token, "idempotency_key": batch.key, "sealed_at": batch.sealed_at}
                yield Found(f"{batch.key}:{index}", "sealed", body[start : start + size], where)
                start += size + 1

    def _waiting(self, token: str) -> Iterator[Found]:
        row, journal = self._store.owner(token), Journal(stem_of(self.path, token))
        passed = set(row.passed)
        address = min([row.scanned, *passed])
        while True:
            lines, following = journal.read(address)
            for line in lines:
                if line.address >= row.scanned or line.address in passed:
                    yield Found(f"{token}@{line.address:x}", "waiting", line.body, {"owner": token})
            if following == address:
                return
            address = following

    def rejected(self) -> Iterator[Found]:
        """The dead letters, the oldest first."""
        return map(_found, self._store.rejected())

    def rejected_by_reason(self) -> Counter[str]:
        """How many dead letters there are of each reason."""
        return Counter(row.reason for row in self._store.rejected())

    def find(self, identity: str) -> Found | None:
        """The event of this id; None where there is none, any more."""
        if identity.isdecimal():
            return next(map(_found, self._store.rejected(int(identity))), None)
        return next((found for found in self.pending() if found.id == identity), None)

    def retry(self, identities: Iterable[str] | None = None) -> int:
        """Have dead letters sent again (None: all), in new batches; how many those are.

        They belong to no living process, so that whichever looks next takes them over.
        """
        wanted = None if identities is None else set(identities)
        rows = [row for row in self._store.rejected() if wanted is None or str(row.id) in wanted]
        token = new_token()
        with self._store.change() as change:
            batches = (seal([row.body for row in part], 0, map(_contact, part)) for part in _parts(rows))
            change.add((token, f"{number:012x}", batch) for number, batch in enumerate(batches))
            change.unbury(row.id for row in rows)
        return len(rows)

    def purge(self, before: float | None = None) -> int:
        """Delete dead letters, those of before a time or all; how many those are."""
        rows = [row for row in self._store.rejected() if before is None or row.rejected_at < before]
        with self._store.change() as change:
            change.unbury(row.id for row in rows)
        return len(rows)


def _found(row: RejectedRow) -> Found:
    verdict = {
        "reason": row.reason,
        "why": row.why,
        "request_id": row.request_id,
        "rejected_at": row.rejected_at,
    }
    return Found(str(row.id), "rejected", row.body, verdict)


def _contact(row: RejectedRow) -> int:
    event = decode_event(row.body)
    return contact_of(event.external_id or event.anonymous_id or "")


def _parts(rows: Iterable[RejectedRow]) -> Iterator[Sequence[RejectedRow]]:
    part: list[RejectedRow] = []
    size = ARRAY_BRACKETS_BYTES
    for row in rows:
        if part and (len(part) == BATCH_EVENTS or size + len(row.body) > BATCH_BYTES):
            yield part
            part, size = [], ARRAY_BRACKETS_BYTES
        part.append(row)
        size += len(row.body) + 1
    if part:
        yield part
