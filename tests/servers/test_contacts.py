"""Who is acting, under real servers: requests that are served at the same time never mix their contacts."""

import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

HERE = pathlib.Path(__file__).parent
TOGETHER = 4
GUNICORN = ("gunicorn", "-b", "127.0.0.1:{port}", "--threads", str(TOGETHER))
UVICORN = ("uvicorn", "--port", "{port}")
ROUNDS = 5
STARTUP_FAILURE = 3  # uvicorn's exit status


def ask(server, path, headers_of, count=TOGETHER * ROUNDS):
    """Make requests 0 to `count`, as many at a time as are to meet; each is of another contact."""
    for start in range(0, count, TOGETHER):
        with ThreadPoolExecutor(TOGETHER) as pool:
            numbers = range(start, start + TOGETHER)
            list(pool.map(lambda number: server.get(f"{path}/{number}", **headers_of(number)), numbers))


def contacts(sandbox, name="asked"):
    """Who each number's event is about."""
    return {
        event["data"]["number"]: (event.get("external_id"), event.get("anonymous_id"))
        for event in sandbox.events()
        if event["name"] == name
    }


def assert_kept_apart(server, sandbox, path, headers_of, id_of):
    """Serve all, stop, and find each event with its own contact, and each stranger's with none."""
    server.wait_until(server.answers, "answer")
    ask(server, path, headers_of)
    ask(server, "stranger", headers_of)
    if "django_shop:asgi" in server.command:
        assert sandbox.wait_for(TOGETHER * ROUNDS * 2, 10)  # Django takes no part in ASGI's lifespan
    server.stop()

    numbers = range(TOGETHER * ROUNDS)
    assert contacts(sandbox) == {number: (id_of(number), None) for number in numbers}, server.output
    assert contacts(sandbox, "browsed") == {number: (None, f"anon_{number}") for number in numbers}
    assert "Traceback" not in server.output


def customer(number):
    return {"Customer": f"cust_{number}"}


def customer_id(number):
    return f"cust_{number}"


@pytest.mark.parametrize(("worker", "path"), [("gthread", "together"), ("sync", "alone")])
def test_flask_under_gunicorn(start, sandbox, worker, path):
    """Each event is about the customer of its own request, whichever threads serve them."""
    server = start(*GUNICORN, "-k", worker, "flask_shop:app")

    assert_kept_apart(server, sandbox, path, customer, customer_id)


@pytest.mark.parametrize("app", ["app", "later"])
@pytest.mark.parametrize("path", ["async", "together", "background"])
def test_fastapi_under_uvicorn(start, sandbox, app, path):
    """So it is in tasks, in the threads of plain functions, and in what is left to do after the answer."""
    server = start(*UVICORN, f"fastapi_shop:{app}")

    assert_kept_apart(server, sandbox, path, customer, customer_id)


@pytest.fixture
def sessions(sandbox, tmp_path):
    """Django's database with a user for each number, and the headers of a request of theirs."""
    done = subprocess.run(
        [sys.executable, str(HERE / "django_shop.py"), str(TOGETHER * ROUNDS)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=True,
        env={**os.environ, "SPOTZEE_API_KEY": "sk_test"},
    )
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ((*GUNICORN, "-k", "sync", "django_shop:wsgi"), "alone"),
        ((*GUNICORN, "-k", "gthread", "django_shop:wsgi"), "together"),
        ((*UVICORN, "--lifespan", "off", "django_shop:asgi"), "async"),
        ((*UVICORN, "--lifespan", "off", "django_shop:asgi"), "alone"),
    ],
    ids=["gunicorn sync", "gunicorn gthread", "uvicorn", "uvicorn plain view"],
)
def test_django(start, sandbox, sessions, command, path):
    """Each event is about the user who is logged in in its own request, under WSGI and under ASGI."""
    server = start(*command)

    def headers_of(number):
        return {"Cookie": f"sessionid={sessions[number][1]}"}

    assert_kept_apart(server, sandbox, path, headers_of, lambda number: sessions[number][0])


UNDER_UVICORN = """
import sys
import uvicorn
from spotzee_logging import flush_on_sigterm

flush_on_sigterm()
uvicorn.run("django_shop:asgi", port=int(sys.argv[1]), lifespan="off")
"""


def test_a_program_that_runs_uvicorn_delivers_by_the_opt_in(start, sandbox, sessions, tmp_path):
    """`flush_on_sigterm()` before uvicorn's own start delivers what is pending where there is no lifespan."""
    (tmp_path / "serve.py").write_text(UNDER_UVICORN)
    server = start("python", "serve.py", "{port}", SPOTZEE_FLUSH_INTERVAL_SECONDS="3600")
    server.wait_until(server.answers, "answer")

    ask(server, "stranger", lambda number: {})
    server.stop()

    assert len(contacts(sandbox, "browsed")) == TOGETHER * ROUNDS, server.output


@pytest.mark.parametrize("lifespan", ["auto", "on"])
def test_the_middleware_delivers_for_django_when_uvicorn_stops(start, sandbox, sessions, lifespan):
    """Django takes no part in the lifespan: the middleware around it does, and the users are still Django's."""
    server = start(
        *UVICORN, "--lifespan", lifespan, "django_shop:with_lifespan", SPOTZEE_FLUSH_INTERVAL_SECONDS="3600"
    )
    server.wait_until(server.answers, "answer")

    ask(server, "async", lambda number: {"Cookie": f"sessionid={sessions[number][1]}"})
    server.stop()

    numbers = range(TOGETHER * ROUNDS)
    assert contacts(sandbox) == {number: (sessions[number][0], None) for number in numbers}, server.output
    assert "Traceback" not in server.output


def test_a_start_that_fails_ends_uvicorn(start):
    """An application that has a lifespan, and fails in it, is not served: the middleware answers for it in nothing."""
    server = start(*UVICORN, "fastapi_shop:failing")

    assert server.ended() == STARTUP_FAILURE
    assert "RuntimeError: no database" in server.output
