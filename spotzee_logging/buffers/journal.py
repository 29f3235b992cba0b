"""The file that a caller's thread writes: one event a line, behind what was written before.

A line is a line break, a checksum and the event's contact, eight hexadecimal digits each, and the JSON. The
break comes first: whatever a killed process or a full disk left half written before it is a line of its own,
which its checksum tells from a good one.
"""

from __future__ import annotations

import bisect
import contextlib
import glob
import os
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

from spotzee_logging.buffers.base import Body
from spotzee_logging.buffers.folders import sync_folder

SEGMENT_BYTES: Final = 8 * 1024 * 1024  # 8 MiB
"""What one file takes before the next begins: a file is deleted as soon as all its events are sealed."""

READ_BYTES: Final = 256 * 1024  # 256 KiB
"""What is read at a time, and held as bodies."""

_SUFFIX: Final = ".journal"
_BINARY: Final = getattr(os, "O_BINARY", 0)
_OPEN_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY
_READ_FLAGS: Final = os.O_RDONLY | _BINARY
_sync = getattr(os, "fdatasync", os.fsync)


class Line(NamedTuple):
    """An event as it was read; its address counts the bytes of the whole journal, files that are gone too."""

    address: int
    contact: int
    body: Body


def contact_of(key: str) -> int:
    """A contact as the journal has it: short, and the same in every process."""
    return crc32(key.encode())


def framed(contact: int, body: Body) -> bytes:
    """A line with one event, whose JSON has no line break in it."""
    # The contact is the sum's beginning: so it is summed too, and the body copied once only.
    return b"\n%08x%08x%b" % (crc32(body, contact), contact, body)


class Journal:
    """A row of files, `STEM.ADDRESS.journal`; the last is written to, at its end only, by the process that made it.

    :param stem: the files' path, up to the address.
    :param is_synced: whether an append also waits for the disk.

    Nothing is opened before the first append. Not for several threads at a time. Raises OSError.
    """

    def __init__(self, stem: str, *, is_synced: bool = False) -> None:
        self.stem = stem
        self.is_synced = is_synced
        self._starts = sorted(_starts(stem)) if stem else []
        self._fd: int | None = None
        self._size = 0

    def append(self, line: bytes) -> None:
        """Write a line, as `framed` made it; when this returns, the end of the process cannot harm it."""
        fd = self._fd
        if fd is None or self._size >= SEGMENT_BYTES:
            fd = self._begin_segment()
        written = os.write(fd, line)
        self._size += written
        if written < len(line):
            # What was written stays, as a broken line: a signal's handler may have written behind it.
            raise OSError(f"only {written} of {len(line)} bytes could be written")
        if self.is_synced:
            _sync(fd)

    @property
    def end(self) -> int:
        """The address behind the last byte that was written."""
        return self._starts[-1] + self._size if self._starts else 0

    def has_line_behind(self, address: int, line: bytes) -> bool:
        """Whether a line was written behind `address`: asked where an append was left by a signal's exception."""
        if self._fd is not None:
            self._size = max(self._size, os.fstat(self._fd).st_size)
        return self.end >= address + len(line)

    def _begin_segment(self) -> int:
        start = self._next_start()
        path = self._path(start)
        fd = os.open(path, _OPEN_FLAGS, 0o600)
        if self.is_synced:
            sync_folder(os.path.dirname(path))
        previous, self._fd, self._size = self._fd, fd, 0
        self._starts.append(start)
        if previous is not None:
            os.close(previous)
        return fd

    def _next_start(self) -> int:
        """Behind the last byte that there is; an address is never used twice, also where a file was cut."""
        if self._fd is None:
            return 0
        return self._starts[-1] + max(os.fstat(self._fd).st_size, self._size)

    def read(self, address: int, least_bytes: int = READ_BYTES) -> tuple[list[Line], int]:
        """Some of the good lines from an address on, and the address to go on from.

        That is the same address where there is nothing more.
        """
        index = max(0, bisect.bisect_right(self._starts, address) - 1)
        if not self._starts:
            return [], address
        start = self._starts[index]
        address = max(address, start)
        data = self._bytes_of(start, address - start, least_bytes)
        if len(data) == least_bytes:
            cut = data.rfind(b"\n")
            if cut <= 0:
                return self.read(address, least_bytes * 2)
            return list(_parsed(data[:cut], address)), address + cut
        following = self._starts[index + 1] if index + 1 < len(self._starts) else address + len(data)
        return list(_parsed(data, address)), following

    def _bytes_of(self, start: int, offset: int, most_bytes: int) -> bytes:
        if start == self._starts[-1] and self._fd is not None:
            return _read(self._fd, offset, most_bytes)  # its file may be gone, and is readable still
        # Opened each time: a process that takes over from hundreds would run out of open files.
        try:
            fd = os.open(self._path(start), _READ_FLAGS)
        except FileNotFoundError:
            return b""
        try:
            return _read(fd, offset, most_bytes)
        finally:
            os.close(fd)

    def is_in_place(self) -> bool:
        """Whether all files are there, and the one that is written to is still the one that was made, and as long."""
        if self._fd is None:
            return True
        held = os.fstat(self._fd)
        try:
            there = [os.stat(self._path(start)) for start in self._starts]
        except OSError:
            return False
        return os.path.samestat(held, there[-1]) and held.st_size >= self._size

    def free(self, address: int) -> None:
        """Delete the files that lie wholly before an address, but for the one that is written to."""
        while len(self._starts) > 1 and self._starts[1] <= address:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path(self._starts[0]))
            self._starts.pop(0)

    def remove(self) -> None:
        """Delete all files."""
        self.close()
        for start in self._starts:
            with contextlib.suppress(OSError):
                os.unlink(self._path(start))

    def close(self) -> None:
        """Close what is open, and let the files be."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _path(self, start: int) -> str:
        return f"{self.stem}.{start:012x}{_SUFFIX}"


def _starts(stem: str) -> Iterator[int]:
    for path in glob.glob(f"{glob.escape(stem)}.*{_SUFFIX}"):
        with contextlib.suppress(ValueError):
            yield int(path[len(stem) + 1 : -len(_SUFFIX)], 16)


def _read(fd: int, offset: int, most_bytes: int) -> bytes:
    """So many bytes, or fewer at the end of the file only."""
    os.lseek(fd, offset, os.SEEK_SET)
    pieces = []
    while piece := os.read(fd, most_bytes):
        pieces.append(piece)
        most_bytes -= len(piece)
    return b"".join(pieces)


def _parsed(data: bytes, address: int) -> Iterator[Line]:
    pieces = data.split(b"\n")
    address += len(pieces[0])  # what stands before the first break is no line, or the rest of a broken one
    for piece in pieces[1:]:
        try:
            contact, body = int(piece[8:16], 16), piece[16:]
            if int(piece[:8], 16) == crc32(body, contact):
                yield Line(address, contact, body)
        except ValueError:
            pass  # no checksum: a line that was not finished
        address += 1 + len(piece)
