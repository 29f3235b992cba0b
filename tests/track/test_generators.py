"""`@track` on generator functions."""

import contextlib
import copy
import functools
import gc
import inspect
import pickle
import sys
import time
import types

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotzee_logging.tracking import arg, elapsed, error, result, track


def plain(count):
    """Count."""
    got = ()
    for number in range(count):
        got += ((yield number),)
    return list(got)


tracked = track("counted", external_id="c", data={"count": arg.count, "got": result})(plain)


def both(function):
    return track("ended", external_id="c", on="both", data={"result": result, "error": error})(function)


def test_its_items_are_those_of_the_generator(catcher):
    """A loop sees the same items, and the event is sent when they are exhausted."""
    generator = tracked(3)
    assert [0, 1] == [next(generator), next(generator)]
    assert [] == catcher.events

    assert [2] == list(generator)
    assert {"count": 3, "got": [None, None, None]} == catcher.one.data


def test_it_stays_a_generator_function():
    """inspect and frameworks see a generator function."""
    assert inspect.isgeneratorfunction(tracked)
    assert inspect.signature(plain) == inspect.signature(tracked)


def test_its_generator_is_one():
    """What the call gives is a generator in every respect that one can ask for."""
    generator = tracked(3)
    assert inspect.isgenerator(generator)
    assert isinstance(generator, types.GeneratorType)
    assert generator is iter(generator)
    assert ("plain", "plain") == (generator.__name__, generator.__qualname__)
    assert plain.__code__ is generator.gi_code
    assert inspect.GEN_CREATED == inspect.getgeneratorstate(generator)
    next(generator)
    assert inspect.GEN_SUSPENDED == inspect.getgeneratorstate(generator)
    assert 0 == inspect.getgeneratorlocals(generator)["number"]
    generator.close()
    assert inspect.GEN_CLOSED == inspect.getgeneratorstate(generator)
    assert "generator object plain" in repr(generator)


def test_it_has_nothing_that_generators_have_not():
    """A server that asks for a length, or a context manager, gets the true answer."""
    generator = tracked(3)
    for name in ("__len__", "__enter__", "__getitem__", "__bool__"):
        assert not hasattr(generator, name)
    for copier in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError):
            copier(generator)


def steps(generator, script):
    """What a generator does when it is driven by a script, each step's value or exception."""
    seen = []
    for kind, value in script:
        try:
            if kind == "next":
                seen.append(next(generator))
            elif kind == "send":
                seen.append(generator.send(value))
            elif kind == "throw":
                seen.append(generator.throw(value()))
            else:
                seen.append(generator.close())
        except BaseException as failure:
            seen.append((type(failure), str(failure)))
    return seen


def stubborn():
    total = 0
    while total < 5:
        try:
            total += (yield total) or 1
        except KeyError:
            yield "caught"
        except GeneratorExit:
            if total > 2:
                return "closed"
            raise
    return total


