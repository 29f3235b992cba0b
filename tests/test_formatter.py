"""A tagged record becomes an event's line of JSON."""

import json
import logging
import logging.config
import types
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotzee_logging import Event, EventFormatter, contact
from spotzee_logging.errors import InvalidEvent

# A busy machine is no failure.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CREATED = 1777353240.25
CREATED_AT = "2026-04-28T05:14:00.250Z"


def record(tag, *args, msg="placed %s", level=logging.INFO, **extra):
    made = logging.getLogger("shop").makeRecord(
        "shop", level, "shop.py", 7, msg, args or ("now",), None, "place", {"spotzee_event": tag, **extra}
    )
    made.created = CREATED
    return made


def formatted(tag, formatter=None, **extra):
    return json.loads((formatter or EventFormatter()).format(record(tag, **extra)))


def test_a_mapping_tag_is_complete_in_itself():
    """A tag as the API defines it is sent as it is, with the time of the call; other extras stay out."""
    tag = {
        "name": "order_placed",
        "external_id": "cust_001",
        "anonymous_id": "anon-2c8a3e",
        "data": {"order_id": "ord_42", "total": 129.5},
        "user": {"email": "ada@example.com"},
    }

    assert formatted(tag, order_id="another", user="another") == {**tag, "created_at": CREATED_AT}


@pytest.mark.parametrize("kind", [dict, types.MappingProxyType])
def test_any_mapping_is_a_tag(kind):
    """Frozen and other mappings are taken like dicts."""
    assert formatted(kind({"name": "n", "external_id": "c"})) == {
        "name": "n",
        "external_id": "c",
        "created_at": CREATED_AT,
    }


def test_fields_of_none_are_left_out():
    """A field that is None counts as not given, as for the API."""
    tag = {
        "name": "n",
        "external_id": "c",
        "anonymous_id": None,
        "data": None,
        "user": None,
        "created_at": None,
    }

    assert formatted(tag) == {"name": "n", "external_id": "c", "created_at": CREATED_AT}


def test_a_short_tag_takes_the_other_extras_as_data():
    """A tag that is a name is an event whose data is the record's extras."""
    event = formatted("order_placed", external_id="cust_001", order_id="ord_42", items=[1, {"a": 2}])

    assert event == {
        "name": "order_placed",
        "external_id": "cust_001",
        "data": {"order_id": "ord_42", "items": [1, {"a": 2}]},
        "created_at": CREATED_AT,
    }


def test_a_short_tag_without_extras_has_no_data():
    """An event without extras is just its name, contact and time."""
    assert formatted("n", anonymous_id="a") == {"name": "n", "anonymous_id": "a", "created_at": CREATED_AT}


@pytest.mark.parametrize("user", ["ada", 7, ["ada"]], ids=str)
def test_a_user_that_is_no_profile_is_data(user):
    """Programs log a user's name or object under `user`: it is an extra as others, and costs no event."""
    assert formatted("n", external_id="c", user=user)["data"] == {"user": user}


def test_a_user_that_is_reserved_stays_out():
    """What the program keeps out by its name is not sent, whatever it is."""
    formatter = EventFormatter(reserved_attrs=["user"])

    assert "data" not in json.loads(formatter.format(record("n", external_id="c", user="ada")))


def test_a_contact_whose_names_are_reserved_is_told():
    """`reserved_attrs` is for what would be data: an event keeps who it is about."""
    formatter = EventFormatter(reserved_attrs=["external_id", "user"])
    who = {"external_id": "c", "user": {"locale": "en-AU"}}

    assert formatted("n", formatter, **who) == {"name": "n", **who, "created_at": CREATED_AT}


def test_an_extra_whose_name_is_no_text_is_data():
    """logging takes any key in `extra`: it arrives as its text, and costs no event."""
    made = record("n", external_id="c")
    vars(made).update({7: "seven"})

    assert json.loads(EventFormatter().format(made))["data"] == {"7": "seven"}


