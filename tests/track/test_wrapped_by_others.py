"""`@track` over, and under, what other decorators make."""

import functools
import inspect

import pytest

from spotzee_logging.tracking import arg, result, track


def base(a, b=2, *, c=3):
    """Base."""
    return (a, b, c)


def test_over_functools_wraps(catcher):
    """The signature is that of the function beneath, and so are the arguments."""

    @functools.wraps(base)
    def wrapper(*args, **kwargs):
        return base(*args, **kwargs)

    wrapped = track("x", external_id=arg.a, data={"b": arg.b, "c": arg.c})(wrapper)

    assert ("u", 5, 3) == wrapped("u", 5)
    assert inspect.signature(base) == inspect.signature(wrapped)
    assert ("u", {"b": 5, "c": 3}) == (catcher.one.external_id, catcher.one.data)


def test_under_functools_wraps(catcher):
    """Others can wrap a tracked function."""
    tracked = track("x", external_id=arg.a)(base)

    @functools.wraps(tracked)
    def wrapper(*args, **kwargs):
        return tracked(*args, **kwargs)

    wrapper("u")
    assert inspect.signature(base) == inspect.signature(wrapper)
    assert "base" == wrapper.__name__
    assert "u" == catcher.one.external_id


def test_over_lru_cache(catcher):
    """The cache works, is in reach, and every call is a call."""

    @track("looked_up", external_id="c", data={"key": arg.key, "value": result})
    @functools.lru_cache
    def look_up(key):
        return key * 2

    assert [4, 4] == [look_up(2), look_up(2)]
    assert 1 == look_up.cache_info().hits
    look_up.cache_clear()
    assert 0 == look_up.cache_info().currsize
    assert [{"key": 2, "value": 4}] * 2 == [event.data for event in catcher.events]


def test_over_lru_cache_on_a_method(catcher):
    """A cached method binds as it did."""

    class Shop:
        id = "s1"

        @track("x", external_id=arg.self.id, data={"n": arg.n})
        @functools.lru_cache
        def go(self, n):
            return n

    assert 3 == Shop().go(3)
    assert ("s1", {"n": 3}) == (catcher.one.external_id, catcher.one.data)


def test_under_lru_cache(catcher):
    """Only calls that the cache lets through are calls."""

    @functools.lru_cache
    @track("computed", external_id="c")
    def compute(key):
        return key

    compute(1)
    compute(1)
    assert "computed" == catcher.one.name


def test_a_partial(catcher):
    """What a partial leaves open can be named; what it gives by keyword too."""
    part = track("x", external_id=arg.b, data={"c": arg.c})(functools.partial(base, 1, c=9))

    assert (1, "u", 9) == part("u")
    assert ("x", "u", {"c": 9}) == (catcher.one.name, catcher.one.external_id, catcher.one.data)
    assert inspect.signature(functools.partial(base, 1, c=9)) == inspect.signature(part)


def test_a_partials_event_is_named_after_its_function(catcher):
    """A partial has no name of its own."""
    track(external_id="c")(functools.partial(base, 1))()

    assert "base" == catcher.one.name


def test_a_partialmethod(catcher):
    """A partialmethod binds as it did."""

    class Shop:
        id = "s1"

        def go(self, kind, n):
            return kind, n

        go_fast = track("x", external_id=arg.self.id, data={"n": arg.n})(functools.partialmethod(go, "fast"))

    assert ("fast", 3) == Shop().go_fast(3)
    assert ("s1", {"n": 3}) == (catcher.one.external_id, catcher.one.data)


def test_over_singledispatch(catcher):
    """Registering and dispatching go on."""

    @track("x", external_id="c", data={"result": result})
    @functools.singledispatch
    def describe(thing):
        return "thing"

    @describe.register
    def _(thing: int):
        return "int"

    assert ["int", "thing"] == [describe(3), describe("a")]
    assert ["int", "thing"] == [event.data["result"] for event in catcher.events]
    assert "int" == describe.dispatch(int)(3)


def test_under_singledispatch(catcher):
    """A tracked implementation is dispatched to."""

    @functools.singledispatch
    def describe(thing):
        return "thing"

    @describe.register
    @track("x", external_id="c")
    def _(thing: int):
        return "int"

    assert ["int", "thing"] == [describe(3), describe("a")]
    assert "x" == catcher.one.name


def test_over_singledispatchmethod(catcher):
    """So with the method's form."""

    class Shop:
        @track("x", external_id="c", data={"result": result})
        @functools.singledispatchmethod
        def describe(self, thing):
            return "thing"

    assert "thing" == Shop().describe("a")
    assert {"result": "thing"} == catcher.one.data


def test_with_a_wrapt_decorator(catcher):
    """wrapt's own decorators go above and below."""
    import wrapt

    @wrapt.decorator
    def passing(wrapped, instance, args, kwargs):
        return wrapped(*args, **kwargs)

    class Shop:
        id = "s1"

        @passing
        @track("inner", external_id=arg.self.id, data={"n": arg.n})
        @passing
        def go(self, n):
            return n

        @track("outer", external_id=arg.self.id, data={"n": arg.n})
        @passing
        def went(self, n):
            return n

    assert (1, 2) == (Shop().go(1), Shop().went(2))
    assert [("s1", {"n": 1}), ("s1", {"n": 2})] == [(e.external_id, e.data) for e in catcher.events]


def test_a_wraps_decorator_that_changes_the_signature(catcher):
    """Where a wrapper takes other arguments than it says, what is not found is left out."""

    @functools.wraps(base)
    def wrapper(only):
        return base(only)

    wrapped = track("x", external_id="c", data={"a": arg.a, "b": arg.b})(wrapper)

    assert (1, 2, 3) == wrapped(only=1)
    assert {"b": 2} == catcher.one.data


def test_a_function_of_c_that_tells_no_signature(catcher):
    """Keywords can still be named."""
    tracked = track("x", external_id="c", data={"a": arg.a})(dict)

    assert {"a": 1} == tracked(a=1)
    assert {"a": 1} == catcher.one.data


@pytest.mark.parametrize("wrap", [functools.lru_cache, functools.cache])
def test_the_place_is_the_function_beneath(make_logger, make_catcher, wrap):
    """The record leads to the code that was written, not to functools."""
    records = []
    catcher = make_catcher()
    catcher.addFilter(lambda record: records.append(record) or True)
    make_logger(catcher, name=__name__, propagate=True)

    @track("x", external_id="c")
    @wrap
    def here():
        return 1

    here()
    assert (__file__, "here") == (records[0].pathname, records[0].funcName)
