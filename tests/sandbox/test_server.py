"""The life of a sandbox: start, stop, ports, signals, and what it leaves alone."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import requests

from spotzee_logging.errors import SpotzeeError
from spotzee_logging.sandbox import FaultScript, Sandbox, Store, create_app

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run_python(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def test_the_url_is_on_loopback(sandbox):
    """The base URL is a client's base URL, reachable from this machine only."""
    assert sandbox.url == f"{sandbox.root_url}/api/client"
    assert sandbox.root_url.startswith("http://127.0.0.1:")


def test_the_url_is_not_known_before_the_start():
    """Asking too early says what to do."""
    with pytest.raises(SpotzeeError, match="start"):
        _ = Sandbox().url


def test_a_chosen_port_is_used(post, event):
    """A sandbox can stand at a known port, and says its URL before it starts."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    chosen = Sandbox(port)

    assert chosen.url == f"http://127.0.0.1:{port}/api/client"

    with chosen:
        assert post([event()], to=chosen).status_code == 204


def test_a_taken_port_is_an_error(sandbox):
    """Two sandboxes cannot share a port: the second one says so at its start."""
    port = int(sandbox.root_url.rpartition(":")[2])
    with pytest.raises(OSError):
        Sandbox(port).start()


def test_ipv6(post, event):
    """The other loopback works as well."""
    try:
        with Sandbox(host="::1") as six:
            assert six.root_url.startswith("http://[::1]:")
            assert post([event()], to=six).status_code == 204
    except OSError:
        pytest.skip("no IPv6 here")


def test_it_comes_back_on_the_same_port(post, event):
    """A sandbox that was stopped and started again stands where it stood and knows what it knew."""
    sandbox = Sandbox()
    sandbox.start()
    sandbox.start()
    url = sandbox.url
    post([event()], to=sandbox, key="k")
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        post([event()], to=sandbox)
    with sandbox:
        again = post([event()], to=sandbox, key="k")

    assert sandbox.url == url
    assert again.headers["Idempotent-Replayed"] == "true"
    assert sandbox.events() == [event()]


@pytest.mark.parametrize("fault", [{"hang": True}, {"delay": 60}])
def test_it_stops_promptly_with_requests_that_hang(sandbox, post, event, fault):
    """Hanging requests do not hold up the stop, and their clients see the end of the connection."""
    sandbox.faults([{**fault, "times": 3}])
    failures = []

    def send():
        try:
            post([event()], timeout=60)
        except requests.ConnectionError as error:
            failures.append(error)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert sandbox.wait_for_requests(3, timeout_seconds=10)
    began = time.monotonic()
    sandbox.stop()
    took_seconds = time.monotonic() - began
    for thread in threads:
        thread.join(10)

    assert took_seconds < 1
    assert len(failures) == 3


def test_a_client_that_leaves_early_leaves_no_trace(sandbox):
    """A request that was never sent whole is no request."""
    host, port = sandbox.root_url.removeprefix("http://").split(":")
    head = "HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12"
    for line in ("POST /api/client/events", "PUT /sandbox/faults"):
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(f"{line} {head}".encode())
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b""

    assert sandbox.requests() == []


def test_it_leaves_logging_alone(caplog, post, event):
    """No handler, level or line of the program's logging is touched, uvicorn's loggers included."""
    names = ["uvicorn", "uvicorn.access", "uvicorn.error"]

    def settings():
        return [
            (log.level, list(log.handlers), log.propagate) for log in map(logging.getLogger, ["", *names])
        ]

    caplog.set_level(logging.INFO)
    before = settings()
    with Sandbox() as sandbox:
        post([event()], to=sandbox)

    assert settings() == before
    assert [r.name for r in caplog.records if r.name.startswith(("uvicorn", "spotzee_logging"))] == []


def test_no_signal_handlers_in_a_test(sandbox):
    """A running sandbox leaves Ctrl-C to the program."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


SERVE = """
import signal
from spotzee_logging.sandbox import Sandbox

class Announced(Sandbox):
    def start(self):
        super().start()
        print(self.root_url, flush=True)

Announced().serve_forever()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
print("bye", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent another way there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_forever_ends_with_a_signal(number):
    """On the command line, Ctrl-C and SIGTERM end the server in peace."""
    process = run_python("-c", SERVE)
    with process:
        url = process.stdout.readline().strip()
        assert requests.get(f"{url}/sandbox/events", timeout=5).json() == []
        process.send_signal(number)
        out, err = process.communicate(timeout=10)

    assert (process.returncode, out, err) == (0, "bye\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent another way there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_forever_gives_the_handlers_back(number):
    """In the main thread a signal ends the wait, and the program's handlers are as they were."""
    alarm = threading.Timer(0.7, os.kill, (os.getpid(), number))

    class Alarmed(Sandbox):
        def start(self):
            super().start()
            alarm.start()

    before = signal.getsignal(number)
    Alarmed().serve_forever()
    alarm.join()

    assert signal.getsignal(number) is before


