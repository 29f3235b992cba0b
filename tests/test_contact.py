"""Who is acting: what an event takes from the context it is logged in, and what it never does."""

import asyncio
import contextvars
import copy
import functools
import inspect
import json
import logging
import logging.handlers
import pickle
import queue
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotzee_logging import ContactFilter, EventFormatter, bind_contact, clear_contact, contact, get_contact
from spotzee_logging.errors import InvalidEvent

# A busy machine is no failure.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ADA = {"email": "ada@example.com"}


def record(tag="n", **extra):
    return logging.getLogger("shop").makeRecord(
        "shop", logging.INFO, "shop.py", 7, "m", (), None, "f", {"spotzee_event": tag, **extra}
    )


def event(tag="n", **extra):
    """The event of a call made here, without its time."""
    fields = json.loads(EventFormatter().format(record(tag, **extra)))
    del fields["created_at"]
    return fields


def who():
    bound = get_contact()
    return bound.external_id, bound.anonymous_id, None if bound.user is None else dict(bound.user)


NOBODY = (None, None, None)


def test_nobody_acts_where_nobody_is_bound():
    """Outside of every contact an event must name its own."""
    assert who() == NOBODY
    with pytest.raises(InvalidEvent, match="external_id is missing, and so is anonymous_id"):
        event()


def test_an_event_without_ids_takes_the_contacts():
    """Both ids and the user fields of the contact go onto an event that names none."""
    with contact(external_id="A", anonymous_id="x", user=ADA):
        expected = {"name": "n", "external_id": "A", "anonymous_id": "x", "user": ADA}
        assert event() == expected
        assert event({"name": "n"}) == expected


@pytest.mark.parametrize(
    ("bound", "named", "becomes"),
    [
        # the ids are the contact's: its user fields, but no further id
        (("A", None), ("A", None), ("A", None, True)),
        (("A", "x"), ("A", None), ("A", None, True)),
        (("A", "x"), (None, "x"), (None, "x", True)),
        (("A", "x"), ("A", "x"), ("A", "x", True)),
        ((None, "x"), (None, "x"), (None, "x", True)),
        # an id is another, or one that the contact does not have: the event stands for itself
        (("A", None), ("B", None), ("B", None, False)),
        (("A", "x"), ("B", "x"), ("B", "x", False)),
        (("A", "x"), ("A", "y"), ("A", "y", False)),
        (("A", "x"), (None, "y"), (None, "y", False)),
        (("A", None), ("A", "y"), ("A", "y", False)),
        (("A", None), (None, "y"), (None, "y", False)),
        ((None, "x"), ("A", None), ("A", None, False)),
        ((None, "x"), ("A", "x"), ("A", "x", False)),
        ((None, "x"), (None, "y"), (None, "y", False)),
        # nobody's user fields are anybody's only where the event has no id of its own
        ((None, None), ("A", None), ("A", None, False)),
    ],
)
def test_a_tag_that_names_an_id_stands_for_itself(bound, named, becomes):
    """The contact adds no id to an event that has one, and its user fields only where every named id is its own."""
    tag = {"name": "n", "external_id": named[0], "anonymous_id": named[1]}
    with contact(external_id=bound[0], anonymous_id=bound[1], user=ADA):
        full = event(tag)
        short = event("n", external_id=named[0], anonymous_id=named[1])

    assert full == short
    assert (full.get("external_id"), full.get("anonymous_id"), "user" in full) == becomes


def test_a_tags_own_user_fields_win():
    """Fields merge one by one, the profile's custom data too; what the tag says stands."""
    bound = {"email": "ada@example.com", "locale": "en-AU", "data": {"plan": "pro", "age": 36}}
    with contact(external_id="A", user=bound):
        assert event({"name": "n", "user": {"email": "a@b.c", "phone": "+1", "data": {"plan": "free"}}}) == {
            "name": "n",
            "external_id": "A",
            "user": {"email": "a@b.c", "locale": "en-AU", "phone": "+1", "data": {"plan": "free", "age": 36}},
        }


