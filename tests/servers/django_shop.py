"""A Django project of one file, with sessions and users in a database of the current folder.

`python django_shop.py 8` makes the tables and eight users, and prints a session's key for each.
"""

import sys

import django
import meeting
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="not-much-of-one",
    ALLOWED_HOSTS=["127.0.0.1", "testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django.sqlite3"}},
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "spotzee_logging.contrib.django.contact_middleware",
    ],
    LOGGING_CONFIG=None,
    USE_TZ=True,
)
django.setup()


def alone(request, number):
    meeting.log(number)
    return HttpResponse("ok")


def together(request, number):
    meeting.meet()
    meeting.log(number)
    return HttpResponse("ok")


async def together_async(request, number):
    await meeting.meet_async()
    meeting.log(number)
    return HttpResponse("ok")


def stranger(request, number):
    meeting.log_stranger(number)
    return HttpResponse("ok")


urlpatterns = [
    path("ready", lambda request: HttpResponse("ok")),
    path("alone/<int:number>", alone),
    path("together/<int:number>", together),
    path("async/<int:number>", together_async),
    path("stranger/<int:number>", stranger),
]


def prepare(count):
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for number in range(count):
        user = get_user_model().objects.create_user(f"user{number}")
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        print(user.pk, session.session_key)


if __name__ == "__main__":
    prepare(int(sys.argv[1]))
else:
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    from spotzee_logging.contrib.asgi import ContactMiddleware

    wsgi, asgi = get_wsgi_application(), get_asgi_application()
    with_lifespan = ContactMiddleware(asgi, lambda scope: None)
