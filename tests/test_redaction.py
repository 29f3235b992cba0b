"""Redaction: what must not leave the program is replaced before anybody sees the event."""

import collections
import copy
import decimal
import enum
import json
import logging
import re
import threading
import types
import uuid

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from spotzee_logging import Settings
from spotzee_logging.account_numbers import may_hold_number, without_accounts, without_cards
from spotzee_logging.encoding import encode_event
from spotzee_logging.errors import InvalidSettings
from spotzee_logging.plain_values import MAX_DEPTH
from spotzee_logging.redaction import Redaction

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
REDACTED = "[redacted]"
DEFAULT = Settings("sk_test").redact

CARDS = {
    "Visa": "4111111111111111",
    "Mastercard": "5555555555554444",
    "Mastercard, 2": "2223003122003222",
    "American Express": "378282246310005",
    "Discover": "6011111111111117",
    "JCB": "3530111333300000",
    "Diners Club": "30569309025904",
    "UnionPay": "6200000000000005",
    "Maestro": "6759649826438453",
}
ACCOUNTS = [
    "DE89370400440532013000",
    "GB29NWBK60161331926819",
    "FR1420041010050500013M02606",
    "NL91ABNA0417164300",
    "NO9386011117947",
    "MT84MALT011000012345MTLCAST001S",
    "BR1800360305000010009795493C1",
]


def sent(data, names=DEFAULT, user=None):
    """The data, and the user's, as they are sent."""
    tag = {
        "name": "n",
        "external_id": "c",
        "data": data,
        **({"user": {"data": user}} if user is not None else {}),
    }
    before = copy.deepcopy(tag)
    fields, body = Redaction(names).encode(tag)
    assert json.loads(body) == json.loads(encode_event(fields))
    assert tag == before
    event = json.loads(body)
    return event["data"] if user is None else event["user"]["data"]


@pytest.mark.parametrize(
    "key",
    [
        *("password", "passwd", "secret", "token", "api_key", "authorization", "card_number", "iban"),
        *(
            "Password",
            "PASSWORD",
            "apiKey",
            "api-key",
            "API_KEY",
            "Api Key",
            "Authorization",
            "cardNumber",
            "IBAN",
        ),
    ],
)
@pytest.mark.parametrize("value", ["x", 7, None, {"a": 1}, ["x"], True])
def test_the_value_of_a_named_key_is_replaced(key, value):
    """However a key is written, and whatever it holds, at the top and deep inside, in data and in user.data."""
    assert sent({key: value, "total": 2}) == {key: REDACTED, "total": 2}
    assert sent({}, user={key: value, "plan": "pro"}) == {key: REDACTED, "plan": "pro"}
    assert sent({"a": [{"b": {key: value}}]}) == {"a": [{"b": {key: REDACTED}}]}
    assert sent({"a": ({key: value, "b": 1},)}) == {"a": [{key: REDACTED, "b": 1}]}


@pytest.mark.parametrize("kind", [collections.OrderedDict, collections.UserDict, types.MappingProxyType])
def test_mappings_of_other_kinds_are_looked_through(kind):
    """What is sent as an object is held to the names, whatever its type: data itself, and what lies within."""
    secret = kind({"password": "x", "total": 2})

    for data, seen in (
        (secret, {"password": REDACTED, "total": 2}),
        ({"a": [secret]}, {"a": [{"password": REDACTED, "total": 2}]}),
    ):
        _, body = Redaction(DEFAULT).encode({"name": "n", "external_id": "c", "data": data})
        assert json.loads(body)["data"] == seen


def test_what_lies_too_deep_is_null_where_nothing_is_replaced_too():
    """The bound of levels holds for data that is looked through and found clean."""
    deep = "x"
    for _ in range(70):
        deep = [deep]
    arrived = sent({"deep": deep})["deep"]
    levels = 0
    while arrived is not None:
        (arrived,) = arrived
        levels += 1

    assert levels == MAX_DEPTH - 2


@pytest.mark.parametrize(
    "key", ["passwords", "token_count", "access_token", "secretary", "word", "name", "x"]
)
def test_other_keys_stay(key):
    """A key is named whole: those that begin, end or go on with a name are others."""
    assert sent({key: "x"}) == {key: "x"}