@pytest.mark.parametrize(
    ("bound", "own", "arrives"),
    [
        ({"locale": "en"}, {"data": {"plan": "free"}}, {"locale": "en", "data": {"plan": "free"}}),
        ({"data": {"plan": "pro"}}, {"locale": "en"}, {"locale": "en", "data": {"plan": "pro"}}),
        ({"data": None}, {"data": {"plan": "free"}}, {"data": {"plan": "free"}}),
    ],
)
def test_custom_data_of_one_side_alone_arrives(bound, own, arrives):
    """The profile's custom data may be the contact's or the tag's: it takes no two to merge."""
    with contact(external_id="A", user=bound):
        assert event({"name": "n", "user": own})["user"] == arrives


@pytest.mark.parametrize(
    ("outer", "inner", "merged"),
    [
        # field by field
        (("A", None, ADA), (None, None, None), ("A", None, ADA)),
        (("A", None, ADA), (None, None, {"phone": "+1"}), ("A", None, {**ADA, "phone": "+1"})),
        (("A", None, ADA), (None, None, {"email": "new"}), ("A", None, {"email": "new"})),
        (("A", None, ADA), ("A", None, None), ("A", None, ADA)),
        ((None, "x", ADA), ("A", None, None), ("A", "x", ADA)),
        (("A", None, ADA), (None, "x", None), ("A", "x", ADA)),
        (("A", "x", ADA), ("A", "y", None), ("A", "y", ADA)),
        # another external_id: afresh
        (("A", None, ADA), ("B", None, None), ("B", None, None)),
        (("A", "x", ADA), ("B", None, {"phone": "+1"}), ("B", None, {"phone": "+1"})),
        (("A", "x", ADA), ("B", "x", None), ("B", "x", None)),
        # another visitor, and nobody known: nothing says that they are one
        ((None, "x", ADA), (None, "y", None), (None, "y", None)),
        ((None, "x", ADA), ("A", "y", None), ("A", "y", None)),
    ],
)
def test_nested_contacts_merge_unless_they_are_somebody_else(outer, inner, merged):
    """An inner contact adds to the outer one, and starts afresh where it names another external_id."""
    fields = ("external_id", "anonymous_id", "user")
    with contact(**dict(zip(fields, outer, strict=True))):
        with contact(**dict(zip(fields, inner, strict=True))):
            assert who() == merged
        assert who() == outer
    assert who() == NOBODY


externals = st.sampled_from([None, "A", "B"])
visitors = st.sampled_from([None, "x", "y"])


def _users_of(external_id, anonymous_id):
    """User fields that tell whose they are."""
    return {"data": {f"of {external_id}": True, f"of {anonymous_id}": True}}


@RELAXED
@given(st.lists(st.tuples(externals, visitors), max_size=5), externals, visitors, st.booleans())
def test_no_wrong_link_ever(nest, external_id, anonymous_id, is_short):
    """However contacts nest, an event that names an id gets no other, and nobody's user fields go to another."""
    clear_contact()
    for bound in nest:
        bind_contact(external_id=bound[0], anonymous_id=bound[1], user=_users_of(*bound))
    ids = {"external_id": external_id, "anonymous_id": anonymous_id}
    last_external = next((bound[0] for bound in reversed(nest) if bound[0]), None)
    try:
        fields = event("n", **ids) if is_short else event({"name": "n", **ids})
    except InvalidEvent:
        assert not external_id
        assert not anonymous_id
        assert not any(each for bound in nest for each in bound)
        return
    finally:
        clear_contact()

    if external_id or anonymous_id:
        assert (fields.get("external_id"), fields.get("anonymous_id")) == (external_id, anonymous_id)
    else:
        assert fields.get("external_id") == last_external
    whose = {key.removeprefix("of ") for key in fields.get("user", {}).get("data", {})}
    assert whose & {"A", "B"} <= {fields.get("external_id") or last_external}
    if external_id not in (None, last_external):
        assert "user" not in fields


