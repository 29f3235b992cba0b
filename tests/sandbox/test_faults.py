"""Scripted faults, each as the client sees it, and what of the batch is committed."""

import math
import time

import pytest
import requests

from spotzee_logging.errors import SpotzeeError
from spotzee_logging.sandbox import Sandbox


def test_a_status_is_answered_without_a_commit(sandbox, post, event):
    """A scripted error reaches the client as a problem with the fitting code; its retry is handled anew."""
    sandbox.faults([{"status": 503}])
    first = post([event()], key="k")
    again = post([event()], key="k")

    assert (first.status_code, first.json()["code"]) == (503, "service_unavailable")
    assert first.headers["Content-Type"] == "application/problem+json"
    assert first.json()["request_id"] == first.headers["X-Request-Id"]
    assert (again.status_code, "Idempotent-Replayed" in again.headers) == (204, False)
    assert sandbox.events() == [event()]
    assert [r["fault"] for r in sandbox.requests()] == [{"status": 503}, None]
    assert [r["code"] for r in sandbox.requests()] == ["service_unavailable", None]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 400}, 400, "parameter_invalid_format"),
        ({"status": 401}, 401, "authentication_required"),
        ({"status": 402}, 402, "quota_exceeded"),
        ({"status": 403}, 403, "permission_denied"),
        ({"status": 404}, 404, "resource_missing"),
        ({"status": 422}, 422, "validation_failed"),
        ({"status": 429}, 429, "rate_limited"),
        ({"status": 500}, 500, "internal_error"),
        ({"status": 599}, 599, "internal_error"),
        ({"code": "version_required"}, 400, "version_required"),
        ({"status": 409, "code": "state_conflict"}, 409, "state_conflict"),
        ({"status": 400, "code": "made_up"}, 400, "made_up"),
    ],
)
def test_a_problem_is_made_from_the_table(sandbox, post, event, fault, status, code):
    """A status or a code alone is enough for a whole problem body."""
    sandbox.faults([fault])
    response = post([event()])

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert sandbox.events() == []


def test_headers_are_sent_as_scripted(sandbox, post, event):
    """A script gives the headers that its case needs, and nothing else is made up."""
    sandbox.faults(
        [{"status": 429, "headers": {"Retry-After": 3, "X-Request-Id": "req_mine"}}, {"status": 429}]
    )
    first, second = post([event()]), post([event()])

    assert (first.headers["Retry-After"], first.headers["X-Request-Id"]) == ("3", "req_mine")
    assert "Retry-After" not in second.headers
    assert sandbox.requests()[0]["request_id"] == "req_mine"


@pytest.mark.parametrize(
    ("status", "body", "sent", "content_type"),
    [
        (502, "<h1>Bad gateway</h1>", b"<h1>Bad gateway</h1>", "text/plain; charset=utf-8"),
        (400, {"code": 7, "message": "old"}, b'{"code": 7, "message": "old"}', "application/problem+json"),
        (500, None, b"null", "application/problem+json"),
        (500, "", b"", "text/plain; charset=utf-8"),
        (200, {"ok": True}, b'{"ok": true}', "application/json"),
    ],
)
def test_a_body_is_sent_as_scripted(sandbox, post, event, status, body, sent, content_type):
    """A string goes out as it is, any other value as JSON."""
    sandbox.faults([{"status": status, "body": body}])
    response = post([event()])

    assert (response.status_code, response.content) == (status, sent)
    assert response.headers["Content-Type"] == content_type


def test_the_code_on_record_is_that_of_the_body(sandbox, post, event):
    """The record shows the code that the client could read."""
    sandbox.faults([{"status": 400, "body": {"code": "a"}}, {"status": 400, "body": "x", "code": "b"}])
    post([event()])
    post([event()])

    assert [r["code"] for r in sandbox.requests()] == ["a", "b"]


def test_a_redirect_has_no_body(sandbox, post, event):
    """A scripted 3xx leads where the script says."""
    sandbox.faults([{"status": 307, "headers": {"Location": f"{sandbox.url}/elsewhere"}}])
    response = post([event()])

    assert [r.status_code for r in response.history] == [307]
    assert response.status_code == 404


@pytest.mark.parametrize("fault", [{"status": 202}, {"status": 200, "body": {}}, {"status": 204}])
def test_a_scripted_success_commits(sandbox, post, event, fault):
    """Another 2xx than 204 commits the batch, and is what a retry gets again."""
    sandbox.faults([fault])
    first = post([event()], key="k")
    again = post([event()], key="k")

    assert first.status_code == again.status_code == fault["status"]
    assert (first.content, again.headers["Idempotent-Replayed"]) == (again.content, "true")
    assert sandbox.events() == [event()]


