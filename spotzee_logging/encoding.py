"""An event becomes strict JSON bytes, in the caller's thread, and bytes become a request's body.

orjson writes where it is installed (the extra `fast`), the standard library elsewhere, and both give
the same meaning: what either cannot write as it stands is first made plain by one set of rules, the
table `PLAIN`. A value that cannot be made plain becomes null and costs nothing but itself.

The caller waits meanwhile, and values that hold each other are written once for each way to them: ten objects that
each list the others would take minutes. So whoever visits values reckons the least that they take as JSON, and stops
where that is more than is sent.
"""

from __future__ import annotations

import base64
import json
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
from spotzee_logging.event import MOST_BYTES, Event, TooLarge, more_than, too_large
from spotzee_logging.foreign import attempt

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]  # everything below asks

MAX_DEPTH: Final = 64
"""Levels of nesting that arrive; what lies deeper becomes null."""

MAX_SHALLOW: Final = MAX_DEPTH - 2
"""Levels below those that an event's data begins at."""


class Bound:
    """What the largest event takes that a handler of this process sends; no value that takes more is made plain."""

    most_bytes = MOST_BYTES

    def raise_to(self, most_bytes: int) -> None:
        """A handler sends events that take so much."""
        self.most_bytes = max(self.most_bytes, most_bytes)


bound: Final = Bound()

# What both encoders can write: orjson takes no larger ones, and few readers of JSON keep them exact.
_SMALLEST_INT: Final = -(2**63)
_LARGEST_INT: Final = 2**64 - 1


def decode_event(body: bytes) -> Event:
    """The event that these bytes are; what was made plain for them stays so."""
    return Event(**decode_fields(body))


def decode_fields(text: str | bytes) -> dict[str, Any]:
    """The fields of an encoded event. Raises ValueError or TypeError where it is no JSON object."""
    return dict(json.loads(text))


def cut_to_size(body: bytes) -> bytes:
    """A copy, for who keeps an event: orjson's bytes hold on to their first allocation, KiB for the smallest."""
    return b"%b" % body  # bytes(memoryview(body)) would take three times as long


def join_events(bodies: Iterable[bytes]) -> bytes:
    """The body of a request: the JSON array of events that are encoded already."""
    return b"[" + b",".join(bodies) + b"]"


LEAST_OF_MEMBER: Final = len("0,")
"""The bytes that each member of a list takes at least."""

ARRAY_BRACKETS_BYTES: Final = 2
"""What `join_events` adds around the events; between two of them it adds one byte more."""


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


def _plain_fields(fields: dict[str, Any], most_bytes: int | None) -> Any:
    most_bytes = bound.most_bytes if most_bytes is None else most_bytes
    try:
        return _plain_tree(fields, 0, frozenset(), _Room(most_bytes))
    except _NoRoomError:
        raise too_large(fields, more_than(most_bytes)) from None


def _containers_of(fields: dict[str, Any]) -> list[Any]:
    """An event's rules let it hold values of any kind in these two places alone."""
    user = fields.get("user")
    own = user.get("data") if type(user) is dict else None
    return [container for container in (fields.get("data"), own) if container is not None]


def _looked_at(containers: list[Any], room: int) -> tuple[int, list[Any]]:  # noqa: C901  no calls within
    """What is left of the room when all in these has taken the least that it may, and what is to be looked at further.

    Less than 0: there was too little, or they are too deep, or hold keys that are no texts. Raises TypeError for such
    keys too.
    """
    leaves: list[Any] = []
    for _ in range(MAX_SHALLOW):
        inner: list[Any] = []
        for members in containers:
            if type(members) not in _CONTAINERS:
                return -1, leaves
            room -= LEAST_OF_MEMBER * len(members)
            if room < 0:
                return room, leaves
            if type(members) is dict:
                if not (_REFUSES_KEYS or _TEXT.issuperset(map(type, members))):
                    return -1, leaves
                room -= len("".join(members))
                members = members.values()  # noqa: PLW2901
            for member in members:
                kind = type(member)
                if kind is str:
                    room -= len(member)
                elif kind in _CONTAINERS:
                    inner.append(member)
                elif kind not in _SMALL:
                    leaves.append(member)
        if room < 0 or not inner:
            return room, leaves
        containers = inner
    return -1, leaves