class Model:
    """The identity rules of the design, written once more."""

    def __init__(self):
        self.external_id = self.anonymous_id = None
        self.user = {}

    def inside(self, external_id, anonymous_id, user):
        inner = Model()
        is_other = external_id and self.external_id and external_id != self.external_id
        is_other_visitor = (
            not self.external_id and anonymous_id and self.anonymous_id and anonymous_id != self.anonymous_id
        )
        start = Model() if is_other or is_other_visitor else self
        inner.external_id = external_id or start.external_id
        inner.anonymous_id = anonymous_id or start.anonymous_id
        inner.user = {**start.user, **user}
        return inner

    def event(self, external_id, anonymous_id, user):
        is_named = bool(external_id or anonymous_id)
        ids = (external_id, anonymous_id) if is_named else (self.external_id, self.anonymous_id)
        is_same = all(
            given in (None, bound)
            for given, bound in ((external_id, self.external_id), (anonymous_id, self.anonymous_id))
        )
        return ids, {**(self.user if is_same else {}), **user}


user_fields = st.dictionaries(st.sampled_from(["email", "phone", "locale"]), st.sampled_from(["1", "2"]))
somebody = st.tuples(externals, visitors, user_fields)


@RELAXED
@given(st.lists(somebody, max_size=5), somebody)
def test_identity_is_what_the_design_says(nest, tag):
    """Any nesting of contacts, and any tag inside, gives the ids and user fields of the rules."""
    clear_contact()
    model = Model()
    for external_id, anonymous_id, user in nest:
        bind_contact(external_id=external_id, anonymous_id=anonymous_id, user=user)
        model = model.inside(external_id, anonymous_id, user)
    ids, user = model.event(*tag)
    try:
        fields = event({"name": "n", "external_id": tag[0], "anonymous_id": tag[1], "user": tag[2]})
    except InvalidEvent:
        assert ids == (None, None)
    else:
        assert (fields.get("external_id"), fields.get("anonymous_id")) == ids
        assert fields.get("user", {}) == user
    finally:
        clear_contact()


def test_contacts_end_with_their_block_also_by_an_exception():
    """After the block the outer contact acts again, whatever ended it, and whatever was bound inside."""
    with contact(external_id="A"):
        with pytest.raises(KeyError), contact(external_id="B"):
            bind_contact(user=ADA)
            clear_contact()
            bind_contact(external_id="C")
            raise KeyError
        assert who() == ("A", None, None)
    assert who() == NOBODY


def test_one_contact_can_be_entered_again():
    """The same object may be entered many times, nested too."""
    system = contact(external_id="system")
    with system:
        with contact(external_id="A"), system:
            assert who() == ("system", None, None)
        assert who() == ("system", None, None)
    assert who() == NOBODY
    with system:
        assert who() == ("system", None, None)


def test_one_contact_serves_many_threads_at_once():
    """A contact made once for a module is entered by many threads at the same time, and none disturbs another."""
    system, meet, seen = contact(external_id="system"), threading.Barrier(8), []

    def work(number):
        with contact(external_id=f"cust_{number}"):
            meet.wait()
            with system:
                meet.wait()
                inside = who()
            meet.wait()
            seen.append((number, inside, who()))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(seen) == [
        (number, ("system", None, None), (f"cust_{number}", None, None)) for number in range(8)
    ]


def test_who_is_acting_can_be_handed_to_another_process():
    """The value pickles and is copied, as a pool's arguments are, and its user fields stay closed to changes."""
    with contact(external_id="c1", user={"email": "a@example.com", "data": {"plan": "pro"}}):
        acting = get_contact()

    for again in (pickle.loads(pickle.dumps(acting)), copy.deepcopy(acting)):
        assert again == acting
        with pytest.raises(TypeError):
            again.user["data"]["plan"] = "free"