def test_names_of_ones_own():
    """`redact` takes the place of the default, in any script."""
    data = {"password": "x", "E-Mail": "y", "пароль": "z", "nested": {"email": 1}}

    assert sent(data, ["email", "Пароль"]) == {
        "password": "x",
        "E-Mail": REDACTED,
        "пароль": REDACTED,
        "nested": {"email": REDACTED},
    }


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
@pytest.mark.parametrize("separator", ["", " ", "-"])
def test_the_number_of_a_card_is_replaced(card, separator):
    """Under any key, alone, in groups, inside a text, and as a number; what is around it stays."""
    written = separator.join(re.findall(".{1,4}", card))

    assert sent({"note": written}) == {"note": REDACTED}
    assert sent({"note": f"paid with {written}, 12/28"}) == {"note": f"paid with {REDACTED}, 12/28"}
    assert sent({"note": f"{written} 12 {written}"}) == {"note": f"{REDACTED} 12 {REDACTED}"}
    assert sent({"deep": [{"note": f"x={written}"}]}) == {"deep": [{"note": f"x={REDACTED}"}]}
    assert sent({"number": int(card)}) == {"number": REDACTED}
    assert sent({"note": written}, ["password", "iban"]) == {"note": written}


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("separator", ["", " "])
@pytest.mark.parametrize("change", [str.upper, str.lower])
def test_the_number_of_an_account_is_replaced(account, separator, change):
    """The same of IBANs, in both cases."""
    written = change(separator.join(re.findall(".{1,4}", account)))

    assert sent({"note": written}) == {"note": REDACTED}
    assert sent({"note": f"to {written}, by Friday"}) == {"note": f"to {REDACTED}, by Friday"}
    assert sent({"note": f"to {written} please"}) == {"note": f"to {REDACTED} please"}
    assert sent({"note": written}, ["card_number"]) == {"note": written}


@pytest.mark.parametrize(
    "value",
    [
        "4111111111111112",  # fails the check
        "41111111111111111",  # a digit too many
        "1234567812345670",  # passes the check, and is of no card's prefix
        "DE89370400440532013001",
        "XX89370400440532013000",
        "DE8937040044053201300",
        "ADE89370400440532013000",
        1764102248000,
        1764102248000000000,
        4111111111111112,
        "2026-11-25T20:41:11.250Z",
        "+61 400 123 456",
        "https://shop.example.com/orders/ord_20261125000042?page=2",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "ord-2026-11-25-000042",
        True,
        12.5,
        None,
    ],
)
def test_what_only_looks_like_a_number_stays(value):
    """Times, phones, links and ids are left as they are."""
    assert sent({"value": value}) == {"value": value}


class Level(enum.Enum):
    HIGH = "4111111111111111"


class Shown:
    def __deepcopy__(self, _):
        return self

    def __str__(self):
        return "4111111111111111"


@pytest.mark.parametrize(
    "value",
    [Level.HIGH, Shown(), b"4111111111111111", {"4111111111111111"}, ("4111111111111111",), [Shown()]],
)
def test_values_that_json_does_not_have(value):
    """What a value becomes is looked at, not what it was."""
    assert REDACTED in json.dumps(sent({"value": value}))
    assert "4111" not in json.dumps(sent({"value": value}))


@pytest.mark.parametrize(
    "value", [decimal.Decimal("12.5"), uuid.UUID(int=7), float("nan"), 10**30, -(10**30)]
)
def test_common_values_are_as_they_were(value):
    """Redaction changes nothing of what a value becomes."""
    plain = json.loads(encode_event({"data": {"value": value}}))["data"]

    assert sent({"value": value}) == plain


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@RELAXED
@given(data=st.dictionaries(st.text(max_size=12), JSON, max_size=5))
def test_without_anything_to_hide_an_event_is_what_it_was(data):
    """Bytes are the same with redaction and without, whatever an event holds that is no secret."""
    text = json.dumps(data).lower()
    assume(not any(re.sub("[-_ ]", "", name) in re.sub("[-_ ]", "", text) for name in DEFAULT))
    assume(without_cards(text, "") == text == without_accounts(text, ""))
    fields = {"name": "n", "external_id": "c", "data": data}

    assert Redaction(DEFAULT).encode(fields)[1] == encode_event(fields)


