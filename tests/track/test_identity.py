"""Whose event a tracked call is."""

import asyncio
import contextvars

import pytest

from spotzee_logging import bind_contact, clear_contact, contact, get_contact
from spotzee_logging.tracking import arg, result, track


def ids(catcher):
    return [(event.external_id, event.anonymous_id) for event in catcher.events]


def test_without_an_id_of_its_own_it_is_the_contacts(catcher):
    """The contact around the call is whose event it is, with its user fields."""
    with contact(external_id="c1", user={"email": "ada@example.com"}):
        track("x")(lambda: 1)()

    assert [("c1", None)] == ids(catcher)
    assert {"email": "ada@example.com"} == catcher.one.user


def test_an_id_of_its_own_stands_for_itself(catcher):
    """A track that names an id gets no other from the contact: a wrong link is permanent."""
    with contact(external_id="c1", anonymous_id="a1"):
        track("x", external_id=arg.who)(lambda who: 1)("c2")
        track("x", anonymous_id="a2")(lambda: 1)()

    assert [("c2", None), (None, "a2")] == ids(catcher)


UNRESOLVED = {
    "missing": arg.who.missing,
    "none": arg.who.none,
    "beyond none": arg.who.none.id,
    "raising": arg.who.raising,
    "result": result.id,
    "callable gives none": lambda call: None,
    "callable raises": lambda call: call.result.id,
}


class Who:
    none = None

    @property
    def raising(self):
        raise KeyError("no")


@pytest.mark.parametrize("marker", UNRESOLVED.values(), ids=UNRESOLVED)
@pytest.mark.parametrize("other", [{}, {"anonymous_id": "a2"}], ids=["alone", "beside a good one"])
def test_an_id_that_is_not_found_is_never_the_contacts(catcher, marker, other):
    """The event is invalid, and counted; it does not fall to whoever the context names."""
    with contact(external_id="somebody_else", anonymous_id="a1"):
        assert track("x", external_id=marker, **other)(lambda who: None)(Who()) is None

    assert [] == catcher.events
    assert {"invalid_event": 1} == catcher.stats().rejected


@pytest.mark.parametrize("value", [42, b"c", ["c"], object(), ""])
def test_an_id_of_another_type_is_refused(catcher, value):
    """A number, or an object that has a text, is no id: it is not made into one."""
    with contact(external_id="somebody_else"):
        track("x", external_id=arg.who)(lambda who: None)(value)

    assert [] == catcher.events
    assert {"invalid_event": 1} == catcher.stats().rejected


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (arg.who.id, "arg.who.id is None, or leads to nothing"),
        (lambda call: call.result.id, "its callable gave none"),
    ],
    ids=["marker", "callable"],
)
def test_the_error_names_what_was_not_found(make_catcher, make_logger, named, words):
    """`on_error` is told which event it was, and which marker to look at."""
    errors = []
    make_logger(make_catcher(on_error=lambda event, failure: errors.append(failure)), name="errors_of_ids")
    track("x", external_id=named, logger="errors_of_ids")(lambda who: None)(None)

    (failure,) = errors
    assert ("external_id", "x") == (failure.field, failure.event_name)
    assert f"external_id was not found at the call: {words}. Give the contact's id" in str(failure)


def test_the_contact_is_that_of_the_calls_begin(catcher):
    """What the body binds is not the caller's identity, and stays bound after it as without us."""

    @track("x")
    def log_in():
        bind_contact(external_id="c1")

    with contact(anonymous_id="a1"):
        log_in()
        assert "c1" == get_contact().external_id

    assert [(None, "a1")] == ids(catcher)


def test_nobody_at_the_begin_is_nobody(catcher):
    """A contact that the body binds is not taken: the event names nobody, and is invalid."""
    track("x")(lambda: bind_contact(external_id="c1"))()

    assert [] == catcher.events
    assert {"invalid_event": 1} == catcher.stats().rejected


def test_a_contact_that_the_body_clears(catcher):
    """Clearing it inside does not take it from the event."""
    with contact(external_id="c1", user={"data": {"plan": "pro"}}):
        track("x")(lambda: clear_contact())()

    assert [("c1", None)] == ids(catcher)
    assert {"data": {"plan": "pro"}} == catcher.one.user


def test_tasks_do_not_mix(catcher):
    """Each task's events are its own contact's."""

    @track("x")
    async def work():
        await asyncio.sleep(0)

    async def one(number):
        with contact(external_id=f"c{number}"):
            await work()

    async def main():
        await asyncio.gather(*map(one, range(5)))

    asyncio.run(main())
    assert {(f"c{number}", None) for number in range(5)} == set(ids(catcher))


def test_a_coroutine_is_its_callers(catcher):
    """Called in one contact and awaited in another, it is the caller's."""

    @track("x")
    async def work(): ...

    async def main():
        with contact(external_id="c1"):
            coroutine = work()
        with contact(external_id="c2"):
            await coroutine

    asyncio.run(main())
    assert [("c1", None)] == ids(catcher)


def test_a_generator_is_its_callers(catcher):
    """Made in one contact and exhausted in another, it is the caller's."""

    @track("x")
    def items():
        yield 1

    with contact(external_id="c1"):
        generator = items()
    with contact(external_id="c2"):
        list(generator)

    assert [("c1", None)] == ids(catcher)


def test_in_a_copied_context(catcher):
    """Context copies carry the contact along."""
    with contact(external_id="c1"):
        context = contextvars.copy_context()
    context.run(track("x")(lambda: 1))

    assert [("c1", None)] == ids(catcher)


def test_through_a_queue_the_contact_of_the_begin_goes_along(make_catcher, make_logger):
    """A listener's thread knows no contact; the record brings the one of the call's begin."""
    import logging.handlers
    import pickle
    import queue

    catcher, records = make_catcher(), queue.Queue()
    logger = make_logger(logging.handlers.QueueHandler(records))

    @track("x", logger=logger)
    def log_in():
        bind_contact(external_id="c1")

    with contact(anonymous_id="a1", user={"data": {"plan": "pro"}}):
        log_in()
    catcher.handle(pickle.loads(pickle.dumps(records.get())))

    assert [(None, "a1")] == ids(catcher)
    assert {"data": {"plan": "pro"}} == catcher.one.user
