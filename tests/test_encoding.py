"""Events become strict JSON, whatever they hold, and whichever encoder is installed."""

import collections
import copy
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import importlib.util
import json
import math
import pathlib
import sys
import threading
import types
import uuid
from collections.abc import Mapping, Sequence

import pytest
import wrapt
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from spotzee_logging import encoding
from spotzee_logging.event import ARRAY_BRACKETS_BYTES, Event
from spotzee_logging.plain_values import plain
from spotzee_logging.redaction import Redaction

# A busy machine is no failure.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

HAS_ORJSON = importlib.util.find_spec("orjson") is not None


def _copy_without_orjson():
    """The same module once more, on a machine without the extra `fast`."""
    spec = importlib.util.spec_from_file_location("encoding_without_orjson", encoding.__file__)
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get("orjson")
    sys.modules["orjson"] = None
    try:
        spec.loader.exec_module(module)
    finally:
        if before is None:
            del sys.modules["orjson"]
        else:
            sys.modules["orjson"] = before
    return module


STDLIB = _copy_without_orjson()
ENCODERS = [
    pytest.param(
        encoding,
        id="orjson",
        marks=pytest.mark.skipif(not HAS_ORJSON, reason="the extra `fast` is not there"),
    ),
    pytest.param(STDLIB, id="json"),
]


