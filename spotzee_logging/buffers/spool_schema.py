"""What a spool's file looks like, and which files are none. No file is changed to find out."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Final

from spotzee_logging.errors import SpoolError

APPLICATION_ID: Final = int.from_bytes(b"spzs", "big")
"""What SQLite keeps in the file for us to know it by."""

MIGRATIONS: Final[Sequence[Sequence[str]]] = (
    (
        # `scanned`: up to which address of its journal an owner's events are sealed or gone, but for those at
        # the addresses in `passed`. `events` and `bytes`: what it holds in all, sealed or not.
        """CREATE TABLE owners (
            token TEXT PRIMARY KEY, machine TEXT NOT NULL, pid INTEGER NOT NULL, lease_until REAL NOT NULL,
            scanned INTEGER NOT NULL, passed TEXT NOT NULL, events INTEGER NOT NULL, bytes INTEGER NOT NULL)""",
        # `rank` orders an owner's batches; the parts of one begin with its own. `sizes` tells the events of the
        # body, `contacts` whose they are.
        """CREATE TABLE batches (
            key TEXT PRIMARY KEY, owner TEXT NOT NULL, rank TEXT NOT NULL, sealed_at REAL NOT NULL,
            sizes TEXT NOT NULL, contacts TEXT NOT NULL, body BLOB NOT NULL)""",
        "CREATE INDEX batches_in_order ON batches (owner, rank)",
    ),
    (
        """CREATE TABLE rejected (
            id INTEGER PRIMARY KEY AUTOINCREMENT, rejected_at REAL NOT NULL, reason TEXT NOT NULL,
            why TEXT NOT NULL, request_id TEXT, body BLOB NOT NULL)""",
    ),
)
"""What each version adds to the one before it; the first makes the tables of an empty file."""

VERSION: Final = len(MIGRATIONS)

HEADER_BYTES: Final = 100
"""What every database has at least."""

_OTHER_FILE: Final = "Give spool= another path, or move that file away."


def no_database(path: str) -> SpoolError:
    """Tells that a file is no database at all."""
    return SpoolError(f"{path} is no spool, and no SQLite database. {_OTHER_FILE}", path=path)


def check_ids(path: str, application_id: int, version: int) -> None:
    """Raises `SpoolError` where a database is another program's, or a newer version's."""
    if application_id != APPLICATION_ID:
        raise SpoolError(f"{path} is the database of another program. {_OTHER_FILE}", path=path)
    if version > VERSION:
        raise SpoolError(
            f"the spool {path} was made by a newer spotzee_logging (its version is {version}, known are "
            f"1 to {VERSION}). Update this one, or give spool= another path.",
            path=path,
        )


def remedy(text: str) -> str:
    """What to do about an error, by SQLite's words."""
    if "locked" in text:
        return "Another program holds it locked for long."
    if "full" in text:
        return "Make room on its disk."
    if "malformed" in text or "not a database" in text:
        return (
            "It is damaged: move it away with the files that begin with its name, and keep them for repair."
        )
    return "See the permissions of the file and its folder."


_IN_A_FOLDER: Final = "Give spool= a path in a folder that this program's user may write to"
_REMEDIES: Final = {
    errno.EACCES: f"{_IN_A_FOLDER}.",
    errno.EPERM: f"{_IN_A_FOLDER}.",
    errno.EROFS: f"{_IN_A_FOLDER}, on another file system.",
    errno.ENOSPC: "Make room on its disk.",
    errno.ENOTDIR: f"{_IN_A_FOLDER}: a part of its path is a file.",
}


def told_by_system(path: str, error: OSError) -> SpoolError:
    """The error of a spool that the system does not give, with what to do about it where that is known."""
    said = f"the spool {path}: {error.strerror or error}"
    known = _REMEDIES.get(error.errno or 0)
    return SpoolError(f"{said}. {known}" if known else said, path=path)
