"""JSON as the standard has it, and no more: what Python's parser lets through is refused here."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def parse(body: bytes) -> Any:
    """Read one JSON document.

    Refused beyond Python's own strictness: another encoding than UTF-8, a byte order mark, NaN and
    infinities, numbers too large for a double, a key twice in one object, lone surrogates.

    :raises ValueError: with what is wrong; the message never quotes the document.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    try:
        document = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_without_duplicates
        )
        # An escape such as \ud800 alone parses, but no UTF-8 can carry what it stands for.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON (line {error.lineno}, column {error.colno})") from None
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    return document


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("holds NaN or an infinity, which JSON does not have")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("holds a number that is too large")
    return number


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("holds an object with the same key twice")
    return members
