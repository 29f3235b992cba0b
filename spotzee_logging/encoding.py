"""An event becomes strict JSON bytes, in the caller's thread, and bytes become a request's body.

orjson writes where it is installed (the extra `fast`), the standard library elsewhere, and both give
the same meaning: what either cannot write as it stands is first made plain by one set of rules, the
table `PLAIN`. A value that cannot be made plain becomes null and costs nothing but itself.
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
from spotzee_logging.event import Event
from spotzee_logging.foreign import attempt

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]  # everything below asks

MAX_DEPTH: Final = 64
"""Levels of nesting that arrive; what lies deeper becomes null."""

MAX_SHALLOW: Final = MAX_DEPTH - 2
"""Levels below those that an event's data begins at."""

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


ARRAY_BRACKETS_BYTES: Final = 2
"""What `join_events` adds around the events; between two of them it adds one byte more."""


def plain(value: Any) -> Any:
    """The value as JSON can say it: None, bool, int, float, str, or a dict or list of such. Never raises.

    >>> plain({"day": date(2026, 4, 28), "tags": {"new"}, 7: float("inf")})
    {'day': '2026-04-28', 'tags': ['new'], '7': None}
    """
    return _plain_tree(value, 0, frozenset())


if orjson is not None:
    # All that orjson would write in a manner of its own goes through `_made_leaf` instead.
    _OPTIONS: Final = (
        orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
    )

    _dumps, _CannotEncode = orjson.dumps, orjson.JSONEncodeError

    def encode_event(fields: dict[str, Any]) -> bytes:
        """An event's fields as strict JSON. Never raises.

        >>> encode_event({"name": "order_placed", "data": {"total": float("nan"), "day": date(2026, 4, 28)}})
        b'{"name":"order_placed","data":{"total":null,"day":"2026-04-28"}}'
        """
        # An event's rules let it hold values of any kind in these two places alone.
        user = fields.get("user")
        own = user.get("data") if type(user) is dict else None
        try:
            is_shallow = _is_shallow(fields.get("data")) and (own is None or _is_shallow(own))
        except RuntimeError:  # another thread changes what is looked at
            is_shallow = False
        return encode_shallow(fields) if is_shallow else _write(plain(fields))

    def encode_shallow(fields: dict[str, Any]) -> bytes:
        """As `encode_event`, of fields known to hold `MAX_SHALLOW` levels at most, text keys, no integer too large."""
        try:
            return _dumps(fields, _made_leaf, _OPTIONS)
        except (_CannotEncode, RuntimeError):
            return _write(plain(fields))

    def _is_shallow(value: Any, levels: int = MAX_SHALLOW) -> bool:
        # Before orjson sees it: orjson 3.13 counts no levels of tuples, and writes past the end of its
        # memory where a thousand are nested, which ends the process.
        if type(value) not in _CONTAINERS:
            return True
        for member in value.values() if type(value) is dict else value:
            if type(member) in _CONTAINERS and not (levels > 1 and _is_shallow(member, levels - 1)):
                return False
        return True

    def _made_leaf(value: Any) -> Any:
        made = _made_plain(value)
        if type(made) in _CONTAINERS:
            raise TypeError("its depth is not known: to be made plain with the whole")
        return made

    def _write(tree: Any) -> bytes:
        return _dumps(tree)

else:
    _JSON: Final = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
    )

    # Kept, where json would make one anew for every event; None where a Python has no C of json's.
    _make_encoder: Any = getattr(json.encoder, "c_make_encoder", None)
    _chunks: Any = _make_encoder and _make_encoder(
        None, None, json.encoder.encode_basestring, None, ":", ",", False, False, False
    )

    def encode_event(fields: dict[str, Any]) -> bytes:
        """An event's fields as strict JSON. Never raises."""
        # json would write integers of any size, NaN and half surrogates: every value is looked at first. To
        # look takes a third of the time that it takes to make a plain copy.
        user = fields.get("user")
        own = user.get("data") if type(user) is dict else None
        try:
            if _is_json(fields.get("data"), MAX_DEPTH - 2) and _is_json(own, MAX_DEPTH - 2):
                return _written(fields)
        except (UnicodeEncodeError, TypeError, RuntimeError):  # as above; or changed by another thread
            pass
        return _write(plain(fields))

    def _written(fields: dict[str, Any]) -> bytes:
        return ("".join(_chunks(fields, 0)) if _chunks else _JSON.encode(fields)).encode()

    def _is_json(value: Any, levels: int) -> bool:
        """Whether json writes the value as the rules have it: its own types throughout, and not too deep."""
        kind = type(value)
        if kind is str or value is None or kind is bool:
            return True
        if kind is int:
            return bool(_SMALLEST_INT <= value <= _LARGEST_INT)
        if kind is float:
            return math.isfinite(value)
        if levels and kind is dict:
            return all(type(key) is str and _is_json(item, levels - 1) for key, item in value.items())
        return bool(levels) and kind is list and all(_is_json(item, levels - 1) for item in value)

    def encode_shallow(fields: dict[str, Any]) -> bytes:
        """As `encode_event`, of fields known to hold `MAX_SHALLOW` levels at most, text keys, no integer too large."""
        # All else that json would write in its own way, or not at all, it raises for: NaN, half surrogates, odd types.
        try:
            return _written(fields)
        except (ValueError, TypeError, RuntimeError):
            return _write(plain(fields))

    def _write(tree: Any) -> bytes:
        return _JSON.encode(tree).encode()


def _plain_tree(value: Any, depth: int, above: frozenset[int]) -> Any:
    """`value` and all within it made plain; `above` holds the ids of the containers that it lies in."""
    kind = type(value)
    if kind not in _JSON_TYPES:
        value, _ = attempt(_made_plain, value)
        kind = type(value)
    if kind is str:
        return value if value.isascii() else _unicode(value)
    if kind is int:
        return value if _SMALLEST_INT <= value <= _LARGEST_INT else attempt(str, value)[0]
    if kind is float:
        return value if math.isfinite(value) else None
    if value is None or kind is bool:
        return value
    if depth >= MAX_DEPTH or id(value) in above:
        return None
    return _plain_container(value, depth + 1, above | {id(value)})


def _plain_container(value: Any, depth: int, above: frozenset[int]) -> Any:
    # A copy of the members first: another thread may change the container meanwhile.
    if type(value) is dict:
        return {_plain_key(key): _plain_tree(item, depth, above) for key, item in list(value.items())}
    return [_plain_tree(item, depth, above) for item in list(value)]


def _plain_key(key: Any) -> str:
    made, failure = (key, None) if type(key) in _JSON_TYPES else attempt(_made_plain, key)
    if failure is None and (made is None or type(made) is bool):
        return str(_JSON_WORDS[made])
    text, failure = (None, failure) if failure is not None else attempt(str, made)
    return f"<{type(key).__name__}>" if text is None else _unicode(text)


_CONTAINERS: Final = frozenset({dict, list, tuple})
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
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return base64.b64encode(octets).decode()


def _failure(value: BaseException) -> str:
    return f"{type(value).__name__}: {value}".removesuffix(": ")


def _listed(value: AbstractSet[Any]) -> list[Any]:
    ordered, _ = attempt(sorted, value)
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
    (Mapping, dict),
    (AbstractSet, _listed),
    (Sequence, list),
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
    ("numpy", ("ndarray", "generic"), lambda value: value.tolist()),
    ("pydantic.main", ("BaseModel",), dict),
)
"""What becomes of values of libraries that a program may not use: module, its classes, what is made of them."""