@pytest.mark.parametrize("errors", [[{"param": "1.external_id"}], [{"param": "[1].name"}, {"x": 1}, 2]])
def test_a_success_that_names_items_commits_the_rest(sandbox, post, event, errors):
    """Items that a scripted 2xx names have failed; the others are committed."""
    sandbox.faults([{"status": 200, "body": {"errors": errors}}])
    post([event(0), event(1), event(2)])

    assert sandbox.events() == [event(0), event(2)]


def test_a_success_whose_errors_are_no_list_commits_all(sandbox, post, event):
    """A strange 2xx body is sent, and fails nothing."""
    sandbox.faults([{"status": 200, "body": {"errors": "none"}}])

    assert post([event()]).json() == {"errors": "none"}
    assert sandbox.events() == [event()]


def test_a_script_cannot_make_a_bad_batch_good(sandbox, post):
    """A scripted success gives way to the refusal that the batch deserves."""
    sandbox.faults([{"status": 200}])

    assert post([{"name": "a"}]).status_code == 422


def test_a_success_without_commit(sandbox, post, event):
    """With `commit` false even a 2xx commits nothing: a server that loses events."""
    sandbox.faults([{"status": 204, "commit": False}])

    assert post([event()]).status_code == 204
    assert sandbox.events() == []


def test_an_error_after_the_commit(sandbox, post, event):
    """With `commit` true the batch is committed though the client sees an error; its retry is replayed."""
    sandbox.faults([{"status": 500, "commit": True}])
    first = post([event()], key="k")
    again = post([event()], key="k")

    assert (first.status_code, again.status_code) == (500, 204)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert sandbox.events() == [event()]
    assert sandbox.requests()[0]["committed"]


def test_a_reset_before_the_commit(sandbox, post, event):
    """The client sees a reset connection and no answer, and nothing was committed."""
    sandbox.faults([{"reset": "before"}])
    with pytest.raises(requests.ConnectionError, match=r"[Rr]eset|10054"):
        post([event()], key="k")

    assert sandbox.events() == []
    assert sandbox.requests()[0]["status"] is None
    assert "Idempotent-Replayed" not in post([event()], key="k").headers


def test_a_reset_after_the_commit(sandbox, post, event):
    """The client sees the same reset, but the batch is committed, and its retry is replayed."""
    sandbox.faults([{"reset": "after", "delay": 0.05}])
    with pytest.raises(requests.ConnectionError, match=r"[Rr]eset|10054"):
        post([event()], key="k")
    again = post([event()], key="k")

    assert again.headers["Idempotent-Replayed"] == "true"
    assert sandbox.events() == [event()]
    assert [r["fault"] for r in sandbox.requests()] == [{"reset": "after", "delay": 0.05}, None]


@pytest.mark.parametrize("commit", [False, True])
def test_a_hang_is_never_answered(sandbox, post, event, commit):
    """A hanging server leaves the client to its timeout; it may have committed before."""
    sandbox.faults([{"hang": True, "commit": commit}])
    with pytest.raises(requests.ReadTimeout):
        post([event()], key="k", timeout=0.2)
    again = post([event()], key="k")

    assert again.status_code == 204
    assert ("Idempotent-Replayed" in again.headers) is commit
    assert sandbox.events() == [event()]


def test_a_delay_answers_late(sandbox, post, event):
    """A mere delay is normal handling with a late answer."""
    sandbox.faults([{"delay": 0.2}])
    began = time.monotonic()
    response = post([event()])

    assert response.status_code == 204
    assert time.monotonic() - began >= 0.2


def test_a_delayed_error_is_late_and_not_committed(sandbox, post, event):
    """A delay goes with a status too."""
    sandbox.faults([{"delay": 0.1, "status": 504}])

    assert post([event()]).status_code == 504
    assert sandbox.events() == []


def test_faults_are_used_in_order_and_up(sandbox, post, event):
    """One entry a request, as often as it says; then all is normal."""
    sandbox.faults([{"status": 500, "times": 2}, {}, {"status": 429}])
    statuses = [post([event(n)]).status_code for n in range(3)]
    left = sandbox.faults_left()
    statuses += [post([event(n)]).status_code for n in range(3, 5)]

    assert statuses == [500, 500, 204, 429, 204]
    assert left == [{"status": 429}]
    assert sandbox.faults_left() == []


def test_a_refusal_for_new_keys_leaves_a_committed_one_alone(sandbox, post, event):
    """As from a server that keeps the contract: what was committed under a key is not refused afterwards."""
    sandbox.faults([{"reset": "after"}, *[{"status": 422, "fresh": True}] * 2])
    with pytest.raises(requests.ConnectionError):
        post([event()], key="k")

    again, other = post([event()], key="k"), post([event(1)], key="other")

    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (204, "true")
    assert other.status_code == 422
    assert sandbox.events() == [event()]


