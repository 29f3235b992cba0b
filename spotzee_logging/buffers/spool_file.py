"""The file of a spool, as SQLite opens, makes, brings up to date and locks it; the one module that knows SQLite."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

from spotzee_logging.buffers.base import new_key
from spotzee_logging.buffers.folders import make_folder, nearest_folder
from spotzee_logging.buffers.spool_schema import (
    APPLICATION_ID,
    HEADER_BYTES,
    MIGRATIONS,
    VERSION,
    check_ids,
    no_database,
    remedy,
    told_by_system,
)
from spotzee_logging.errors import SpoolError

Connection = sqlite3.Connection

BUSY_SECONDS: Final = 2.0
"""How long a change waits for those of other processes."""

_HURRIED_SECONDS: Final = 0.25
_IMPATIENT_SECONDS: Final = 0.02

_inherited: Final[list[Connection]] = []

_WAL_BYTES: Final = 4 * 1024 * 1024
_FREED_PAGES: Final = 2_000


class SpoolFile:
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
        self._connection: Connection | None = None
        self._identity: os.stat_result | None = None
        self._busy_seconds = BUSY_SECONDS  # of one try, as SQLite was told
        self._patience_seconds = BUSY_SECONDS  # of a change

    def open(self) -> Connection:
        """The connection; the file is made, or brought to this version, where it is not.

        Raises `SpoolError` where it is no spool, a newer one, or cannot be read and written.
        """
        if self._connection is None:
            with _translated(self.path):
                if not _is_spool(self.path):
                    self._create()
                _check_writable(self.path)
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

    def examine(self) -> bool:
        """Whether there is a spool, which is not opened, made or changed.

        Raises `SpoolError` where it surely could not be.
        """
        with _translated(self.path):
            is_there = _is_spool(self.path)
            if is_there:
                _check_writable(self.path)
            folder = nearest_folder(os.path.dirname(self.path))
            if not os.access(folder, os.W_OK | os.X_OK):
                message = f"the spool {self.path} has files beside it, and {folder} may not be written to"
                raise SpoolError(f"{message}: see its permissions", path=self.path)
            return is_there

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
    def transaction(self) -> Iterator[Connection]:
        """A change: all of it is kept, or nothing. Raises `SpoolError`."""
        connection = self.open()
        with _translated(self.path):
            try:
                self._begin(connection)
                yield connection
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

    def _begin(self, connection: Connection) -> None:
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

    def _wait_at_most(self, connection: Connection, seconds: float) -> None:
        if self._busy_seconds != seconds:
            self._busy_seconds = seconds
            with contextlib.suppress(sqlite3.Error):
                connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")

    def rows(self, query: str, *parameters: object, make: Callable[..., Any] | None = None) -> list[Any]:
        """What a query finds, each row made into what `make` makes of it."""
        connection = self.open()
        with _translated(self.path):
            rows = connection.execute(query, parameters).fetchall()
            return rows if make is None else [make(*row) for row in rows]

    def give_back_space(self) -> None:
        """Shrink the files by some of what is free in them."""
        connection = self.open()
        with _translated(self.path):
            if connection.execute("PRAGMA freelist_count").fetchone()[0] > 0:
                connection.execute(f"PRAGMA incremental_vacuum({_FREED_PAGES})").fetchall()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _is_spool(path: str) -> bool:
    """Whether a file is a spool of ours, of this version or an older one; False where it is empty or missing.

    Raises `SpoolError` where it is anything else, or cannot be read. Nothing is changed to find out.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode) or 0 < found.st_size < HEADER_BYTES:
        raise no_database(path)
    if not found.st_size:
        return False
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


def _check_writable(path: str) -> None:
    if not os.access(path, os.W_OK):
        raise SpoolError(f"the spool {path} may not be written to: see its permissions", path=path)


def _number(connection: Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _connect(path: str, busy_seconds: float, *, is_power_safe: bool) -> Connection:
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_power_safe else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _migrate(connection: Connection, path: str) -> None:
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
        raise told_by_system(path, error) from error
    except (ValueError, OverflowError) as error:
        # SQLite does not take it, or it is not as it was left. Not the error's own words: they may quote it.
        message = f"the spool {path}: a value cannot be written, or read again ({type(error).__name__})"
        raise SpoolError(message, path=path) from None
