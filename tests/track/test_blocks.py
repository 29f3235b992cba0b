"""`with track(...)` and `async with track(...)`."""

import asyncio
import contextlib
import contextvars
import gc
import threading
import time
import weakref

import pytest

from spotzee_logging import contact
from spotzee_logging.tracking import arg, elapsed, error, result, track


def test_a_block_is_a_call(catcher):
    """What the block puts into the draft is in the event, which is sent at its end."""
    with track("import_finished", external_id="c1", data={"kind": "full"}) as draft:
        draft.data["rows"] = 3
        assert [] == catcher.events

    assert ("import_finished", "c1", {"kind": "full", "rows": 3}) == (
        catcher.one.name,
        catcher.one.external_id,
        catcher.one.data,
    )


def test_an_async_block(catcher):
    """The same with `async with`."""

    async def main():
        async with track("import_finished", external_id="c1") as draft:
            await asyncio.sleep(0)
            draft.data["rows"] = 3

    asyncio.run(main())
    assert {"rows": 3} == catcher.one.data


def test_all_of_the_draft_counts(catcher):
    """Name, ids and user fields can be set as well."""
    with track("x", user={"locale": "en"}) as draft:
        draft.name = "y"
        draft.external_id = "c1"
        draft.anonymous_id = "a1"
        draft.user["email"] = "ada@example.com"
        assert ("c1", "a1") == (draft.external_id, draft.anonymous_id)

    assert ("y", "c1", "a1", {"locale": "en", "email": "ada@example.com"}) == (
        catcher.one.name,
        catcher.one.external_id,
        catcher.one.anonymous_id,
        catcher.one.user,
    )


def test_a_draft_shows_the_ids_that_track_was_given(catcher):
    """What is known before the block is in its draft."""
    with track("x", external_id="c1", anonymous_id="a1") as draft:
        assert ("c1", "a1") == (draft.external_id, draft.anonymous_id)


def test_markers_of_a_block(catcher):
    """`elapsed`, `error` and callables are filled in at the end; what the block sets wins."""
    data = {"seconds": elapsed, "error": error, "asked": lambda call: call.error is None, "set": elapsed}
    with track("x", external_id="c", data=data) as draft:
        assert {} == draft.data
        draft.data["set"] = "by the block"

    assert isinstance(catcher.one.data["seconds"], float)
    assert (None, True, "by the block") == tuple(catcher.one.data[key] for key in ("error", "asked", "set"))


def test_markers_deep_in_a_blocks_data(catcher):
    """A marker has the block's value wherever it stands, beside constants too."""
    data = {"deep": {"kind": "full", "error": error}, "listed": ["full", error], "tuple": (error,)}
    with pytest.raises(ValueError), track("x", external_id="c", on="raise", data=data):
        raise ValueError("no")

    assert catcher.one.data == {
        "deep": {"kind": "full", "error": "ValueError: no"},
        "listed": ["full", "ValueError: no"],
        "tuple": ["ValueError: no"],
    }


def test_how_long_a_block_took(catcher):
    """`elapsed` is the time from its begin to its end, in seconds."""
    started = time.perf_counter()
    with track("x", external_id="c", data={"seconds": elapsed}):
        pass

    assert 0 < catcher.one.data["seconds"] <= time.perf_counter() - started


def test_a_block_of_no_data_has_none(catcher):
    """What neither `track` nor the draft was given is no field of the event."""
    with track("x", external_id="c"):
        pass

    assert (catcher.one.data, catcher.one.user) == (None, None)


@pytest.mark.parametrize("marker", [arg.x, result, result.id])
def test_a_marker_that_a_block_has_no_value_for(marker):
    """A block has no arguments and no result: TypeError where it begins, with the remedy."""
    with pytest.raises(TypeError, match="block has no"), track("x", external_id="c", data={"a": [marker]}):
        pass


def test_a_block_needs_a_name():
    """There is no function to be named after."""
    with pytest.raises(TypeError, match="Name its event"), track(external_id="c"):
        pass


def test_the_exception_goes_on(catcher):
    """A block that raises makes an event where that was asked for, and the exception is what it was."""
    failure = ValueError("no")
    with pytest.raises(ValueError) as caught, track("x", external_id="c", on="raise", data={"why": error}):
        raise failure
    with pytest.raises(ValueError), track("y", external_id="c"):
        raise failure

    assert failure is caught.value
    assert failure.__context__ is None
    assert ("x", {"why": "ValueError: no"}) == (catcher.one.name, catcher.one.data)