def test_other_requests_use_no_fault(sandbox, post, event):
    """A fault waits for `POST /events`; a wrong path does not use it up."""
    sandbox.faults([{"status": 500}])
    requests.get(f"{sandbox.url}/events", timeout=5)
    requests.post(f"{sandbox.url}/event", timeout=5)

    assert post([event()]).status_code == 500


def test_faults_over_http(sandbox, post, event):
    """The script is set, read and cleared at `/sandbox/faults`."""
    url = f"{sandbox.root_url}/sandbox/faults"
    put = requests.put(url, json=[{"status": 500, "times": 3}, {"hang": True}], timeout=5)
    post([event()])

    assert (put.status_code, put.content) == (204, b"")
    assert requests.get(url, timeout=5).json() == [{"status": 500, "times": 2}, {"hang": True}]
    assert requests.delete(url, timeout=5).status_code == 204
    assert requests.get(url, timeout=5).json() == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({}, "must be a list"),
        ([1], r"faults\[0\] must be an object"),
        ([{}, {"statsu": 500}], r"faults\[1\] has an unknown key; known: status"),
        ([{"status": 199}], r"faults\[0\]\.status must be an integer from 200"),
        ([{"status": "500"}], "status"),
        ([{"status": True}], "status"),
        ([{"code": ""}], "code must be a string"),
        ([{"code": 7}], "code must be a string"),
        ([{"code": "made_up"}], "need a `status`"),
        ([{"headers": {"A": "b"}}], "need a `status`"),
        ([{"status": 500, "headers": []}], "headers"),
        ([{"status": 500, "headers": {"a b": "c"}}], "headers"),
        ([{"status": 500, "headers": {"a": "b\r\nc: d"}}], "headers"),
        ([{"status": 500, "headers": {"a": True}}], "headers"),
        ([{"status": 500, "headers": {"a": 1.5}}], "headers"),
        ([{"status": 500, "headers": {"Content-Length": "1"}}], "headers"),
        ([{"status": 204, "body": "x"}], "no body"),
        ([{"delay": -1}], "delay must be a number of seconds"),
        ([{"delay": True}], "delay"),
        ([{"reset": "now"}], 'reset must be "before" or "after"'),
        ([{"reset": []}], "reset"),
        ([{"reset": "after", "hang": True}], "exclude"),
        ([{"reset": "after", "commit": True}], "by itself"),
        ([{"hang": True, "status": 500}], "answer nothing"),
        ([{"hang": 1}], "hang must be true or false"),
        ([{"commit": False}], "needs a `status`"),
        ([{"commit": 0}], "commit"),
        ([{"times": 0}], "times must be an integer of at least 1"),
        ([{}] * 10_001, "at most 10000"),
    ],
)
def test_a_faulty_script_is_refused(sandbox, script, words):
    """A mistake in a script is named, and what was left of the old one stays."""
    sandbox.faults([{"status": 500}])
    response = requests.put(f"{sandbox.root_url}/sandbox/faults", json=script, timeout=5)
    if isinstance(script, list):
        with pytest.raises(ValueError, match=words) as caught:
            sandbox.faults(script)
        assert isinstance(caught.value, SpotzeeError)
        assert response.json()["message"] == str(caught.value)

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert sandbox.faults_left() == [{"status": 500}]


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {"a": math.nan}, "\ud800"])
def test_a_body_that_is_no_json_is_refused(sandbox, value):
    """From Python, too, a scripted body or delay is what JSON can say."""
    with pytest.raises(ValueError, match="body"):
        sandbox.faults([{"status": 500, "body": value}])
    with pytest.raises(ValueError, match="delay"):
        sandbox.faults([{"delay": value}])


def test_a_script_that_is_no_json_is_refused(sandbox):
    """Malformed JSON at `/sandbox/faults` is answered 400, a script over the size limit 413."""
    url = f"{sandbox.root_url}/sandbox/faults"
    malformed = requests.put(url, data="[{]", timeout=5)
    with Sandbox(max_body_bytes=10) as small:
        large = requests.put(f"{small.root_url}/sandbox/faults", data="[" + " " * 20 + "]", timeout=5)

    assert (malformed.status_code, malformed.json()["code"]) == (400, "parameter_invalid_format")
    assert large.status_code == 413


def test_later_changes_of_a_script_change_nothing(sandbox):
    """The sandbox keeps a copy, and gives copies."""
    body = {"message": "first"}
    sandbox.faults([{"status": 500, "body": body}])
    body["message"] = "second"
    sandbox.faults_left()[0]["body"]["message"] = "third"

    assert sandbox.faults_left() == [{"status": 500, "body": {"message": "first"}}]
