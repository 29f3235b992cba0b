"""Who owns what a spool holds: the process that has a lock on the owner's file, for as long as it lives.

A lock ends with its process, and no other process can be taken for that one, whatever its pid.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import sys
import time
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LEASE_SECONDS: Final = 60.0
"""For how long an owner on another machine, of whose locks nothing may be known here, counts as alive."""

_SUFFIX: Final = ".lock"
_FLAGS: Final = os.O_RDWR | os.O_CREAT


def new_token() -> str:
    """A name for an owner; later ones are greater, so that the events of older owners go first."""
    return f"{time.time_ns():016x}{os.urandom(2).hex()}"


def stem_of(path: str, token: str) -> str:
    """What the names of an owner's files begin with."""
    return f"{path}.{token}"


def tokens_beside(path: str) -> set[str]:
    """The owners that have left files beside a spool. Raises OSError."""
    folder, name = os.path.split(path)
    pattern = re.compile(re.escape(name) + r"\.([0-9a-f]{20})\.(?:lock|[0-9a-f]{12,}\.journal)")
    matches = (pattern.fullmatch(entry) for entry in os.listdir(folder))
    return {match[1] for match in matches if match}


@functools.cache
def machine() -> str:
    """This machine, from one start to the next: the containers of one host are on one machine."""
    try:
        # As bytes: a codec of its own would be imported, here and now, and a fork must not come in between.
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().decode().strip()
    except OSError:
        return platform.node()


def is_owned(stem: str) -> bool:
    """Whether an owner's process lives, without a claim on what is its own."""
    try:
        fd = os.open(stem + _SUFFIX, _FLAGS & ~os.O_CREAT)
    except OSError:
        return False
    try:
        return not _has_locked(fd)
    finally:
        os.close(fd)


class OwnerLock:
    """The lock of one owner, held from here until `release`, or until the process ends."""

    def __init__(self, path: str, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def acquire(cls, stem: str) -> OwnerLock | None:
        """Take it; None where another has it. Raises OSError."""
        path = stem + _SUFFIX
        fd = os.open(path, _FLAGS, 0o600)
        if _has_locked(fd) and _is_at(fd, path):
            return cls(path, fd)
        os.close(fd)
        return None

    def release(self, *, is_done: bool) -> None:
        """Let go of it; `is_done`: for ever, nothing is owned any more."""
        if is_done:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        self.close()

    def close(self) -> None:
        """Only close the file: in a forked child, where the lock is the parent's."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def is_in_place(self) -> bool:
        """Whether others would find it taken: its file is where they look."""
        return _is_at(self._fd, self._path)


def _has_locked(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_at(fd: int, path: str) -> bool:
    """Whether the open file is the one of that name: it may have been deleted before it was locked."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except OSError:
        return False
