"""The rules of an event: each is kept, and each breach says which field, what it got, and what to do."""

import copy
import enum
import types
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from spotzee_logging.errors import InvalidEvent
from spotzee_logging.event import (
    EVENT_RULES,
    USER_RULES,
    Event,
    _check_by_rules,
    check_event,
    check_rest,
    describe,
    fields_of,
    is_plainly_right,
)
from spotzee_logging.identity import make_contact

# A busy machine is no failure.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SECRET = "4111-1111-1111-1111"


def event(**fields):
    return {"name": "order_placed", "external_id": "cust_001", **fields}


def refused(fields):
    with pytest.raises(InvalidEvent) as caught:
        check_event(fields)
    return caught.value


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "x", "external_id": "1"},
        {"name": "x", "anonymous_id": "1"},
        event(anonymous_id="anon-2c8a3e"),
        event(data={}),
        event(data={"nested": {"is": ["fine"]}}),
        event(data=types.MappingProxyType({"a": 1})),
        event(user={}),
        event(user={"email": None, "phone": None, "timezone": None, "locale": None, "data": None}),
        event(user={"email": "ada@example.com", "phone": "+61400123456", "data": {"plan": "pro"}}),
        event(user={"timezone": "Australia/Sydney", "locale": "en-AU"}),
        event(user={"timezone": "UTC"}),
        event(user={"locale": "x" * 255}),
        event(name="Bestellung größer 🎉", external_id="Zoë 🎉"),
        event(name=" "),
    ],
)
def test_an_event_that_keeps_the_rules_passes_unchanged(fields):
    """What the contract allows is let through as it is."""
    before = dict(fields)

    check_event(fields)

    assert fields == before


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"external_id": "c"}, "name", "name is missing"),
        (event(name=""), "name", "name is empty"),
        (event(name=7), "name", "name must be a string, got int"),
        (event(name=b"x"), "name", "name must be a string, got bytes"),
        (event(name="half \ud800"), "name", "name holds half of a surrogate pair"),
        ({"name": "x"}, "external_id", "external_id is missing, and so is anonymous_id"),
        (event(external_id=""), "external_id", "external_id is empty"),
        (event(external_id=42), "external_id", "external_id must be a string, got int"),
        (event(external_id=4.5), "external_id", "external_id must be a string, got float"),
        (event(external_id=True), "external_id", "external_id must be a string, got bool"),
        (event(external_id=["c"]), "external_id", "external_id must be a string, got list"),
        (event(external_id=b"c"), "external_id", "external_id must be a string, got bytes"),
        (event(external_id="\udfff"), "external_id", "external_id holds half of a surrogate pair"),
        (event(anonymous_id="\ud800"), "anonymous_id", "anonymous_id holds half of a surrogate pair"),
        ({"name": "x", "anonymous_id": ""}, "anonymous_id", "anonymous_id is empty"),
        ({"name": "x", "anonymous_id": 42}, "anonymous_id", "anonymous_id must be a string, got int"),
        (event(anonymous_id={}), "anonymous_id", "anonymous_id must be a string, got dict"),
        (event(data=[1]), "data", "data must be a mapping, got list"),
        (event(data="a"), "data", "data must be a mapping, got str"),
        (event(data=[("a", 1)]), "data", "data must be a mapping, got list"),
        (event(user="ada"), "user", "user must be a mapping, got str"),
        (event(user=[]), "user", "user must be a mapping, got list"),
        (event(user={"email": 7}), "user.email", "user.email must be a string, got int"),
        (event(user={"phone": 61400123456}), "user.phone", "user.phone must be a string, got int"),
        (event(user={"timezone": 10}), "user.timezone", "user.timezone must be a string, got int"),
        (
            event(user={"timezone": "x" * 51}),
            "user.timezone",
            "has 51 characters, and at most 50 are allowed",
        ),
        (
            event(user={"timezone": "Mars/Olympus"}),
            "user.timezone",
            "user.timezone is unknown to this machine",
        ),
        (event(user={"timezone": "AEST"}), "user.timezone", "user.timezone is unknown to this machine"),
        (event(user={"timezone": ""}), "user.timezone", "user.timezone is unknown to this machine"),
        (event(user={"timezone": "../etc"}), "user.timezone", "user.timezone is unknown to this machine"),
        (event(user={"timezone": "/etc/localtime"}), "user.timezone", "is unknown to this machine"),
        (event(user={"timezone": "Europe"}), "user.timezone", "user.timezone is unknown to this machine"),
        (event(user={"timezone": "a\0b"}), "user.timezone", "user.timezone is unknown to this machine"),
        (event(user={"timezone": "\ud800"}), "user.timezone", "user.timezone is unknown to this machine"),
        (event(user={"locale": "x" * 256}), "user.locale", "has 256 characters, and at most 255 are allowed"),
        (event(user={"locale": ("en", "AU")}), "user.locale", "user.locale must be a string, got tuple"),
        (event(user={"data": []}), "user.data", "user.data must be a mapping, got list"),
        (event(created_at=1777353240), "created_at", "must be a datetime or an ISO 8601 text, got int"),
        (event(created_at="yesterday"), "created_at", "created_at is no time in a readable form of ISO 8601"),
        (event(created_at=""), "created_at", "created_at is no time in a readable form of ISO 8601"),
        (
            event(created_at="2026-02-30"),
            "created_at",
            "created_at is no time in a readable form of ISO 8601",
        ),
    ],
)
def test_a_breach_names_the_field_what_it_got_and_the_remedy(fields, field, words):
    """The error says which field is wrong and how, and ends with what to do."""
    error = refused(fields)

    assert error.field == field
    assert words in str(error)
    rules = {**EVENT_RULES, **{f"user.{name}": rule for name, rule in USER_RULES.items()}}
    assert str(error).endswith(rules[field].remedy)
    assert error.reason == "invalid_event"