def test_ids_and_user_among_the_extras_go_where_they_belong():
    """`external_id`, `anonymous_id` and `user` are fields of the event; as None they count as not given."""
    extra = {"external_id": "c", "anonymous_id": "a", "user": {"locale": "en-AU"}}

    assert formatted("n", **extra) == {"name": "n", **extra, "created_at": CREATED_AT}
    assert formatted("n", external_id="c", anonymous_id=None, user=None) == {
        "name": "n",
        "external_id": "c",
        "created_at": CREATED_AT,
    }


def test_what_logging_puts_on_a_record_stays_out_of_the_data():
    """Only the call's own extras are data: not logging's attributes, a name's underscore, or a filter's contact."""
    made = record("n", external_id="c", mine=1, _private=2, __dunder=3)
    made.taskName = "Task-1"  # logging's own from Python 3.12 on
    made.message, made.asctime, made.exc_text = "m", "t", "e"
    made.spotzee_contact = {"external_id": "c", "anonymous_id": None, "user": None}

    assert json.loads(EventFormatter().format(made))["data"] == {"mine": 1}


def test_an_event_is_a_tag():
    """An `Event` can be given where a mapping can."""
    tag = Event(name="n", external_id="c", data={"a": 1}, created_at=datetime(2026, 4, 28))

    assert formatted(tag) == {
        "name": "n",
        "external_id": "c",
        "data": {"a": 1},
        "created_at": "2026-04-28T00:00:00.000Z",
    }


def test_a_given_created_at_is_kept():
    """An event of the past keeps its time, an ISO text to the letter."""
    tag = {"name": "n", "external_id": "c", "created_at": "2020-02-29T15:14:00+10:00"}

    assert formatted(tag)["created_at"] == "2020-02-29T15:14:00+10:00"


@RELAXED
@given(st.lists(st.integers(0, 4_102_444_800_000), min_size=1, max_size=10))
def test_created_at_is_the_time_of_the_record(moments):
    """Records of any times, in any order, each carry their own time to the millisecond."""
    formatter = EventFormatter()
    for milliseconds in moments:
        made = record("n", external_id="c")
        made.created = milliseconds / 1000
        expected = (datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)).isoformat(
            timespec="milliseconds"
        )
        assert json.loads(formatter.format(made))["created_at"] == f"{expected}Z"


@pytest.mark.parametrize(
    ("options", "data"),
    [
        ({"rename_fields": {"total": "amount"}}, {"amount": 5, "shop": "call"}),
        ({"static_fields": {"app": "web", "shop": "static"}}, {"app": "web", "total": 5, "shop": "call"}),
        ({"defaults": {"app": "web", "shop": "default"}}, {"app": "web", "total": 5, "shop": "call"}),
        (
            {"defaults": {"app": "default", "env": "test"}, "static_fields": {"app": "static"}},
            {"app": "static", "env": "test", "total": 5, "shop": "call"},
        ),
        (
            {"fmt": "%(levelname)s %(message)s"},
            {"levelname": "INFO", "message": "placed now", "total": 5, "shop": "call"},
        ),
        ({"fmt": "{name} {lineno}", "style": "{"}, {"name": "shop", "lineno": 7, "total": 5, "shop": "call"}),
        (
            {"fmt": ["funcName", "nothing"]},
            {"funcName": "place", "nothing": None, "total": 5, "shop": "call"},
        ),
        (
            {"fmt": "%(levelname)s", "rename_fields": {"levelname": "severity"}},
            {"severity": "INFO", "total": 5, "shop": "call"},
        ),
    ],
)
def test_the_formatters_options_act_on_the_data(options, data):
    """python-json-logger's options shape the data of mapping tags and of short ones; the call's fields win."""
    formatter = EventFormatter(**options)

    mapping = formatted({"name": "n", "external_id": "c", "data": {"total": 5, "shop": "call"}}, formatter)
    short = formatted("n", formatter, external_id="c", total=5, shop="call")

    assert mapping == short == {"name": "n", "external_id": "c", "data": data, "created_at": CREATED_AT}


