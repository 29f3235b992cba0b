"""From status, headers and body to an outcome: whatever a server says, and however badly."""

import email.utils
import json
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from spotzee_logging.answers import MOST_COMPLAINTS, Complaint, Outcome, move_for
from spotzee_logging.responses import outcome_of


def outcome(body=b"", status=422, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return outcome_of(status, CaseInsensitiveDict(named), body)


def problem(**members):
    return json.dumps(members).encode()


def test_a_problem_document():
    """Code, message, request and named items are taken over."""
    body = problem(
        status="error",
        code="validation_failed",
        message="two are wrong",
        request_id="req_7",
        errors=[{"param": "3.external_id", "code": "x", "message": "y"}, {"param": "[5].name"}],
    )

    items = {3: [Complaint("external_id", "y", "x")], 5: [Complaint("name")]}
    assert outcome(body) == Outcome(422, "two are wrong", "validation_failed", "req_7", None, items)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"message": "a", "error": "b", "title": "c"}, "a"),
        ({"error": "b", "title": "c"}, "b"),
        ({"title": "c"}, "c"),
        ({"message": None, "error": ""}, ""),
        ({"message": {"en": "a"}}, "{'en': 'a'}"),
    ],
    ids=str,
)
def test_the_servers_words(members, message):
    """The message, its legacy mirror, or the title, whichever is there first."""
    assert outcome(problem(**members)).message == message


@pytest.mark.parametrize(
    ("said", "legible"),
    [
        ('"a \\ud83d"', "a ?"),
        ('"a\\nERROR:root:forged"', "a ERROR:root:forged"),
        ('"\\u001b[31mred"', " [31mred"),
        ('"a\\u2028b"', "a b"),
        ('"größer als \\ud83d\\ude00"', "größer als 😀"),
    ],
)
def test_the_servers_words_are_a_line_of_text(said, legible):
    """What no file or terminal takes, or would begin a line of its own in a log, is replaced: in all its words."""
    body = f'{{"message": {said}, "code": {said}, "request_id": {said}}}'.encode()

    found = outcome(body)

    assert (found.message, found.code, found.request_id) == (legible, legible, legible)


@pytest.mark.parametrize("code", [42201, None, "", "x" * 101, ["a"], {"a": 1}, True], ids=repr)
def test_a_code_that_is_none(code):
    """A number is an old envelope's; what is no short text is no word to count by: the status is."""
    assert outcome(problem(code=code)).code is None
    assert outcome(problem(code=code)).reason == "http_422"


@pytest.mark.parametrize(
    ("param", "item"),
    [
        ("3.external_id", 3),
        ("[3].external_id", 3),
        ("3", 3),
        ("[3]", 3),
        ("0.name", 0),
        ("99.user.email", 99),
        ("name", None),
        ("user.3", None),
        ("3x.name", None),
        ("-1.name", None),
        ("1e1.name", None),
        ("\u0663.name", None),
        ("1000.name", None),
        ("", None),
        (None, None),
        (3, None),
        ({"item": 3}, None),
    ],
    ids=repr,
)
def test_which_items_are_named(param, item):
    """`3.external_id` and `[3].external_id` name the fourth; what is no index names none."""
    named = outcome(problem(errors=[{"param": param}])).items

    assert set(named) == (set() if item is None else {item})


@pytest.mark.parametrize("errors", [None, {}, "3.name", [None], ["3.name"], [[]], 7], ids=repr)
def test_errors_of_another_shape_name_none(errors):
    """What is no list of objects is passed over."""
    assert outcome(problem(errors=errors)).items == {}


BAD_ID = {"param": "3.external_id", "code": "bad_id", "message": "is no id"}
BAD_MAIL = {"param": "[3].user.email", "code": "bad_mail", "message": "is no address."}


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"message": "m", "errors": [BAD_ID]}, "422 validation_failed: external_id: is no id (bad_id)"),
        (
            {"message": "m", "errors": [BAD_ID, BAD_MAIL]},
            "422 validation_failed: external_id: is no id (bad_id); user.email: is no address (bad_mail)",
        ),
        ({"errors": [BAD_ID, BAD_ID]}, "422 validation_failed: external_id: is no id (bad_id)"),
        ({"code": None, "errors": [BAD_ID]}, "422 bad_id: external_id: is no id"),
        (
            {"code": 42201, "errors": [{"param": "3"}, BAD_MAIL, BAD_ID]},
            "422 bad_mail: user.email: is no address; external_id: is no id (bad_id)",
        ),
        ({"code": None, "message": "m", "errors": [{"param": "3"}]}, "422: m"),
        ({"message": "m", "errors": [{"param": "3.data"}]}, "422 validation_failed: m (data)"),
        ({"errors": [{"param": "3.data"}]}, "422 validation_failed: data"),
        ({"errors": [{"param": "3"}]}, "422 validation_failed"),
        ({"errors": [{"param": "3", "message": "odd"}]}, "422 validation_failed: odd"),
        ({"errors": [{"param": "3.data", "code": "odd"}]}, "422 validation_failed: data: odd"),
        ({"errors": [{"param": "3", "code": "odd", "message": "no"}]}, "422 validation_failed: no (odd)"),
        ({"errors": [{"param": "3.a", "code": "validation_failed"}]}, "422 validation_failed: a"),
        ({"errors": [{"param": "3.a", "message": {"en": "no"}}]}, "422 validation_failed: a: {'en': 'no'}"),
        ({"errors": [{"param": "3.a\n\x1b[0m", "message": "b\nc"}]}, "422 validation_failed: a [0m: b c"),
        ({"message": "m", "errors": [{"param": "4.name", "message": "no"}]}, "422 validation_failed: m"),
        ({"message": "m"}, "422 validation_failed: m"),
    ],
    ids=str,
)
def test_what_is_said_of_one_event(members, told):
    """Its own fields, messages and codes, each once; the answer's words where it has none of its own."""
    found = outcome(problem(**{"code": "validation_failed", **members})).of(3)

    assert str(found) == told
    assert found.items == {}


