"""Celery: who acts in a task, with a worker in a thread of the test."""

import logging

import celery
import pytest
from celery import signals
from celery.contrib.testing.worker import start_worker

from spotzee_logging import contact, get_contact
from spotzee_logging.contrib.celery import HEADER, carry_contacts
from spotzee_logging.errors import InvalidSettings

UID = "spotzee_logging.contrib.celery"


@pytest.fixture
def app():
    app = celery.Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.update(task_store_eager_result=False, worker_hijack_root_logger=False)
    logging.getLogger("celery").setLevel(logging.CRITICAL)
    level = logging.root.level
    yield app
    logging.root.setLevel(level)
    app.close()
    for signal in (
        *("before_task_publish", "task_prerun", "task_postrun", "worker_shutdown"),
        *("celeryd_init", "after_setup_logger", "after_setup_task_logger"),
    ):
        getattr(signals, signal).disconnect(dispatch_uid=UID)


@pytest.fixture
def ask(app, log):
    """A task that logs an event, and gives whom it acted for."""

    @app.task(shared=False)
    def ask(customer=None):
        log("asked", anonymous_id=None if get_contact().external_id else "anon")
        return get_contact().external_id

    return ask


def run(app, *tasks):
    with start_worker(app, perform_ping_check=False, loglevel="WARNING"):
        return [task.get(timeout=10) for task in tasks]


def test_the_contact_travels_with_the_task(app, ask, spotzee_events):
    """A task acts for whoever acted where it was sent; one that was sent for nobody acts for nobody."""
    carry_contacts()
    with contact(external_id="cust_001", user={"data": {"plan": "pro"}}):
        first = ask.delay()
    second = ask.delay()

    assert run(app, first, second) == ["cust_001", None]
    spotzee_events.assert_tracked("asked", external_id="cust_001", user={"data": {"plan": "pro"}})
    spotzee_events.assert_tracked("asked", anonymous_id="anon")


def test_the_program_may_say_who_it_is(app, ask):
    """A function of the task and its arguments comes first; where it knows nobody, the carried contact acts."""
    carry_contacts(lambda task, args, kwargs: {"external_id": args[0]} if args else None)
    with contact(external_id="cust_001"):
        sent = [ask.delay("cust_002"), ask.delay()]

    assert run(app, *sent) == ["cust_002", "cust_001"]


def test_an_eager_task_is_a_call(app, ask, spotzee_events):
    """A task that runs where it is called acts for the caller, who goes on as before."""
    carry_contacts()
    with contact(external_id="cust_001"):
        assert ask.apply().get() == "cust_001"
        assert get_contact().external_id == "cust_001"


def test_values_of_any_kind_travel(app, ask):
    """Profile fields that no JSON has are made plain, as in events, and do not keep a task from being sent."""
    carry_contacts()
    with contact(external_id="cust_001", user={"data": {"seen": {1, 2}, "by": object}}):
        assert run(app, ask.delay()) == ["cust_001"]


def test_a_header_of_somebody_elses_making(app, ask, said):
    """What is no contact in its header costs the contact alone."""
    carry_contacts()

    assert run(app, ask.apply_async(headers={HEADER: "cust_001"})) == [None]
    assert "gave str" in said()[0]


@pytest.mark.parametrize("identify", [5, {"external_id": "cust_001"}, "nowhere:contact_of"])
def test_what_is_no_function_is_refused_when_it_is_given(identify):
    """A slip is told where the Celery app is made, and not with the first task."""
    with pytest.raises(InvalidSettings, match="identify"):
        carry_contacts(identify)


def test_calling_it_again_changes_nothing_else(app, ask):
    """Each task is bound once, by what the last call said."""
    carry_contacts(lambda *_: {"external_id": "first"})
    carry_contacts(lambda *_: {"external_id": "second"})

    assert run(app, ask.delay()) == ["second"]


def test_without_celery(import_without):
    """The module says what it is for, and what to do."""
    assert "pip install celery" in import_without("celery")
