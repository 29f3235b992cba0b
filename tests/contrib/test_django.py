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

from spotzee_logging import get_contact

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

    URLS.urlpatterns[:] = [
        path("view", view),
        path("async", view_async),
        path("quiet", quiet),
        path("log_in", log_in),
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


def by_header(request):
    return {"external_id": request.headers["Customer"]}


async def by_header_async(request):
    await asyncio.sleep(0)
    return {"external_id": request.headers["Customer"]}


URLS.by_header = by_header


@pytest.mark.parametrize(
    "identify", [by_header, by_header_async, "spotzee_test_urls.by_header"], ids=["plain", "async", "text"]
)
@pytest.mark.parametrize("where", ["view", "async"])
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_function_of_the_program_says_who_acts(spotzee_events, users, kind, where, identify):
    """SPOTZEE_CONTACT is a function of either kind, or its place."""
    with override_settings(SPOTZEE_CONTACT=identify):
        assert ask(kind, where, customer="cust_001").content.decode() == "cust_001"

    spotzee_events.assert_tracked("asked", external_id="cust_001")


def test_a_login_in_the_request_is_seen(spotzee_events, users, monkeypatch):
    """Whom a view logs in acts from there on, in the same request."""
    from django.http import HttpRequest

    monkeypatch.setattr(HttpRequest, "user_to_be", users[1], raising=False)

    for kind in ("wsgi", "asgi"):
        ask(kind, "log_in")

    assert [(event.name, event.external_id) for event in spotzee_events] == [
        ("before", None),
        ("after", str(users[1].pk)),
    ] * 2


def test_without_django(import_without):
    """The module says what it is for, and what to do."""
    assert "pip install django" in import_without("django")
