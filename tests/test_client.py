"""One request in, one outcome out: what the server says, and what stands in the way of an answer."""

import socket
import threading

import pytest

from spotzee_logging import Settings
from spotzee_logging.answers import Move, Outcome, move_for
from spotzee_logging.buffers.base import seal
from spotzee_logging.client import MAX_ANSWER_BYTES, ApiClient

EVENT = b'{"name":"order_placed","external_id":"cust_001"}'


@pytest.fixture
def send():
    """Sends one batch to a base URL."""
    clients = []

    def send_to(url, batch=None, **settings):
        client = ApiClient(Settings(api_key="sk_rosebud", base_url=url, **settings))
        clients.append(client)
        return client.send(batch or seal([EVENT], 0))

    yield send_to
    for client in clients:
        client.close()


@pytest.fixture
def answer_with():
    """A server that gives one connection these bytes, whatever it is asked, and then closes it."""
    sockets = []

    def serve(raw):
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(raw)

        threading.Thread(target=answer, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for each in sockets:
        each.close()


def http(status, body=b"", **headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_a_delivery(sandbox, send):
    """204 is an outcome without words, and nothing is left to do."""
    outcome = send(sandbox.url)

    assert (outcome.status, outcome.message, outcome.code) == (204, "", None)
    assert move_for(outcome) is Move.DELIVERED


def test_the_servers_words(sandbox, send):
    """A problem document's code, message and request id are in the outcome."""
    sandbox.faults([{"status": 422, "code": "validation_failed"}])

    outcome = send(sandbox.url)

    assert (outcome.status, outcome.code) == (422, "validation_failed")
    assert outcome.message
    assert outcome.request_id == sandbox.requests()[0]["request_id"]


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b"<html>Bad Gateway</html>", "", None),
        (b"", "", None),
        (b"[1]", "", None),
        (b"\xff\xfe", "", None),
        (b'{"code": 42201, "error": "old words"}', "old words", None),
        (b'{"title": "Too bad"}', "Too bad", None),
        (b"[" * 50_000, "", None),
        (b'{"code": "x", "message": "' + b"m" * 2000 + b'"}', "m" * 500, "x"),
    ],
    ids=range(8),
)
def test_odd_error_bodies(answer_with, send, body, message, code):
    """A page, nothing, old envelopes, endless words: the status decides, and what can be read is kept."""
    outcome = send(answer_with(http(418, body)))

    assert (outcome.status, outcome.message, outcome.code) == (418, message, code)


def test_a_huge_answer_is_cut(answer_with, send):
    """No more than 64 KiB of an answer are read."""
    outcome = send(answer_with(http(500, b'{"message": "' + b"m" * (2 * MAX_ANSWER_BYTES) + b'"}')))

    assert (outcome.status, outcome.message) == (500, "")


def test_the_request_id_may_come_as_a_header(answer_with, send):
    """Where the body names no request, the header does."""
    assert send(answer_with(http(503, b"", X_Request_Id="req_7"))).request_id == "req_7"


@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        ("3", None, 3),
        ("0", None, 0),
        ("-5", None, 0),
        ("99999", None, 99999),
        ("nan", None, None),
        ("soon", None, None),
        ("Sun, 06 Nov 1994 08:49:47 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 10),
        ("Sun, 06 Nov 1994 08:49:27 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", None, 0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", "yesterday", 0),
    ],
)
def test_retry_after(answer_with, send, retry_after, date, seconds):
    """Seconds or a date, by the server's own clock where it shows one; nonsense is nothing."""
    headers = {"Retry_After": retry_after} | ({"Date": date} if date else {})

    assert send(answer_with(http(429, **headers))).retry_after_seconds == seconds


