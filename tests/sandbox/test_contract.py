"""Each rule of the contract, as a client meets it."""

import json

import pytest
import requests

from spotzee_logging.sandbox import Sandbox

PROBLEM_FIELDS = {"status", "code", "title", "message", "error", "type", "request_id"}


def refused(response, status, code, param=None):
    """Assert a problem body as the contract words it, and give it."""
    problem = response.json()

    assert (response.status_code, problem["code"], problem.get("param")) == (status, code, param)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem.keys() >= PROBLEM_FIELDS
    assert problem["status"] == "error"
    assert problem["error"] == problem["message"]
    assert problem["request_id"] == response.headers["X-Request-Id"]
    return problem


def test_a_batch_is_accepted(sandbox, post, event):
    """A batch that obeys the contract is answered 204 with an empty body, and can be read back."""
    response = post([event(1), event(2)])

    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["X-Request-Id"]
    assert sandbox.events() == [event(1), event(2)]


def test_every_field_of_the_contract_is_accepted(sandbox, post):
    """All fields that the API documents are taken as they are, null where null is allowed."""
    full = {
        "name": "product_viewed",
        "anonymous_id": "anon-2c8a3e",
        "external_id": "cust-9f4b21",
        "data": {"value": 49.95, "nested": {"list": [1, None, "ü"]}},
        "user": {
            "email": "jane@example.com",
            "phone": "+61400123456",
            "timezone": "Australia/Sydney",
            "locale": "en-AU",
            "data": {"plan": "pro"},
        },
        "created_at": "2026-04-28T05:14:00.000Z",
    }
    nulls = {"name": "n", "anonymous_id": None, "external_id": "c", "data": None, "created_at": None}
    nulls["user"] = dict.fromkeys(["email", "phone", "timezone", "locale", "data"])

    assert post([full, nulls]).status_code == 204
    assert sandbox.events() == [full, nulls]


def test_a_full_batch_is_accepted_and_one_more_is_not(sandbox, post, event):
    """100 events fit into a request, 101 do not."""
    assert post([event(n) for n in range(100)]).status_code == 204
    refused(post([event(n) for n in range(101)]), 422, "validation_failed")
    assert len(sandbox.events()) == 100


@pytest.mark.parametrize("body", [[], {}, "text", 1, None, {"name": "a", "external_id": "b"}])
def test_the_body_is_an_array_of_events(sandbox, post, body):
    """Anything but an array with events is refused, and no item is named."""
    problem = refused(post(data=json.dumps(body)), 422, "validation_failed")

    assert "errors" not in problem
    assert sandbox.events() == []


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"name": None}, "0.name", "parameter_invalid_format"),
        ({"name": ""}, "0.name", "parameter_invalid_empty"),
        ({"external_id": None}, "0.external_id", "parameter_missing"),
        ({"external_id": ""}, "0.external_id", "parameter_missing"),
        ({"external_id": 7}, "0.external_id", "parameter_invalid_format"),
        ({"anonymous_id": 7}, "0.anonymous_id", "parameter_invalid_format"),
        ({"data": []}, "0.data", "parameter_invalid_format"),
        ({"user": None}, "0.user", "parameter_invalid_format"),
        ({"user": {"email": 1}}, "0.user.email", "parameter_invalid_format"),
        ({"user": {"timezone": "x" * 51}}, "0.user.timezone", "parameter_invalid_format"),
        ({"user": {"locale": "x" * 256}}, "0.user.locale", "parameter_invalid_format"),
        ({"user": {"data": "x"}}, "0.user.data", "parameter_invalid_format"),
        ({"created_at": 1}, "0.created_at", "parameter_invalid_format"),
    ],
)
def test_a_broken_rule_names_its_field(sandbox, post, event, fields, param, code):
    """A field that breaks its rule is named with its item and path, and nothing is committed."""
    problem = refused(post([event(**fields)]), 422, "validation_failed", param)

    assert [(item["param"], item["code"]) for item in problem["errors"]] == [(param, code)]
    assert sandbox.events() == []


