"""No value, whatever it holds and however often, makes the logging caller work more than the largest event takes."""

import collections
import contextlib
import dataclasses
import enum
import importlib.util
import logging
import pickle
import sys
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_encoding import ENCODERS, STDLIB, boxes

from spotzee_logging import EventFormatter, contact, encoding
from spotzee_logging.errors import InvalidEvent
from spotzee_logging.event import TooLarge
from spotzee_logging.plain_values import plain
from spotzee_logging.redaction import Redaction
from spotzee_logging.tracking import result, track

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
MEGABYTE = 1_000_000


@dataclasses.dataclass
class Person:
    name: str
    friends: list


class Color(enum.Enum):
    RED = "red"


class Endless(Sequence):
    """What a library reads lazily, from a file or a server."""

    def __len__(self):
        return 10**12

    def __getitem__(self, index):
        return index


def friends(count):
    """Each knows all the others: few objects, and more ways through them than anybody can go."""
    people = [Person(f"person {number}", []) for number in range(count)]
    for person in people:
        person.friends = [friend for friend in people if friend is not person]
    return people


def friends_of_dicts(count):
    people = [{"name": f"person {number}"} for number in range(count)]
    for person in people:
        person["friends"] = [friend for friend in people if friend is not person]
    return people


def doubled(levels, of):
    """What stands twice in what stands twice, and so on."""
    value = "leaf"
    for _ in range(levels):
        value = of(value)
    return value


TEXT = "x" * MEGABYTE
HUGE = {
    "objects that know each other": friends(20),
    "dicts that know each other": friends_of_dicts(20),
    "a list twice": doubled(50, lambda value: [value, value]),
    "a tuple twice": doubled(50, lambda value: (value, value)),
    "a dict twice": doubled(50, lambda value: {"a": value, "b": value}),
    "a deque twice": doubled(50, lambda value: collections.deque([value, value])),
    "a list beside an odd value": doubled(50, lambda value: [Color.RED, value, value]),
    "a text many times": [TEXT] * MEGABYTE,
    "a text of other letters many times": ["é" * MEGABYTE] * MEGABYTE,
    "bytes many times": [TEXT.encode()] * MEGABYTE,
    "an object of a long text many times": [ValueError(TEXT)] * MEGABYTE,
    "a key many times": [{TEXT: 1}] * MEGABYTE,
    "an odd key many times": [{TEXT.encode(): 1}] * MEGABYTE,
    "a number of many digits many times": [10**4000] * MEGABYTE,
    "numbers": [1] * MEGABYTE,
    "empty lists": [[]] * MEGABYTE,
    "odd values": [Color.RED] * MEGABYTE,
    "a set": set(range(MEGABYTE)),
    "a mapping": collections.OrderedDict.fromkeys(range(MEGABYTE)),
    "a dict": dict.fromkeys(map(str, range(MEGABYTE))),
    "a sequence without an end": Endless(),
    "a text": TEXT * 50,
    "bytes": TEXT.encode() * 50,
    "bytes for a key": {TEXT.encode() * 50: 1},
}
MOST = 5_000
LINES_A_BYTE = 20
MOST_MEMORY = 5 * MEGABYTE


@contextlib.contextmanager
def little_work(most_bytes):
    """No more lines of code, and no more memory, than an event of this size takes: both are counted."""
    lines = 0

    def count(frame, event, _):
        nonlocal lines
        lines += event == "line"
        assert lines < LINES_A_BYTE * most_bytes, "works on and on"
        return count

    before = sys.gettrace()
    tracemalloc.start()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert lines < LINES_A_BYTE * most_bytes
    assert peak < MOST_MEMORY


@pytest.fixture
def small_bound(monkeypatch):
    """Both encoders, as in a program whose handlers send events of this size at most."""
    for encoder in (encoding, STDLIB):
        monkeypatch.setattr(encoder.bound, "most_bytes", MOST)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", HUGE)