def test_async_with_binds_as_with_does():
    """In a coroutine either reads well: for this task, until the block's end, also by an exception."""

    async def act():
        async with contact(external_id="c1"):
            await asyncio.sleep(0)
            raise LookupError(get_contact().external_id)

    async def act_and_go_on():
        with pytest.raises(LookupError, match="c1"):
            await act()
        return get_contact().external_id

    assert asyncio.run(act_and_go_on()) is None


def test_leaving_in_another_context_disturbs_nobody_there():
    """A framework may end a block in another context than it began in: that one keeps its own contact."""
    block = contact(external_id="A")
    begun, elsewhere = contextvars.copy_context(), contextvars.copy_context()
    elsewhere.run(bind_contact, external_id="B")
    begun.run(block.__enter__)

    elsewhere.run(block.__exit__, None, None, None)

    assert elsewhere.run(who) == ("B", None, None)
    assert begun.run(who) == ("A", None, None)


def test_blocks_that_end_out_of_order_leave_nobody_bound():
    """A generator that is closed late gives no contact of its own to whoever closes it."""

    def steps():
        with contact(external_id="A"):
            yield who()

    running = steps()
    assert next(running) == ("A", None, None)
    with contact(external_id="B"):
        running.close()
        assert who() == ("B", None, None)
    assert who() == NOBODY


def test_middleware_binds_and_clears():
    """`bind_contact` holds until `clear_contact`, and merges as a nested contact does."""
    bind_contact(anonymous_id="x", user=ADA)
    bind_contact(external_id="A")
    assert who() == ("A", "x", ADA)

    clear_contact()

    assert who() == NOBODY


def test_binding_never_raises_and_the_event_says_what_is_wrong():
    """Ids and user fields that break a rule are told of the event that takes them."""
    with contact(external_id=42), pytest.raises(InvalidEvent, match="external_id must be a string, got int"):
        event()
    with (
        contact(external_id="A", user="ada"),
        pytest.raises(InvalidEvent, match="user must be a mapping, got str"),
    ):
        event()
    with contact(external_id=""), pytest.raises(InvalidEvent, match="external_id is empty"):
        event()
    with (
        contact(external_id="A", user={"timezon": "UTC"}),
        pytest.raises(InvalidEvent, match="Did you mean timezone"),
    ):
        event()


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ("", "name is empty"),
        ({"name": 5}, "name must be a string, got int"),
        ({"name": "n", "data": "total"}, "data must be a mapping, got str"),
        ({"name": "n", "totl": 5}, "totl is no field of an event"),
        ({"name": "n", "created_at": "yesterday"}, "created_at is no time"),
    ],
)
def test_an_event_of_a_contact_keeps_the_rules_as_any_other(tag, problem):
    """What the contact gives is known to be right, and the rest is looked at."""
    with contact(external_id="A"), pytest.raises(InvalidEvent, match=problem):
        event(tag)


def test_what_was_given_may_change_afterwards():
    """The contact is a copy: who changes the dict later, or what get_contact gave, changes no event."""
    user = {"email": "ada@example.com", "data": {"plan": "pro"}}
    before = copy.deepcopy(user)
    bound = contact(external_id="A", user=user)
    user["email"] = "changed"
    user["data"]["plan"] = "changed"

    with bound:
        assert event()["user"] == before
        user["phone"] = "+1"
        assert event()["user"] == before
        with pytest.raises(TypeError):
            get_contact().user["email"] = "changed"
        with pytest.raises(TypeError):
            get_contact().user["data"]["plan"] = "changed"
        with pytest.raises(AttributeError):
            get_contact().external_id = "B"


def test_an_event_does_not_change_the_tags_own_user_fields():
    """The contact's fields are merged into the event, not into the program's dict."""
    tag = {"name": "n", "user": {"data": {"a": 1}}}
    with contact(external_id="A", user={"email": "e", "data": {"b": 2}}):
        event(tag)

    assert tag == {"name": "n", "user": {"data": {"a": 1}}}