def test_asctime_is_written_as_datefmt_says():
    """`fmt` may name asctime."""
    made = record("n", external_id="c")
    formatter = EventFormatter("%(asctime)s", "%Y")

    assert json.loads(formatter.format(made))["data"] == {"asctime": "2026"}


def test_static_fields_are_there_where_the_call_gives_none():
    """An event without data of its own has the static ones."""
    formatter = EventFormatter(static_fields={"app": "web"})

    assert formatted({"name": "n", "external_id": "c"}, formatter)["data"] == {"app": "web"}
    assert formatted("n", formatter, external_id="c")["data"] == {"app": "web"}


def test_reserved_extras_stay_out():
    """`reserved_attrs` adds names to those that are no data."""
    formatter = EventFormatter(reserved_attrs=["request"])

    assert formatted("n", formatter, external_id="c", request="x", total=5)["data"] == {"total": 5}


class Early(logging.LogRecord):
    """What a record factory may make: an extra that stands before logging's own attributes."""

    def __init__(self, *args, **kwargs):
        self.shop = "first"
        super().__init__(*args, **kwargs)


@pytest.mark.parametrize("gone", [None, "name", "process", "msecs"])
def test_extras_are_data_wherever_they_stand(gone):
    """Of a record that a factory or a filter has changed no extra is lost, and none of logging's own is data."""
    made = Early("shop", logging.INFO, "shop.py", 7, "placed", (), None)
    vars(made).update(spotzee_event="n", external_id="c", total=5)
    if gone is not None:
        delattr(made, gone)

    assert EventFormatter().fields(made)["data"] == {"shop": "first", "total": 5}


def test_the_options_are_copied():
    """A dict that is changed after the formatter was made changes no event."""
    static = {"app": "web"}
    formatter = EventFormatter(static_fields=static)
    static["app"] = "changed"

    assert formatted("n", formatter, external_id="c")["data"] == {"app": "web"}


@pytest.mark.parametrize(
    "formatter", [EventFormatter(), EventFormatter("%(message)s %(asctime)s", static_fields={"app": "web"})]
)
@pytest.mark.parametrize(
    "tag", ["n", {"name": "n", "external_id": "c", "data": {"a": {"b": [1]}}, "user": {}}]
)
def test_the_record_and_the_tag_are_not_changed(formatter, tag):
    """Other handlers find the record, and the program its dicts, as they were."""
    made = record(tag, external_id="c", nested={"a": [1]})
    attributes, words = dict(made.__dict__), repr(made.__dict__)

    with contact(external_id="c", user={"email": "ada@example.com"}):
        formatter.format(made)

    assert made.__dict__ == attributes
    assert repr(made.__dict__) == words


@pytest.mark.parametrize(
    ("tag", "got"),
    [
        (None, "has no spotzee_event"),
        (7, "has a spotzee_event of type int"),
        (["n"], "has a spotzee_event of type list"),
        (True, "has a spotzee_event of type bool"),
        (b"n", "has a spotzee_event of type bytes"),
    ],
)
def test_what_is_no_tag_is_refused_with_the_remedy(tag, got):
    """A record without a tag, or with one of a wrong type, is answered with how to tag it."""
    with pytest.raises(InvalidEvent) as caught:
        EventFormatter().format(record(tag, external_id="c"))

    assert caught.value.field == "spotzee_event"
    assert caught.value.reason == "invalid_event"
    assert str(caught.value) == (
        f'a record {got}. Tag it with a mapping ({{"name": ..., "external_id": ...}}) or a name, '
        "or keep it from this formatter by a filter."
    )


def test_a_record_that_was_never_tagged_is_refused():
    """The same for a record of any other call."""
    made = logging.getLogger("shop").makeRecord("shop", logging.INFO, "shop.py", 7, "hello", (), None)

    with pytest.raises(InvalidEvent, match="has no spotzee_event"):
        EventFormatter().format(made)


