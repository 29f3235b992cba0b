"""ASGI: who is acting in the requests of FastAPI, Starlette and any other application."""

import asyncio
import logging
import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from spotzee_logging import bind_contact, contact, get_contact
from spotzee_logging.contrib import asgi
from spotzee_logging.contrib.asgi import ContactMiddleware
from spotzee_logging.errors import InvalidSettings


def named(scope):
    customer = Request(scope).headers.get("customer")
    return {"external_id": customer} if customer else None


async def named_async(scope):
    await asyncio.sleep(0)
    return named(scope)


class NamedAsync:
    async def __call__(self, scope):
        return await named_async(scope)


def app_of(view, identify, *middleware):
    return Starlette(
        routes=[Route("/", view)], middleware=[Middleware(ContactMiddleware, identify=identify), *middleware]
    )


async def get(app, **headers):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        return (await client.get("/", headers=headers)).text


def ask(view, identify, *middleware, **headers):
    """The text that a request for the view gets."""
    return asyncio.run(get(app_of(view, identify, *middleware), **headers))


@pytest.mark.parametrize("identify", [None, {"external_id": "cust_001"}, "nowhere:contact_of"])
def test_what_is_no_function_is_refused_when_it_is_given(identify):
    """A slip is told where the application is made, and not with the first event."""
    with pytest.raises(InvalidSettings, match="identify"):
        ContactMiddleware(lambda scope, receive, send: None, identify)


@pytest.mark.parametrize("identify", [named, named_async, NamedAsync()], ids=["plain", "async", "object"])
def test_a_request_acts_for_its_contact(spotzee_events, log, identify):
    """Events of the view are about whom the function names, and nobody is bound around it."""

    async def view(request):
        log()
        return PlainTextResponse(str(get_contact().external_id))

    assert ask(view, identify, customer="cust_001") == "cust_001"
    assert ask(view, lambda scope: {"anonymous_id": "anon"}) == "None"

    assert [(event.external_id, event.anonymous_id) for event in spotzee_events] == [
        ("cust_001", None),
        (None, "anon"),
    ]
    assert get_contact().external_id is None


def test_concurrent_requests_keep_apart(spotzee_events, log):
    """Tasks that are in the midst of their requests at the same time have each its own contact."""
    waiting, count = [], 20

    async def app(scope, receive, send):
        mine = asyncio.get_running_loop().create_future()
        waiting.append(mine)
        if len(waiting) == count:
            for each in waiting:
                each.set_result(None)
        await mine
        log(number=scope["number"])

    wrapped = ContactMiddleware(app, lambda scope: {"external_id": str(scope["number"])})

    async def gather():
        scopes = ({"type": "http", "number": number} for number in range(count))
        await asyncio.gather(*(wrapped(scope, None, None) for scope in scopes))

    asyncio.run(gather())

    assert sorted((event.data["number"], event.external_id) for event in spotzee_events) == [
        (number, str(number)) for number in range(count)
    ]


def test_nobody_is_asked_for_without_an_event():
    """A request that logs nothing costs no look at a session or a database."""
    asked = []

    async def view(request):
        return PlainTextResponse("ok")

    ask(view, asked.append)

    assert asked == []


def test_somebody_is_asked_for_once(spotzee_events, log):
    """Once somebody is found, later events of the request ask no more; where nobody is, the next event asks again."""
    answers = [None, {"external_id": "cust_001"}]

    async def view(request):
        log(external_id="cust_other")
        for _ in range(3):
            log()
        return PlainTextResponse("ok")

    ask(view, lambda scope: answers.pop(0))

    assert [event.external_id for event in spotzee_events] == ["cust_other", *["cust_001"] * 3]
    assert answers == []


def test_it_sees_what_inner_middleware_finds(spotzee_events, log):
    """Authentication inside of it has put the user into the scope when the first event asks."""

    class Authentication:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            scope["user_id"] = "cust_001"
            await self.app(scope, receive, send)

    async def view(request):
        log()
        return PlainTextResponse("ok")

    ask(view, lambda scope: {"external_id": scope["user_id"]}, Middleware(Authentication))

    spotzee_events.assert_tracked("asked", external_id="cust_001")


def test_a_view_may_bind_more(spotzee_events, log):
    """What a view binds merges with the request's contact, and is gone with the request."""

    async def view(request):
        with contact(user={"locale": "en-AU"}):
            log("inside")
        bind_contact(external_id="cust_002")
        log("after login")
        return PlainTextResponse("ok")

    ask(view, named, customer="cust_001")

    spotzee_events.assert_tracked("inside", external_id="cust_001", user={"locale": "en-AU"})
    spotzee_events.assert_tracked("after login", external_id="cust_002")
    assert get_contact().external_id is None


def fail(_):
    raise KeyError("session")


async def fail_async(_):
    raise KeyError("session")


@pytest.mark.parametrize(
    ("identify", "problem"),
    [
        (fail, r"raised KeyError \(.*test_asgi\.py, line \d+\)"),
        (fail_async, r"raised KeyError \(.*test_asgi\.py, line \d+\)"),
        (lambda scope: "cust_001", "gave str"),
        (lambda scope: {"id": "cust_001"}, r"gave fields that no contact has \(id\)"),
    ],
)
def test_a_function_that_fails_costs_the_contact_alone(spotzee_events, log, said, identify, problem):
    """The request is served, its events have no contact, and one line says why, and where it failed."""

    async def view(request):
        log(anonymous_id="anon")
        log(anonymous_id="anon")
        return PlainTextResponse("ok")

    assert ask(view, identify) == "ok"

    assert [event.external_id for event in spotzee_events] == [None, None]
    (line,) = said()
    assert re.match(f"the function that says who is acting {problem}: events have no contact.", line)