def test_an_event_with_very_many_errors():
    """Some are told, cut to a length that a log line can have, and the others counted."""
    errors = [{"param": f"3.{number}{'f' * 900}", "message": "m" * 900, "code": "c"} for number in range(20)]

    (told, *others) = str(outcome(problem(errors=errors)).of(3)).split("; ")

    assert told == f"422 c: 0{'f' * 99}: {'m' * 200}"
    assert len(others) == MOST_COMPLAINTS
    assert others[-1] == "and 15 more"


def test_an_event_with_as_many_errors_as_are_told():
    """Where none is left out, none is counted as left out."""
    errors = [{"param": "0", "message": str(number)} for number in range(MOST_COMPLAINTS)]

    assert str(outcome(problem(errors=errors)).of(0)) == "422: 0; 1; 2; 3; 4"


def test_ten_thousand_errors_of_one_event():
    """They take a moment, and no room."""
    errors = [{"param": "0", "message": str(number)} for number in range(10_000)]

    assert str(outcome(problem(errors=errors)).of(0)) == "422: 0; 1; 2; 3; 4; and 9,995 more"


@pytest.mark.parametrize("depth", [10, 900])
def test_words_that_are_a_deep_tree(depth):
    """They are shown down to some depth, whatever stands in the place of a message."""
    deep = []
    for _ in range(depth):
        deep = [deep]

    found = outcome(problem(message=deep, errors=[{"param": "0.a", "message": deep}]))

    assert found.message == "[[[[[[[...]]]]]]]"
    assert found.of(0).message == f"a: {found.message}"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 60_000, b'{"code"']
)
def test_a_body_that_is_no_problem(body):
    """The status alone decides."""
    assert outcome(body, status=502) == Outcome(502, "")


def test_the_request_id_of_the_body_goes_before_the_headers():
    """Both name the same; where one is missing the other serves, and an endless one is none."""
    assert outcome(problem(request_id="req_body"), X_Request_Id="req_header").request_id == "req_body"
    assert outcome(b"", X_Request_Id="req_header").request_id == "req_header"
    assert outcome(b"", X_Request_Id="x" * 101).request_id is None


def test_endless_words_are_cut():
    """A message is bounded: it goes into log lines."""
    assert outcome(problem(message="m" * 10_000)).message == "m" * 500


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("3", 3),
        (" 3 ", 3),
        ("0.5", 0.5),
        ("-1", 0),
        ("99999", 99999),
        ("inf", None),
        ("nan", None),
        ("", None),
        ("soon", None),
    ],
    ids=repr,
)
def test_retry_after_in_seconds(retry_after, seconds):
    """A number is taken as it is; the past is now, and nonsense is nothing."""
    assert outcome(Retry_After=retry_after).retry_after_seconds == seconds


def test_retry_after_as_a_date():
    """By the server's own clock where it shows one, else by this machine's."""
    then = email.utils.formatdate(time.time() + 60, usegmt=True)
    server_now = email.utils.formatdate(time.time() + 50, usegmt=True)

    assert outcome(Retry_After=then, Date=server_now).retry_after_seconds == pytest.approx(10, abs=1)
    assert outcome(Retry_After=then).retry_after_seconds == pytest.approx(60, abs=5)
    assert outcome(Retry_After=then, Date="now").retry_after_seconds == pytest.approx(60, abs=5)


@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 2099 23:59:59 +99999999999999999999", "Mon, 1 Jan 99999999999999 00:00:00 GMT"]
)
def test_dates_that_no_clock_shows(date):
    """A date at the end of the calendar, for `Retry-After` or for the server's own time, is no reason to raise."""
    then = email.utils.formatdate(time.time() + 60, usegmt=True)

    assert outcome(Retry_After=date).status == 422
    assert outcome(Retry_After=then, Date=date).status == 422


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
params = st.from_regex(r"\[?[0-9]{1,3}\]?(\.[a-z.]{0,200})?", fullmatch=True) | json_values
words = st.text(max_size=300) | json_values
errors = st.fixed_dictionaries({"param": params}, optional={"message": words, "code": words})
members = st.dictionaries(
    st.sampled_from(["code", "message", "error", "title", "request_id", "errors"]),
    json_values | st.lists(errors | json_values, max_size=12),
)
header_values = st.text(st.characters(codec="latin-1"), max_size=40) | st.sampled_from(
    ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 0001 00:00:00 -9999", "1" * 400, "9e999"]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([200, 204, 302, 400, 401, 409, 413, 422, 429, 500, 999]),
    st.one_of(st.binary(max_size=200), members.map(lambda each: json.dumps(each).encode())),
    st.dictionaries(st.sampled_from(["Retry-After", "Date", "X-Request-Id"]), header_values),
)
def test_anything_is_an_outcome_with_a_move(status, body, headers):
    """Whatever comes, it is read without an exception, and there is something to do."""
    outcome = outcome_of(status, headers, body)

    assert move_for(outcome)
    assert outcome.retry_after_seconds is None or outcome.retry_after_seconds >= 0
    assert len(str(outcome)) < 700
    for index in [*outcome.items, 1000]:
        assert 0 <= index <= 1000
        told = outcome.of(index)
        assert told.reason == outcome.reason or outcome.code is None
        assert len(str(told)) < 3000
        assert re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", str(told)) is None