def test_a_block_in_a_generator_that_is_closed_early(catcher):
    """Closing the generator ends the block: it returns."""

    def go():
        with track("x", external_id="c", on="both", data={"error": error}):
            yield 1

    generator = go()
    next(generator)
    generator.close()

    assert {"error": None} == catcher.one.data


def test_nothing_is_shared_with_what_track_was_given(catcher):
    """Filling the draft changes no dict of the program, nor the next block's."""
    data = {"list": [1], "dict": {"a": 1}}
    tracking = track("x", external_id="c", data=data)
    for _ in range(2):
        with tracking as draft:
            draft.data["list"].append(2)
            draft.data["dict"]["b"] = 2
            draft.data["new"] = 1

    assert {"list": [1], "dict": {"a": 1}} == data
    assert [{"list": [1, 2], "dict": {"a": 1, "b": 2}, "new": 1}] * 2 == [e.data for e in catcher.events]


def test_an_id_that_turns_out_unknown_is_not_the_contacts(catcher, caplog):
    """A block that sets an id to None gets no event, rather than one of whoever the context names."""
    with contact(external_id="somebody_else"), track("x") as draft:
        draft.external_id = None

    assert [] == catcher.events
    assert {"invalid_event": 1} == catcher.stats().rejected
    assert "external_id was set to None in the draft" in caplog.text


def test_a_block_without_ids_is_the_contacts(catcher):
    """Where no id is named the contact of the block's begin is it."""
    with contact(external_id="c1"), track("x"):
        pass

    assert "c1" == catcher.one.external_id


def test_the_record_is_of_the_blocks_line(make_logger, make_catcher):
    """A log line of the event leads to the `with`."""
    records = []
    catcher = make_catcher()
    catcher.addFilter(lambda record: records.append(record) or True)
    logger = make_logger(catcher, name=__name__, propagate=True)

    def here():
        with track("x", external_id="c"):
            pass

    async def there():
        async with track("x", external_id="c"):
            pass

    here()
    asyncio.run(there())

    assert [
        (logger.name, __file__, here.__code__.co_firstlineno + 1, "here"),
        (logger.name, __file__, there.__code__.co_firstlineno + 1, "there"),
    ] == [(r.name, r.pathname, r.lineno, r.funcName) for r in records]


def test_nested_in_itself(catcher):
    """The same tracking can be entered inside itself."""
    tracking = track("x", external_id="c")
    with tracking as outer:
        outer.data["which"] = "outer"
        with tracking as inner:
            inner.data["which"] = "inner"

    assert ["inner", "outer"] == [event.data["which"] for event in catcher.events]


def test_many_tasks_at_once(catcher):
    """The same tracking serves interleaved tasks, each with its own draft."""
    tracking = track("x", external_id="c")

    async def work(number, turns):
        async with tracking as draft:
            for _ in range(turns):
                await asyncio.sleep(0)
            draft.data["number"] = number

    async def main():
        await asyncio.gather(*(work(number, turns) for number, turns in enumerate([3, 1, 2, 5, 4])))

    asyncio.run(main())
    assert [1, 2, 0, 4, 3] == [event.data["number"] for event in catcher.events]


def test_many_threads_at_once(catcher):
    """And threads, each with its own draft."""
    tracking = track("x", external_id="c")
    inside = threading.Barrier(4)

    def work(number):
        with tracking as draft:
            inside.wait(10)
            draft.data["number"] = number

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [0, 1, 2, 3] == sorted(event.data["number"] for event in catcher.events)


def test_left_in_another_context_than_it_was_entered_in(catcher):
    """Frameworks that run the two halves of a generator in two contexts lose nothing."""
    import contextvars

    tracking = track("x", external_id="c")
    draft = contextvars.copy_context().run(tracking.__enter__)
    draft.data["n"] = 1
    contextvars.copy_context().run(tracking.__exit__, None, None, None)

    assert {"n": 1} == catcher.one.data


@pytest.mark.parametrize("first", [0, 1])
def test_two_left_in_other_contexts_than_they_were_entered_in(catcher, first):
    """Generators that a framework steps each in a new context keep their events apart: none is another customer's."""
    import contextvars

    tracking = track("done", on="both", data={"why": error})

    def dependency(number):
        with tracking as draft:
            draft.external_id = f"cust_{number}"
            yield

    def step(call, *arguments):
        with contextlib.suppress(StopIteration, ValueError):
            contextvars.copy_context().run(call, *arguments)

    both = [dependency(0), dependency(1)]
    for each in both:
        step(next, each)
    step(both[first].throw, ValueError("trouble"))
    step(next, both[1 - first])

    assert [(event.external_id, event.data) for event in catcher.events] == [
        (f"cust_{first}", {"why": "ValueError: trouble"}),
        (f"cust_{1 - first}", {"why": None}),
    ]


