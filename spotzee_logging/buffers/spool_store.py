"""What a spool keeps in its file: owners, sealed batches and dead letters, as SQL."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from spotzee_logging.buffers.base import Batch, Body, Verdict
from spotzee_logging.buffers.owners import LEASE_SECONDS, machine
from spotzee_logging.buffers.spool_file import Connection, SpoolFile
from spotzee_logging.buffers.spool_rows import BatchRow, OwnerLife, OwnerRow, RejectedRow

MOST_REJECTED: Final = 10_000
"""Dead letters that are kept; the oldest go first."""


class SpoolStore(SpoolFile):
    """The tables of a spool; see `SpoolFile` for what it takes, and for what it raises."""

    @contextlib.contextmanager
    def change(self) -> Iterator[Change]:
        """One transaction: all of it is kept, or nothing. Raises `SpoolError`."""
        with self.transaction() as connection:
            yield Change(connection)

    def owner(self, token: str) -> OwnerRow:
        """An owner's row, or one of its beginning."""
        query = "SELECT token, scanned, passed, events, bytes FROM owners WHERE token = ?"
        rows = self.rows(query, token, make=_owner_row)
        return rows[0] if rows else OwnerRow(token)

    def owners(self) -> list[OwnerLife]:
        """All that have rows, or batches."""
        query = """SELECT token, machine, pid, lease_until FROM owners UNION ALL
            SELECT DISTINCT owner, '', 0, 0 FROM batches WHERE owner NOT IN (SELECT token FROM owners)"""
        return self.rows(query, make=OwnerLife)

    def bytes_of_others(self, tokens: Iterable[str]) -> int:
        """What all owners but these hold, as they last said."""
        query = (
            "SELECT coalesce(sum(bytes), 0) FROM owners WHERE token NOT IN (SELECT value FROM json_each(?))"
        )
        return int(self.rows(query, json.dumps(list(tokens)))[0][0])

    def batches(self, token: str) -> list[BatchRow]:
        """The sealed batches of an owner, in their order."""
        query = """SELECT key, owner, rank, sealed_at, sizes, contacts FROM batches
            WHERE owner = ? ORDER BY rank"""
        return self.rows(query, token, make=_batch_row)

    def body(self, key: str) -> bytes | None:
        """The body of a batch; None where there is none."""
        rows = self.rows("SELECT body FROM batches WHERE key = ?", key)
        return rows[0][0] if rows else None

    def rejected(self, identity: int | None = None) -> list[RejectedRow]:
        """The dead letters, the oldest first, or one."""
        query = """SELECT id, rejected_at, reason, why, request_id, body FROM rejected
            WHERE id = coalesce(?, id) ORDER BY id"""
        return self.rows(query, identity, make=RejectedRow)


class Change:
    """What one transaction may do."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, batches: Iterable[tuple[str, str, Batch]]) -> None:
        """Keep batches that were sealed, each with its owner and rank."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    batch.key,
                    owner,
                    rank,
                    batch.sealed_at,
                    _sizes(batch),
                    json.dumps(batch.contacts),
                    batch.body,
                )
                for owner, rank, batch in batches
            ),
        )

    def remove(self, keys: Iterable[str]) -> None:
        """Forget batches."""
        self._connection.executemany("DELETE FROM batches WHERE key = ?", ((key,) for key in keys))

    def save(self, owners: Iterable[OwnerRow]) -> None:
        """Keep how far owners are, and that they live."""
        life = (machine(), os.getpid(), time.time() + LEASE_SECONDS)
        self._connection.executemany(
            "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (each.token, *life, each.scanned, json.dumps(each.passed), each.events, each.bytes)
                for each in owners
            ),
        )

    def forget(self, tokens: Iterable[str]) -> None:
        """Forget owners that hold nothing."""
        self._connection.executemany("DELETE FROM owners WHERE token = ?", ((token,) for token in tokens))

    def bury(self, refused: Iterable[tuple[Body, Verdict]]) -> None:
        """Keep events that the server has refused."""
        now = time.time()
        rows = [
            (now, *map(_as_text, (verdict.reason, verdict.why, verdict.request_id)), body)
            for body, verdict in refused
        ]
        if rows:
            self._connection.executemany(
                "INSERT INTO rejected (rejected_at, reason, why, request_id, body) VALUES (?, ?, ?, ?, ?)",
                rows,
            )
            query = "DELETE FROM rejected WHERE id <= (SELECT max(id) FROM rejected) - ?"
            self._connection.execute(query, (MOST_REJECTED,))

    def unbury(self, identities: Iterable[int]) -> None:
        """Forget dead letters."""
        self._connection.executemany("DELETE FROM rejected WHERE id = ?", ((each,) for each in identities))


def _owner_row(token: str, scanned: int, passed: str, events: int, size: int) -> OwnerRow:
    return OwnerRow(token, scanned, json.loads(passed), events, size)


def _batch_row(*columns: Any) -> BatchRow:
    *others, sizes, contacts = columns
    return BatchRow._make([*others, json.loads(sizes), json.loads(contacts)])


def _as_text(words: str | None) -> str | None:
    """The words as SQLite takes them: what a server cuts in the midst of a character leaves half of it."""
    return words and words.encode(errors="backslashreplace").decode()


def _sizes(batch: Batch) -> str:
    return json.dumps([len(event) for event in batch.events])