def test_what_a_subclass_does_to_an_event_stays_in_it(sandbox, make_handler, make_logger):
    """The user fields of a contact are kept for all its events; a formatter of the program's gets its own."""

    class Marking(EventFormatter):
        def fields(self, record):
            fields = super().fields(record)
            fields["user"]["locale"] = fields["user"]["data"]["plan"] = record.getMessage()
            return fields

    handler, plain = make_handler(), make_handler()
    handler.setFormatter(Marking())
    logger, unmarked = make_logger(handler), make_logger(plain)
    with contact(external_id="c", user={"locale": "en", "data": {"plan": "pro"}}):
        logger.info("fr", extra={"spotzee_event": "first"})
        unmarked.info("x", extra={"spotzee_event": "second"})
    handler.flush()
    plain.flush()

    users = {event["name"]: event["user"] for event in sandbox.events()}
    assert users == {
        "first": {"locale": "fr", "data": {"plan": "fr"}},
        "second": {"locale": "en", "data": {"plan": "pro"}},
    }


def test_a_decorated_function_acts_as_the_contact():
    """Each call binds the contact and gives back what the function gives, also when it calls itself."""

    @contact(external_id="A")
    def countdown(number, *, step=1):
        """Counts."""
        assert who() == ("A", None, None)
        return [number, *(countdown(number - step, step=step) if number else [])]

    assert countdown(2) == [2, 1, 0]
    assert (countdown.__name__, countdown.__doc__) == ("countdown", "Counts.")
    assert who() == NOBODY


def test_a_decorated_functions_exception_passes():
    """The function's own error is the caller's, and the contact is gone."""

    @contact(external_id="A")
    def fail():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert who() == NOBODY


def test_a_decorated_coroutine_acts_as_the_contact_across_its_awaits():
    """An async function stays one, and is bound from its first step to its last."""

    @contact(external_id="A")
    async def work(value):
        await asyncio.sleep(0)
        assert who() == ("A", None, None)
        return value

    async def main():
        results = await asyncio.gather(work(1), work(2))
        return results, who()

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(main()) == ([1, 2], NOBODY)


def test_a_decorated_object_whose_call_is_a_coroutine():
    """An object with an async `__call__` acts for the contact too, across its awaits."""

    class Work:
        async def __call__(self):
            await asyncio.sleep(0)
            return who()

    assert asyncio.run(contact(external_id="A")(Work())()) == ("A", None, None)
    assert who() == NOBODY


def test_a_decorated_method_gets_its_self():
    """Methods are decorated like functions."""

    class Shop:
        @contact(external_id="A")
        def name(self):
            return who()[0], type(self).__name__

    assert Shop().name() == ("A", "Shop")


def _generator():
    yield


async def _async_generator():
    yield


@pytest.mark.parametrize("function", [_generator, _async_generator, functools.partial(_generator)])
def test_a_generator_is_refused_with_the_remedy(function):
    """A generator would leave the contact bound between its steps: decorating one says so at once."""
    with pytest.raises(
        TypeError, match=r"cannot decorate the generator .*put `with contact\(\.\.\.\):` around"
    ):
        contact(external_id="A")(function)


def test_a_class_is_refused_with_the_remedy():
    """A class would silently become a function, without its attributes: decorating one says so at once."""
    with pytest.raises(TypeError, match=r"cannot decorate the class Shop, .*decorate its methods"):

        @contact(external_id="A")
        class Shop:
            pass


def test_tasks_do_not_see_each_others_contact():
    """Each asyncio task acts for its own contact, and starts with that of who started it."""

    async def serve(number, meet):
        inherited = who()
        with contact(external_id=f"cust_{number}"):
            await meet()
            return inherited, who()

    async def main():
        arrived, all_here = [], asyncio.Event()

        async def meet():
            arrived.append(1)
            if len(arrived) == 5:
                all_here.set()
            await all_here.wait()

        with contact(anonymous_id="x"):
            tasks = [asyncio.create_task(serve(number, meet)) for number in range(5)]
        results = await asyncio.gather(*tasks)
        return results, who()

    results, after = asyncio.run(main())
    assert results == [((None, "x", None), (f"cust_{number}", "x", None)) for number in range(5)]
    assert after == NOBODY