@pytest.mark.parametrize(
    ("fields", "field", "question"),
    [
        (event(externalId="c"), "externalId", "Did you mean external_id?"),
        (event(anonymousId="c"), "anonymousId", "Did you mean anonymous_id?"),
        (event(createdAt="c"), "createdAt", "Did you mean created_at?"),
        (event(Name="c"), "Name", "Did you mean name?"),
        (event(user={"timezon": "UTC"}), "user.timezon", "Did you mean timezone?"),
        (event(user={"Email": "a@b.c"}), "user.Email", "Did you mean email?"),
    ],
)
def test_a_misspelt_field_meets_the_one_that_was_meant(fields, field, question):
    """Other APIs' spellings are answered with ours."""
    error = refused(fields)

    assert error.field == field
    assert f"{field} is no field of an event. {question} The API knows " in str(error)


def test_an_unknown_field_is_answered_with_the_list_of_those_there_are():
    """A stranger's key is shown all fields, and where it may go instead."""
    error = refused(event(colour="red"))

    assert str(error) == (
        "event 'order_placed' (external_id 'cust_001'): colour is no field of an event. "
        "The API knows name, external_id, anonymous_id, data, user, created_at; what is yours goes into data."
    )


def test_an_unknown_profile_field_is_answered_with_the_list_of_those_there_are():
    """The same for a field of `user`."""
    error = refused(event(user={"colour": "red"}))

    assert str(error) == (
        "event 'order_placed' (external_id 'cust_001'): user.colour is no field of an event. The API knows "
        "user.email, user.phone, user.timezone, user.locale, user.data; what is yours goes into user.data."
    )


def test_a_key_that_is_no_text_is_named_by_its_type():
    """A key that cannot be a field's name at all is no crash."""
    assert refused({**event(), 7: 1}).field == "a key of type int"
    assert refused(event(user={None: 1})).field == "a key of type NoneType"