def test_lengths_at_their_limit_are_accepted(post, event):
    """The longest timezone and locale that the contract allows pass."""
    assert post([event(user={"timezone": "x" * 50, "locale": "x" * 255})]).status_code == 204


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("2026-04-28T05:14:00Z", 204),
        ("2026-04-28t05:14:00.123456789z", 204),
        ("2026-04-28T05:14:00+10:00", 204),
        ("2026-04-28T05:14:00", 422),
        ("2026-04-28 05:14:00Z", 422),
        ("2026-04-28", 422),
        ("2026-02-30T05:14:00Z", 422),
        ("2026-04-28T24:00:00Z", 422),
        ("2026-04-28T05:14:00+24:00", 422),
        ("2026-04-28T05:14:00Z\n", 422),
        ("yesterday", 422),
    ],
)
def test_created_at_is_a_date_and_time(post, event, moment, status):
    """`created_at` is a moment as RFC 3339 has it: with an offset, on a day that exists."""
    assert post([event(created_at=moment)]).status_code == status


def test_every_bad_item_is_named(sandbox, post, event):
    """One answer names all that is wrong, in order, so that a client can keep the good events."""
    bad = [event(), {"name": "a"}, 3, event(user={"email": 1, "age": 2}), event(), {"external_id": "c"}]
    problem = refused(post(bad), 422, "validation_failed", "1.external_id")

    assert [(item["param"], item["code"]) for item in problem["errors"]] == [
        ("1.external_id", "parameter_missing"),
        ("2", "parameter_invalid_format"),
        ("3.user.age", "parameter_unknown"),
        ("3.user.email", "parameter_invalid_format"),
        ("5.name", "parameter_missing"),
    ]
    assert all(item["message"] for item in problem["errors"])
    assert sandbox.events() == []


def test_unknown_fields_are_refused_by_name(sandbox, post, event):
    """Where unknown fields are all that is wrong, the answer is 400 and names each."""
    problem = refused(post([event(), event(colour=1, user={"age": 2})]), 400, "parameter_unknown", "1.colour")

    assert [item["param"] for item in problem["errors"]] == ["1.colour", "1.user.age"]
    assert sandbox.events() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"[{]", "line 1, column 3"),
        (b'[{"name": NaN}]', "NaN"),
        (b"[Infinity]", "infinity"),
        (b"[-Infinity]", "infinity"),
        (b"[1e999]", "too large"),
        (b"[" + b"9" * 5000 + b"]", "body"),
        (b'[{"name": "a", "name": "b"}]', "twice"),
        (b'["\\ud800"]', "surrogate"),
        (b'["\xff"]', "UTF-8"),
        (b"\xef\xbb\xbf[]", "JSON"),
        ("[]".encode("utf-16"), "UTF-8"),
        (b"[" * 200_000, "nested"),
    ],
    ids=[
        "empty",
        "broken",
        "nan",
        "inf",
        "-inf",
        "huge",
        "digits",
        "twice",
        "half",
        "latin",
        "bom",
        "16",
        "deep",
    ],
)
def test_only_strict_json_is_read(post, body, words):
    """What is no strict JSON is refused with 400, and the message says why."""
    problem = refused(post(data=body), 400, "parameter_invalid_format")

    assert words in problem["message"]


@pytest.mark.parametrize(
    "value",
    [None, "sk_test", "Basic sk_test", "Bearer", "Bearer ", "Bearer sk_", "Bearer xx_1", "Bearer sk_a b"],
)
def test_a_key_is_needed(sandbox, post, event, value):
    """Without a well-formed key the answer is 401, and nothing is committed."""
    refused(post([event()], headers={"Authorization": value}), 401, "authentication_required")
    assert sandbox.events() == []


def test_an_organisation_key_is_refused_with_the_reason(post, event):
    """A key of the other surface gets 401, and the message tells which keys belong here."""
    response = post([event()], headers={"Authorization": "Bearer ok_org_1"})

    assert "organisation" in refused(response, 401, "authentication_required")["message"]
    assert "ok_org_1" not in response.text


@pytest.mark.parametrize("value", ["Bearer sk_1", "Bearer pk_1", "bearer sk_1"])
def test_secret_and_publishable_keys_are_taken(post, event, value):
    """Both kinds of key may send events."""
    assert post([event()], headers={"Authorization": value}).status_code == 204