def paths(value, path=()):
    """Every place in a tree where a member may be put."""
    if isinstance(value, dict):
        yield path
        for key, member in value.items():
            yield from paths(member, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from paths(member, (*path, index))


@RELAXED
@given(
    data=st.dictionaries(st.text(max_size=12), JSON, max_size=4),
    name=st.sampled_from(DEFAULT),
    where=st.integers(0, 1000),
    how=st.sampled_from(
        [str.upper, str.title, lambda key: key.replace("_", "-"), lambda key: key.replace("_", "")]
    ),
    number=st.sampled_from([*CARDS.values(), *ACCOUNTS]),
    around=st.tuples(st.text("ab .,;:()", max_size=20), st.text("ab.,;:()", max_size=20)),
)
def test_wherever_a_secret_is_put_it_does_not_leave(data, name, where, how, number, around):
    """No secret under a named key, and no number in a text, is in the bytes that are sent."""
    places = list(paths(data))
    inner = data
    for step in places[where % len(places)]:
        inner = inner[step]
    inner[how(name)] = "hunter2hunter2"
    inner["note"] = f"{around[0]} {number} {around[1]}"

    _, body = Redaction(DEFAULT).encode({"name": "n", "external_id": "c", "data": data})

    assert b"hunter2" not in body
    assert number.encode() not in body


@RELAXED
@given(text=st.text("0123456789 -AZaz.", max_size=80))
@example("4111 1111 1111 1111")
@example("0" * 80)
def test_the_quick_look_misses_nothing(text):
    """What the closer look would replace is never passed over by the quick one."""
    if without_cards(text, "") != text or without_accounts(text, "") != text:
        assert may_hold_number(text)


def test_many_containers_and_deep_ones():
    """An event of hundreds of lines, and one nested too deep, is looked through to its end."""
    lines = [{"sku": str(number), "n": number} for number in range(500)]
    assert sent({"lines": lines}) == {"lines": lines}
    assert sent({"lines": [*lines, {"token": "x"}]})["lines"][-1] == {"token": REDACTED}
    deep = {"token": "x"}
    for _ in range(100):
        deep = {"a": deep}
    assert b"token" not in Redaction(DEFAULT).encode({"name": "n", "data": deep})[1]
    circular = {"a": {}}
    circular["a"]["b"] = circular
    assert json.loads(Redaction(DEFAULT).encode({"name": "n", "data": circular})[1])


def test_keys_without_end_are_not_kept_without_end():
    """A program whose keys are ids does not fill memory with them."""
    redaction = Redaction(DEFAULT)
    for number in range(30_000):
        redaction.encode({"name": "n", "data": {f"key{number}": 1}})

    assert len(redaction._known_keys) <= 10_001
    assert b"hunter2" not in redaction.encode({"name": "n", "data": {"token": "hunter2"}})[1]


def test_a_dict_that_another_thread_changes():
    """Whatever happens to the caller's dict meanwhile, nothing is raised."""
    data, stop = {"a": 1}, threading.Event()

    def change():
        number = 0
        while not stop.is_set():
            data[f"key{number % 50}"] = number
            data.pop(f"key{(number + 25) % 50}", None)
            number += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(2000):
            Redaction(DEFAULT).encode({"name": "n", "data": data})
    finally:
        stop.set()
        thread.join()


TAG = {"name": "logged_in", "external_id": "c", "data": {"password": "hunter2", "method": "form"}}


def test_nobody_sees_what_is_redacted(make_handler, make_logger, sandbox):
    """before_send gets the event without it, and what that adds itself is looked through again."""
    seen = []

    def before_send(event):
        seen.append(event)
        return type(event)(**{**vars(event), "data": {**event.data, "token": "abc"}})

    handler = make_handler(before_send=before_send)
    make_logger(handler).info("x", extra={"spotzee_event": TAG})

    assert handler.flush(10)
    assert seen[0].data == {"password": REDACTED, "method": "form"}
    (event,) = sandbox.events()
    assert event["data"] == {"password": REDACTED, "method": "form", "token": REDACTED}


@pytest.mark.parametrize("off", [(), [], None])
def test_it_can_be_turned_off(make_handler, make_logger, sandbox, off):
    """With an empty list events are sent as they are."""
    handler = make_handler(redact=off)
    make_logger(handler).info("x", extra={"spotzee_event": TAG})

    assert handler.flush(10)
    assert sandbox.events()[0]["data"] == TAG["data"]


def test_it_is_set_by_the_environment(monkeypatch):
    """A list of names, parted by commas; `none` turns it off."""
    monkeypatch.setenv("SPOTZEE_REDACT", "email, phone ,,iban")
    assert Settings.from_env(api_key="sk_test").redact == ("email", "phone", "iban")
    monkeypatch.setenv("SPOTZEE_REDACT", "none")
    assert not Settings.from_env(api_key="sk_test").redact
    assert Settings("sk_test", redact="email,phone").redact == ("email", "phone")
    assert Settings("sk_test", redact={"email"}).redact == ("email",)


@pytest.mark.parametrize("value", [7, [7], {"email": True}, ["email", None], b"email"])
def test_what_is_no_list_of_names(value):
    """A mistake is told where the handler is made."""
    with pytest.raises(InvalidSettings, match="redact .*Give texts"):
        Settings("sk_test", redact=value)


def test_the_tests_of_a_program_see_it_too(spotzee_events):
    """The plugin's events are as they would be sent."""
    logging.getLogger("redacted").info("x", extra={"spotzee_event": TAG})

    spotzee_events.assert_tracked("logged_in", data={"password": REDACTED})
