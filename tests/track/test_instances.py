"""`@track` on callable instances, and on functions of C."""

import copy
import inspect
import pickle

from spotzee_logging.tracking import arg, result, track


class Adder:
    """Adds."""

    def __init__(self, base):
        self.base = base

    def __call__(self, more: int, times: int = 1) -> int:
        return self.base + more * times


class AsyncAdder(Adder):
    async def __call__(self, more):
        return self.base + more


def test_a_callable_instance(catcher):
    """Calling the instance is the call; its attributes stay in reach."""
    adder = track("added", external_id="c", data={"more": arg.more, "times": arg.times, "sum": result})(
        Adder(2)
    )

    assert 8 == adder(3, times=2)
    assert 2 == adder.base
    assert isinstance(adder, Adder)
    assert inspect.signature(Adder(2)) == inspect.signature(adder)
    assert {"more": 3, "times": 2, "sum": 8} == catcher.one.data


def test_its_event_is_named_after_the_class(catcher):
    """Without a name of its own it gets its class's."""
    track(external_id="c")(Adder(2))(1)

    assert "Adder" == catcher.one.name


def test_an_async_callable_instance(catcher):
    """An instance whose `__call__` is async makes its event when that ends."""
    import asyncio

    adder = track("added", external_id="c", data={"sum": result})(AsyncAdder(2))

    async def main():
        coroutine = adder(3)
        assert [] == catcher.events
        return await coroutine

    assert 5 == asyncio.run(main())
    assert {"sum": 5} == catcher.one.data


def test_it_pickles_with_its_tracking(catcher):
    """An instance has no name to be found by, so it goes with what tracks it."""
    adder = track("added", external_id="c", data={"more": arg.more, "sum": result})(Adder(2))

    assert 5 == pickle.loads(pickle.dumps(adder))(3)
    assert {"more": 3, "sum": 5} == catcher.one.data
    assert adder is copy.copy(adder)


def test_as_a_class_attribute_it_does_not_bind(catcher):
    """A callable instance on a class is not handed `self`, as before."""

    class Holder:
        add = track("added", external_id="c", data={"more": arg.more})(Adder(2))

    assert 5 == Holder().add(3)
    assert {"more": 3} == catcher.one.data


def test_a_builtin(catcher):
    """A function of C works; one that tells its parameters can be asked for them."""
    assert 3 == track("measured", external_id="c", data={"n": result})(len)("abc")
    assert {"n": 3} == catcher.one.data


def test_a_bound_method_of_c(catcher):
    """So does a method of a list."""
    items = []
    track("appended", external_id="c")(items.append)(1)

    assert [1] == items
    assert "appended" == catcher.one.name


def test_a_method_wrapper_of_c(catcher):
    """And a slot's method, which holds its instance by itself."""
    assert 5 == track("added", external_id="c", data={"value": arg.value})((2).__add__)(3)
    assert {"value": 3} == catcher.one.data