def read(body):
    """What a strict reader of JSON takes from these bytes."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    def once(pairs):
        assert len(dict(pairs)) == len(pairs), "a key stands twice"
        return dict(pairs)

    return json.loads(body.decode("utf-8"), parse_constant=refuse, object_pairs_hook=once)


def sent(encoder, value):
    """How `value` arrives."""
    return read(encoder.encode_event({"name": "n", "data": {"value": value}}))["data"]["value"]


class Color(enum.Enum):
    RED = "red"
    MISSING = None
    NEVER = float("nan")
    BIG = 2**70
    DAY = dt.date(2026, 4, 28)
    SET = frozenset({3, 1, 2})


class Size(str, enum.Enum):
    SMALL = "s"


class Level(enum.IntEnum):
    HIGH = 3


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Nested(enum.Enum):
    COLOR = Color.DAY


@dataclasses.dataclass
class Item:
    sku: str
    price: decimal.Decimal
    tags: set = dataclasses.field(default_factory=set)


@dataclasses.dataclass(frozen=True)
class Slotted:
    __slots__ = ("given", "unset")
    given: int
    unset: int

    def __init__(self):
        object.__setattr__(self, "given", 1)


Point = collections.namedtuple("Point", "x y")


class Pair(tuple):
    """A tuple whose members have no names."""

    __slots__ = ()


class Mute:
    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


class Half:
    def __str__(self):
        return "half \ud800"


class Thing:
    def __str__(self):
        return "a thing"


class Liar(str):
    def __str__(self):
        return "something else"


class Lines(Sequence):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return ["a", "b"][index]


class Broken(Mapping):
    def __getitem__(self, key):
        raise RuntimeError

    def __iter__(self):
        raise RuntimeError

    def __len__(self):
        return 1


class Ouroboros:
    """Claims to be of a class that it is not."""

    @property
    def __class__(self):
        raise RuntimeError


class Number(int):
    pass


class Measure(float):
    pass


class Bag(dict):
    pass


class Row(list):
    pass


class NotATime(dt.datetime):
    __hash__ = None

    def __eq__(self, other):
        return False

    def __ne__(self, other):
        return True


SYDNEY = dt.timezone(dt.timedelta(hours=10))
AN_ID = uuid.UUID("12345678-1234-5678-1234-567812345678")

ODD_VALUES = {
    "Decimal": (decimal.Decimal("129.50"), 129.5),
    "Decimal whole": (decimal.Decimal(7), 7),
    "Decimal NaN": (decimal.Decimal("NaN"), None),
    "Decimal sNaN": (decimal.Decimal("sNaN"), None),
    "Decimal infinite": (decimal.Decimal("-Infinity"), None),
    "Decimal beyond a double": (decimal.Decimal("1e400"), None),
    "UUID": (AN_ID, "12345678-1234-5678-1234-567812345678"),
    "datetime naive": (dt.datetime(2026, 4, 28, 5, 14), "2026-04-28T05:14:00.000Z"),
    "datetime aware": (dt.datetime(2026, 4, 28, 15, 14, tzinfo=SYDNEY), "2026-04-28T05:14:00.000Z"),
    "datetime with microseconds": (dt.datetime(2026, 4, 28, 5, 14, 0, 1), "2026-04-28T05:14:00.000001Z"),
    "datetime before all calendars": (dt.datetime.min.replace(tzinfo=SYDNEY), None),
    "datetime that is none": (NotATime(2026, 4, 28), None),
    "date": (dt.date(2026, 4, 28), "2026-04-28"),
    "time": (dt.time(5, 14), "05:14:00"),
    "time aware": (dt.time(5, 14, tzinfo=SYDNEY), "05:14:00+10:00"),
    "timedelta": (dt.timedelta(minutes=1, milliseconds=500), 60.5),
    "timezone": (dt.timezone.utc, "UTC"),
    "set": ({3, 1, 2}, [1, 2, 3]),
    "set of what has no order": ({None}, [None]),
    "set empty": (set(), []),
    "frozenset": (frozenset({"b", "a"}), ["a", "b"]),
    "keys of a dict": ({"b": 1, "a": 2}.keys(), ["a", "b"]),
    "bytes of text": ("größer".encode(), "größer"),
    "bytes of no text": (b"\xff\x00", "/wA="),
    "bytearray": (bytearray(b"abc"), "abc"),
    "memoryview": (memoryview(b"abcdef")[::2], "ace"),
    "Enum": (Color.RED, "red"),
    "Enum of None": (Color.MISSING, None),
    "Enum of NaN": (Color.NEVER, None),
    "Enum of a large int": (Color.BIG, "1180591620717411303424"),
    "Enum of a date": (Color.DAY, "2026-04-28"),
    "Enum of a frozenset": (Color.SET, [1, 2, 3]),
    "Enum of an Enum": (Nested.COLOR, "2026-04-28"),
    "str Enum": (Size.SMALL, "s"),
    "IntEnum": (Level.HIGH, 3),
    "Flag": (Access.READ | Access.WRITE, 3),
    "dataclass": (
        Item("a", decimal.Decimal("9.5"), {"x"}),
        {"sku": "a", "price": 9.5, "tags": ["x"]},
    ),
    "dataclass in a dataclass": (
        Item("a", Item("b", decimal.Decimal(1))),
        {"sku": "a", "price": {"sku": "b", "price": 1.0, "tags": []}, "tags": []},
    ),
    "dataclass with an unset slot": (Slotted(), None),
    "namedtuple": (Point(1, Point(2, 3)), {"x": 1, "y": {"x": 2, "y": 3}}),
    "tuple": ((1, (2, "a")), [1, [2, "a"]]),
    "tuple of one's own": (Pair((1, Pair((2, "a")))), [1, [2, "a"]]),
    "Path": (pathlib.PurePosixPath("/srv/shop"), "/srv/shop"),
    "Path of no Unicode": (pathlib.PurePosixPath("/srv/\udcff"), "/srv/\ufffd"),
    "exception": (ValueError("too small", 3), "ValueError: ('too small', 3)"),
    "exception of few words": (KeyError(), "KeyError"),
    "exception that cannot be said": (ValueError(Mute()), None),
    "NaN": (float("nan"), None),
    "Infinity": (float("inf"), None),
    "-Infinity": (float("-inf"), None),
    "NaN within": ([1.5, [float("nan")]], [1.5, [None]]),
    "int of 64 bits": (2**64 - 1, 18446744073709551615),
    "int of -63 bits": (-(2**63), -9223372036854775808),
    "int beyond": (2**64, "18446744073709551616"),
    "int below": (-(2**63) - 1, "-9223372036854775809"),
    "int beyond all printing": (10**5000 if sys.version_info >= (3, 11) else None, None),
    "bool": ([True, False], [True, False]),
    "lone surrogate": ("half \ud83d", "half \ufffd"),
    "two halves of a surrogate pair": ("\ud83d\ude00", "😀"),
    "text of all planes": ('a\x00\x1f\x7f"\\/ü\u2028😀', 'a\x00\x1f\x7f"\\/ü\u2028😀'),
    "text within __str__ with a surrogate": (Half(), "half \ufffd"),
    "str of another mind": (Liar("abc"), "abc"),
    "UserString": (collections.UserString("abc"), "abc"),
    "subclasses": (
        [Number(7), Measure(1.5), Measure("nan"), Bag(a=Row([Number(2**70)]))],
        [7, 1.5, None, {"a": ["1180591620717411303424"]}],
    ),
    "OrderedDict": (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    "defaultdict": (collections.defaultdict(list, a=[1]), {"a": [1]}),
    "Counter": (collections.Counter("aab"), {"a": 2, "b": 1}),
    "mappingproxy": (types.MappingProxyType({"a": {1}}), {"a": [1]}),
    "ChainMap": (collections.ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
    "Mapping that raises": (Broken(), None),
    "deque": (collections.deque([1, 2]), [1, 2]),
    "Sequence": (Lines(), ["a", "b"]),
    "range": (range(3), "range(0, 3)"),
    "complex": (1 + 2j, "(1+2j)"),
    "Fraction": (fractions.Fraction(1, 3), "1/3"),
    "any object": (Thing(), "a thing"),
    "a class": (Item, f"<class '{__name__}.Item'>"),
    "object whose __str__ raises": (Mute(), None),
    "object that raises at every look": (Ouroboros(), None),
    "proxy of a str": (wrapt.ObjectProxy("abc"), "abc"),
    "proxy of a date": (wrapt.ObjectProxy(dt.date(2026, 4, 28)), "2026-04-28"),
    "proxy of a timedelta": (wrapt.ObjectProxy(dt.timedelta(seconds=2)), 2.0),
    "proxy of a dict": (wrapt.ObjectProxy({"a": wrapt.ObjectProxy(1)}), {"a": 1}),
    "key int": ({7: "a"}, {"7": "a"}),
    "key None": ({None: "a"}, {"null": "a"}),
    "key bool": ({True: "a", False: "b"}, {"true": "a", "false": "b"}),
    "key float": ({1.5: "a"}, {"1.5": "a"}),
    "key tuple": ({(1, "b"): "a"}, {"(1, 'b')": "a"}),
    "key Enum": ({Color.RED: "a", Level.HIGH: "b", Size.SMALL: "c"}, {"red": "a", "3": "b", "s": "c"}),
    "key datetime": ({dt.date(2026, 4, 28): "a"}, {"2026-04-28": "a"}),
    "key UUID": ({AN_ID: "a"}, {"12345678-1234-5678-1234-567812345678": "a"}),
    "key bytes": ({b"k": "a"}, {"k": "a"}),
    "key with a surrogate": ({"\ud800": "a"}, {"\ufffd": "a"}),
    "key str of another mind": ({Liar("k"): "a"}, {"k": "a"}),
    "key whose __str__ raises": ({Mute(): "a", None: "b"}, {"<Mute>": "a", "null": "b"}),
    "key beyond all printing": (
        {10**5000: "a"} if sys.version_info >= (3, 11) else {"<int>": "a"},
        {"<int>": "a"},
    ),
    "keys that become one": ({1: "a", "1": "b"}, {"1": "b"}),
}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", ODD_VALUES)
def test_an_odd_value_is_made_plain(encoder, name):
    """Each odd value arrives as the plain one that stands for it, the same from both encoders."""
    value, plain = ODD_VALUES[name]

    arrived = sent(encoder, value)

    assert arrived == plain
    assert type(arrived) is type(plain) or isinstance(plain, int | float)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", ODD_VALUES)
def test_an_odd_value_costs_nothing_but_itself(encoder, name):
    """Nine good values beside an odd one arrive as they were."""
    value, plain = ODD_VALUES[name]
    good = {f"good{number}": {"number": number, "text": "größer", "list": [1.5, None]} for number in range(9)}

    body = encoder.encode_event({"name": "n", "external_id": "c", "data": {**good, "odd": value}})

    assert read(body) == {"name": "n", "external_id": "c", "data": {**good, "odd": plain}}


@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_is_made_plain_is_not_changed(encoder):
    """The program's own objects stay as they were, odd ones and plain ones."""
    data = {
        "item": Item("a", decimal.Decimal("9.5"), {1, 2}),
        "bag": Bag(a=[float("nan"), {"b": (1, 2)}]),
        "keys": {1: {None: b"x"}},
        "text": "half \ud800",
    }
    before = copy.deepcopy(data)

    encoder.encode_event({"name": "n", "data": data})

    assert repr(data) == repr(before)
    assert type(data["bag"]) is Bag