def test_serve_forever_ends_with_stop():
    """Another thread can end it."""
    sandbox = Sandbox()
    sandbox.start()
    server = threading.Thread(target=sandbox.serve_forever)
    server.start()
    sandbox.stop()
    server.join(10)

    assert not server.is_alive()


@pytest.mark.parametrize("library", ["starlette", "uvicorn", "jsonschema"])
def test_a_missing_extra_is_named(library):
    """Without one of its libraries the sandbox says what to install, as an ImportError."""
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from spotzee_logging.errors import MissingExtra\n"
        "try: from spotzee_logging.sandbox import Sandbox\n"
        "except ImportError as error: print(type(error).__name__, error)\n"
    )
    out, err = run_python("-c", code).communicate(timeout=60)

    assert out.startswith("MissingExtra")
    assert 'pip install "spotzee-logging[sandbox]"' in out
    assert err == ""


def test_a_defect_of_ours_is_not_called_a_missing_extra():
    """An import of our own that fails stays what it is."""
    code = "import sys; sys.modules['spotzee_logging.sandbox.store'] = None\nimport spotzee_logging.sandbox\n"
    _, err = run_python("-c", code).communicate(timeout=60)

    assert "MissingExtra" not in err
    assert "ModuleNotFoundError" in err


def test_it_shares_no_code_with_what_it_tests():
    """Of the package, only the errors come along: the sandbox reads the contract by itself."""

    def modules_after(statement):
        code = f"import sys\n{statement}\nprint(*(m for m in sys.modules if m.startswith('spotzee_logging')))"
        out, _ = run_python("-c", code).communicate(timeout=60)
        return set(out.split())

    more = modules_after("import spotzee_logging.sandbox") - modules_after("import spotzee_logging")

    assert "spotzee_logging.sandbox.server" in more
    assert {m for m in more if not m.startswith("spotzee_logging.sandbox")} <= {"spotzee_logging.errors"}


def call(app, scope, *received):
    """Call an ASGI application once, without a server; give what it sent."""
    sent = []

    async def receive(messages=iter(received)):
        return next(messages)

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


POST_EVENTS = {
    "type": "http",
    "method": "POST",
    "path": "/api/client/events",
    "query_string": b"",
    "headers": [],
}


def test_the_application_works_under_any_server():
    """Without the sandbox's own server all is the same but the reset, which says that it cannot be."""
    store, faults = Store(), FaultScript()
    app = create_app(store, faults)
    body = {"type": "http.request", "body": b"[]"}
    sent = call(app, dict(POST_EVENTS), body)
    faults.replace([{"reset": "before"}])
    with pytest.raises(ConnectionResetError):
        call(app, dict(POST_EVENTS), body)

    assert sent[0]["status"] == 401
    assert [(r["connection"], r["peer_port"]) for r in store.requests()] == [(0, None)] * 2


def test_the_application_takes_a_lifespan():
    """A server that starts and ends its applications can host the sandbox."""
    messages = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
    sent = call(create_app(Store(), FaultScript()), {"type": "lifespan", "state": {}}, *messages)

    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


STOPPED = """
import gc, socket, sys, threading, urllib.parse, warnings
from spotzee_logging.sandbox import Sandbox

warnings.simplefilter("error")
left_open = []
sys.unraisablehook = lambda what: left_open.append(what.exc_value)

def connect(port, begin):
    begin.wait()
    for _ in range(5):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            pass  # it has stopped

for _ in range(50):
    with Sandbox() as sandbox:
        begin = threading.Event()
        port = urllib.parse.urlsplit(sandbox.root_url).port
        clients = [threading.Thread(target=connect, args=(port, begin)) for _ in range(3)]
        for client in clients:
            client.start()
        begin.set()
    for client in clients:
        client.join()
    gc.collect()
print(left_open)
"""


def test_stopping_leaves_no_connection_open(run_python):
    """A connection that is accepted just as the server stops is closed: nobody's test is told of it later."""
    assert run_python(STOPPED).stdout == "[]\n"
