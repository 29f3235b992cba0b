"""Values of any kind become those that JSON has, by one set of rules: the tables `PLAIN` and `PLAIN_WHERE_IMPORTED`.

A value that cannot be made plain becomes null and costs nothing but itself; one that takes more than is sent is found
to be so before it is made (`bound`).
"""

from __future__ import annotations

import base64
import math
import sys
from collections import UserString
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from os import PathLike, fspath
from typing import Any, Final

from spotzee_logging import timestamps
from spotzee_logging.event import MOST_BYTES, TooLarge, more_than, too_large
from spotzee_logging.foreign import attempt

MAX_DEPTH: Final = 64
"""Levels of nesting that arrive; what lies deeper becomes null."""


class Bound:
    """What the largest event takes that a handler of this process sends; no value that takes more is made plain."""

    most_bytes = MOST_BYTES

    def raise_to(self, most_bytes: int) -> None:
        """A handler sends events that take so much."""
        self.most_bytes = max(self.most_bytes, most_bytes)


bound: Final = Bound()

# What both encoders can write: orjson takes no larger ones, and few readers of JSON keep them exact.
SMALLEST_INT: Final = -(2**63)
LARGEST_INT: Final = 2**64 - 1

LEAST_OF_MEMBER: Final = len("0,")
"""The bytes that each member of a list takes at least."""


def plain(value: Any) -> Any:
    """The value as JSON can say it: None, bool, int, float, str, or a dict or list of such. Never raises.

    Where it would take more than `bound.most_bytes` it is a `TooLarge`, and so is an event that holds that.

    >>> plain({"day": date(2026, 4, 28), "tags": {"new"}, 7: float("inf")})
    {'day': '2026-04-28', 'tags': ['new'], '7': None}
    """
    try:
        return _plain_tree(value, 0, frozenset(), _Room(bound.most_bytes))
    except _NoRoomError:
        return TooLarge(bound.most_bytes)


def plain_fields(fields: dict[str, Any], most_bytes: int | None) -> Any:
    """An event's fields made plain. Raises `InvalidEvent` where they would take more than that (None: the bound)."""
    most_bytes = bound.most_bytes if most_bytes is None else most_bytes
    try:
        return _plain_tree(fields, 0, frozenset(), _Room(most_bytes))
    except _NoRoomError:
        raise too_large(fields, more_than(most_bytes)) from None


class _NoRoomError(Exception):
    """What is made plain takes more than is sent."""


class _Room:
    """How many bytes there are left for values. Each takes the least that it may become."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _NoRoomError


def _plain_tree(value: Any, depth: int, above: frozenset[int], room: _Room) -> Any:
    """`value` and all within it made plain; `above` holds the ids of the containers that it lies in."""
    kind = type(value)
    if kind not in _JSON_TYPES:
        value = plain_leaf(value)
        kind = type(value)
    if kind is str:
        room.take(len(value) + 1)
        return value if value.isascii() else _unicode(value)
    if kind is int:
        return value if SMALLEST_INT <= value <= LARGEST_INT else _digits(value, room)
    if kind is float:
        return value if math.isfinite(value) else None
    if value is None or kind is bool:
        return value
    if depth >= MAX_DEPTH or id(value) in above:
        return None
    return _plain_container(value, depth + 1, above | {id(value)}, room)


def _plain_container(value: Any, depth: int, above: frozenset[int], room: _Room) -> Any:
    # A copy of the members first: another thread may change the container meanwhile.
    if type(value) is dict:
        room.take(len('"":0,') * len(value))
        made = {_plain_key(key): _plain_tree(item, depth, above, room) for key, item in list(value.items())}
        room.take(sum(map(len, made)))
        return made
    room.take(LEAST_OF_MEMBER * len(value))
    return [_plain_tree(item, depth, above, room) for item in list(value)]


def _digits(value: int, room: _Room) -> str | None:
    digits, _ = attempt(str, value)
    room.take(len(digits or ""))
    return digits


def plain_leaf(value: Any) -> Any:
    """One odd value as one of JSON's own; what lies within it may be odd itself. Raises where that is too much."""
    if type(value) is TooLarge:
        raise _NoRoomError
    made, failure = attempt(_made_plain, value)
    if type(failure) is _NoRoomError:
        raise failure
    return made