def test_a_call_in_another_thread_acts_for_the_task_that_made_it():
    """`asyncio.to_thread` carries the contact, and what is bound there does not come back."""

    async def main():
        def work():
            inside = who()
            bind_contact(external_id="B")
            return inside

        with contact(external_id="A"):
            return await asyncio.to_thread(work), who()

    assert asyncio.run(main()) == (("A", None, None), ("A", None, None))


def test_a_thread_acts_for_nobody_unless_given_the_context():
    """A bare thread knows no contact (before 3.14); one that runs in a copy of the context knows it."""
    seen = {}
    with contact(external_id="A"):
        context = contextvars.copy_context()
    carried = threading.Thread(target=context.run, args=(lambda: seen.update(carried=who()),))
    bare = threading.Thread(target=lambda: seen.update(bare=who()))
    for thread in (carried, bare):
        thread.start()
        thread.join()

    assert seen == {"carried": ("A", None, None), "bare": NOBODY}


class Collecting(logging.Handler):
    """Formats events wherever it is called, and keeps them."""

    def __init__(self):
        super().__init__()
        self.setFormatter(EventFormatter())
        self.events = []

    def emit(self, record):
        try:
            fields = json.loads(self.format(record))
        except InvalidEvent as error:
            self.events.append(error.field)
        else:
            self.events.append((fields.get("external_id"), fields.get("anonymous_id"), fields.get("user")))


def test_a_queue_listener_formats_with_the_contact_of_the_call(make_logger):
    """With a ContactFilter on the QueueHandler, the listener's thread knows who acted, and when nobody did."""
    records, collecting = queue.SimpleQueue(), Collecting()
    handler = logging.handlers.QueueHandler(records)
    handler.addFilter(ContactFilter())
    logger = make_logger(handler)
    listener = logging.handlers.QueueListener(records, collecting)
    listener.start()
    with contact(external_id="A", user={"email": "e", "data": {"plan": "pro"}}):
        logger.info("m", extra={"spotzee_event": "n"})
        with contact(external_id="B"):
            logger.info("m", extra={"spotzee_event": "n"})
    logger.info("m", extra={"spotzee_event": "n"})
    listener.stop()

    assert collecting.events == [
        ("A", None, {"email": "e", "data": {"plan": "pro"}}),
        ("B", None, None),
        "external_id",
    ]


def test_what_was_logged_by_nobody_is_not_given_to_whoever_comes_next(make_logger):
    """A MemoryHandler that is flushed while somebody acts does not make that contact of nobody's events."""
    collecting = Collecting()
    handler = logging.handlers.MemoryHandler(2, target=collecting)
    handler.addFilter(ContactFilter())
    logger = make_logger(handler)

    logger.info("m", extra={"spotzee_event": "n"})
    with contact(external_id="A"):
        logger.info("m", extra={"spotzee_event": "n"})
    handler.close()

    assert collecting.events == ["external_id", ("A", None, None)]


def test_a_record_carries_its_contact_between_processes():
    """The copy on the record pickles, and is applied where it arrives, whoever acts there."""
    made = record()
    with contact(external_id="A", anonymous_id="x", user={"email": "e", "data": {"plan": "pro"}}):
        assert ContactFilter().filter(made) is True
    arrived = pickle.loads(pickle.dumps(made))

    with contact(external_id="B"):
        fields = json.loads(EventFormatter().format(arrived))

    assert (fields["external_id"], fields["anonymous_id"]) == ("A", "x")
    assert fields["user"] == {"email": "e", "data": {"plan": "pro"}}


def test_a_record_keeps_the_contact_that_it_has():
    """A second filter on the way does not replace who acted at the call."""
    made = record()
    with contact(external_id="A"):
        ContactFilter().filter(made)
    with contact(external_id="B"):
        ContactFilter().filter(made)
        assert json.loads(EventFormatter().format(made))["external_id"] == "A"
