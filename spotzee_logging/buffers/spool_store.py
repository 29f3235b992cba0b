"""All that SQLite does for a spool, and the one module that knows it: batches, owners and dead letters."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote

from spotzee_logging.buffers.base import Batch, Body, Verdict, new_key
from spotzee_logging.buffers.folders import make_folder
from spotzee_logging.buffers.owners import LEASE_SECONDS, machine
from spotzee_logging.buffers.spool_rows import BatchRow, OwnerLife, OwnerRow, RejectedRow
from spotzee_logging.buffers.spool_schema import (
    APPLICATION_ID,
    HEADER_BYTES,
    MIGRATIONS,
    VERSION,
    check_ids,
    no_database,
    remedy,
)
from spotzee_logging.errors import SpoolError

BUSY_SECONDS: Final = 2.0
"""How long a change waits for those of other processes."""

_HURRIED_SECONDS: Final = 0.25
_IMPATIENT_SECONDS: Final = 0.02

MOST_REJECTED: Final = 10_000
"""Dead letters that are kept; the oldest go first."""

_inherited: Final[list[sqlite3.Connection]] = []

_WAL_BYTES: Final = 4 * 1024 * 1024
_FREED_PAGES: Final = 2_000


class SpoolStore:
    """The database of a spool, over one connection that is opened when it is needed.

    :param path: its file, absolute.
    :param is_power_safe: whether a change also waits for the disk.
    :param may_create: whether a missing file, and its folder, are made.

    Not for several threads at a time. What SQLite raises becomes `SpoolError`.
    """

    def __init__(self, path: str, *, is_power_safe: bool = False, may_create: bool = True) -> None:
        self.path = path
        self._is_power_safe = is_power_safe
        self._may_create = may_create
        self._connection: sqlite3.Connection | None = None
        self._identity: os.stat_result | None = None
        self._busy_seconds = BUSY_SECONDS  # of one try, as SQLite was told
        self._patience_seconds = BUSY_SECONDS  # of a change

    def open(self) -> sqlite3.Connection:
        """The connection; the file is made, or brought to this version, where it is not.

        Raises `SpoolError` where it is no spool, a newer one, or cannot be read and written.
        """
        if self._connection is None:
            with _translated(self.path):
                if not _is_spool(self.path):
                    self._create()
                if not os.access(self.path, os.W_OK):
                    message = f"the spool {self.path} may not be written to: see its permissions"
                    raise SpoolError(message, path=self.path)
                self._busy_seconds = max(self._patience_seconds, _HURRIED_SECONDS)
                connection = _connect(self.path, self._busy_seconds, is_power_safe=self._is_power_safe)
                try:
                    _migrate(connection, self.path)
                    self._identity = os.stat(self.path)
                except BaseException:
                    connection.close()
                    raise
                self._connection = connection
        return self._connection

    def _create(self) -> None:
        """Make it beside its place, then put it there whole: another process may do the same."""
        if not self._may_create:
            raise SpoolError(f"there is no spool {self.path}", path=self.path)
        make_folder(os.path.dirname(self.path), is_synced=self._is_power_safe)
        if os.path.exists(self.path):
            return  # an empty file: it becomes a spool where it is
        draft = f"{self.path}.{new_key()}.new"
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            with contextlib.closing(
                _connect(draft, BUSY_SECONDS, is_power_safe=self._is_power_safe)
            ) as connection:
                _migrate(connection, draft)
            with contextlib.suppress(FileExistsError):
                os.link(draft, self.path)
        finally:
            os.unlink(draft)

    def close(self) -> None:
        """Close the connection; the next call opens one again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def forget(self) -> None:
        """In a forked child: leave the connection to the parent, and open another when it is needed.

        Where it was not closed before the fork it must not be closed here either, nor freed: SQLite would
        let go of the parent's locks.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            _inherited.append(connection)

    def is_in_place(self) -> bool:
        """Whether the file that is open is the one that others would open."""
        if self._connection is None or self._identity is None:
            return True
        try:
            return os.path.samestat(self._identity, os.stat(self.path))
        except OSError:
            return False

    @contextlib.contextmanager
    def change(self) -> Iterator[Change]:
        """One transaction: all of it is kept, or nothing. Raises `SpoolError`."""
        connection = self.open()
        with _translated(self.path):
            try:
                self._begin(connection)
                yield Change(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                # The next do not wait so long until one gets through, or delivery would crawl.
                self._patience_seconds = _IMPATIENT_SECONDS
                raise
            self._patience_seconds = BUSY_SECONDS

    def hurry(self) -> None:
        """Until a change gets through, wait for other processes hardly any more: there is no time left.

        Also the change of another thread that waits just now, so that this one need not wait for it.
        """
        self._patience_seconds = min(self._patience_seconds, _HURRIED_SECONDS)

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Begin a change, by many short tries: how long it may take is asked after each."""
        begun = time.monotonic()
        self._wait_at_most(connection, _IMPATIENT_SECONDS)
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() - begun >= self._patience_seconds:
                    raise
        self._wait_at_most(connection, BUSY_SECONDS)

    def _wait_at_most(self, connection: sqlite3.Connection, seconds: float) -> None:
        if self._busy_seconds != seconds:
            self._busy_seconds = seconds
            with contextlib.suppress(sqlite3.Error):
                connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")

    def _rows(self, query: str, *parameters: object, make: Callable[..., Any] | None = None) -> list[Any]:
        """What a query finds, each row made into what `make` makes of it."""
        connection = self.open()
        with _translated(self.path):
            rows = connection.execute(query, parameters).fetchall()
            return rows if make is None else [make(*row) for row in rows]

    def owner(self, token: str) -> OwnerRow:
        """An owner's row, or one of its beginning."""
        query = "SELECT token, scanned, passed, events, bytes FROM owners WHERE token = ?"
        rows = self._rows(query, token, make=_owner_row)
        return rows[0] if rows else OwnerRow(token)

    def owners(self) -> list[OwnerLife]:
        """All that have rows, or batches."""
        query = """SELECT token, machine, pid, lease_until FROM owners UNION ALL
            SELECT DISTINCT owner, '', 0, 0 FROM batches WHERE owner NOT IN (SELECT token FROM owners)"""
        return self._rows(query, make=OwnerLife)

    def bytes_of_others(self, tokens: Iterable[str]) -> int:
        """What all owners but these hold, as they last said."""
        query = (
            "SELECT coalesce(sum(bytes), 0) FROM owners WHERE token NOT IN (SELECT value FROM json_each(?))"
        )
        return int(self._rows(query, json.dumps(list(tokens)))[0][0])

    def batches(self, token: str) -> list[BatchRow]:
        """The sealed batches of an owner, in their order."""
        query = """SELECT key, owner, rank, sealed_at, sizes, contacts FROM batches
            WHERE owner = ? ORDER BY rank"""
        return self._rows(query, token, make=_batch_row)

    def body(self, key: str) -> bytes | None:
        """The body of a batch; None where there is none."""
        rows = self._rows("SELECT body FROM batches WHERE key = ?", key)
        return rows[0][0] if rows else None

    def rejected(self, identity: int | None = None) -> list[RejectedRow]:
        """The dead letters, the oldest first, or one."""
        query = """SELECT id, rejected_at, reason, why, request_id, body FROM rejected
            WHERE id = coalesce(?, id) ORDER BY id"""
        return self._rows(query, identity, make=RejectedRow)

    def give_back_space(self) -> None:
        """Shrink the files by some of what is free in them."""
        connection = self.open()
        with _translated(self.path):
            if connection.execute("PRAGMA freelist_count").fetchone()[0] > 0:
                connection.execute(f"PRAGMA incremental_vacuum({_FREED_PAGES})").fetchall()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


