"""`@track` on async generator functions."""

import asyncio
import contextlib
import gc
import inspect
import types

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotzee_logging.tracking import arg, error, track


async def plain(count):
    """Count."""
    for number in range(count):
        await asyncio.sleep(0)
        yield number


tracked = track("counted", external_id="c", data={"count": arg.count})(plain)


def both(function):
    return track("ended", external_id="c", on="both", data={"error": error})(function)


def run(main):
    return asyncio.run(main())


def test_its_items_are_those_of_the_generator(catcher):
    """A loop sees the same items, and the event is sent when they are exhausted."""

    async def main():
        generator = tracked(2)
        assert 0 == await generator.__anext__()
        assert [] == catcher.events
        return [item async for item in generator]

    assert [1] == run(main)
    assert {"count": 2} == catcher.one.data


def test_it_stays_an_async_generator_function():
    """inspect and frameworks see an async generator function, and its generator is one."""
    generator = tracked(2)
    assert inspect.isasyncgenfunction(tracked)
    assert inspect.signature(plain) == inspect.signature(tracked)
    assert inspect.isasyncgen(generator)
    assert isinstance(generator, types.AsyncGeneratorType)
    assert generator is generator.__aiter__()
    assert plain.__code__ is generator.ag_code
    assert ("plain", False) == (generator.__name__, generator.ag_running)
    assert not hasattr(generator, "__len__")


def test_anext_and_its_default(catcher):
    """The builtins work on it."""

    async def main():
        generator = tracked(1)
        return [await anext(generator), await anext(generator, "done")]

    assert [0, "done"] == run(main)
    assert "counted" == catcher.one.name


def stubborn_steps():
    async def stubborn():
        total = 0
        while total < 5:
            try:
                total += (yield total) or 1
            except KeyError:
                yield "caught"

    return stubborn


async def steps(generator, script):
    seen = []
    for kind, value in script:
        try:
            if kind == "next":
                seen.append(await generator.__anext__())
            elif kind == "send":
                seen.append(await generator.asend(value))
            elif kind == "throw":
                seen.append(await generator.athrow(value()))
            else:
                seen.append(await generator.aclose())
        except (Exception, asyncio.CancelledError, GeneratorExit) as failure:
            seen.append((type(failure), str(failure)))
    return seen


SCRIPTS = st.lists(
    st.one_of(
        st.tuples(st.just("next"), st.none()),
        st.tuples(st.just("send"), st.integers(0, 3)),
        st.tuples(
            st.just("throw"), st.sampled_from([KeyError, ValueError, asyncio.CancelledError, GeneratorExit])
        ),
        st.tuples(st.just("close"), st.none()),
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(script=SCRIPTS)
def test_driven_in_any_way_it_does_the_same(make_logger, make_catcher, script):
    """asend, athrow and aclose, in any order, give what they gave; and it makes at most one event."""
    records = []
    logger = make_logger()
    logger.addFilter(lambda record: records.append(record))
    logger.addHandler(make_catcher())
    watched = track("ended", external_id="c", on="both", logger=logger)(stubborn_steps())

    async def main():
        return await steps(stubborn_steps()(), script), await steps(watched(), script)

    before, after = run(main)
    assert before == after
    assert len(records) <= 1


def test_an_early_close_is_a_return(catcher):
    """aclose() is its end; the body's clean-up runs before the event."""
    cleaned = []

    @both
    async def go():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            cleaned.append(list(catcher.events))

    async def main():
        async with contextlib.aclosing(go()) as generator:
            async for _ in generator:
                break

    run(main)
    assert [[]] == cleaned
    assert {"error": None} == catcher.one.data


@pytest.mark.parametrize("end", ["exhausted", "closed"])
def test_its_end_makes_the_event_whoever_holds_it(catcher, end):
    """A generator that is kept after its end has told of it."""

    async def main():
        generator = tracked(1)
        await anext(generator)
        if end == "closed":
            await generator.aclose()
        else:
            assert "done" == await anext(generator, "done")
        return generator, list(catcher.events)

    _, events = run(main)

    assert ["counted"] == [event.name for event in events]


def test_a_break_is_an_end_like_any_other(catcher):
    """A loop that is left early makes the event, and the loop still closes the generator."""
    cleaned = []

    @both
    async def go():
        try:
            yield 1
        finally:
            cleaned.append(1)

    async def main():
        async for _ in go():
            break
        gc.collect()
        await asyncio.sleep(0)

    run(main)
    assert [1] == cleaned
    assert {"error": None} == catcher.one.data


def test_an_exception_in_the_body(catcher):
    """It comes out unchanged, and is an event where that was asked for."""
    failure = ValueError("no")

    @both
    async def go():
        yield 1
        raise failure

    async def main():
        async for _ in go():
            pass

    with pytest.raises(ValueError) as caught:
        run(main)
    assert failure is caught.value
    assert {"error": "ValueError: no"} == catcher.one.data


def test_cancellation_is_a_raise(catcher):
    """A task that is cancelled inside it is cancelled still, and the event tells."""
    started = asyncio.Event()

    @both
    async def go():
        started.set()
        await asyncio.Event().wait()
        yield 1

    async def main():
        async def loop():
            async for _ in go():
                pass

        task = asyncio.create_task(loop())
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run(main)
    assert "CancelledError" in catcher.one.data["error"]


def test_one_that_never_starts_is_no_call(catcher):
    """A generator that nobody asks for an item makes no event."""

    async def main():
        await tracked(3).aclose()
        tracked(3)
        with pytest.raises(KeyError):
            await both(plain)(3).athrow(KeyError())

    run(main)
    gc.collect()
    assert [] == catcher.events


def test_beneath_asynccontextmanager(catcher):
    """A tracked async generator function makes a context manager, whose block is the call."""

    @contextlib.asynccontextmanager
    @both
    async def hold():
        yield "held"

    async def main():
        async with hold() as value:
            assert "held" == value
            assert [] == catcher.events
        with pytest.raises(KeyError):
            async with hold():
                raise KeyError("x")

    run(main)
    assert [None, "KeyError: 'x'"] == [event.data["error"] for event in catcher.events]


def test_left_over_at_the_loops_end(catcher):
    """A generator that is still open when the loop shuts down makes its event."""
    kept = []

    async def main():
        kept.append(tracked(3))
        await kept[0].__anext__()

    run(main)
    kept.clear()
    gc.collect()
    assert {"count": 3} == catcher.one.data


def test_a_method(catcher):
    """Async generator methods work."""

    class Shop:
        id = "s1"

        @track("x", external_id=arg.self.id)
        async def items(self):
            yield 1

    async def main():
        return [item async for item in Shop().items()]

    assert inspect.isasyncgenfunction(Shop().items)
    assert [1] == run(main)
    assert "s1" == catcher.one.external_id