def test_entered_and_left_by_an_exit_stack(catcher):
    """Also two at a time, last in, first out, as the blocks would be that it stands for."""
    tracking = track("done")

    with contextlib.ExitStack() as stack:
        for number in range(2):
            stack.enter_context(tracking).external_id = f"cust_{number}"

    assert [event.external_id for event in catcher.events] == ["cust_1", "cust_0"]


def test_exit_stacks_of_many_tasks(catcher):
    """Each stack leaves the block that was entered in its task, in whatever order they end."""
    tracking = track("done")

    async def work(number, entered, may_leave):
        with contextlib.ExitStack() as stack:
            stack.enter_context(tracking).external_id = f"cust_{number}"
            entered.set()
            await may_leave.wait()

    async def main():
        tasks, leaves = [], []
        for number in range(3):
            entered = asyncio.Event()
            leaves.append(asyncio.Event())
            tasks.append(asyncio.create_task(work(number, entered, leaves[-1])))
            await entered.wait()
        for number in (1, 0, 2):
            leaves[number].set()
            await tasks[number]

    asyncio.run(main())
    assert [event.external_id for event in catcher.events] == ["cust_1", "cust_0", "cust_2"]


def test_exit_stacks_that_are_closed_in_the_order_of_their_begin(catcher):
    """Blocks of other names that are open meanwhile are left alone."""
    stacks = [contextlib.ExitStack() for _ in range(2)]
    for number, stack in enumerate(stacks):
        stack.enter_context(track(f"done_{number}", external_id="c"))

    for stack in stacks:
        stack.close()

    assert [event.name for event in catcher.events] == ["done_0", "done_1"]


def test_an_exit_stack_that_is_closed_in_another_context(catcher):
    """Nothing there knows of the block, and it ends all the same."""
    stack = contextlib.ExitStack()
    contextvars.copy_context().run(stack.enter_context, track("done", external_id="c"))

    stack.close()

    assert "done" == catcher.one.name


def test_a_context_that_was_copied_in_a_block_keeps_nothing_of_it(catcher):
    """A long task that was started inside keeps no local variable of the function alive."""

    class Large: ...

    def go():
        large = Large()
        with track("x", external_id="c"):
            context = contextvars.copy_context()
        return weakref.ref(large), context

    kept, _context = go()
    gc.collect()

    assert kept() is None


def test_a_block_that_has_ended_keeps_nothing(catcher):
    """What was put into its draft can be freed as soon as it is over."""

    class Order:
        def __str__(self):
            return "ord_42"

    order = Order()
    with track("x", external_id="c") as draft:
        draft.data["order"] = order
    kept = weakref.ref(order)
    del draft, order
    gc.collect()

    assert {"order": "ord_42"} == catcher.one.data
    assert kept() is None


def test_what_comes_late_and_is_too_large_makes_the_event_so(catcher):
    """It is not left out in silence, for what the draft has beside it."""
    with track("x", external_id="c", data=lambda _: {"all": ["x" * 1000] * 10_000}) as draft:
        draft.data["a"] = 1

    assert [] == catcher.events
    assert {"event_too_large": 1} == catcher.stats().rejected


def test_when_asks_a_block_too(catcher):
    """`when` gets the block's call."""
    for number in range(2):
        with track("x", external_id="c", when=lambda call, number=number: number == 1) as draft:
            draft.data["n"] = number

    assert {"n": 1} == catcher.one.data


def test_a_draft_shows_no_data():
    """A draft's repr may end in a log: it names the event only."""
    with track("x", external_id="c", data={"secret": 1}) as draft:
        assert "<Draft of 'x'>" == repr(draft)


def test_a_block_does_not_bring_wrapt(run_python):
    """wrapt enters with the first function that is tracked, not with a block, nor with the import."""
    done = run_python(
        "import sys, logging\n"
        "from spotzee_logging.tracking import track\n"
        "with track('x', external_id='c'): pass\n"
        "assert 'wrapt' not in sys.modules\n"
        "@track\n"
        "def f(): ...\n"
        "assert 'wrapt' in sys.modules\n",
        PYTHONPATH=".",
    )
    assert "no SpotzeeHandler" in done.stderr