@pytest.mark.parametrize(
    "fields",
    [
        event(data=[SECRET]),
        event(data=SECRET),
        event(colour=SECRET),
        event(data={"card": SECRET}, name=7),
        event(data={"card": SECRET}, created_at="nope"),
        event(data={"card": SECRET}, user={"timezone": "Mars/Olympus"}),
        event(user=SECRET),
        event(user={"email": [SECRET]}),
        event(user={"locale": SECRET * 20}),
        event(user={"timezone": SECRET}),
        event(user={"data": SECRET}),
        event(created_at=SECRET),
        event(external_id=[SECRET]),
        event(data={"card": SECRET}, external_id=None),
    ],
)
def test_no_message_shows_what_the_event_holds(fields):
    """Values stay out of the message and of what the error carries: they may be personal."""
    error = refused(fields)

    assert SECRET not in str(error)
    assert SECRET not in repr(error)
    assert SECRET not in str(vars(error))


def test_an_error_carries_which_event_it_was():
    """Whoever gets the error finds the event by its name and ids."""
    error = refused(event(anonymous_id="anon-2c8a3e", data=1))

    assert error.event_name == "order_placed"
    assert error.external_id == "cust_001"
    assert error.anonymous_id == "anon-2c8a3e"
    assert error.request_id is None
    assert str(error).startswith(
        "event 'order_placed' (external_id 'cust_001', anonymous_id 'anon-2c8a3e'): "
    )


def test_an_error_carries_no_name_or_id_that_is_no_text():
    """A name or id of the wrong type is left out of what the error carries."""
    error = refused({"name": 7, "external_id": ["x"]})

    assert (error.event_name, error.external_id, error.anonymous_id) == (None, None, None)
    assert str(error).startswith("an event whose name is no text: name must be a string, got int")
    assert str(refused({"external_id": "cust_001"})).startswith("an event without a name (external_id")


def test_a_very_long_name_or_id_does_not_flood_the_log():
    """A message quotes at most a hundred characters of each."""
    text = describe({"name": "n" * 10_000, "external_id": "e" * 10_000, "anonymous_id": "a" * 10_000})

    assert len(text) < 400


@pytest.mark.parametrize(
    ("given_time", "said"),
    [
        (datetime(2026, 4, 28, 5, 14), "2026-04-28T05:14:00.000Z"),
        (datetime(2026, 4, 28, 15, 14, tzinfo=timezone(timedelta(hours=10))), "2026-04-28T05:14:00.000Z"),
        ("2026-04-28T15:14:00+10:00", "2026-04-28T15:14:00+10:00"),
        ("2026-04-28T05:14:00.123456789Z", "2026-04-28T05:14:00.123456789Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:60Z"),
        ("2026-04-28", "2026-04-28T00:00:00Z"),
    ],
)
def test_a_given_created_at_is_kept(given_time, said):
    """Datetimes are said in UTC, a naive one taken for UTC; texts of RFC 3339 are kept to the letter."""
    fields = event(created_at=given_time)

    check_event(fields)

    assert fields["created_at"] == said


def test_texts_of_a_users_own_type_are_texts():
    """A str-Enum as name, id or time zone is as good as its text."""

    class Word(str, enum.Enum):
        NAME = "order_placed"
        ZONE = "Australia/Sydney"

    check_event({"name": Word.NAME, "external_id": Word.NAME, "user": {"timezone": Word.ZONE}})


def test_making_an_event_checks_nothing():
    """An `Event` is only a value: a hook may build one step by step with `dataclasses.replace`."""
    assert fields_of(Event(name="", data={})) == {"name": "", "data": {}}


def test_the_fields_of_an_event_are_those_that_it_has():
    """What is None is left out of what is sent."""
    full = {"name": "n", "external_id": "e", "anonymous_id": "a", "data": {}, "user": {}, "created_at": "c"}

    assert fields_of(Event(**full)) == full
    assert fields_of(Event(name="n", external_id="e")) == {"name": "n", "external_id": "e"}


def test_nobody_can_change_an_event():
    """An `Event` is frozen."""
    with pytest.raises(AttributeError):
        Event(name="n").name = "m"


