"""`@track` on `async def`."""

import asyncio
import contextvars
import functools
import gc
import inspect
import traceback
import types
import warnings

import pytest

from spotzee_logging.tracking import arg, elapsed, error, result, track


async def plain(customer: str, total: float = 1.5) -> dict:
    """Charge."""
    await asyncio.sleep(0)
    if total < 0:
        raise ValueError("negative")
    return {"id": "ch_1", "total": total}


tracked = track("charged", external_id=arg.customer, data={"id": result["id"], "seconds": elapsed})(plain)
both = track("charged", external_id=arg.customer, on="both", data={"error": error, "id": result["id"]})(plain)


def test_it_returns_what_the_coroutine_returns(catcher):
    """The result is handed on, and the event sent when the coroutine has ended."""
    assert {"id": "ch_1", "total": 2} == asyncio.run(tracked("c1", 2))
    assert ("charged", "c1", "ch_1") == (catcher.one.name, catcher.one.external_id, catcher.one.data["id"])


def test_it_stays_an_async_function():
    """asyncio, inspect and frameworks see an async function, and its signature."""
    assert inspect.iscoroutinefunction(tracked)
    assert inspect.signature(plain) == inspect.signature(tracked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert asyncio.iscoroutinefunction(tracked)
    assert ("plain", "Charge.") == (tracked.__name__, tracked.__doc__)


def test_its_coroutine_is_one():
    """What the call gives is a coroutine in every respect that one can ask for."""
    coroutine = tracked("c1")
    try:
        assert inspect.iscoroutine(coroutine)
        assert inspect.isawaitable(coroutine)
        assert asyncio.iscoroutine(coroutine)
        assert "plain" == coroutine.__name__
        assert plain.__code__ is coroutine.cr_code
        assert inspect.CORO_CREATED == inspect.getcoroutinestate(coroutine)
        assert not hasattr(coroutine, "__iter__")
        assert not hasattr(coroutine, "__len__")
        assert "coroutine object plain" in repr(coroutine)
    finally:
        coroutine.close()


@pytest.mark.parametrize(
    "run",
    [
        lambda make: asyncio.create_task(make()),
        lambda make: asyncio.ensure_future(make()),
        lambda make: asyncio.wait_for(make(), 5),
        lambda make: asyncio.shield(make()),
    ],
)
def test_every_way_to_run_it(catcher, run):
    """Tasks, futures and direct awaits work."""

    async def main():
        await run(lambda: tracked("c1"))
        await asyncio.gather(tracked("c2"), tracked("c3"))
        return await tracked("c4")

    asyncio.run(main())

    assert ["c1", "c2", "c3", "c4"] == [event.external_id for event in catcher.events]


def test_awaited_from_a_class_of_ones_own(catcher):
    """`__await__` methods that hand on a coroutine's steps work."""

    class Job:
        def __await__(self):
            return (yield from tracked("c1").__await__())

    async def main():
        return await Job()

    assert 1.5 == asyncio.run(main())["total"]
    assert "c1" == catcher.one.external_id


def test_the_exception_is_the_functions_own(catcher):
    """The same exception comes out, with few frames of ours, and is an event where that was asked for."""

    async def main():
        await both("c1", -1)

    with pytest.raises(ValueError, match="negative") as caught:
        asyncio.run(main())

    frames = [f for f in traceback.extract_tb(caught.value.__traceback__) if "spotzee_logging" in f.filename]
    assert 1 == len(frames)
    assert caught.value.__context__ is None
    assert {"error": "ValueError: negative"} == catcher.one.data


def test_cancellation_is_a_raise_and_goes_on(catcher):
    """A cancelled task is cancelled still, and its event tells."""
    started = asyncio.Event()

    @track("slept", external_id="c", on="raise", data={"error": error})
    async def sleep():
        started.set()
        await asyncio.Event().wait()

    async def main():
        task = asyncio.create_task(sleep())
        await started.wait()
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(main())

    assert "CancelledError" in catcher.one.data["error"]


def test_cancellation_can_be_caught_inside(catcher):
    """A body that handles its cancellation returns, and that is the event."""
    started = asyncio.Event()

    @track("slept", external_id="c", data={"result": result})
    async def sleep():
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "woken"

    async def main():
        task = asyncio.create_task(sleep())
        await started.wait()
        task.cancel()
        return await task

    assert "woken" == asyncio.run(main())
    assert {"result": "woken"} == catcher.one.data


def test_arguments_are_read_at_the_call(catcher):
    """What changes between the call and the await does not change the event."""

    @track("x", external_id="c", data={"items": arg.items})
    async def go(items): ...

    items = [1]

    async def main():
        coroutine = go(items)
        items.append(2)
        await coroutine

    asyncio.run(main())
    assert {"items": [1]} == catcher.one.data


def test_one_that_is_never_awaited_makes_no_event_and_warns_as_before(catcher):
    """Forgetting `await` is said by Python, once, with the function's name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tracked("c1")
        gc.collect()

    assert ["coroutine 'plain' was never awaited"] == [str(warning.message) for warning in caught]
    assert [] == catcher.events


def test_a_closed_coroutine_has_not_returned(catcher):
    """A coroutine that is thrown away in the middle has not done its work."""

    class Pause:
        def __await__(self):
            yield

    @track("x", external_id="c", on="both", data={"error": error})
    async def wait():
        await Pause()

    coroutine = wait()
    coroutine.send(None)
    coroutine.close()

    assert {"error": "GeneratorExit"} == catcher.one.data


def test_a_method_and_a_partial(catcher):
    """Async methods and partials are async still."""

    class Shop:
        id = "s1"

        @track("x", external_id=arg.self.id)
        async def open(self):
            return 1

    assert inspect.iscoroutinefunction(Shop().open)
    assert 1 == asyncio.run(Shop().open())
    part = track("y", external_id="c2", data={"total": arg.total})(functools.partial(plain, "c2"))
    assert inspect.iscoroutinefunction(functools.partial(tracked, "c2"))
    asyncio.run(part(total=3))
    assert ["s1", "c2"] == [event.external_id for event in catcher.events]


def test_behind_a_plain_wrapper_it_is_awaited_still(catcher):
    """A plain function that wraps an async one makes its event when the coroutine has ended, not before."""

    @functools.wraps(plain)
    def wrapper(*args, **kwargs):
        return plain(*args, **kwargs)

    wrapped = track("charged", external_id=arg.customer, data={"id": result["id"]})(wrapper)
    asyncio.run(wrapped("c1"))

    assert {"id": "ch_1"} == catcher.one.data


def test_made_plain_by_a_wrapper_it_is_plain(catcher):
    """A wrapper that runs the coroutine makes a plain call of it."""

    @functools.wraps(plain)
    def wrapper(*args):
        return asyncio.run(plain(*args))

    assert "ch_1" == track("charged", external_id="c", data={"id": result["id"]})(wrapper)("c1")["id"]
    assert {"id": "ch_1"} == catcher.one.data


def test_context_variables_behave_as_before(catcher):
    """What the body sets is seen after the await, as without us."""
    variable = contextvars.ContextVar("variable", default=0)

    @track("x", external_id="c")
    async def set_it():
        variable.set(1)

    async def main():
        await set_it()
        return variable.get()

    assert 1 == asyncio.run(main())


def test_a_task_shows_the_functions_frame(catcher):
    """A debugger that asks a task where it is finds the function's line."""
    begun, gate = asyncio.Event(), asyncio.Event()

    @track("x", external_id="c")
    async def wait():
        begun.set()
        await gate.wait()

    async def main():
        task = asyncio.create_task(wait())
        await begun.wait()
        (frame,) = task.get_stack()
        gate.set()
        await task
        return frame.f_code

    assert wait.__code__ is asyncio.run(main())


@types.coroutine
def pause(value=1):
    return (yield value)


def ended(function):
    return track("ended", external_id="c", on="both", data={"how": lambda call: repr(call.error)})(function)


@ended
async def cleaning():
    try:
        await pause()
    finally:
        await pause("cleanup")


@ended
async def staying():
    try:
        return await pause()
    except GeneratorExit:
        await pause("cleanup")
        return "after"


@ended
async def catching():
    try:
        return await pause()
    except KeyError:
        return "caught"


def test_one_that_is_left_in_its_cleanup_makes_its_event(catcher):
    """A loop that stops with tasks in it drops them; what they awaited ends when it is freed."""

    async def outer():
        await cleaning()

    coroutine = outer()
    coroutine.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        coroutine.close()
    del coroutine
    gc.collect()

    assert "GeneratorExit()" == catcher.one.data["how"]


def test_what_is_awaited_can_be_followed(catcher):
    """Debuggers, and trio's task trees, go down from a coroutine to what it waits for."""

    async def outer():
        return await catching()

    coroutine = outer()
    coroutine.send(None)
    inner = coroutine.cr_await

    assert "catching" == inner.__name__
    assert inspect.CORO_SUSPENDED == inspect.getcoroutinestate(inner)
    assert inner.cr_await.__name__ == "pause"
    coroutine.close()
    assert "GeneratorExit()" == catcher.one.data["how"]


def test_an_exit_that_is_thrown_can_be_caught(catcher):
    """Thrown into what is awaited it goes to the body, as into a coroutine that is not tracked."""
    steps = staying().__await__()
    next(steps)

    assert "cleanup" == steps.throw(GeneratorExit())
    with pytest.raises(StopIteration) as stopped:
        next(steps)
    assert "after" == stopped.value.value
    assert "None" == catcher.one.data["how"]


def test_what_awaits_reaches_the_coroutine_before_its_own_first_step(catcher):
    """Closed, or thrown into, in the midst of the body or before it."""
    unstarted = catching()
    unstarted.__await__().close()
    with pytest.raises(RuntimeError, match="cannot reuse"):
        unstarted.send(None)

    begun = catching()
    begun.send(None)
    steps = begun.__await__()
    with pytest.raises(StopIteration) as stopped:
        steps.throw(KeyError("k"))
    assert "caught" == stopped.value.value
    with pytest.raises(RuntimeError, match="cannot reuse"):
        next(steps)
    assert [] == [event for event in catcher.events if event.data["how"] != "None"]