def nest(levels, of):
    tree = 1
    for _ in range(levels):
        tree = of(tree)
    return tree


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    "of", [lambda tree: [tree], lambda tree: {"a": tree}, lambda tree: (tree,), lambda tree: Bag(a=tree)]
)
@pytest.mark.parametrize("levels", [65, 250, 300, 1_000, 20_000])
def test_what_lies_too_deep_is_cut_off(encoder, of, levels):
    """However deep a value nests, the event goes; 64 levels of it arrive, the event and its data among them."""
    arrived = read(encoder.encode_event({"name": "n", "data": {"deep": nest(levels, of)}, "user": {}}))

    assert arrived["name"] == "n"
    tree, depth = arrived["data"]["deep"], 2
    while tree is not None:
        (tree,) = tree if isinstance(tree, list) else tree.values()
        depth += 1
    assert depth == encoder.MAX_DEPTH == 64


@pytest.mark.parametrize("encoder", ENCODERS)
def test_64_levels_arrive_whole(encoder):
    """The deepest event that is allowed is not touched, and brackets within texts count for nothing."""
    tree = nest(62, lambda tree: {"a": tree})

    assert sent(encoder, tree) == tree
    assert sent(encoder, "[{" * 100) == "[{" * 100
    assert sent(encoder, [[[]]] * 100) == [[[]]] * 100


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_circle_ends_where_it_closes(encoder):
    """A value that holds itself arrives with null in the place where it would begin again."""
    own_dict = {"name": "a"}
    own_dict["self"] = own_dict
    own_list = [1]
    own_list.append({"again": own_list})
    node = Item("a", None)
    node.price = [node]

    assert sent(encoder, own_dict) == {"name": "a", "self": None}
    assert sent(encoder, own_list) == [1, {"again": None}]
    assert read(encoder.encode_event({"name": "n", "data": {"node": node}}))["name"] == "n"


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_value_in_two_places_is_no_circle(encoder):
    """The same object twice, side by side, arrives twice, also where an odd neighbour is."""
    shared = {"a": 1}

    assert sent(encoder, [shared, shared, {1: shared}]) == [{"a": 1}, {"a": 1}, {"1": {"a": 1}}]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_value_that_another_thread_changes_costs_no_event(encoder):
    """While a thread fills and empties the values, every event is encoded and reads as strict JSON."""
    changing = {f"key{number}": [Item("a", decimal.Decimal(1))] for number in range(50)}
    odd = {1: changing, "deque": collections.deque(range(50)), "ordered": collections.OrderedDict(a=1)}
    done = threading.Event()

    def change():
        number = 0
        while not done.is_set():
            number += 1
            changing[f"more{number % 97}"] = {Thing(), number}
            changing.pop(f"more{(number - 13) % 97}", None)
            odd["deque"].append(number)
            odd["deque"].popleft()
            odd["ordered"][f"more{number % 7}"] = number
            odd["ordered"].pop(f"more{(number - 3) % 7}", None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            assert read(encoder.encode_event({"name": "n", "data": odd}))["name"] == "n"
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("text", ["", "x", "größer 🎉" * 100, "x" * 5000])
def test_an_events_bytes_take_their_length_and_no_more(encoder, text):
    """A body is exactly as large as what it says: pending events take the memory that they are counted with."""
    body = encoder.encode_event({"name": "n", "data": {"text": text}})

    assert type(body) is bytes
    assert sys.getsizeof(body) == 33 + len(body)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_plain_events_are_written_without_white_space_and_in_order(encoder):
    """The bytes of a plain event are the shortest JSON of it, its fields in their order, letters as UTF-8."""
    body = encoder.encode_event(
        {"name": "größer", "external_id": "c", "data": {"b": [1, 2.5, None], "a": True}}
    )

    assert body == '{"name":"größer","external_id":"c","data":{"b":[1,2.5,null],"a":true}}'.encode()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_id_of_a_users_own_type_arrives_as_its_text(encoder):
    """A proxy or str-Enum that passes the rules as an id is sent as that id, never as null."""
    fields = {"name": Size.SMALL, "external_id": wrapt.ObjectProxy("cust_001"), "anonymous_id": Liar("anon")}

    assert read(encoder.encode_event(fields)) == {
        "name": "s",
        "external_id": "cust_001",
        "anonymous_id": "anon",
    }


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_encoded_event_comes_back(encoder):
    """Hooks are shown the event as it will be sent."""
    body = encoder.encode_event({"name": "n", "external_id": "c", "data": {"total": decimal.Decimal("9.5")}})

    assert encoder.decode_event(body) == Event(name="n", external_id="c", data={"total": 9.5})


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("text", ["", "no JSON", "7", "[1]", "null"])
def test_a_text_that_is_no_event_is_refused(encoder, text):
    """What a formatter of one's own returns must be a JSON object."""
    with pytest.raises((ValueError, TypeError)):
        encoder.decode_fields(text)


@RELAXED
@given(st.lists(st.dictionaries(st.text(), st.integers(-(2**63), 2**63)), max_size=5))
def test_a_requests_body_is_the_array_of_its_events(events):
    """Joined events read as the array of them, and take what is reckoned for them."""
    bodies = [encoding.encode_event(each) for each in events]

    joined = encoding.join_events(bodies)

    assert read(joined) == events
    commas = max(0, len(bodies) - 1)
    assert len(joined) == sum(map(len, bodies)) + commas + ARRAY_BRACKETS_BYTES


@pytest.mark.parametrize("encoder", ENCODERS)
def test_numpy_values_arrive_as_numbers_and_lists(encoder):
    """Scalars and arrays of numpy arrive as the numbers that they are."""
    np = pytest.importorskip("numpy")
    values = {
        "int": np.int64(7),
        "float": np.float32(1.5),
        "double": np.float64("nan"),
        "bool": np.bool_(True),
        "text": np.str_("abc"),
        "bytes": np.bytes_(b"abc"),
        "array": np.array([[1, 2], [3, 4]]),
        "nan": np.array([1.5, np.nan, np.inf]),
        "none": np.array(7),
        "empty": np.array([]),
        "objects": np.array([decimal.Decimal("1.5"), {1}, None], dtype=object),
        "time": np.datetime64("2026-04-28T05:14:00"),
        "day": np.datetime64("2026-04-28"),
        "no time": np.datetime64("NaT", "s"),
        "span": np.timedelta64(1500, "ms"),
        "complex": np.complex128(1 + 2j),
        "long": np.longdouble(1.5),
        "key": {np.int64(7): np.uint64(2**64 - 1)},
    }

    assert sent(encoder, values) == {
        "int": 7,
        "float": 1.5,
        "double": None,
        "bool": True,
        "text": "abc",
        "bytes": "abc",
        "array": [[1, 2], [3, 4]],
        "nan": [1.5, None, None],
        "none": 7,
        "empty": [],
        "objects": [1.5, [1], None],
        "time": "2026-04-28T05:14:00.000Z",
        "day": "2026-04-28",
        "no time": None,
        "span": 1.5,
        "complex": "(1+2j)",
        "long": None,
        "key": {"7": 18446744073709551615},
    }


@pytest.mark.parametrize("encoder", ENCODERS)
def test_pydantic_values_arrive_as_objects(encoder):
    """A model arrives as the object of its fields, and its secrets stay hidden."""
    pydantic = pytest.importorskip("pydantic")

    class Address(pydantic.BaseModel):
        city: str

    class Customer(pydantic.BaseModel):
        model_config = {"extra": "allow"}
        address: Address
        since: dt.date
        balance: decimal.Decimal
        password: pydantic.SecretStr

    model = Customer(
        address=Address(city="Hobart"),
        since=dt.date(2026, 4, 28),
        balance=decimal.Decimal("9.5"),
        password="hunter2",
        plan="pro",
    )

    assert sent(encoder, model) == {
        "address": {"city": "Hobart"},
        "since": "2026-04-28",
        "balance": 9.5,
        "password": "**********",
        "plan": "pro",
    }


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_library_that_is_being_imported_disturbs_nobody(encoder, monkeypatch):
    """While another thread is in the midst of importing numpy, objects still arrive as their text."""
    monkeypatch.setitem(sys.modules, "numpy", types.ModuleType("numpy"))

    assert sent(encoder, Thing()) == "a thing"


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63 - 2, 2**64 + 2)
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs", "Ll"]))
    | st.binary(max_size=5)
    | st.decimals()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.fractions()
    | st.complex_numbers()
    | st.sampled_from([*Color, *Size, *Level, *Nested, Half(), Liar("x"), Broken(), ValueError("x")])
    | st.builds(Mute)
)
keys = (
    st.text(max_size=3) | st.none() | st.booleans() | st.integers() | st.floats() | st.tuples(st.integers())
)
keys |= st.sampled_from([*Color, *Level, Liar("x"), "\ud800", b"x", dt.date(2026, 4, 28)]) | st.builds(Mute)