@RELAXED
@given(
    st.dictionaries(
        st.sampled_from([*EVENT_RULES, "colour"]),
        st.none()
        | st.text(max_size=3)
        | st.integers()
        | st.dictionaries(st.text(), st.integers(), max_size=1),
    )
)
def test_any_event_passes_or_is_refused_by_name(fields):
    """Whatever a tag holds, the answer is yes or an InvalidEvent that names a field."""
    try:
        check_event(fields)
    except InvalidEvent as error:
        assert error.field
    else:
        assert fields.keys() <= EVENT_RULES.keys()
        assert fields["name"]
        assert fields.get("external_id") or fields.get("anonymous_id")


WITHOUT_ZONES = """
import sys
import zoneinfo
sys.modules["tzdata"] = None
zoneinfo.reset_tzpath(())
from spotzee_logging.event import check_event
check_event({"name": "n", "external_id": "e", "user": {"timezone": "Mars/Olympus"}})
print("passed")
"""


def test_where_a_machine_has_no_time_zones_every_name_passes(run_python):
    """On a slim image without a time zone database no event is lost for its time zone."""
    assert run_python(WITHOUT_ZONES, PYTHONTZPATH="").stdout == "passed\n"


VALUES = st.one_of(
    st.none(),
    st.just(""),
    st.text(max_size=8),
    st.sampled_from(
        ["Australia/Sydney", "Nowhere/Land", "x" * 51, "x" * 256, "\ud800", "2026-04-28T05:14:00Z"]
    ),
    st.integers(),
    st.just({}),
    st.just(types.MappingProxyType({})),
)


def fields_of_rules(rules, good, unknown):
    """Dicts with any of the fields: often right, else odd, now and then with a field that is none."""
    known = {field: st.one_of(good.get(field, st.just("en")), VALUES) for field in rules}
    return st.fixed_dictionaries({}, optional={**known, unknown: VALUES})


GOOD_USERS = fields_of_rules(USER_RULES, {"data": st.just({}), "timezone": st.just("Etc/UTC")}, "nick")
GOOD = {"data": st.just({}), "user": GOOD_USERS, "created_at": st.just("2026-04-28T05:14:00Z")}
EVENTS = fields_of_rules(EVENT_RULES, GOOD, "externalId")


@given(EVENTS)
@settings(max_examples=500, deadline=None)
def test_the_quick_look_passes_nothing_that_the_rules_refuse(fields):
    """What is taken for right at first sight is right by the tables too, whatever its fields hold."""
    if is_plainly_right(fields):
        _check_by_rules(fields)


ODD_IDS = st.one_of(st.just("c"), st.none(), st.sampled_from(["", "Zoë", "\ud800"]), st.integers())
RULES_OF_REST = {
    field: rule for field, rule in EVENT_RULES.items() if field in {"name", "data", "created_at"}
}


@given(ODD_IDS, ODD_IDS, st.one_of(st.none(), GOOD_USERS), fields_of_rules(RULES_OF_REST, GOOD, "externalId"))
@example("c", None, None, {"name": "\ud800"})
@example("c", None, None, {"created_at": "x"})
@settings(max_examples=500, deadline=None)
def test_what_a_contact_gives_is_looked_at_as_any_event(external_id, anonymous_id, user, fields):
    """To look at a contact once for all its events lets nothing pass that the tables refuse."""
    event = {"name": "n", **fields}
    is_known = make_contact(external_id, anonymous_id, user).apply_to(event)
    as_any = copy.copy(event)

    assert not is_known or _outcome_of(check_rest, event) == _outcome_of(check_event, as_any)


def _outcome_of(check, fields):
    try:
        check(fields)
    except InvalidEvent as error:
        return str(error)
    return fields


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "n", "external_id": "c"},
        {"name": "n", "anonymous_id": "a", "data": {"total": 1}, "created_at": "2026-04-28T05:14:00Z"},
        {"name": "n", "external_id": "c", "user": {"email": "a@b", "timezone": "Etc/UTC", "locale": "en"}},
    ],
    ids=str,
)
def test_common_events_are_right_at_first_sight(fields):
    """The usual event costs its caller one look, not a walk through the tables."""
    assert is_plainly_right(fields)