def test_a_revoked_key_is_refused(post, event):
    """A sandbox that knows its keys refuses the others, without quoting them."""
    with Sandbox(api_keys=["sk_known"]) as strict:
        known = post([event()], to=strict, headers={"Authorization": "Bearer sk_known"})
        other = post([event()], to=strict, headers={"Authorization": "Bearer sk_other"})

    assert known.status_code == 204
    refused(other, 401, "authentication_required")
    assert "sk_other" not in other.text


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Content-Type", None, "parameter_invalid_format"),
        ("Content-Type", "text/plain", "parameter_invalid_format"),
        ("Content-Type", "application/json; charset=latin-1", "parameter_invalid_format"),
        ("Spotzee-Version", "latest", "parameter_invalid_format"),
        ("Spotzee-Version", "2026-13-01", "parameter_invalid_format"),
        ("Spotzee-Version", "", "parameter_invalid_format"),
        ("Spotzee-Version", "2025-01-01", "version_unsupported"),
        ("x-spotzee-client-type", "fridge", "parameter_invalid_format"),
        ("Idempotency-Key", "", "idempotency_key_invalid"),
        ("Idempotency-Key", "k" * 256, "idempotency_key_invalid"),
    ],
)
def test_a_header_that_breaks_its_rule_is_named(sandbox, post, event, name, value, code):
    """A header out of its rule gets 400 with its name as `param`."""
    body = json.dumps([event()]).encode()

    refused(post(data=body, headers={name: value}), 400, code, name)
    assert sandbox.events() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Type", "application/json; charset=utf-8"),
        ("Spotzee-Version", "2026-04-28"),
        ("x-spotzee-client-type", "cli"),
        ("Idempotency-Key", "k" * 255),
    ],
)
def test_a_header_within_its_rule_is_taken(post, event, name, value):
    """Optional headers with values that the contract names are welcome."""
    assert post([event()], headers={name: value}).status_code == 204


@pytest.mark.parametrize("path", ["/", "/events", "/api/client", "/api/client/events/", "/api/client/users"])
def test_other_paths_are_missing(sandbox, path):
    """A wrong base URL shows as 404, and the request is on record."""
    refused(requests.post(f"{sandbox.root_url}{path}", json=[], timeout=5), 404, "resource_missing")
    assert (sandbox.requests()[0]["path"], sandbox.requests()[0]["status"]) == (path, 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(sandbox, method):
    """`/events` takes POST only."""
    response = requests.request(method, f"{sandbox.url}/events", timeout=5)

    refused(response, 405, "resource_missing")
    assert response.headers["Allow"] == "POST"


def test_a_body_over_the_limit_is_refused(post, event):
    """A body that is too large gets 413, is not kept, and the connection stays usable."""
    with Sandbox(max_body_bytes=2000) as small, requests.Session() as session:
        too_large = post([event(data={"text": "x" * 300_000})], to=small, session=session)
        fits = post([event()], to=small, session=session)
        first, second = small.requests()

    assert refused(too_large, 413, "parameter_invalid_format")
    assert fits.status_code == 204
    assert (first["body"], first["events"], first["status"]) == (None, None, 413)
    assert first["connection"] == second["connection"]


def test_messages_never_quote_values(post, event):
    """An answer names fields but shows neither their values nor a key."""
    secrets = [event(name="", data="s3cret"), event(external_id=["s3cret"], created_at="s3cret")]
    response = post(secrets, key="k3y")

    assert response.status_code == 422
    assert not any(word in response.text for word in ("s3cret", "k3y", "sk_test_1"))


def test_the_rate_limit_refuses_with_the_seconds_to_wait(post, event):
    """Over the limit the answer is 429 with `Retry-After`, and the event can be sent later."""
    with Sandbox(requests_per_10_seconds=2) as limited:
        statuses = [post([event(n)], to=limited).status_code for n in range(2)]
        over = post([event(3)], to=limited, key="k")

    assert statuses == [204, 204]
    refused(over, 429, "rate_limited")
    assert 1 <= int(over.headers["Retry-After"]) <= 10
