"""`@track` on plain functions."""

import __future__

import asyncio
import copy
import functools
import inspect
import logging
import pickle
import pydoc
import sys
import traceback
import typing

import pytest

from spotzee_logging.tracking import arg, elapsed, error, result, track


def plain(customer, *items: str, total: float = 1.5, **options) -> dict:
    """Place an order.

    It has a second paragraph.
    """
    if options.get("fail"):
        raise options["fail"]
    return {"customer": customer, "items": items, "total": total, "options": options}


tracked = track("order_placed", external_id=arg.customer, data={"total": arg.total})(plain)
tracked_bare = track(plain)


@track("order_placed", external_id=arg.customer)
def pickled(customer):
    return f"hello {customer}"


class NotInitializedError(Exception):
    pass


def test_it_returns_what_the_function_returns(catcher):
    """A caller gets the same result for the same arguments."""
    result_ = tracked("c1", "a", "b", total=3.0, color="red")

    assert plain("c1", "a", "b", total=3.0, color="red") == result_
    assert ("order_placed", "c1", {"total": 3.0}) == (
        catcher.one.name,
        catcher.one.external_id,
        catcher.one.data,
    )


def test_the_very_object_is_returned(catcher):
    """The result is handed on, not a copy."""
    thing = object()

    assert thing is track("x", external_id="c")(lambda: thing)()


def test_the_exception_is_the_functions_own(catcher):
    """The same exception comes out, with one frame of ours in its traceback and no new cause or context."""
    failure = NotInitializedError("no")

    with pytest.raises(NotInitializedError) as caught:
        tracked("c1", fail=failure)

    frames = traceback.extract_tb(failure.__traceback__)
    assert failure is caught.value
    assert failure.__cause__ is None
    assert failure.__context__ is None
    assert 1 == len([frame for frame in frames if "spotzee_logging" in frame.filename])
    assert "plain" == frames[-1].name
    assert [] == catcher.events


def test_wrong_arguments_raise_the_functions_own_type_error(catcher):
    """A call that the function does not take fails as it did before."""
    with pytest.raises(TypeError) as before:
        pickled.__wrapped__()
    with pytest.raises(TypeError) as after:
        pickled()

    assert str(before.value) == str(after.value)


@pytest.mark.parametrize(
    "attribute",
    [
        "__name__",
        "__qualname__",
        "__doc__",
        "__module__",
        "__annotations__",
        "__defaults__",
        "__kwdefaults__",
    ],
)
def test_what_it_says_of_itself_is_the_functions(attribute):
    """Names, docs and annotations are those of the function."""
    assert getattr(plain, attribute) == getattr(tracked, attribute)
    assert getattr(plain, attribute) == getattr(tracked_bare, attribute)


def test_inspection_sees_the_function():
    """Signature, kind, source and unwrapping are those of the function."""
    assert inspect.signature(plain) == inspect.signature(tracked)
    assert plain is tracked.__wrapped__
    assert plain is inspect.unwrap(tracked)
    assert inspect.isfunction(tracked)
    assert inspect.isroutine(tracked)
    assert inspect.getsource(plain) == inspect.getsource(tracked)
    assert typing.get_type_hints(plain) == typing.get_type_hints(tracked)
    assert inspect.getfullargspec(plain) == inspect.getfullargspec(tracked)
    assert callable(tracked)


def test_a_plain_function_is_of_no_other_kind():
    """Frameworks that ask for the kind of a function get the true answer."""
    assert not inspect.iscoroutinefunction(tracked)
    assert not inspect.isgeneratorfunction(tracked)
    assert not inspect.isasyncgenfunction(tracked)
    if sys.version_info < (3, 14):
        assert not asyncio.iscoroutinefunction(tracked)


def test_help_is_the_functions():
    """`help()` prints the signature and the docs of the function."""
    assert pydoc.render_doc(plain) == pydoc.render_doc(tracked)


