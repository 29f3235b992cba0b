"""Flask: who is acting in an application's requests."""

import threading

import flask
import pytest

from spotzee_logging import get_contact
from spotzee_logging.contrib.flask import bind_contacts
from spotzee_logging.errors import InvalidSettings


@pytest.fixture
def make_app(log):
    """Makes an application whose view logs an event, with its contact from the given function."""

    def make(identify):
        app = flask.Flask("shop")
        app.secret_key = "x"
        bind_contacts(app, identify)

        @app.get("/")
        def view():
            log()
            return str(get_contact().external_id)

        @app.get("/shown")
        def shown():
            return repr(get_contact())

        @app.get("/streamed")
        def streamed():
            def lines():
                log("streamed")
                yield "x"

            return flask.Response(flask.stream_with_context(lines()))

        @app.get("/broken")
        def broken():
            log("broken")
            raise ValueError

        @app.get("/quiet")
        def quiet():
            return "ok"

        return app

    return make


def header(request):
    customer = request.headers.get("Customer")
    return {"external_id": customer} if customer else None


def test_a_request_acts_for_its_contact(spotzee_events, make_app):
    """Events of a view, its stream and its failure are about the request's contact, and nobody is bound after it."""
    client = make_app(header).test_client()

    assert client.get("/", headers={"Customer": "cust_001"}).text == "cust_001"
    assert client.get("/streamed", headers={"Customer": "cust_002"}).text == "x"
    assert client.get("/broken", headers={"Customer": "cust_003"}).status_code == 500

    assert {event.name: event.external_id for event in spotzee_events} == {
        "asked": "cust_001",
        "streamed": "cust_002",
        "broken": "cust_003",
    }
    assert get_contact().external_id is None


def test_a_second_call_replaces_the_first(spotzee_events, make_app):
    """Where a factory and an extension both bind, the later function is asked, and nobody is bound after a request."""
    app = make_app(lambda request: {"external_id": "cust_of_the_first"})
    bind_contacts(app, header)

    app.test_client().get("/", headers={"Customer": "cust_001"})

    spotzee_events.assert_tracked("asked", external_id="cust_001")
    assert get_contact().external_id is None


def test_who_is_acting_is_shown_as_any_contact(make_app):
    """`print(get_contact())` in a view shows the contact, and not how it is looked for."""
    shown = make_app(header).test_client().get("/shown", headers={"Customer": "cust_001"}).text

    assert shown == "Contact(external_id='cust_001', anonymous_id=None, user=None)"


async def nobody(request):
    return None


@pytest.mark.parametrize("identify", [None, {"external_id": "cust_001"}, nobody])
def test_what_is_no_plain_function_is_refused_when_it_is_given(identify):
    """A slip is told where the application is made, and not with the first event."""
    with pytest.raises(InvalidSettings, match="identify"):
        bind_contacts(flask.Flask("shop"), identify)


def test_it_sees_session_and_g(spotzee_events, make_app):
    """The function is asked within the request, after what other functions found before it."""
    app = make_app(lambda request: {"external_id": flask.g.user, "anonymous_id": flask.session["visitor"]})

    @app.before_request
    def load():
        flask.g.user = "cust_001"
        flask.session["visitor"] = "anon_1"

    app.test_client().get("/")

    spotzee_events.assert_tracked("asked", external_id="cust_001", anonymous_id="anon_1")


def test_nobody_is_asked_for_without_an_event(make_app):
    """A request that logs nothing touches no session."""
    asked = []

    assert make_app(asked.append).test_client().get("/quiet").text == "ok"

    assert asked == []


def test_threads_keep_apart(spotzee_events, make_app, log):
    """Requests that meet in the midst of their views have each its own contact, in threads that serve many."""
    app, barrier = make_app(header), threading.Barrier(4)

    @app.get("/together")
    def together():
        barrier.wait(10)
        log("met", customer=flask.request.headers["Customer"])
        return "ok"

    def serve(thread):
        for number in range(5):
            app.test_client().get("/together", headers={"Customer": f"cust_{thread}_{number}"})

    threads = [threading.Thread(target=serve, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(spotzee_events) == 20
    assert all(event.external_id == event.data["customer"] for event in spotzee_events)


def test_a_context_without_a_request_is_let_be(make_app):
    """A context that a shell or a test pushes ends without a word."""
    with make_app(header).test_request_context("/"):
        pass


def test_without_flask(import_without):
    """The module says what it is for, and what to do."""
    assert import_without("flask") == (
        "spotzee_logging.contrib.flask is for programs that use flask, which is not installed here: "
        "pip install flask, or import this module only where it is."
    )
