"""Files of JSON lines that survive the end of the process at any moment: what was written is there, whole."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spotzee_logging.errors import InvalidSettings

if sys.platform != "win32":
    import fcntl


class RecordFile:
    """Appends records, each a line, and reads those of before; a last one that was cut short is taken off.

    :param path: where; None: nowhere, and there is nothing from before.

    Raises `InvalidSettings` where it cannot be written to, or another process does.
    """

    def __init__(self, path: Path | None, setting: str) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._is_synced = True
        if path is None:
            return
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY, 0o600)
        except OSError as error:
            remedy = f"Give another place with --{setting}."
            raise InvalidSettings(
                f"cannot write {path}: {error.strerror}. {remedy}", setting=setting
            ) from error
        self._lock(setting)

    def _lock(self, setting: str) -> None:
        if sys.platform == "win32":
            return
        try:
            fcntl.flock(self._descriptor or 0, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor or 0)
            self._descriptor = None
            raise InvalidSettings(
                f"{self._path} is in use: another replay of the same file runs. Wait for its end.",
                setting=setting,
            ) from error

    def records(self) -> Iterator[dict[str, Any]]:
        """What was written before, in order. Raises ValueError where a line is none of ours."""
        if self._descriptor is None or self._path is None:
            return
        whole_bytes = 0
        with self._path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                whole_bytes += len(line)
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError("no record")  # noqa: TRY004  callers ask for one kind
                yield record
        size_bytes = os.fstat(self._descriptor).st_size
        if size_bytes and not whole_bytes:
            raise ValueError("no record")  # somebody's file of one line: nothing of it is taken off
        if size_bytes > whole_bytes:
            os.ftruncate(self._descriptor, whole_bytes)

    def append(self, *records: dict[str, Any]) -> None:
        """Write them, in one step; on disk they are after `sync`."""
        if self._descriptor is None or not records:
            return
        lines = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
        left = memoryview(lines.encode("utf-8", "backslashreplace"))
        while left:
            left = left[os.write(self._descriptor, left) :]
        self._is_synced = False

    def sync(self) -> None:
        """Have all that was appended on disk."""
        if self._descriptor is not None and not self._is_synced:
            os.fsync(self._descriptor)
            self._is_synced = True

    def close(self) -> None:
        """Close the file, and take it away where it is empty."""
        if self._descriptor is None or self._path is None:
            return
        is_empty = os.fstat(self._descriptor).st_size == 0
        descriptor, self._descriptor = self._descriptor, None
        os.close(descriptor)
        if is_empty:
            self._path.unlink(missing_ok=True)


_BINARY = getattr(os, "O_BINARY", 0)  # of Windows alone
