"""`@track` on classmethods, on either side of `@classmethod`."""

import inspect
import pickle

import pytest

from spotzee_logging.tracking import arg, result, track

how = dict(external_id=arg.cls.code, data={"n": arg.n, "result": result})


class Shop:
    code = "shop"

    @track("opened", **how)
    @classmethod
    def outer(cls, n: int = 1) -> tuple:
        """Open."""
        return (cls.code, n)

    @classmethod
    @track("opened", **how)
    def inner(cls, n: int = 1) -> tuple:
        """Open."""
        return (cls.code, n)

    @classmethod
    def before(cls, n: int = 1) -> tuple:
        """Open."""
        return (cls.code, n)


class Branch(Shop):
    code = "branch"


@pytest.fixture(params=["outer", "inner"])
def order(request):
    return request.param


def seen(catcher):
    return catcher.one.name, catcher.one.external_id, catcher.one.data


@pytest.mark.parametrize("owner", [Shop, Shop()])
def test_called_on_the_class_or_an_instance(catcher, order, owner):
    """`arg.cls` is the class, whichever it is called on."""
    assert ("shop", 2) == getattr(owner, order)(2)
    assert ("opened", "shop", {"n": 2, "result": ["shop", 2]}) == seen(catcher)


def test_a_subclass_is_the_class_of_the_call(catcher, order):
    """Inherited, it gets the subclass."""
    assert ("branch", 1) == getattr(Branch, order)()
    assert ("opened", "branch", {"n": 1, "result": ["branch", 1]}) == seen(catcher)


def test_arguments_by_keyword(catcher, order):
    """Keywords are read."""
    getattr(Shop, order)(n=5)

    assert 5 == catcher.one.data["n"]


def test_inspection_sees_a_bound_method(order):
    """Signature, names and binding are those of a classmethod."""
    bound = getattr(Shop, order)
    assert inspect.signature(Shop.before) == inspect.signature(bound)
    assert inspect.ismethod(bound)
    assert Shop is bound.__self__
    assert (order, f"Shop.{order}", "Open.") == (bound.__name__, bound.__qualname__, bound.__doc__)


def test_it_pickles(catcher, order):
    """A bound classmethod goes to a worker as it did."""
    assert ("branch", 3) == pickle.loads(pickle.dumps(getattr(Branch, order)))(3)


def test_the_exception_is_the_functions_own(catcher, order):
    """The same exception comes out, and is an event where that was asked for."""
    failure = KeyError("x")

    class Failing:
        @track("failed", external_id="c", on="raise")
        @classmethod
        def outer(cls):
            raise failure

        @classmethod
        @track("failed", external_id="c", on="raise")
        def inner(cls):
            raise failure

    with pytest.raises(KeyError) as caught:
        getattr(Failing, order)()

    assert failure is caught.value
    assert "failed" == catcher.one.name


def test_misspelt_parameters_are_refused(order):
    """A marker for no parameter is refused at decoration in both orders."""

    def go(cls, n): ...

    with pytest.raises(TypeError, match="no parameter"):
        track("x", external_id=arg.m)(classmethod(go) if order == "outer" else go)


def test_the_hooks_that_python_makes_classmethods_itself(catcher):
    """`__init_subclass__` and `__class_getitem__` are called as ever, without `@classmethod`, and tracked."""

    class Plugin:
        code = "plugin"

        @track("registered", external_id=arg.cls.code, data={"kind": arg.kind})
        def __init_subclass__(cls, *, kind):
            cls.kind = kind

        @track("asked", external_id=arg.cls.code, data={"key": arg.key})
        def __class_getitem__(cls, key):
            return (cls, key)

    class Mail(Plugin, kind="mail"):
        code = "mail"

    assert Mail[int] == (Mail, int)
    assert Mail.kind == "mail"
    assert [(event.name, event.external_id) for event in catcher.events] == [
        ("registered", "mail"),
        ("asked", "mail"),
    ]