def test_events_that_the_function_logs_are_nobodys(spotzee_events, log):
    """Looking for the contact may log events itself, and does not look for it without end."""

    def identify(scope):
        log("looked", anonymous_id="anon")
        return {"external_id": "cust_001"}

    async def view(request):
        log()
        return PlainTextResponse("ok")

    ask(view, identify)

    assert [event.name for event in spotzee_events] == ["looked", "asked"]


def test_what_is_pending_arrives_when_the_server_shuts_down(spotzee_sandbox, make_spotzee_handler):
    """The end of the lifespan waits for the delivery, since uvicorn lets no exit of Python's follow."""
    logger = logging.getLogger("contrib.shop")
    logger.addHandler(make_spotzee_handler(flush_interval_seconds=3600))
    arrived = []

    async def view(request):
        logger.warning("x", extra={"spotzee_event": "asked"})
        return PlainTextResponse("ok")

    async def serve():
        app, told = app_of(view, named), iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive():
            kind = next(told)
            if kind == "lifespan.shutdown":
                await get(app, customer="cust_001")
            return {"type": kind}

        async def send(message):
            if message["type"] == "lifespan.shutdown.complete":
                arrived.extend(spotzee_sandbox.events())

        await app({"type": "lifespan"}, receive, send)

    asyncio.run(serve())

    assert [event["external_id"] for event in arrived] == ["cust_001"]


def live(app, *told):
    """What the middleware tells a server of the application's life, and what it raises, where that is told these."""
    messages, sent = iter(told), []

    async def receive():
        return {"type": f"lifespan.{next(messages)}"}

    async def send(message):
        sent.append(message["type"].removeprefix("lifespan."))

    async def serve():
        try:
            await ContactMiddleware(app, named)({"type": "lifespan"}, receive, send)
        except Exception as error:
            return repr(error)

    return sent, asyncio.run(serve())


async def refuses(scope, receive, send):
    raise ValueError("only http")


async def ignores(scope, receive, send):
    assert scope["type"] == "lifespan"


@pytest.fixture
def infos(caplog):
    """The lines of level INFO of the package, as if it had said none before."""
    asgi._diagnostics.begin_anew()
    caplog.set_level(logging.INFO, "spotzee_logging")
    return lambda: [record.message for record in caplog.records if record.name == "spotzee_logging"]


def test_what_stays_pending_when_the_server_shuts_down_is_said(spotzee_sandbox, make_spotzee_handler, infos):
    """uvicorn dies of SIGTERM next, with no exit of Python's to say what is lost: it is said before."""
    spotzee_sandbox.stop()
    logging.getLogger("contrib.shop").addHandler(make_spotzee_handler(shutdown_timeout_seconds=0.1))
    logging.getLogger("contrib.shop").warning("x", extra={"spotzee_event": {"name": "n", "external_id": "c"}})

    async def app(scope, receive, send):
        await send({"type": f"{(await receive())['type']}.complete"})

    assert live(app, "shutdown") == (["shutdown.complete"], None)
    assert any("the application shut down with events pending" in line for line in infos())


@pytest.mark.parametrize(
    ("app", "reason"), [(refuses, "raised ValueError for"), (ignores, "takes no part in")]
)
def test_an_application_without_a_lifespan_gets_one(
    spotzee_sandbox, make_spotzee_handler, infos, app, reason
):
    """The server starts and stops as with one that has it, what is pending arrives first, and a line says so."""
    logger = logging.getLogger("contrib.shop")
    logger.addHandler(make_spotzee_handler(flush_interval_seconds=3600))
    logger.warning("x", extra={"spotzee_event": "asked", "external_id": "cust_001"})

    assert live(app, "startup", "shutdown") == (["startup.complete", "shutdown.complete"], None)

    assert [event["name"] for event in spotzee_sandbox.events()] == ["asked"]
    assert infos() == [
        f"the application {reason} the server's lifespan: the middleware answers in its place."
    ]


async def fails_its_start(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
    raise RuntimeError("no database")


async def fails_without_saying_so(scope, receive, send):
    await receive()
    raise RuntimeError("no database")


async def fails_while_it_lives(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    raise RuntimeError("no database")


async def fails_its_end(scope, receive, send):
    for answer in ("startup.complete", "shutdown.failed"):
        await receive()
        await send({"type": f"lifespan.{answer}"})


@pytest.mark.parametrize(
    ("app", "sent", "raised"),
    [
        (fails_its_start, ["startup.failed"], "RuntimeError('no database')"),
        (fails_without_saying_so, [], "RuntimeError('no database')"),
        (fails_while_it_lives, ["startup.complete"], "RuntimeError('no database')"),
        (fails_its_end, ["startup.complete", "shutdown.failed"], None),
    ],
)
def test_an_application_that_fails_its_lifespan_fails(infos, app, sent, raised):
    """The server learns of it as without the middleware, and does not serve an application that has not started."""
    assert live(app, "startup", "shutdown") == (sent, raised)

    assert infos() == []