if orjson is not None:
    # All that orjson would write in a manner of its own goes through `_made_leaf` instead.
    _OPTIONS: Final = (
        orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
    )
    _LONGEST_LEAF: Final = 100
    _REFUSES_KEYS = True  # that are of a subclass of str
    _SMALL: Any = frozenset({int, float, bool, type(None)})

    _dumps, _CannotEncode = orjson.dumps, orjson.JSONEncodeError

    def encode_event(fields: dict[str, Any], most_bytes: int | None = None) -> bytes:
        """An event's fields as strict JSON. Raises `InvalidEvent` where that surely takes more than `most_bytes`.

        None: than `bound.most_bytes`. What is returned may still take more, a few times as much.

        >>> encode_event({"name": "order_placed", "data": {"total": float("nan"), "day": date(2026, 4, 28)}})
        b'{"name":"order_placed","data":{"total":null,"day":"2026-04-28"}}'
        """
        room = bound.most_bytes if most_bytes is None else most_bytes
        try:
            is_small = _is_small(_containers_of(fields), room)
        except (TypeError, RuntimeError):  # a key is no text; another thread changes what is looked at
            is_small = False
        return encode_shallow(fields, room) if is_small else _write(_plain_fields(fields, room))

    def encode_counted(fields: dict[str, Any], most_bytes: int | None = None) -> bytes:
        """As `encode_event`, of fields whose values are known to be few and small."""
        try:
            is_shallow = all(map(_is_shallow, _containers_of(fields)))
        except RuntimeError:  # as above
            is_shallow = False
        return encode_shallow(fields, most_bytes) if is_shallow else _write(_plain_fields(fields, most_bytes))

    def encode_shallow(fields: dict[str, Any], most_bytes: int | None = None) -> bytes:
        """As `encode_event`, of fields known to be small: `MAX_SHALLOW` levels, text keys, no integer too large."""
        try:
            return _dumps(fields, _made_leaf, _OPTIONS)
        except (_CannotEncode, RuntimeError):
            return _write(_plain_fields(fields, most_bytes))

    def _is_shallow(value: Any, levels: int = MAX_SHALLOW) -> bool:
        # Before orjson sees it: orjson 3.13 counts no levels of tuples, and writes past the end of its
        # memory where a thousand are nested, which ends the process.
        if type(value) not in _CONTAINERS:
            return True
        for member in value.values() if type(value) is dict else value:
            if type(member) in _CONTAINERS and not (levels > 1 and _is_shallow(member, levels - 1)):
                return False
        return True

    def _is_small(containers: list[Any], room: int) -> bool:
        left, leaves = _looked_at(containers, room)
        return left >= _LONGEST_LEAF * len(leaves)

    def _made_leaf(value: Any) -> Any:
        made = _plain_leaf(value)
        if type(made) in _CONTAINERS or (type(made) is str and len(made) > _LONGEST_LEAF):
            raise TypeError("what it holds is not known: to be made plain with the whole")
        return made

    def _write(tree: Any) -> bytes:
        return _dumps(tree)

else:
    _REFUSES_KEYS = False
    _SMALL = frozenset({bool, type(None)})
    _JSON: Final = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
    )

    # Kept, where json would make one anew for every event; None where a Python has no C of json's.
    _make_encoder: Any = getattr(json.encoder, "c_make_encoder", None)
    _chunks: Any = _make_encoder and _make_encoder(
        None, None, json.encoder.encode_basestring, None, ":", ",", False, False, False
    )

    def encode_event(fields: dict[str, Any], most_bytes: int | None = None) -> bytes:
        """An event's fields as strict JSON. Raises `InvalidEvent` where that surely takes more than `most_bytes`."""
        # json would write integers of any size, NaN and half surrogates: every value is looked at first. To
        # look takes a third of the time that it takes to make a plain copy.
        room = bound.most_bytes if most_bytes is None else most_bytes
        try:
            if _is_small(_containers_of(fields), room):
                return _written(fields)
        except (UnicodeEncodeError, TypeError, RuntimeError):  # as above; or changed by another thread
            pass
        return _write(_plain_fields(fields, room))

    encode_counted = encode_event  # that counts while it looks

    def _written(fields: dict[str, Any]) -> bytes:
        return ("".join(_chunks(fields, 0)) if _chunks else _JSON.encode(fields)).encode()

    def _is_small(containers: list[Any], room: int) -> bool:
        left, leaves = _looked_at(containers, room)
        return left >= 0 and all(map(_is_json_number, leaves))

    def _is_json_number(leaf: Any) -> bool:
        """Whether json writes the value as the rules have it."""
        if type(leaf) is int:
            return bool(_SMALLEST_INT <= leaf <= _LARGEST_INT)
        return type(leaf) is float and math.isfinite(leaf)

    def encode_shallow(fields: dict[str, Any], most_bytes: int | None = None) -> bytes:
        """As `encode_event`, of fields known to be small: `MAX_SHALLOW` levels, text keys, no integer too large."""
        # All else that json would write in its own way, or not at all, it raises for: NaN, half surrogates, odd types.
        try:
            return _written(fields)
        except (ValueError, TypeError, RuntimeError):
            return _write(_plain_fields(fields, most_bytes))

    def _write(tree: Any) -> bytes:
        return _JSON.encode(tree).encode()


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
        value = _plain_leaf(value)
        kind = type(value)
    if kind is str:
        room.take(len(value) + 1)
        return value if value.isascii() else _unicode(value)
    if kind is int:
        return value if _SMALLEST_INT <= value <= _LARGEST_INT else _digits(value, room)
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


def _plain_leaf(value: Any) -> Any:
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


_CONTAINERS: Final = frozenset({dict, list, tuple})
_TEXT: Final = frozenset({str})
_JSON_TYPES: Final = frozenset({str, int, float, bool, type(None)}) | _CONTAINERS
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
    ("uuid", ("UUID",), str),
    ("numpy", ("ndarray", "generic"), _array),
    ("pydantic.main", ("BaseModel",), dict),
)
"""What becomes of values of libraries that a program may not use: module, its classes, what is made of them."""
