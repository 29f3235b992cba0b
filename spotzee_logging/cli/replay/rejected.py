"""The lines that were not sent, beside their log: each once, with its number and the reason."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from spotzee_logging.cli.console import say
from spotzee_logging.cli.replay.record_file import RecordFile
from spotzee_logging.errors import InvalidSettings

MOST_SAID: Final = 10
"""Rejections that are said on stderr too."""


class RejectedLines:
    """Keeps what is rejected, by the rules of an event or by the API; what an earlier run kept is not doubled.

    :param path: where; None: they are only said, up to `MOST_SAID`.

    Raises `InvalidSettings` where another file is at the path.
    """

    def __init__(self, path: Path | None, *, is_said: bool = True) -> None:
        self._file = RecordFile(path, "rejected")
        self._is_said = is_said
        self.said = 0
        self.reasons: list[dict[str, Any]] = []
        try:
            self._known = {_identity(record) for record in self._file.records()}
        except (ValueError, KeyError) as error:
            self._file.close()
            raise InvalidSettings(
                f"{path} holds something else than rejected lines. Give another --rejected.",
                setting="rejected",
            ) from error

    def add(self, line: int, reason: str, **content: Any) -> None:
        """One line is rejected; `content` is what stands in it."""
        record = {"line": line, "reason": reason, **content}
        identity = _identity(record)
        if identity in self._known:
            return
        self._known.add(identity)
        self._file.append(record)
        if len(self.reasons) < MOST_SAID:
            self.reasons.append({"line": line, "reason": reason})
            if self._is_said:
                say(f"line {line}: {reason}")

    def sync(self) -> None:
        """Have all of them on disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file; where nothing was rejected there is none."""
        self._file.close()


def _identity(record: Mapping[str, Any]) -> tuple[int, int]:
    content = record.get("text", record.get("event"))
    return int(record["line"]), zlib.crc32(json.dumps(content).encode())