@pytest.mark.parametrize("place", ["data", "user", "both"])
@pytest.mark.usefixtures("small_bound")
def test_an_event_that_is_too_large_is_not_written_to_its_end(encoder, name, place):
    """It is refused as such, after no more work than for one that is sent."""
    fields = {"name": "n", "external_id": "c"}
    if place != "user":
        fields["data"] = {"value": HUGE[name]}
    if place != "data":
        fields["user"] = {"data": {"value": HUGE[name]}}

    with pytest.raises(
        InvalidEvent, match=rf"'n' .*takes more than {MOST} bytes\..* max_event_bytes"
    ) as caught:
        with little_work(MOST):
            encoder.encode_event(fields)

    assert caught.value.reason == "event_too_large"
    assert caught.value.event_name == "n"


@pytest.mark.parametrize("names", [(), ("password", "card_number", "iban")])
@pytest.mark.parametrize("name", HUGE)
@pytest.mark.usefixtures("small_bound")
def test_nor_is_it_looked_through_to_its_end(names, name):
    """Redaction, which sees each event first, keeps to the same bound."""
    redaction = Redaction(names)
    fields = {"name": "n", "external_id": "c", "data": {"value": HUGE[name]}, "user": {"data": {"a": 1}}}

    with pytest.raises(InvalidEvent, match=f"takes more than {MOST} bytes"), little_work(MOST):
        redaction.encode(fields, MOST)

    assert sum(map(len, redaction._known_keys)) < MOST


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", HUGE)
@pytest.mark.usefixtures("small_bound")
def test_a_value_that_is_too_large_is_not_made_plain(encoder, name):
    """What stands for it, also on a record that was pickled for another process, makes an event too large."""
    with little_work(MOST):
        made = plain(HUGE[name])

    assert type(made) is TooLarge
    assert len(repr(made)) < 50
    for data in ({"value": pickle.loads(pickle.dumps(made))}, made):
        with pytest.raises(InvalidEvent, match="event 'n': takes more than"):
            encoder.encode_event({"name": "n", "data": data})


