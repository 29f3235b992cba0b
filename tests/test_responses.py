"""From status, headers and body to an outcome: whatever a server says, and however badly."""

import email.utils
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from spotzee_logging.answers import Outcome, move_for
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

    assert outcome(body) == Outcome(
        422, "two are wrong", "validation_failed", "req_7", None, frozenset({3, 5})
    )


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

    assert named == (frozenset() if item is None else {item})


@pytest.mark.parametrize("errors", [None, {}, "3.name", [None], ["3.name"], [[]], 7], ids=repr)
def test_errors_of_another_shape_name_none(errors):
    """What is no list of objects is passed over."""
    assert outcome(problem(errors=errors)).items == frozenset()


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
members = st.dictionaries(
    st.sampled_from(["code", "message", "error", "title", "request_id", "errors"]),
    json_values | st.lists(st.fixed_dictionaries({"param": json_values})),
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
    assert all(0 <= index < 1000 for index in outcome.items)
    assert len(str(outcome)) < 700
