"""`@track` on staticmethods, on either side of `@staticmethod`."""

import inspect
import pickle

import pytest

from spotzee_logging.tracking import arg, result, track

how = dict(external_id=arg.who, data={"n": arg.n, "result": result})


class Shop:
    @track("opened", **how)
    @staticmethod
    def outer(who: str, n: int = 1) -> tuple:
        """Open."""
        return (who, n)

    @staticmethod
    @track("opened", **how)
    def inner(who: str, n: int = 1) -> tuple:
        """Open."""
        return (who, n)

    @staticmethod
    def before(who: str, n: int = 1) -> tuple:
        """Open."""
        return (who, n)


class Branch(Shop):
    pass


@pytest.fixture(params=["outer", "inner"])
def order(request):
    return request.param


@pytest.mark.parametrize("owner", [Shop, Shop(), Branch, Branch()])
def test_called_on_class_instance_or_subclass(catcher, order, owner):
    """No instance slips in among the arguments."""
    assert ("c1", 2) == getattr(owner, order)("c1", 2)
    assert ("opened", "c1", {"n": 2, "result": ["c1", 2]}) == (
        catcher.one.name,
        catcher.one.external_id,
        catcher.one.data,
    )


def test_an_instance_as_the_argument_is_just_that(catcher, order):
    """A staticmethod that is handed an instance reads it as its argument."""

    class Owner:
        id = "o1"

        @track("x", external_id=arg.owner.id, data={"n": arg.n})
        @staticmethod
        def outer(owner, n): ...

        @staticmethod
        @track("x", external_id=arg.owner.id, data={"n": arg.n})
        def inner(owner, n): ...

    getattr(Owner, order)(Owner(), 4)
    getattr(Owner(), order)(Owner(), 5)

    assert [("o1", {"n": 4}), ("o1", {"n": 5})] == [(e.external_id, e.data) for e in catcher.events]


def test_inspection_sees_a_function(order):
    """Signature, kind and names are those of a staticmethod."""
    function = getattr(Shop, order)
    assert inspect.signature(Shop.before) == inspect.signature(function)
    assert inspect.isfunction(function)
    assert not inspect.ismethod(function)
    assert (order, f"Shop.{order}", "Open.") == (function.__name__, function.__qualname__, function.__doc__)


def test_it_pickles(catcher, order):
    """A staticmethod goes to a worker as it did."""
    assert ("c1", 3) == pickle.loads(pickle.dumps(getattr(Shop, order)))("c1", 3)


def test_a_builtin_as_a_staticmethod(catcher):
    """A function of C works too."""

    class Holder:
        length = track("measured", external_id="c", data={"n": result})(staticmethod(len))

    assert 3 == Holder.length("abc")
    assert 3 == Holder().length("abc")
    assert [3, 3] == [event.data["n"] for event in catcher.events]