def test_an_array_of_numpy_is_not_made_a_list():
    """A view of few numbers may be as large as it likes."""
    np = pytest.importorskip("numpy")

    with pytest.raises(InvalidEvent, match="takes more than"), little_work(MOST):
        encoding.encode_event({"name": "n", "data": {"a": np.broadcast_to(1.5, (10**6, 10**6))}}, MOST)


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.uuids()
)
leaves |= (
    st.decimals()
    | st.binary(max_size=5)
    | st.sampled_from([Color.RED, ValueError("no"), "\ud800", TEXT[:500]])
)
trees = st.recursive(
    leaves,
    lambda inner: (
        boxes(inner)
        | st.lists(inner, max_size=3).map(collections.deque)
        | st.builds(Person, inner, inner)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=30,
)
payloads = st.dictionaries(st.text(max_size=5), trees, max_size=4)


@settings(RELAXED, max_examples=300)
@given(data=payloads, own=payloads, of=st.sampled_from([encoding, STDLIB]))
def test_an_event_that_fits_is_sent(data, own, of):
    """What is reckoned is never more than what is written: no event is refused that takes what is allowed."""
    fields = {"name": "n", "external_id": "c", "data": data, "user": {"data": own}}
    body = of.encode_event(fields)

    assert of.encode_event(fields, len(body)) == body
    assert Redaction(()).encode(fields, len(body))[1] == encoding.encode_event(fields)
    assert Redaction(["password"]).encode(fields, len(body))[1] == encoding.encode_event(fields)


@pytest.fixture
def log_every_way(make_logger):
    """Logs a value in each of the ways there are; gives how many."""

    def log(handler, value):
        logger = make_logger(handler)
        tag = {"name": "n", "external_id": "c"}
        logger.info("x", extra={"spotzee_event": {**tag, "data": {"value": value}}})
        logger.info("x", extra={"spotzee_event": {**tag, "user": {"data": {"value": value}}}})
        logger.info("x", extra={"spotzee_event": "n", "external_id": "c", "value": value})
        with contact(external_id="c", user={"data": {"value": value}}):
            logger.info("x", extra={"spotzee_event": "n"})
        whole = {"user": {"data": lambda _: {"value": value}}}
        for how in ({"data": {"value": result}}, {"data": {"a": [lambda _: value]}}, whole):
            track("n", external_id="c", logger=logger, **how)(lambda: value)()
        with track("n", external_id="c", logger=logger) as draft:
            draft.data["value"] = value
        return 8

    return log


@pytest.mark.parametrize("redact", [None, ()])
@pytest.mark.parametrize("name", HUGE)
def test_every_way_to_an_event_keeps_to_the_bound(make_handler, log_every_way, name, redact):
    """Tags, contacts, tracked calls and blocks: rejected, counted, and told, where it took minutes before."""
    told = []
    handler = make_handler(
        on_error=lambda event, error: told.append(error), **({} if redact is None else {"redact": redact})
    )

    count = log_every_way(handler, HUGE[name])

    assert handler.stats().rejected == {"event_too_large": count}
    assert {(error.reason, error.event_name, error.external_id) for error in told} == {
        ("event_too_large", "n", "c")
    }


def test_a_strict_handler_raises(make_handler, make_logger):
    """In a test the call itself fails, a tracked one too."""
    logger = make_logger(make_handler(strict=True))

    with pytest.raises(InvalidEvent, match="takes more than 262144 bytes"):
        logger.info(
            "x", extra={"spotzee_event": {"name": "n", "external_id": "c", "data": {"all": friends(12)}}}
        )
    with pytest.raises(InvalidEvent, match="takes more than"):
        track("n", external_id="c", data={"all": result}, logger=logger)(friends)(12)


def test_an_event_log_in_a_file_keeps_to_the_bound_too():
    """The formatter refuses such an event, and logging says so."""
    record = logging.makeLogRecord(
        {"name": "shop", "spotzee_event": {"name": "n", "external_id": "c", "data": {"all": friends(12)}}}
    )

    with pytest.raises(InvalidEvent, match="takes more than"):
        EventFormatter().format(record)


def test_places_that_fit_alone_are_added_up(make_handler, make_logger):
    """Half of the bound in the data and more than half in the user's is too much."""
    handler = make_handler(max_event_bytes=10_000)
    logger = make_logger(handler)
    for size in (4_900, 5_100):
        logger.info(
            "x",
            extra={
                "spotzee_event": {
                    "name": "n",
                    "external_id": "c",
                    "data": {"text": "x" * 4_900},
                    "user": {"data": {"texts": ["x"] * (size // 4)}},
                }
            },
        )

    assert handler.flush(10)
    assert handler.stats().delivered == 1
    assert handler.stats().rejected == {"event_too_large": 1}


def test_before_send_may_make_a_large_event_smaller(make_handler, make_logger, sandbox):
    """It is handed events of up to four times the bound, and what it leaves of them is sent."""
    seen = []

    def shorten(event):
        seen.append(len(event.data["text"]))
        return dataclasses.replace(event, data={"text": event.data["text"][:10]})

    handler = make_handler(max_event_bytes=1_000, before_send=shorten)
    logger = make_logger(handler)
    for text in ("x" * 3_500, "x" * 5_000, "\n" * 2_500):
        logger.info("x", extra={"spotzee_event": {"name": "n", "external_id": "c", "data": {"text": text}}})

    assert handler.flush(10)
    assert seen == [3_500]
    assert [event["data"] for event in sandbox.events()] == [{"text": "x" * 10}]
    assert handler.stats().rejected == {"event_too_large": 2}


def test_a_tracked_call_takes_what_the_largest_handler_takes(make_handler, make_logger, sandbox, monkeypatch):
    """With a larger max_event_bytes, values of that size are made plain at the call."""
    monkeypatch.setattr(encoding.bound, "most_bytes", encoding.bound.most_bytes)
    handler = make_handler(max_event_bytes=900_000)
    values = list(range(100_000))

    track("n", external_id="c", data={"values": result}, logger=make_logger(handler))(lambda: values)()

    assert handler.flush(10)
    assert sandbox.events()[0]["data"] == {"values": values}


@pytest.mark.skipif(importlib.util.find_spec("celery") is None, reason="celery is not installed")
def test_a_contact_that_is_too_large_to_travel():
    """A Celery task is sent with the contact's ids alone where its profile fields are larger than an event."""
    celery = importlib.import_module("spotzee_logging.contrib.celery")
    headers = {}

    with contact(external_id="c", user={"data": {"all": friends(12)}}):
        celery._put_into_headers(headers)

    assert headers == {celery.HEADER: {"external_id": "c", "anonymous_id": None, "user": None}}
