"""Django: the logged-in user acts in each request, under WSGI and ASGI, in views of both kinds."""

import asyncio
import sys
import types

import django
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.utils.decorators import async_only_middleware

from spotzee_logging import bind_contact, contact, get_contact
from spotzee_logging.errors import InvalidSettings

URLS = types.ModuleType("spotzee_test_urls")
sys.modules[URLS.__name__] = URLS
URLS.urlpatterns = []

if not settings.configured:
    settings.configure(
        SECRET_KEY="not-much-of-one",
        ALLOWED_HOSTS=["testserver"],
        ROOT_URLCONF=URLS.__name__,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:shop?mode=memory&cache=shared"}
        },
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "spotzee_logging.contrib.django.contact_middleware",
        ],
        LOGGING_CONFIG=None,
        USE_TZ=True,
    )
    django.setup()


@pytest.fixture(scope="module")
def users():
    """A database in memory, with two users."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    # Where the tests are shared out among processes one may come here twice, to the same database.
    yield [get_user_model().objects.get_or_create(username=name)[0] for name in ("ada", "grace")]
    connection.close()


@pytest.fixture(autouse=True)
def views(log):
    """The project's views: each logs an event of whoever acts, but for `quiet`."""

    def view(request):
        log()
        return HttpResponse(str(get_contact().external_id))

    async def view_async(request):
        log()
        return HttpResponse(str(get_contact().external_id))

    def quiet(request):
        return HttpResponse("ok")

    def log_in(request):
        from django.contrib.auth import login

        log("before", anonymous_id="anon")
        login(request, request.user_to_be, backend="django.contrib.auth.backends.ModelBackend")
        log("after")
        return HttpResponse("ok")

    async def log_in_async(request):
        from django.contrib.auth import alogin

        log("before", anonymous_id="anon")
        await alogin(request, request.user_to_be, backend="django.contrib.auth.backends.ModelBackend")
        seen = get_contact().external_id
        if "bind" in request.headers:
            bind_contact(external_id=str(request.user_to_be.pk))
        log("after")
        return HttpResponse(str(seen))

    URLS.log = log
    URLS.urlpatterns[:] = [
        path("view", view),
        path("async", view_async),
        path("quiet", quiet),
        path("log_in", log_in),
        path("log_in_async", log_in_async),
    ]


def ask(kind, where, user=None, **headers):
    """The response to a request for `where`, of a user who is logged in, under the handler of that kind."""
    if kind == "wsgi":
        client = Client()
        if user is not None:
            client.force_login(user)
        return client.get(f"/{where}", headers=headers)

    async def ask_async():
        client = AsyncClient()
        if user is not None:
            await client.aforce_login(user)
        return await client.get(f"/{where}", headers=headers)

    return asyncio.run(ask_async())


@pytest.mark.parametrize("where", ["view", "async"])
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_the_logged_in_user_acts(spotzee_events, users, kind, where):
    """Without a line of configuration, events are about the user of the request, by primary key."""
    for user in users:
        assert ask(kind, where, user).content.decode() == str(user.pk)

    assert [event.external_id for event in spotzee_events] == [str(user.pk) for user in users]
    assert get_contact().external_id is None


@pytest.mark.parametrize("where", ["view", "async"])
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_stranger_is_nobody(users, kind, where):
    """Where nobody is logged in the request has no contact, in the thread that has just served somebody."""
    ask(kind, where, users[0])

    assert ask(kind, where).content.decode() == "None"


def test_a_request_without_events_touches_no_session(users):
    """No query, and no `Vary: Cookie`, which would keep caches from serving the page."""
    response = ask("wsgi", "quiet", users[0])

    assert "Vary" not in response.headers
    assert "Vary" in ask("wsgi", "view", users[0]).headers


def test_a_request_without_a_session_is_not_asked_for_its_user(users):
    """So it is under ASGI where the request has no cookie of a session."""
    assert "Vary" not in ask("asgi", "quiet").headers


def by_session(request):
    return {"external_id": "cust_001", "anonymous_id": "anon", "user": {"email": "ada@example.com"}}


