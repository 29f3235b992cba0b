"""What wrapt publishes of its decorators' behaviour holds for `track`, for each kind of binding.

The cases are those that wrapt's own suite has for functions, methods, classes, inner and outer static-
and classmethods; they are written anew.
"""

import inspect

import pytest

from spotzee_logging.tracking import track


def decorate(function):
    return track("x", external_id="c")(function)


def function(arg, *args: int, key=1, **kwargs) -> str:
    """Docs of the function."""
    return (arg, args, key, kwargs)


class Holder:
    def method(self, arg, *args: int, key=1, **kwargs) -> str:
        """Docs of the function."""
        return (arg, args, key, kwargs)

    @classmethod
    def class_method(cls, arg, *args: int, key=1, **kwargs) -> str:
        """Docs of the function."""
        return (arg, args, key, kwargs)

    @staticmethod
    def static_method(arg, *args: int, key=1, **kwargs) -> str:
        """Docs of the function."""
        return (arg, args, key, kwargs)


Original = Holder


class Tracked:
    method = decorate(Original.__dict__["method"])
    outer_class_method = decorate(Original.__dict__["class_method"])
    outer_static_method = decorate(Original.__dict__["static_method"])
    inner_class_method = classmethod(decorate(Original.__dict__["class_method"].__func__))
    inner_static_method = staticmethod(decorate(Original.__dict__["static_method"].__func__))


KINDS = {
    "function": (lambda: function, lambda: decorate(function)),
    "method of an instance": (lambda: Original().method, lambda: Tracked().method),
    "method of the class": (lambda: Original.method, lambda: Tracked.method),
    "outer classmethod": (lambda: Original.class_method, lambda: Tracked.outer_class_method),
    "outer classmethod of an instance": (
        lambda: Original().class_method,
        lambda: Tracked().outer_class_method,
    ),
    "inner classmethod": (lambda: Original.class_method, lambda: Tracked.inner_class_method),
    "inner classmethod of an instance": (
        lambda: Original().class_method,
        lambda: Tracked().inner_class_method,
    ),
    "outer staticmethod": (lambda: Original.static_method, lambda: Tracked.outer_static_method),
    "outer staticmethod of an instance": (
        lambda: Original().static_method,
        lambda: Tracked().outer_static_method,
    ),
    "inner staticmethod": (lambda: Original.static_method, lambda: Tracked.inner_static_method),
    "inner staticmethod of an instance": (
        lambda: Original().static_method,
        lambda: Tracked().inner_static_method,
    ),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def pair(request):
    original, tracked = request.param
    return original(), tracked()


@pytest.mark.parametrize(
    "attribute", ["__name__", "__qualname__", "__doc__", "__module__", "__annotations__"]
)
def test_what_it_says_of_itself(pair, attribute):
    """The attributes of the object are the same."""
    original, tracked = pair
    assert getattr(original, attribute) == getattr(tracked, attribute)


def test_introspection(pair):
    """Argument specification, signature, source, kinds: the same."""
    original, tracked = pair
    for look in (
        inspect.getfullargspec,
        inspect.signature,
        inspect.getsource,
        inspect.isfunction,
        inspect.ismethod,
        inspect.isroutine,
        inspect.isclass,
        inspect.getdoc,
    ):
        assert look(original) == look(tracked)


def test_is_instance(pair):
    """It is an instance of the type that it stands for."""
    original, tracked = pair
    assert isinstance(tracked, type(original))


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1,), {}), ((1, 2, 3), {"key": 4}), ((), {"arg": 1, "other": 5}), ((1,), {"wrapped": 2})],
)
def test_calls(catcher, pair, args, kwargs):
    """Any arguments pass through, also of names that a wrapper might use itself."""
    original, tracked = pair
    if inspect.isfunction(original) and "self" in inspect.signature(original).parameters:
        assert original(Original(), *args, **kwargs) == tracked(Tracked(), *args, **kwargs)
    else:
        assert original(*args, **kwargs) == tracked(*args, **kwargs)
    assert "x" == catcher.one.name


def test_arguments_named_like_wrappers_own(catcher):
    """`self`, `instance`, `wrapped`, `args` and `kwargs` are names like any other."""

    @decorate
    def take(**kwargs):
        return kwargs

    names = dict.fromkeys(["self", "instance", "wrapped", "args", "kwargs", "name", "call"], 1)
    assert names == take(**names)


def test_stacked_on_each_kind(catcher):
    """Two trackings on each kind are two events."""

    class Twice:
        method = decorate(decorate(Original.__dict__["method"]))
        outer = decorate(decorate(Original.__dict__["class_method"]))
        static = decorate(decorate(Original.__dict__["static_method"]))
        between = decorate(classmethod(decorate(Original.__dict__["class_method"].__func__)))

    for call in (Twice().method, Twice.outer, Twice.static, Twice.between, decorate(decorate(function))):
        before = len(catcher.events)
        assert ("a", (), 1, {}) == call("a")
        assert before + 2 == len(catcher.events)


def test_attributes_can_be_set_and_deleted(pair):
    """As on the original: a function takes attributes, a bound method does not."""
    original, tracked = pair
    if inspect.ismethod(original):
        with pytest.raises(AttributeError):
            tracked.noted = 1
    else:
        tracked.noted = 1
        assert 1 == tracked.noted
        del tracked.noted
        assert not hasattr(tracked, "noted")


def test_a_class_and_its_subclass_rebind(catcher):
    """A method read from a class binds to an instance of a subclass."""

    class Sub(Tracked):
        pass

    assert ("a", (), 1, {}) == Sub().method("a")
    assert ("a", (), 1, {}) == Sub.method(Sub(), "a")
    assert ("a", (), 1, {}) == Tracked.method.__get__(Sub(), Sub)("a")
