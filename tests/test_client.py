"""One request in, one outcome out: what the server says, and what stands in the way of an answer."""

import gzip
import socket
import threading

import pytest
import requests
from loopback import Wire

from spotzee_logging import Settings
from spotzee_logging.answers import PAUSE_REMEDIES, REJECTION_REMEDIES, Move, Outcome, move_for, remedy_for
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


def test_a_proxy_that_refuses(answer_with, send, monkeypatch):
    """What the proxy answers is told, by its number."""
    monkeypatch.setenv("HTTPS_PROXY", answer_with(http(407)))
    monkeypatch.setenv("NO_PROXY", "")

    outcome = send("https://127.0.0.1:1")

    assert outcome.status is None
    assert outcome.message == "ProxyError (OSError): the proxy answers 407"


def test_certificates_that_are_not_there(send, monkeypatch, tmp_path):
    """Where a variable names certificates in vain, the line names the variable."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))

    outcome = send("https://127.0.0.1:1")  # nobody is asked

    assert outcome.status is None
    assert "REQUESTS_CA_BUNDLE" in outcome.message


def test_tls_that_fails(answer_with, send):
    """A server without TLS, where TLS is asked for, gave no answer."""
    url = answer_with(b"HTTP/1.1 200 OK\r\n\r\n").replace("http://", "https://")

    assert send(url).status is None


def test_a_try_is_one_connection(send):
    """Whatever goes wrong with it: how often and how soon again is the schedule's to say, and no library's below."""
    with Wire(lambda connection: connection.sendall(b"no TLS")) as wire:
        outcome = send(wire.url("https"))

        assert outcome.status is None
        assert wire.connections == 1


@pytest.mark.parametrize("status", [200, 201, 204, 418, 503])
def test_an_answer_leaves_its_connection_open(sandbox, status):
    """Any final answer is followed by the next request over the same connection, without another handshake."""
    client = ApiClient(Settings(api_key="sk_x", base_url=sandbox.url))
    sandbox.faults([{"status": status}])

    client.send(seal([EVENT], 0))
    client.send(seal([EVENT], 1))
    client.close()

    first, second = sandbox.requests()
    assert first["connection"] == second["connection"]


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


@pytest.mark.parametrize(
    ("remedies", "status", "words"),
    [
        (PAUSE_REMEDIES, None, "The api_key callable must return"),
        (PAUSE_REMEDIES, 400, "See the settings api_version and base_url"),
        (PAUSE_REMEDIES, 401, "Give a valid key"),
        (PAUSE_REMEDIES, 402, "Raise the project's quota"),
        (PAUSE_REMEDIES, 403, "Give a valid key"),
        (PAUSE_REMEDIES, 302, "See the setting base_url"),
        (PAUSE_REMEDIES, 404, "See the setting base_url"),
        (REJECTION_REMEDIES, 200, "mend the event where it is logged"),
        (REJECTION_REMEDIES, 400, "mend the event where it is logged"),
        (REJECTION_REMEDIES, 413, "log the event with less data"),
        (REJECTION_REMEDIES, 422, "mend the event where it is logged"),
    ],
)
def test_what_to_do_about_an_answer(remedies, status, words):
    """Each answer that pauses delivery, or gives up an event, comes with what its reader can do."""
    assert words in remedy_for(Outcome(status, ""), remedies)


def test_an_outcome_in_words():
    """Log lines say status, code and message."""
    assert str(Outcome(422, "bad email", "validation_failed")) == "422 validation_failed: bad email"
    assert str(Outcome(503, "")) == "503"
    assert str(Outcome(None, "ConnectTimeout")) == "no answer: ConnectTimeout"
    assert Outcome(418, "").reason == "http_418"
    assert Outcome(None, "").reason == "no_answer"


@pytest.fixture
def client_with(sandbox):
    """Makes clients of the sandbox with a session of the program's, and closes them."""
    clients = []

    def make(session, **settings):
        clients.append(ApiClient(Settings(api_key="sk_x", base_url=sandbox.url, session=session, **settings)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_a_session_that_is_given_is_used_and_stays_open(sandbox, client_with):
    """The program's session sends, and is the program's to close: the client closes only what it made."""
    closed = []

    class Session(requests.Session):
        def close(self):
            closed.append(self)
            super().close()

    session = Session()
    session.headers["X-Team"] = "payments"
    client = client_with(session)

    assert client.send(seal([EVENT], 0)).status == 204
    client.close()
    assert client.send(seal([EVENT], 1)).status == 204

    assert closed == []
    assert [request["headers"]["x-team"] for request in sandbox.requests()] == ["payments"] * 2


def test_a_function_makes_the_session_with_the_first_batch(sandbox, client_with):
    """Nothing is made before it is needed; one session is kept, closed with the client, and made anew."""
    made, closed = [], []

    class Session(requests.Session):
        def close(self):
            closed.append(self)
            super().close()

    def make():
        made.append(Session())
        return made[-1]

    client = client_with(make)
    assert made == []

    client.send(seal([EVENT], 0))
    client.send(seal([EVENT], 1))
    assert len(made) == 1
    assert len({request["connection"] for request in sandbox.requests()}) == 1
    client.close()
    assert closed == made
    client.send(seal([EVENT], 2))
    assert len(made) == 2


@pytest.mark.parametrize("trouble", [ZeroDivisionError, None], ids=str)
def test_a_function_that_makes_no_session(sandbox, client_with, trouble):
    """It is no answer, and is tried again with the next request: the batch waits."""
    calls = []

    def make():
        calls.append(1)
        if len(calls) > 1:
            return requests.Session()
        if trouble is not None:
            raise trouble("rosebud")
        return None

    client = client_with(make)

    outcome = client.send(seal([EVENT], 0))

    assert move_for(outcome) is Move.RETRY
    assert "session gave no requests.Session" in str(outcome)
    assert "rosebud" not in str(outcome)
    assert client.send(seal([EVENT], 0)).status == 204


class Adapter(requests.adapters.HTTPAdapter):
    """A program's own, with a fault of its own."""

    def send(self, *_, **__):
        raise KeyError("rosebud")


def test_an_adapter_of_the_programs_session_that_raises(sandbox, client_with):
    """Whatever its session does is an outcome, which names no more than the kind: the batch waits."""
    session = requests.Session()
    session.mount(sandbox.url, Adapter())
    client = client_with(session)

    outcome = client.send(seal([EVENT], 0))

    assert (move_for(outcome), str(outcome)) == (Move.RETRY, "no answer: KeyError")


class NoSession:
    """What another library calls a client: it has a post of its own."""

    def post(self, url, json=None):
        raise AssertionError("it is not asked")


@pytest.mark.parametrize("given", [NoSession(), NoSession], ids=["object", "function"])
def test_what_is_no_session_is_told(sandbox, client_with, given):
    """A client of another library, given or made, is no answer and says so: the batch waits, and none is lost."""
    client = client_with(given)

    outcome = client.send(seal([EVENT], 0))

    assert move_for(outcome) is Move.RETRY
    assert str(outcome).endswith("session gave no requests.Session, but an object of type NoSession")
    assert client.ask_by_head() == (None, "", outcome.message)


def test_what_is_no_session_is_the_last_error(sandbox, make_handler, make_logger):
    """Who looks at the handler's numbers sees why nothing arrives."""
    handler = make_handler(session=NoSession())
    make_logger(handler).info("x", extra={"spotzee_event": "asked", "external_id": "cust_001"})

    handler.flush(0.2)

    stats = handler.stats()
    assert (stats.pending, stats.delivered) == (1, 0)
    assert "session gave no requests.Session, but an object of type NoSession" in stats.last_error


def test_what_is_ours_stays_ours_in_any_session(sandbox, client_with):
    """Key, release, kind of body and timeouts are the settings', whatever the session would have sent."""
    session = requests.Session()
    session.auth = ("somebody", "else")
    session.headers.update(
        {"Authorization": "Basic c29t", "Content-Type": "text/plain", "Spotzee-Version": "2020-01-01"}
    )
    client = client_with(session, read_timeout_seconds=0.2)
    sandbox.faults([{}, {"hang": True}])

    assert client.send(seal([EVENT], 0)).status == 204
    assert "ReadTimeout" in client.send(seal([EVENT], 1)).message

    headers = sandbox.requests()[0]["headers"]
    assert headers["authorization"].startswith("Bearer sk_")
    assert (headers["content-type"], headers["spotzee-version"]) == ("application/json", "2026-04-28")


def test_a_session_is_never_redirected(sandbox, client_with):
    """A session of the program's follows redirects by default; with our key it does not."""
    sandbox.faults([{"status": 307, "headers": {"Location": "/elsewhere"}}])

    outcome = client_with(requests.Session()).send(seal([EVENT], 0))

    assert outcome.status == 307
    assert len(sandbox.requests()) == 1


def test_an_adapter_of_the_programs_is_used(sandbox, client_with):
    """What is mounted on the session carries the request: a company's own transport, say."""
    carried = []

    class Adapter(requests.adapters.HTTPAdapter):
        def send(self, request, **more):
            carried.append(request.headers["Idempotency-Key"])
            return super().send(request, **more)

    session = requests.Session()
    session.mount("http://", Adapter())
    batch = seal([EVENT], 0)

    assert client_with(session).send(batch).status == 204
    assert carried == [batch.key]


def test_a_client_begins_anew_with_a_copy(sandbox, client_with):
    """After a fork an instance is copied, with its settings and without its connections; a function is asked again."""
    session = requests.Session()
    session.headers["X-Team"] = "payments"
    client = client_with(session)
    client.send(seal([EVENT], 0))

    client.begin_anew()
    client.send(seal([EVENT], 1))

    first, second = sandbox.requests()
    assert first["connection"] != second["connection"]
    assert second["headers"]["x-team"] == "payments"


def test_an_answer_that_is_packed_is_read(answer_with, send):
    """A proxy that packs bodies takes no word away: code and message are the server's all the same."""
    packed = gzip.compress(b'{"code": "validation_failed", "message": "no name"}')

    outcome = send(answer_with(http(422, packed, Content_Encoding="gzip")))

    assert str(outcome) == "422 validation_failed: no name"


def test_an_answer_that_cannot_be_unpacked_has_its_status(answer_with, send):
    """A body that is not what its Content-Encoding says is a body that says nothing: the status has the word."""
    outcome = send(answer_with(http(401, b"no gzip", Content_Encoding="gzip")))

    assert outcome.status == 401
    assert move_for(outcome) is Move.PAUSE