def boxes(inner):
    """Lists, tuples and objects of such values."""
    return (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    )


trees = st.recursive(
    scalars,
    lambda inner: (
        boxes(inner)
        | st.lists(inner, max_size=3).map(collections.deque)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=3).map(Bag)
        | st.dictionaries(keys, inner, max_size=3).map(types.MappingProxyType)
        | st.builds(Item, sku=inner, price=inner)
        | st.builds(Point, inner, inner)
        | st.frozensets(st.integers() | st.text(max_size=2), max_size=3)
    ),
    max_leaves=20,
)


@settings(RELAXED, max_examples=300)
@given(st.dictionaries(st.text(max_size=5), trees, max_size=4))
def test_both_encoders_say_the_same_of_anything(data):
    """Of any mixture of plain and odd values both encoders make strict JSON of the same meaning."""
    fields = {"name": "n", "data": data}

    fast, slow = encoding.encode_event(fields), STDLIB.encode_event(fields)

    assert read(fast) == read(slow)
    assert _types_of(read(fast)) == _types_of(read(slow))


# What may hold no number of a card, and holds nothing odd but times, decimals and uuids.
told_at_sight = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats()
    | st.text(st.characters(categories=["Cs", "Ll", "Lo"]), max_size=20)
    | st.datetimes()
    | st.timedeltas()
    | st.decimals()
    | st.uuids(),
    boxes,
    max_leaves=20,
)