def test_a_contact_inside_the_request_adds_to_it(spotzee_events, users, log):
    """A view that binds a field more keeps the ids and the profile that the request has."""

    def view(request):
        with contact(user={"locale": "en-AU"}):
            log("inside")
        return HttpResponse("ok")

    URLS.urlpatterns.append(path("inside", view))
    with override_settings(SPOTZEE_CONTACT=by_session):
        ask("wsgi", "inside")

    spotzee_events.assert_tracked(
        "inside",
        external_id="cust_001",
        anonymous_id="anon",
        user={"email": "ada@example.com", "locale": "en-AU"},
    )


def test_an_event_on_commit_is_about_who_acts(spotzee_events, users, log, monkeypatch):
    """The transaction of `ATOMIC_REQUESTS` ends inside the request; what is rolled back is not tracked."""
    from django.db import connections, transaction

    def pay(request):
        transaction.on_commit(lambda: log("paid"))
        transaction.set_rollback("declined" in request.headers)
        return HttpResponse("ok")

    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    URLS.urlpatterns.append(path("pay", pay))
    ask("wsgi", "pay", users[0], declined="yes")
    assert list(spotzee_events) == []

    ask("wsgi", "pay", users[0])

    spotzee_events.assert_tracked("paid", external_id=str(users[0].pk), times=1)


def by_header(request):
    return {"external_id": request.headers["Customer"]}


async def by_header_async(request):
    await asyncio.sleep(0)
    return {"external_id": request.headers["Customer"]}


URLS.by_header = by_header


@pytest.mark.parametrize(
    "identify",
    [by_header, by_header_async, "spotzee_test_urls.by_header", "spotzee_test_urls:by_header"],
    ids=["plain", "async", "text", "text with a colon"],
)
@pytest.mark.parametrize("where", ["view", "async"])
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_function_of_the_program_says_who_acts(spotzee_events, users, kind, where, identify):
    """SPOTZEE_CONTACT is a function of either kind, or its place."""
    with override_settings(SPOTZEE_CONTACT=identify):
        assert ask(kind, where, customer="cust_001").content.decode() == "cust_001"

    spotzee_events.assert_tracked("asked", external_id="cust_001")


@pytest.mark.parametrize(
    "identify", ["nowhere.contact_of", "spotzee_test_urls:nothing", "os.environ", 5, {}], ids=str
)
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_what_is_no_function_is_refused_when_django_starts(kind, identify):
    """A slip in SPOTZEE_CONTACT is told by its name, with what to give."""
    with override_settings(SPOTZEE_CONTACT=identify), pytest.raises(InvalidSettings) as told:
        ask(kind, "view")

    assert "SPOTZEE_CONTACT" in str(told.value)
    assert "Give a function" in str(told.value)


def test_a_setting_of_nothing_is_the_default(users):
    """As `os.environ.get("SPOTZEE_CONTACT", "")` gives it."""
    with override_settings(SPOTZEE_CONTACT=""):
        assert ask("wsgi", "view", users[0]).content.decode() == str(users[0].pk)


