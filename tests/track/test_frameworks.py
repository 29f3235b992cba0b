"""Frameworks that look closely at functions work with tracked ones as before."""

import inspect
import warnings

import pytest

from spotzee_logging.tracking import arg, error, result, track

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    celery = pytest.importorskip("celery")
    click = pytest.importorskip("click")
    fastapi = pytest.importorskip("fastapi")
    flask = pytest.importorskip("flask")
    from click.testing import CliRunner

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore:Using `httpx`"
)


def test_fastapi_routes(catcher):
    """Parameters, dependencies and docs of sync and async routes are found; each request is an event."""
    from starlette.testclient import TestClient

    app = fastapi.FastAPI()

    @track("dependency_used", external_id="c")
    def user():
        yield "ada"

    @app.get("/users/{user_id}")
    @track("user_read", external_id=arg.user_id, data={"page": arg.page, "who": result["who"]})
    async def read(user_id: str, page: int = 1, who: str = fastapi.Depends(user)):
        """Read a user."""
        return {"user": user_id, "page": page, "who": who}

    @app.get("/sync/{user_id}")
    @track("user_read", external_id=arg.user_id)
    def read_sync(user_id: str) -> dict[str, str]:
        return {"user": user_id}

    @app.get("/failing")
    @track("failed", external_id="c", on="raise", data={"status": error.status_code})
    async def failing():
        raise fastapi.HTTPException(418)

    client = TestClient(app)
    assert {"user": "u1", "page": 2, "who": "ada"} == client.get("/users/u1?page=2").json()
    assert {"user": "u2"} == client.get("/sync/u2").json()
    assert 418 == client.get("/failing").status_code
    assert 422 == client.get("/users/u1?page=two").status_code
    operation = client.get("/openapi.json").json()["paths"]["/users/{user_id}"]["get"]
    assert ("Read", "Read a user.") == (operation["summary"], operation["description"])
    assert ["page", "user_id"] == sorted(parameter["name"] for parameter in operation["parameters"])
    events = [(event.name, event.external_id, event.data) for event in catcher.events]
    assert ("user_read", "u1", {"page": 2, "who": "ada"}) in events
    assert ("user_read", "u2", None) in events
    assert ("failed", "c", {"status": 418}) in events
    assert ("dependency_used", "c", None) in events


def test_a_streaming_response(catcher):
    """A tracked generator streams, sync and async; its event comes at the end."""
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    @track("streamed", external_id="c", data={"kind": "sync"})
    def lines():
        yield "a"
        yield "b"

    @track("streamed", external_id="c", data={"kind": "async"})
    async def async_lines():
        yield "c"

    app = Starlette(
        routes=[
            Route("/sync", lambda request: StreamingResponse(lines())),
            Route("/async", lambda request: StreamingResponse(async_lines())),
        ]
    )
    client = TestClient(app)
    assert ("ab", "c") == (client.get("/sync").text, client.get("/async").text)
    assert ["sync", "async"] == [event.data["kind"] for event in catcher.events]


def test_flask_routes(catcher):
    """A view has its own endpoint and arguments; a tracked generator streams."""
    app = flask.Flask(__name__)

    @app.get("/users/<user_id>")
    @track("user_read", external_id=arg.user_id, data={"status": result["status"]})
    def read(user_id):
        return {"user": user_id, "status": "ok"}

    @app.get("/async/<user_id>")
    @track("streamed", external_id=arg.user_id)
    def stream(user_id):
        @track("line", external_id=user_id)
        def lines():
            yield "a"
            yield "b"

        return lines()

    client = app.test_client()
    assert {"user": "u1", "status": "ok"} == client.get("/users/u1").json
    assert "ab" == client.get("/async/u2").text
    assert {"read", "stream"} <= set(app.view_functions)
    assert [("user_read", "u1"), ("streamed", "u2"), ("line", "u2")] == [
        (event.name, event.external_id) for event in catcher.events
    ]


def test_a_celery_task(catcher):
    """A task keeps its name, binds, retries and runs."""
    app = celery.Celery("app", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True
    app.conf.task_eager_propagates = True

    @app.task
    @track("added", external_id="c", data={"a": arg.a, "sum": result})
    def add(a, b=1):
        """Add."""
        return a + b

    @app.task(bind=True)
    @track("bound", external_id="c", data={"n": arg.n})
    def bound(self, n):
        return (type(self).__name__, n)

    assert 5 == add.delay(2, b=3).get()
    assert 3 == add.apply_async((2,)).get()
    assert ("bound", 4) == bound.delay(4).get()
    assert add.name.endswith(".add")
    assert "Add." == add.__doc__
    with pytest.raises(TypeError):
        add.delay()
    assert [("added", {"a": 2, "sum": 5}), ("added", {"a": 2, "sum": 3}), ("bound", {"n": 4})] == [
        (event.name, event.data) for event in catcher.events
    ]


def test_a_click_command(catcher):
    """Options reach the function, and the help is its docstring; in both orders of the options."""

    @click.command()
    @click.option("--who", default="world")
    @track("greeted", external_id=arg.who)
    @click.option("--loud", is_flag=True)
    def greet(who, loud):
        """Greet somebody."""
        click.echo(f"hello {who}{'!' if loud else ''}")

    runner = CliRunner()
    assert "hello ada!\n" == runner.invoke(greet, ["--who", "ada", "--loud"]).output
    assert "Greet somebody." in runner.invoke(greet, ["--help"]).output
    assert "greet" == greet.name
    assert "ada" == catcher.one.external_id


@pytest.fixture
@track("fixture_used", external_id="c")
def plain_fixture(tmp_path):
    return tmp_path


@pytest.fixture
@track("generator_fixture_used", external_id="c")
def generator_fixture(plain_fixture):
    yield plain_fixture
    plain_fixture.exists()


@track("test_ran", external_id="c")
def test_pytest_fixtures_and_tests(catcher, generator_fixture, tmp_path):
    """Tracked fixtures get their arguments, generators among them, and so does a tracked test."""
    assert tmp_path == generator_fixture
    assert inspect.isgeneratorfunction(inspect.unwrap(track("x")(lambda: (yield))))


@track("unittest", external_id="c")
@pytest.mark.parametrize("number", [1, 2])
def test_pytest_marks_pass_through(catcher, number):
    """Marks that were set beneath are found."""
    assert number in (1, 2)


def test_mock_autospec(catcher):
    """A mock made from a tracked function has its signature."""
    from unittest import mock

    spec = mock.create_autospec(track("x", external_id="c")(lambda a, b: 1), return_value=3)

    assert 3 == spec(1, 2)
    with pytest.raises(TypeError):
        spec(1)


def test_in_process_pools(run_python):
    """A tracked function goes to another process by its name, spawned ones too."""
    done = run_python(
        "import concurrent.futures, multiprocessing, logging\n"
        "from spotzee_logging.tracking import track, arg\n"
        "@track('x', external_id=arg.n)\n"
        "def double(n): return n * 2\n"
        "class Shop:\n"
        "    @track('x', external_id='c')\n"
        "    def go(self, n): return n + 1\n"
        "if __name__ == '__main__':\n"
        "    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:\n"
        "        print(list(pool.map(double, [1, 2])), pool.submit(Shop().go, 3).result())\n",
        PYTHONPATH=".",
    )
    assert "[2, 4] 4\n" == done.stdout


def test_a_thread_pool(catcher):
    """And to another thread."""
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert [1, 2] == list(pool.map(track("x", external_id="c")(abs), [-1, -2]))
    assert 2 == len(catcher.events)
