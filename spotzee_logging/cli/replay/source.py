"""A log as a stream of bytes that are counted and digested: a file, gzip or not, or standard input."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import sys
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from spotzee_logging.errors import InvalidSettings, SpotzeeError

STDIN: Final = "-"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_CHUNK_BYTES: Final = 1024 * 1024  # 1 MiB


class Damaged(SpotzeeError):
    """The log cannot be read to its end."""


class Source:
    """The bytes of one log, in order.

    :param size_bytes: of the file on disk; None where that is not known.
    :ivar bytes: how many were read, unpacked.
    """

    def __init__(self, name: str, raw: io.BufferedReader, size_bytes: int | None) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self.bytes = 0
        self._is_in_line = False
        self._raw = raw
        self._digest = hashlib.sha256()
        is_packed = raw.peek(2)[:2] == _GZIP_MAGIC
        self._stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if is_packed else raw

    def readline(self, limit: int = -1, /) -> bytes:
        """As a file's own. Raises `Damaged`."""
        try:
            piece = self._stream.readline(limit)
        except (OSError, EOFError, zlib.error) as error:
            raise Damaged(f"cannot be read on: {type(error).__name__}") from error
        if piece:
            self.bytes += len(piece)
            self._digest.update(piece)
            self._is_in_line = not piece.endswith(b"\n")
        return piece

    @property
    def position_bytes(self) -> int:
        """How far the file on disk was read."""
        return self._raw.tell() if self.size_bytes is not None else self.bytes

    def digest(self) -> str:
        """What tells these bytes, from the first to the last read, from any others."""
        return self._digest.copy().hexdigest()

    def pass_over(self, size_bytes: int, digest: str) -> None:
        """Go on behind what an earlier run has done. Raises `InvalidSettings` where that is not what it was.

        What was appended since is no change.
        """
        while self.bytes < size_bytes and self.readline(min(_CHUNK_BYTES, size_bytes - self.bytes)):
            pass
        is_as_it_was = self.bytes == size_bytes and self.digest() == digest
        # A last line without an end, which was sent as it stood, must not have grown.
        if not is_as_it_was or (self._is_in_line and self.readline().strip()):
            raise InvalidSettings(
                f"{self.name} is not the file that its journal was written for: what was sent of it has changed. "
                "Delete the journal to send all of it, or give another --journal.",
                setting="journal",
            )


@contextlib.contextmanager
def opened(path: str) -> Iterator[Source]:
    """The log at a path, or standard input where it is `-`. Raises OSError."""
    if path == STDIN:
        yield Source("standard input", cast("io.BufferedReader", sys.stdin.buffer), None)
        return
    with open(path, "rb") as raw:  # noqa: PTH123  a path as it was given
        yield Source(path, raw, os.fstat(raw.fileno()).st_size)