SCRIPTS = st.lists(
    st.one_of(
        st.tuples(st.just("next"), st.none()),
        st.tuples(st.just("send"), st.integers(0, 3)),
        st.tuples(
            st.just("throw"), st.sampled_from([KeyError, ValueError, KeyboardInterrupt, GeneratorExit])
        ),
        st.tuples(st.just("close"), st.none()),
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(script=SCRIPTS)
def test_driven_in_any_way_it_does_the_same(make_logger, make_catcher, script):
    """send, throw and close, in any order, give what they gave; and it makes at most one event."""
    records = []
    logger = make_logger()
    logger.addFilter(lambda record: records.append(record))
    logger.addHandler(make_catcher())
    watched = track("ended", external_id="c", on="both", logger=logger)(stubborn)

    assert steps(stubborn(), script) == steps(watched(), script)
    assert len(records) <= 1


def test_an_early_close_is_a_return(catcher):
    """Closing it is its end; the body's clean-up runs before the event."""
    cleaned = []

    @both
    def go():
        try:
            yield 1
        finally:
            cleaned.append(list(catcher.events))

    generator = go()
    next(generator)
    generator.close()

    assert [[]] == cleaned
    assert {"result": None, "error": None} == catcher.one.data


def test_a_generator_exit_that_is_thrown_in_is_a_return(catcher):
    """So do those close it that stand between: it is the same end."""

    @both
    def go():
        yield 1

    generator = go()
    next(generator)
    with pytest.raises(GeneratorExit):
        generator.throw(GeneratorExit())

    assert {"result": None, "error": None} == catcher.one.data


def test_a_clean_up_that_fails_is_a_raise(catcher):
    """What the body raises when it is closed comes out of close(), and is an event where that was asked for."""

    @both
    def go():
        try:
            yield 1
        finally:
            raise ValueError("no")

    generator = go()
    next(generator)
    with pytest.raises(ValueError, match="no"):
        generator.close()

    assert {"error": "ValueError: no"} == catcher.one.data


def test_a_break_is_an_end_like_any_other(catcher):
    """A loop that is left early makes the event."""
    for _ in tracked(5):
        break
    gc.collect()

    assert 5 == catcher.one.data["count"]


def test_what_close_returns_is_handed_on(catcher):
    """From Python 3.13 on, close() gives what the body returned."""

    @both
    def go():
        try:
            yield 1
        except GeneratorExit:
            return "closed"

    generator = go()
    next(generator)
    expected = "closed" if sys.version_info >= (3, 13) else None
    assert expected == generator.close()
    assert expected == catcher.one.data["result"]


def test_one_that_never_starts_is_no_call(catcher):
    """A generator that nobody asks for an item makes no event."""
    tracked(3).close()
    tracked(3)
    with pytest.raises(KeyError):
        tracked(3).throw(KeyError())
    gc.collect()

    assert [] == catcher.events


def test_an_exception_in_the_body(catcher):
    """It comes out unchanged, and is an event where that was asked for."""
    failure = ValueError("no")

    @both
    def go():
        yield 1
        raise failure

    with pytest.raises(ValueError) as caught:
        list(go())

    assert failure is caught.value
    assert {"error": "ValueError: no"} == catcher.one.data


def test_an_exception_that_is_thrown_in(catcher):
    """One that the body lets through is a raise; KeyboardInterrupt too."""

    @both
    def go():
        yield 1

    generator = go()
    next(generator)
    with pytest.raises(KeyboardInterrupt):
        generator.throw(KeyboardInterrupt())

    assert {"error": "KeyboardInterrupt"} == catcher.one.data


def test_a_misused_step_does_not_end_it(catcher):
    """What the generator refuses leaves it as it was."""
    generator = tracked(2)
    with pytest.raises(TypeError, match="just-started"):
        generator.send(1)
    assert [] == catcher.events

    assert [0, 1] == list(generator)
    assert 2 == catcher.one.data["count"]


def test_a_misused_step_does_not_begin_it(catcher):
    """A generator that refused its first step has not run."""
    generator = tracked(2)
    with pytest.raises(TypeError):
        generator.send(1)
    generator.close()

    assert [] == catcher.events


def test_yield_from_it(catcher):
    """Another generator can delegate to it, and gets its return value."""

    def outer():
        return (yield from tracked(2))

    generator = outer()
    assert 0 == next(generator)
    assert 1 == generator.send("a")
    with pytest.raises(StopIteration) as stop:
        generator.send("b")
    assert ["a", "b"] == stop.value.value
    assert ["a", "b"] == catcher.one.data["got"]


def test_beneath_contextmanager(catcher):
    """A tracked generator function makes a context manager, whose block is the call."""

    @contextlib.contextmanager
    @track("held", external_id="c", on="both", data={"error": error})
    def hold():
        yield "held"

    with hold() as value:
        assert "held" == value
        assert [] == catcher.events
    with pytest.raises(KeyError), hold():
        raise KeyError("x")

    assert [None, "KeyError: 'x'"] == [event.data["error"] for event in catcher.events]


def test_above_contextmanager(catcher):
    """Tracking the finished context manager's factory counts its calls."""

    @track("asked", external_id="c")
    @contextlib.contextmanager
    def hold():
        yield 3

    with hold() as value:
        assert 3 == value
        assert "asked" == catcher.one.name


def test_a_method_and_a_partial(catcher):
    """Generator methods and partials are generators still."""

    class Shop:
        id = "s1"

        @track("x", external_id=arg.self.id)
        def items(self):
            yield 1

    assert inspect.isgeneratorfunction(Shop().items)
    assert [1] == list(Shop().items())
    assert [0, 1] == list(track("y", external_id="p")(functools.partial(plain, 2))())
    assert ["s1", "p"] == [event.external_id for event in catcher.events]


def test_the_clock_runs_from_the_first_step(catcher):
    """`elapsed` is from the first item asked for to the end, whatever passes before and between."""

    @track("x", external_id="c", data={"seconds": elapsed})
    def go():
        yield 1

    def spin():
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            pass

    generator = go()
    spin()
    began = time.perf_counter()
    next(generator)
    spin()
    list(generator)

    assert 0.02 <= catcher.one.data["seconds"] <= time.perf_counter() - began