@settings(RELAXED, max_examples=300)
@given(
    data=st.dictionaries(st.text(max_size=5), told_at_sight, max_size=4),
    of=st.sampled_from([encoding, STDLIB]),
)
@example(data={"total": float("nan"), "day": dt.date(2026, 4, 28)}, of=STDLIB)
@example(data={"total": float("nan"), "least": -math.inf, "lines": [1.5, math.inf]}, of=STDLIB)
@example(data={"note": "half \ud800", "lines": [(1, 2.5), ()]}, of=STDLIB)
def test_the_short_way_to_bytes_says_the_same(data, of):
    """What was looked through for secrets is not looked through again, and arrives as it would have."""
    assume(Redaction(["password"])._has_nothing([data], 10_000))
    fields = {"name": "n", "data": data}

    short, long = of.encode_shallow(fields), of.encode_event(fields)

    assert read(short) == read(long)
    assert _types_of(read(short)) == _types_of(read(long))


def _types_of(tree):
    if isinstance(tree, dict):
        return {key: _types_of(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_types_of(item) for item in tree]
    return type(tree)


json_trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@RELAXED
@given(st.dictionaries(st.text(max_size=5), json_trees, max_size=4))
def test_what_json_can_say_arrives_as_it_is(data):
    """Plain values are not changed by either encoder, to the last bit of a float."""
    for encoder in (encoding, STDLIB):
        arrived = read(encoder.encode_event(data))
        assert arrived == data
    assert plain(data) == data


@RELAXED
@given(trees)
def test_what_was_made_plain_is_plain(tree):
    """Making plain a second time changes nothing: a retry of a hook's event says the same."""
    once = plain(tree)

    assert plain(once) == once
    assert not any(isinstance(leaf, float) and not math.isfinite(leaf) for leaf in _leaves(once))


def _leaves(tree):
    if isinstance(tree, dict):
        for item in tree.values():
            yield from _leaves(item)
    elif isinstance(tree, list):
        for item in tree:
            yield from _leaves(item)
    else:
        yield tree