class Change:
    """What one transaction may do."""

    def __init__(self, connection: sqlite3.Connection) -> None:
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


def _is_spool(path: str) -> bool:
    """Whether a file is a spool of ours, of this version or an older one; False where it is empty or missing.

    Raises `SpoolError` where it is anything else, or cannot be read. Nothing is changed to find out.
    """
    try:
        size = os.stat(path).st_size
    except FileNotFoundError:
        return False
    if not size:
        return False
    if size < HEADER_BYTES:
        raise no_database(path)
    if not os.access(path, os.R_OK):
        raise SpoolError(f"the spool {path} cannot be read: see its permissions", path=path)
    # By SQLite, never by `open`: closing the file would give up all locks that this process has on it, another
    # buffer's among them. And as a file that nobody changes, which makes no file beside it, and waits for no lock.
    address = f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            check_ids(path, _number(connection, "application_id"), _number(connection, "user_version"))
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise no_database(path) from error
        # While it grows its header is ahead of it: the connection that takes locks will tell.
    return True


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _connect(path: str, busy_seconds: float, *, is_power_safe: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_power_safe else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring a database to this version, in one transaction; one that is there already is only looked at."""
    if (
        _number(connection, "user_version") == VERSION
        and _number(connection, "application_id") == APPLICATION_ID
    ):
        connection.execute("SELECT 1 FROM batches, rejected, owners").fetchone()  # raises where damaged
        return
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of effect before the first table only
    connection.execute("BEGIN EXCLUSIVE")
    try:
        version = _number(connection, "user_version")  # again: another process may have been here meanwhile
        if _number(connection, "schema_version"):
            check_ids(path, _number(connection, "application_id"), version)
        for statement in (each for step in MIGRATIONS[version:] for each in step):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("PRAGMA journal_mode = WAL").fetchall()


@contextlib.contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise SpoolError(f"the spool {path}: {error} ({name}). {remedy(str(error))}", path=path) from error
    except SpoolError:
        raise
    except OSError as error:
        raise SpoolError(f"the spool {path}: {error.strerror or error}", path=path) from error
    except (ValueError, OverflowError) as error:
        # SQLite does not take it, or it is not as it was left. Not the error's own words: they may quote it.
        message = f"the spool {path}: a value cannot be written, or read again ({type(error).__name__})"
        raise SpoolError(message, path=path) from None