def test_nobody_listens(send):
    """A refused connection is no answer, and the message says so without the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    outcome = send(f"http://127.0.0.1:{port}")

    assert outcome.status is None
    assert "refused" in outcome.message
    assert move_for(outcome) is Move.RETRY


def test_an_unknown_host(send):
    """A name that cannot be resolved is no answer."""
    outcome = send("https://nowhere.invalid")

    assert outcome.status is None
    assert "nowhere" not in outcome.message


def test_an_answer_that_never_comes(sandbox, send):
    """A silent server is given up after the read timeout."""
    sandbox.faults([{"hang": True}])

    outcome = send(sandbox.url, read_timeout_seconds=0.1)

    assert outcome.status is None
    assert "ReadTimeout" in outcome.message


def test_an_answer_that_breaks_off(answer_with, send):
    """A body shorter than announced is no reason to doubt the status that came."""
    outcome = send(answer_with(b"HTTP/1.1 500 X\r\nContent-Length: 100\r\n\r\n{"))

    assert outcome.status in {500, None}
    assert move_for(outcome) is Move.RETRY


def test_no_http_at_all(answer_with, send):
    """A server that speaks something else gave no answer."""
    assert send(answer_with(b"SSH-2.0-OpenSSH\r\n")).status is None


def test_tls_that_fails(answer_with, send):
    """A server without TLS, where TLS is asked for, gave no answer."""
    url = answer_with(b"HTTP/1.1 200 OK\r\n\r\n").replace("http://", "https://")

    assert send(url).status is None


def test_a_proxys_password_is_not_shown(send, monkeypatch):
    """What failed on the way through a proxy is told without the proxy's own credentials."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@127.0.0.1:{port}")
    monkeypatch.setenv("NO_PROXY", "")

    outcome = send("https://127.0.0.1:1")

    assert outcome.status is None
    assert "ProxyError" in outcome.message
    assert "hunter2" not in str(outcome)
    assert "rosebud" not in str(outcome)


def test_cookies_are_not_kept(sandbox):
    """What a server or proxy wants remembered does not travel with the next batch."""
    client = ApiClient(Settings(api_key="sk_x", base_url=sandbox.url))
    sandbox.faults([{"status": 500, "headers": {"Set-Cookie": "route=1; Path=/"}}])

    client.send(seal([EVENT], 0))
    client.send(seal([EVENT], 1))
    client.close()

    assert "cookie" not in sandbox.requests()[1]["headers"]


@pytest.mark.parametrize(
    ("status", "code", "move"),
    [
        (None, None, Move.RETRY),
        (200, None, Move.DELIVERED),
        (204, None, Move.DELIVERED),
        (None, "api_key_unavailable", Move.PAUSE),
        (302, None, Move.PAUSE),
        (400, "parameter_unknown", Move.SIFT),
        (400, "version_unsupported", Move.PAUSE),
        (400, "version_required", Move.PAUSE),
        (400, "idempotency_key_invalid", Move.PAUSE),
        (401, "authentication_required", Move.PAUSE),
        (402, "quota_exceeded", Move.PAUSE),
        (403, "permission_denied", Move.PAUSE),
        (404, "resource_missing", Move.PAUSE),
        (405, None, Move.PAUSE),
        (410, None, Move.PAUSE),
        (413, None, Move.HALVE),
        (418, None, Move.REJECT),
        (408, None, Move.RETRY),
        (409, "idempotency_in_progress", Move.WAIT),
        (409, "idempotency_key_mismatch", Move.RENEW),
        (409, None, Move.REJECT),
        (422, "validation_failed", Move.SIFT),
        (425, None, Move.RETRY),
        (429, "rate_limited", Move.RETRY),
        (500, None, Move.RETRY),
        (503, "service_unavailable", Move.RETRY),
        (599, None, Move.RETRY),
        (700, None, Move.REJECT),
    ],
)
def test_the_table_of_answers(status, code, move):
    """Each answer has one move."""
    assert move_for(Outcome(status, "", code)) is move


def test_an_outcome_in_words():
    """Log lines say status, code and message."""
    assert str(Outcome(422, "bad email", "validation_failed")) == "422 validation_failed: bad email"
    assert str(Outcome(503, "")) == "503"
    assert str(Outcome(None, "ConnectTimeout")) == "no answer: ConnectTimeout"
    assert Outcome(418, "").reason == "http_418"
    assert Outcome(None, "").reason == "no_answer"