def test_it_pickles_by_its_name(catcher):
    """A module-level function goes to a worker and is the same function there."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickled is pickle.loads(pickle.dumps(pickled, protocol))
    assert pickled is pickle._loads(pickle._dumps(pickled))


def test_copies_are_the_function_itself():
    """Copying a function gives the function, as for any other."""
    assert pickled is copy.copy(pickled)
    assert [pickled] == copy.deepcopy([pickled])


def test_attributes_are_shared_with_the_function():
    """What a framework notes on a function is on both."""
    tracked.noted = 1

    assert 1 == plain.noted
    del tracked.noted
    assert not hasattr(plain, "noted")


def test_it_is_equal_to_the_function_and_hashes_alike():
    """Registries that are keyed by the function find it."""
    assert plain == tracked
    assert hash(plain) == hash(tracked)


def test_bare_it_is_named_after_the_function(catcher):
    """`@track` alone sends an event that is named after the function."""
    from spotzee_logging import contact

    with contact(external_id="c1"):
        tracked_bare("x")

    assert ("plain", "c1", None) == (catcher.one.name, catcher.one.external_id, catcher.one.data)


def test_called_without_a_name_it_is_named_after_the_function(catcher):
    """`@track(external_id=...)` names the event after the function."""

    @track(external_id=arg.who)
    def upgrade(who): ...

    upgrade("c7")

    assert ("upgrade", "c7") == (catcher.one.name, catcher.one.external_id)


def test_a_nested_function_is_tracked(catcher):
    """A function inside another works, and sees its closure."""

    def outer(base):
        @track("added", external_id="c", data={"sum": result})
        def inner(more):
            return base + more

        return inner

    assert 5 == outer(2)(3)
    assert {"sum": 5} == catcher.one.data


def test_a_recursive_function_makes_an_event_a_call(catcher):
    """Each call is a call, also one by the function itself; the inner ones end first."""

    @track("fell", external_id="c", data={"n": arg.n})
    def fall(n):
        return 0 if n == 0 else fall(n - 1)

    fall(2)

    assert [0, 1, 2] == [event.data["n"] for event in catcher.events]


def test_two_tracks_on_one_function_are_two_events(catcher):
    """Decorators stack."""

    @track("outer", external_id="c")
    @track("inner", external_id="c")
    def both():
        return 1

    assert 1 == both()
    assert ["inner", "outer"] == [event.name for event in catcher.events]


def test_one_tracking_decorates_many_functions(catcher):
    """What `track(...)` gives can be kept and used again."""
    placed = track("placed", external_id=arg.who)

    @placed
    def one(who): ...

    @placed
    def two(other, who): ...

    one("c1")
    two(0, who="c2")

    assert ["c1", "c2"] == [event.external_id for event in catcher.events]


def test_elapsed_is_in_seconds(catcher):
    """`elapsed` is a float of seconds."""

    @track("x", external_id="c", data={"seconds": elapsed})
    def spin():
        for _ in range(1000):
            pass

    spin()

    assert isinstance(catcher.one.data["seconds"], float)
    assert 0 < catcher.one.data["seconds"] < 60


def test_the_record_is_of_the_functions_module_file_and_line(make_logger, make_catcher):
    """A log line of the event leads to the function."""
    records = []
    catcher = make_catcher()
    catcher.addFilter(lambda record: records.append(record) or True)
    logger = make_logger(catcher, name=__name__, propagate=True)

    @track("x", external_id="c")
    def here(): ...

    here()

    (record,) = records
    code = here.__code__
    assert (logger.name, code.co_filename, code.co_firstlineno, "here") == (
        record.name,
        record.pathname,
        record.lineno,
        record.funcName,
    )
    assert "x" == record.getMessage()
    assert logging.INFO == record.levelno


def test_a_level_is_named_in_any_case(make_catcher, make_logger):
    """As everywhere that a level is taken."""
    records = []
    catcher = make_catcher()
    catcher.addFilter(lambda record: records.append(record.levelno) or True)
    logger = make_logger(catcher)

    for level in ("WARNING", "warning", 30):
        track("x", external_id="c", logger=logger, level=level)(lambda: None)()

    assert [30, 30, 30] == records


class WithInit:
    def __init__(self): ...


class WithoutInit: ...


class WithMethods:
    @classmethod
    def make(cls): ...

    def __call__(self): ...


@pytest.mark.parametrize(
    ("called", "path", "line", "name"),
    [
        (WithInit, __file__, WithInit.__init__.__code__.co_firstlineno, "WithInit"),
        (WithoutInit, __file__, None, "WithoutInit"),
        (WithMethods.make, __file__, WithMethods.make.__func__.__code__.co_firstlineno, "make"),
        (WithMethods(), __file__, WithMethods.__call__.__code__.co_firstlineno, "WithMethods"),
        (functools.partial(plain, 1), __file__, plain.__code__.co_firstlineno, "plain"),
        (dict, "(unknown file)", None, "dict"),
    ],
    ids=["class", "class without __init__", "bound", "object", "partial", "builtin"],
)
def test_the_record_is_of_whatever_is_called(make_logger, make_catcher, called, path, line, name):
    """A class's is that of its `__init__`, an object's that of its `__call__`, and C has no line."""
    records = []
    catcher = make_catcher()
    catcher.addFilter(lambda record: records.append(record) or True)

    track("x", external_id="c", logger=make_logger(catcher))(called)()

    (record,) = records
    assert (path, name) == (record.pathname, record.funcName)
    assert record.lineno == line or line is None


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        (dict(on="exit"), ValueError, '"return", "raise" or "both"'),
        (dict(name=3), TypeError, "name must be a text"),
        (dict(name=""), ValueError, "name must be a text"),
        (dict(name=arg.kind), TypeError, "name must be a text"),
        (dict(level="LOUD"), ValueError, "level"),
        (dict(level=1.5), ValueError, "level"),
        (dict(logger=3), TypeError, "Logger or its name"),
        (dict(when=3), TypeError, "callable"),
        (dict(when=result.ok), TypeError, "callable"),
    ],
)
def test_wrong_use_is_refused_where_it_stands(arguments, kind, says):
    """A mistake in the decorator shows when the module is imported, with the remedy."""
    with pytest.raises(kind, match=says):
        track(**arguments)


def test_a_marker_for_no_parameter_is_refused():
    """A misspelt parameter shows at decoration, with a guess."""
    with pytest.raises(TypeError, match="Did you mean customer"):

        @track("x", external_id=arg.custmer.id)
        def place(customer): ...


@pytest.mark.parametrize("thing", [3, "text", None, property(lambda self: 1), arg.x])
def test_what_is_not_called_is_refused(thing):
    """Decorating what cannot be called raises TypeError."""
    with pytest.raises(TypeError):
        track("x")(thing)


async def ask_function(call): ...


class AskObject:
    async def __call__(self, call): ...


@pytest.mark.parametrize("ask", [ask_function, AskObject()], ids=["function", "object"])
def test_an_async_callable_is_refused(ask):
    """A callable that nobody would await is refused at decoration."""
    with pytest.raises(TypeError, match="await"):
        track("x", external_id="c", data={"a": ask})(plain)
    with pytest.raises(TypeError, match="await"):
        track("x", external_id="c", when=ask)


def test_an_exception_does_not_keep_the_call_alive(catcher):
    """After the exception is handled, nothing of the call is held by a cycle."""
    import gc
    import weakref

    class Thing:
        pass

    @track("x", external_id="c", on="both", data={"why": error})
    def fail(thing):
        raise ValueError("no")

    def call():
        thing = Thing()
        try:
            fail(thing)
        except ValueError:
            pass
        return weakref.ref(thing)

    gc.collect()
    gc.disable()
    try:
        assert call()() is None
    finally:
        gc.enable()


def test_annotations_are_the_functions_whoever_looked_at_the_wrapper():
    """A library that asks the wrapper's class for annotations spoils nothing; setting them sets the function's."""

    def go(a: int): ...

    tracked = track("x", external_id="c")(go)
    type(tracked).__annotations__
    tracked.__annotations__ = {"b": str}

    assert {"b": str} == go.__annotations__ == tracked.__annotations__


FOR_TYPE_CHECKERS = """
def order(customer: NamedForTypeCheckersAlone):
    return customer
"""


def test_an_annotation_may_name_what_only_type_checkers_import(catcher):
    """Markers find the arguments of a function whose annotations cannot be evaluated, as with `TYPE_CHECKING`."""
    # From Python 3.14 on this is how all are written; before, a future import makes them so.
    flags = 0 if sys.version_info >= (3, 14) else __future__.annotations.compiler_flag
    namespace = {}
    exec(compile(FOR_TYPE_CHECKERS, "<order>", "exec", flags, dont_inherit=True), namespace)

    track("ordered", external_id=arg.customer)(namespace["order"])("c1")

    assert catcher.one.external_id == "c1"