def _plain_key(key: Any) -> str:
    made, failure = (key, None) if type(key) in _JSON_TYPES else attempt(_made_plain, key)
    if type(failure) is _NoRoomError:
        raise failure
    if failure is None and (made is None or type(made) is bool):
        return str(_JSON_WORDS[made])
    text, failure = (None, failure) if failure is not None else attempt(str, made)
    return f"<{type(key).__name__}>" if text is None else _unicode(text)


CONTAINERS: Final = frozenset({dict, list, tuple})
_JSON_TYPES: Final = frozenset({str, int, float, bool, type(None)}) | CONTAINERS
_JSON_WORDS: Final = {None: "null", True: "true", False: "false"}


def _made_plain(value: Any) -> Any:
    """One odd value as one of `_JSON_TYPES`, whose members, if any, may be odd themselves.

    Raises what the value's own methods raise.
    """
    for _ in range(_MOST_STEPS):
        value = _one_step(value)
        if type(value) in _JSON_TYPES:
            return value
    return None


# An Enum of an Enum of a date takes three; a value that is made into itself would take them for ever.
_MOST_STEPS: Final = 8


def _one_step(value: Any) -> Any:
    for types, make in PLAIN:
        if isinstance(value, types):
            return make(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    for module, names, make in PLAIN_WHERE_IMPORTED:
        if module in sys.modules and isinstance(value, _classes(module, names)):
            return make(value)
    return str(value)


def _classes(module: str, names: Iterable[str]) -> tuple[type, ...]:
    # Another thread may be in the midst of that import: what is not there yet is no value's class.
    return tuple(getattr(sys.modules[module], name) for name in names if hasattr(sys.modules[module], name))


def _bare(value: str) -> str:
    # A subclass may say anything in its own __str__; a proxy (werkzeug's, say) only claims to be a str.
    return str.__str__(value) if issubclass(type(value), str) else str(value)


def _text(value: bytes | bytearray | memoryview) -> str:
    octets = bytes(value)
    if len(octets) > bound.most_bytes:
        raise _NoRoomError
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return base64.b64encode(octets).decode()


def _failure(value: BaseException) -> str:
    return f"{type(value).__name__}: {value}".removesuffix(": ")


def _few(value: Any) -> Any:
    """The value itself, which is copied next. Raises where it has more members than an event could hold."""
    if (attempt(len, value)[0] or 0) > bound.most_bytes / LEAST_OF_MEMBER:
        raise _NoRoomError
    return value


def _array(value: Any) -> Any:
    if value.size > bound.most_bytes / LEAST_OF_MEMBER:
        raise _NoRoomError
    return value.tolist()


def _listed(value: AbstractSet[Any]) -> list[Any]:
    ordered, _ = attempt(sorted, _few(value))
    return list(value) if ordered is None else ordered


def _tuple(value: tuple[Any, ...]) -> Any:
    as_dict = getattr(value, "_asdict", None)
    return tuple(value) if as_dict is None else as_dict()


def _unicode(text: str) -> str:
    """The text with each half of a surrogate pair that stands alone made U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(text)


PLAIN: Final[Sequence[tuple[Any, Callable[[Any], Any]]]] = (
    (Enum, lambda value: value.value),
    (str, _bare),
    (int, int),
    (float, float),
    (datetime, timestamps.from_datetime),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    (UserString, str),
    (PathLike, fspath),
    ((bytes, bytearray, memoryview), _text),
    (BaseException, _failure),
    (range, str),
    (tuple, _tuple),
    (Mapping, lambda value: dict(_few(value))),
    (AbstractSet, _listed),
    (Sequence, lambda value: list(_few(value))),
)
"""What becomes of a value that is not JSON's own: the first row whose type it has.

An Enum becomes its value, numbers a number, a timedelta its seconds, times and paths and ids their text,
bytes UTF-8 text or else base64, an exception `"ValueError: message"`, a namedtuple and any mapping an
object, sets and sequences an array (a set in order, where it has one). A dataclass becomes an object,
and what nothing here knows its `str()`.
"""

PLAIN_WHERE_IMPORTED: Final[Sequence[tuple[str, Sequence[str], Callable[[Any], Any]]]] = (
    ("decimal", ("Decimal",), float),  # beyond a double's range it becomes infinite here, and null later
    ("numpy", ("ndarray", "generic"), _array),
    ("pydantic.main", ("BaseModel",), dict),
)
"""What becomes of values of libraries that a program may not use: module, its classes, what is made of them."""
