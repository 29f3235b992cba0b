"""An event becomes strict JSON bytes, in the caller's thread, and bytes become a request's body.

orjson writes where it is installed (the extra `fast`), the standard library elsewhere, and both give the same meaning:
what either cannot write as it stands is first made plain (`plain_values.py`).

The caller waits meanwhile, and values that hold each other are written once for each way to them: ten objects that
each list the others would take minutes. So whoever visits values reckons the least that they take as JSON, and stops
where that is more than is sent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Final

from spotzee_logging.event import Event
from spotzee_logging.plain_values import (
    CONTAINERS,
    LARGEST_INT,
    LEAST_OF_MEMBER,
    MAX_DEPTH,
    SMALLEST_INT,
    bound,
    plain_fields,
    plain_leaf,
)

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]  # everything below asks

MAX_SHALLOW: Final = MAX_DEPTH - 2
"""Levels below those that an event's data begins at."""

_TEXT: Final = frozenset({str})


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
            if type(members) not in CONTAINERS:
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
                elif kind in CONTAINERS:
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

        >>> from datetime import date
        >>> encode_event({"name": "order_placed", "data": {"total": float("nan"), "day": date(2026, 4, 28)}})
        b'{"name":"order_placed","data":{"total":null,"day":"2026-04-28"}}'
        """
        room = bound.most_bytes if most_bytes is None else most_bytes
        try:
            is_small = _is_small(_containers_of(fields), room)
        except (TypeError, RuntimeError):  # a key is no text; another thread changes what is looked at
            is_small = False
        return encode_shallow(fields, room) if is_small else _write(plain_fields(fields, room))

    def encode_counted(fields: dict[str, Any], most_bytes: int | None = None) -> bytes:
        """As `encode_event`, of fields whose values are known to be few and small."""
        try:
            is_shallow = all(map(_is_shallow, _containers_of(fields)))
        except RuntimeError:  # as above
            is_shallow = False
        return encode_shallow(fields, most_bytes) if is_shallow else _write(plain_fields(fields, most_bytes))

    def encode_shallow(fields: dict[str, Any], most_bytes: int | None = None) -> bytes:
        """As `encode_event`, of fields known to be small: `MAX_SHALLOW` levels, text keys, no integer too large."""
        try:
            return _dumps(fields, _made_leaf, _OPTIONS)
        except (_CannotEncode, RuntimeError):
            return _write(plain_fields(fields, most_bytes))

    def _is_shallow(value: Any, levels: int = MAX_SHALLOW) -> bool:
        # Before orjson sees it: orjson 3.13 counts no levels of tuples, and writes past the end of its
        # memory where a thousand are nested, which ends the process.
        if type(value) not in CONTAINERS:
            return True
        for member in value.values() if type(value) is dict else value:
            if type(member) in CONTAINERS and not (levels > 1 and _is_shallow(member, levels - 1)):
                return False
        return True

    def _is_small(containers: list[Any], room: int) -> bool:
        left, leaves = _looked_at(containers, room)
        return left >= _LONGEST_LEAF * len(leaves)

    def _made_leaf(value: Any) -> Any:
        made = plain_leaf(value)
        if type(made) in CONTAINERS or (type(made) is str and len(made) > _LONGEST_LEAF):
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
        return _write(plain_fields(fields, room))

    encode_counted = encode_event  # that counts while it looks

    def _written(fields: dict[str, Any]) -> bytes:
        return ("".join(_chunks(fields, 0)) if _chunks else _JSON.encode(fields)).encode()

    def _is_small(containers: list[Any], room: int) -> bool:
        left, leaves = _looked_at(containers, room)
        return left >= 0 and all(map(_is_json_number, leaves))

    def _is_json_number(leaf: Any) -> bool:
        """Whether json writes the value as the rules have it."""
        if type(leaf) is int:
            return bool(SMALLEST_INT <= leaf <= LARGEST_INT)
        return type(leaf) is float and math.isfinite(leaf)

    def encode_shallow(fields: dict[str, Any], most_bytes: int | None = None) -> bytes:
        """As `encode_event`, of fields known to be small: `MAX_SHALLOW` levels, text keys, no integer too large."""
        # All else that json would write in its own way, or not at all, it raises for: NaN, half surrogates, odd types.
        try:
            return _written(fields)
        except (ValueError, TypeError, RuntimeError):
            return _write(plain_fields(fields, most_bytes))

    def _write(tree: Any) -> bytes:
        return _JSON.encode(tree).encode()