@pytest.mark.parametrize(
    ("tag", "extra", "field"),
    [
        ("", {"external_id": "c"}, "name"),
        ("n", {}, "external_id"),
        ("n", {"external_id": 7}, "external_id"),
        ("n", {"external_id": "c", "user": {"name": "ada"}}, "user.name"),
        ({}, {}, "name"),
        ({"external_id": "c"}, {}, "name"),
        ({"name": None, "external_id": "c"}, {}, "name"),
        ({"name": "n"}, {"external_id": "c"}, "external_id"),
        ({"name": "n", "external_id": "c", "externalId": "c"}, {}, "externalId"),
        ({"name": "n", "external_id": "c", 7: "c"}, {}, "a key of type int"),
    ],
)
def test_a_tag_that_breaks_a_rule_is_refused(tag, extra, field):
    """What comes of a tag is held to the API's rules: an empty name is no event, and no untagged record either."""
    with pytest.raises(InvalidEvent) as caught:
        EventFormatter().format(record(tag, **extra))

    assert caught.value.field == field


@pytest.mark.parametrize("options", [{}, {"static_fields": {"app": "web"}}])
def test_data_that_is_no_mapping_is_refused_with_options_too(options):
    """Static fields do not hide that the data is wrong."""
    with pytest.raises(InvalidEvent) as caught:
        EventFormatter(**options).format(record({"name": "n", "external_id": "c", "data": [1]}))

    assert caught.value.field == "data"


def test_an_odd_value_is_made_plain_in_the_line():
    """A line of JSON is strict, whatever the data holds."""
    assert formatted("n", external_id="c", total=float("nan"), tags={2, 1})["data"] == {
        "total": None,
        "tags": [1, 2],
    }


def test_on_a_file_handler_it_writes_an_event_log(tmp_path, make_logger):
    """The same formatter on a FileHandler writes the events as lines of JSON, one a line."""
    handler = logging.FileHandler(tmp_path / "events.jsonl", encoding="utf-8")
    handler.setFormatter(EventFormatter())
    logger = make_logger(handler)

    logger.info("one", extra={"spotzee_event": "first", "external_id": "größer", "text": "two\nlines"})
    logger.info("two", extra={"spotzee_event": {"name": "second", "external_id": "c"}})
    handler.close()

    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["first", "second"]
    assert json.loads(lines[0])["data"] == {"text": "two\nlines"}


@pytest.mark.parametrize(
    "entry",
    [
        {"()": "spotzee_logging.EventFormatter", "static_fields": {"app": "web"}},
        {"()": EventFormatter, "static_fields": {"app": "web"}},
    ],
)
def test_dict_config_makes_it_with_options(tmp_path, entry):
    """`dictConfig` makes the formatter as a factory, with python-json-logger's options."""
    assert _logged_by_dict_config(tmp_path, entry)["data"] == {"app": "web"}


@pytest.mark.parametrize(
    ("entry", "data"),
    [
        ({"class": "spotzee_logging.EventFormatter"}, None),
        ({"class": "spotzee_logging.EventFormatter", "format": "%(levelname)s"}, {"levelname": "INFO"}),
        (
            {"class": "spotzee_logging.EventFormatter", "format": "{levelname}", "style": "{"},
            {"levelname": "INFO"},
        ),
    ],
)
def test_dict_config_makes_it_as_a_class(tmp_path, entry, data):
    """`dictConfig` makes the formatter by `class`, with logging's own options."""
    assert _logged_by_dict_config(tmp_path, entry).get("data") == data


def _logged_by_dict_config(tmp_path, formatter):
    path = tmp_path / "events.jsonl"
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"events": formatter},
            "handlers": {
                "file": {"class": "logging.FileHandler", "filename": str(path), "formatter": "events"}
            },
            "loggers": {"shop_configured": {"handlers": ["file"], "level": "INFO", "propagate": False}},
        }
    )
    logger = logging.getLogger("shop_configured")
    logger.info("m", extra={"spotzee_event": "n", "external_id": "c"})
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
    return json.loads(path.read_text())
