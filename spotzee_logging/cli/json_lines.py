"""JSON lines, read in a bounded amount of memory however large the file or its lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn, Protocol

LINE_BYTES_PER_EVENT_BYTE: Final = 4
"""A line may be longer than the event that it becomes: escapes take up to three times what they stand for."""


class Lines(Protocol):
    """What lines are read from: a binary file, or what stands in front of one."""

    def readline(self, limit: int = -1, /) -> bytes:
        """The next line, or the next `limit` bytes of it."""
        ...


class BadLine(ValueError):
    """A line is no JSON object; the message says why, and nothing of what stands in it."""


def numbered(stream: Lines, max_bytes: int, passed: int = 0) -> Iterator[tuple[int, bytes | None]]:
    """The lines that are not blank, each with its number from 1; None for one of more than `max_bytes`.

    :param passed: how many lines stand before what is left of the stream.
    """
    number = passed
    while piece := stream.readline(max_bytes + 1):
        number += 1
        if len(piece) > max_bytes and not piece.endswith(b"\n"):
            _pass_over_rest(stream, max_bytes)
            yield number, None
        elif piece.strip():
            yield number, piece.removeprefix(b"\xef\xbb\xbf") if number == 1 else piece


def parse(line: bytes | None) -> dict[str, Any]:
    """The object that a line holds, as `numbered` gave it. Raises `BadLine`."""
    if line is None:
        raise BadLine("is longer than any event that is sent")
    try:
        document = json.loads(line.decode().rstrip(), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise BadLine("is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadLine(f"is not JSON (column {error.colno})") from None
    except RecursionError:
        raise BadLine("is nested too deeply") from None
    except BadLine:
        raise
    except ValueError:
        raise BadLine("holds a number with too many digits") from None
    if not isinstance(document, dict):
        raise BadLine(f"is no JSON object but a {type(document).__name__}")
    return document


def _pass_over_rest(stream: Lines, max_bytes: int) -> None:
    while (piece := stream.readline(max_bytes)) and not piece.endswith(b"\n"):
        pass


def _refuse_constant(_: str) -> NoReturn:
    raise BadLine("is not JSON: it holds NaN or an infinity")