def test_what_is_wrong_in_the_functions_module_is_told(tmp_path, monkeypatch):
    """A module that cannot be imported for want of another shows which one it misses."""
    (tmp_path / "spotzee_test_shop").mkdir()
    (tmp_path / "spotzee_test_shop" / "__init__.py").touch()
    (tmp_path / "spotzee_test_shop" / "identity.py").write_text("import not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)

    with override_settings(SPOTZEE_CONTACT="spotzee_test_shop.identity.contact_of"):
        with pytest.raises(InvalidSettings) as told:
            ask("wsgi", "view")

    assert "not_installed" in str(told.value.__cause__)


def failing(request):
    raise KeyError("session")


async def failing_async(request):
    raise KeyError("session")


@pytest.mark.parametrize("identify", [failing, failing_async], ids=["plain", "async"])
@pytest.mark.parametrize("where", ["view", "async"])
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_where_the_function_fails_is_told(users, said, kind, where, identify):
    """The line names the program's own code, and not what Django calls it through."""
    with override_settings(SPOTZEE_CONTACT=identify):
        ask(kind, where)

    (line,) = said()
    assert "raised KeyError" in line
    assert "test_django.py, line " in line


@pytest.fixture
def user_to_be(users, monkeypatch):
    """Whom the views that log in log in."""
    from django.http import HttpRequest

    monkeypatch.setattr(HttpRequest, "user_to_be", users[1], raising=False)
    return users[1]


def test_a_login_in_the_request_is_seen(spotzee_events, user_to_be):
    """Whom a view logs in acts from there on, in the same request."""
    for kind in ("wsgi", "asgi"):
        ask(kind, "log_in")

    assert [(event.name, event.external_id) for event in spotzee_events] == [
        ("before", None),
        ("after", str(user_to_be.pk)),
    ] * 2


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_login_in_a_coroutine_view_is_seen_by_a_plain_function(spotzee_events, user_to_be, said, kind):
    """`alogin()` sets the request's user, which can be read without waiting."""
    assert ask(kind, "log_in_async").content.decode() == str(user_to_be.pk)

    spotzee_events.assert_tracked("after", external_id=str(user_to_be.pk))
    assert said() == []


async def by_user_async(request):
    user = await request.auser()
    return {"external_id": str(user.pk)} if user.is_authenticated else None


@pytest.mark.parametrize("where", ["view", "async"])
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_coroutine_function_may_ask_the_database(spotzee_events, users, said, kind, where):
    """It waits for sessions and users, in requests of both kinds."""
    with override_settings(SPOTZEE_CONTACT=by_user_async):
        ask(kind, where, users[0])

    spotzee_events.assert_tracked("asked", external_id=str(users[0].pk))
    assert said() == []


@pytest.mark.parametrize("where", ["view", "async"])
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_coroutine_function_may_say_nobody(users, said, kind, where):
    """A stranger has no contact, and no line says that the function failed."""
    with override_settings(SPOTZEE_CONTACT=by_user_async):
        assert ask(kind, where).content.decode() == "None"

    assert said() == []


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_what_a_coroutine_function_said_before_a_coroutine_view_holds(spotzee_events, user_to_be, said, kind):
    """It cannot be awaited by an event; whom the view binds after a login acts."""
    with override_settings(SPOTZEE_CONTACT=by_user_async):
        assert ask(kind, "log_in_async", bind="yes").content.decode() == "None"

    spotzee_events.assert_tracked("after", external_id=str(user_to_be.pk))
    assert said() == []


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_events_that_the_function_logs_are_nobodys(spotzee_events, users, said, log, kind):
    """A coroutine function that logs an event is not asked for its contact in turn."""

    async def logging_itself(request):
        log("looked", anonymous_id="anon")
        return await by_header_async(request)

    with override_settings(SPOTZEE_CONTACT=logging_itself):
        ask(kind, "async", customer="cust_001")

    assert [(event.name, event.external_id) for event in spotzee_events] == [
        ("looked", None),
        ("asked", "cust_001"),
    ]
    assert said() == []


@async_only_middleware
def logging_middleware(get_response):
    async def around(request):
        URLS.log("came", anonymous_id="anon")
        return await get_response(request)

    return around


URLS.logging_middleware = logging_middleware


def test_an_event_in_the_loop_before_the_view_cannot_wait(spotzee_events, users, said):
    """It has no contact, and the line says why; the view's own events have theirs."""
    middleware = [*settings.MIDDLEWARE, "spotzee_test_urls.logging_middleware"]
    with override_settings(SPOTZEE_CONTACT=by_user_async, MIDDLEWARE=middleware):
        ask("asgi", "async", users[0])

    spotzee_events.assert_tracked("came", anonymous_id="anon")
    spotzee_events.assert_tracked("asked", external_id=str(users[0].pk))
    (line,) = said()
    assert line.startswith("an event was logged in the event loop outside of a view")


def test_without_django(import_without):
    """The module says what it is for, and what to do."""
    assert "pip install django" in import_without("django")
