"""`arg`, `result`, `error`, `elapsed`, and callables in their place."""

import copy
import inspect
import logging
import logging.handlers
import operator
import pickle
import queue
import re
import types
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotzee_logging.foreign import attempt
from spotzee_logging.markers import follower, path_of
from spotzee_logging.tracking import arg, elapsed, error, result, track

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
KEYS = st.one_of(st.integers(-3, 3), st.text(max_size=5), st.booleans(), st.none())
STEPS = st.lists(
    st.one_of(st.tuples(st.just("attribute"), NAMES), st.tuples(st.just("item"), KEYS)), max_size=6
)


def walk(value, steps):
    for kind, key in steps:
        value = getattr(value, key) if kind == "attribute" else value[key]
    return value


def world(steps, end):
    """A value in which just these steps lead to `end`."""
    for kind, key in reversed(steps):
        end = types.SimpleNamespace(**{key: end}) if kind == "attribute" else {key: end}
    return end


@given(STEPS)
def test_a_path_leads_where_python_would(steps):
    """Attributes and items in any mixture are followed, and written as they were."""
    marker = walk(result, steps)
    follow = follower(path_of(marker).steps)

    assert "end" == follow(world(steps, "end"))
    assert repr(marker) == "result" + "".join(
        f".{k}" if kind == "attribute" else f"[{k!r}]" for kind, k in steps
    )
    assert path_of(marker) == path_of(pickle.loads(pickle.dumps(marker)))
    assert path_of(marker) == path_of(copy.deepcopy(marker))


@given(STEPS.filter(bool), st.data())
def test_a_path_that_leads_nowhere_fails(steps, data):
    """With None anywhere on the way nothing is found by chance."""
    cut = data.draw(st.integers(0, len(steps) - 1))
    follow = follower(path_of(walk(result, steps)).steps)

    assert attempt(follow, world(steps[:cut], None))[1] is not None


class Line:
    def __init__(self, sku):
        self.sku = sku


class Thing:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    @property
    def raising(self):
        raise RuntimeError("no")


def event_of(catcher, function, *args, **how):
    how.setdefault("external_id", "c")
    track("x", **how)(function)(*args)
    return catcher.one


def test_the_design_documents_paths(catcher):
    """Attributes, items, both mixed; nested in dicts and lists; in ids and user fields."""
    order = Thing(lines=[Line("sku_1")], customer=Thing(id="c1", mail="ada@example.com"))
    track(
        "x",
        external_id=arg.order.customer.id,
        anonymous_id=result["anonymous"],
        data={
            "sku": arg.order.lines[0].sku,
            "nested": {"deep": [arg.order.customer.id, {"r": result["id"]}]},
        },
        user={"email": arg.order.customer.mail, "data": {"n": result["n"]}},
    )(lambda order: {"anonymous": "a1", "id": 7, "n": 2})(order)

    event = catcher.one
    assert ("c1", "a1") == (event.external_id, event.anonymous_id)
    assert {"sku": "sku_1", "nested": {"deep": ["c1", {"r": 7}]}} == event.data
    assert {"email": "ada@example.com", "data": {"n": 2}} == event.user


@pytest.mark.parametrize(
    "marker", [arg.a.missing, arg.a.none.x, arg.a["k"], arg.a.raising, result.x, result[0]]
)
def test_what_is_not_found_is_left_out(catcher, marker):
    """The field is left out, its neighbours stay, and the program goes on."""
    event = event_of(
        catcher, lambda a: None, Thing(none=None), data={"gone": marker, "list": [marker, 1], "b": 2}
    )

    assert {"list": [1], "b": 2} == event.data


def test_none_at_the_end_is_a_value(catcher):
    """What is there and is None is null."""
    assert {"a": None} == event_of(catcher, lambda a: 1, Thing(x=None), data={"a": arg.a.x}).data


def test_whole_fields_by_marker(catcher):
    """`data` and `user` can be one marker each; one that is not found is left out whole."""
    event = event_of(catcher, lambda a: {"n": 1}, Thing(x=1), data=result, user=arg.a.profile)

    assert {"n": 1} == event.data
    assert event.user is None


def test_defaults_and_star_arguments(catcher):
    """Defaults count as given; *args and **kwargs can be named, and names in **kwargs."""

    def go(a, b=2, *rest, c=3, **options): ...

    data = {name: arg[name] for name in ("a", "b", "rest", "c", "color", "size", "options")}
    track("x", external_id="c", data=data)(go)(1, 2, 3, 4, color="red")

    assert {
        "a": 1,
        "b": 2,
        "rest": [3, 4],
        "c": 3,
        "color": "red",
        "options": {"color": "red"},
    } == catcher.one.data


def test_what_is_left_over_is_what_has_no_parameter(catcher):
    """**kwargs is what the function itself gets in it, however the others were given."""

    def go(a, *, c=3, **options): ...

    track("x", external_id="c", data={"a": arg.a, "options": arg.options})(go)(a=1, c=4, color="red")

    assert {"a": 1, "options": {"color": "red"}} == catcher.one.data


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda: 1, r"has no parameter 'customre'; it has none\. Name"),
        (
            lambda customer, total: 1,
            r"'customre'; it has customer, total\. Did you mean customer\? Name one of them in arg\.",
        ),
    ],
)
def test_an_argument_that_the_function_has_not(function, says):
    """It is refused at decoration, with those that there are and the closest."""
    with pytest.raises(TypeError, match=says):
        track("x", external_id="c", data={"a": arg.customre})(function)


@pytest.mark.parametrize("name", ["_private", "__begun", "ended__", "with.dot"])
def test_attributes_of_odd_names_are_followed(catcher, name):
    """Only names with two underscores on both sides are Python's own."""
    data = {"n": getattr(arg.a, name)}

    assert {"n": 7} == event_of(catcher, lambda a: 1, Thing(**{name: 7}), data=data).data


def test_positional_only_parameters(catcher):
    """A positional-only parameter is no keyword of the same name."""

    def go(a, b=5, /, **options): ...

    track("x", external_id="c", data={"a": arg.a, "b": arg.b, "options": arg.options})(go)(1, b=9)

    assert {"a": 1, "b": 5, "options": {"b": 9}} == catcher.one.data


def test_arguments_are_read_before_the_call(catcher):
    """What the function does to its arguments is not in the event."""
    order = Thing(lines=[{"n": 1}], state="new")

    def go(order):
        order.lines[0]["n"] = 2
        order.lines.append(3)
        order.state = "done"

    event = event_of(catcher, go, order, data={"lines": arg.order.lines, "state": arg.order.state})

    assert {"lines": [{"n": 1}], "state": "new"} == event.data


def test_odd_values_are_made_plain(catcher):
    """Decimals, sets and objects arrive as the handler makes them, from any place."""
    data = {"total": arg.total, "tags": result, "error": error, "const": Decimal("2.5")}
    event = event_of(catcher, lambda total: {"a"}, Decimal("1.5"), data=data)

    assert {"total": 1.5, "tags": ["a"], "error": None, "const": 2.5} == event.data


def test_constants_are_not_shared(catcher):
    """A user's dict is not changed, and changing it later changes no event."""
    data = {"nested": {"list": [1, (2, 3)]}, "set": {1}}
    records = []
    catcher.addFilter(lambda record: records.append(record) or True)
    tracked = track("x", external_id="c", data=data)(lambda: None)
    tracked()
    records[0].spotzee_event["data"]["nested"]["list"].append("changed")
    data["nested"]["list"].append("changed")
    tracked()

    assert [{"nested": {"list": [1, [2, 3]]}, "set": [1]}] * 2 == [event.data for event in catcher.events]


def test_a_callable_gets_the_call(catcher):
    """`.arguments` by name with defaults, `.result`, `.error` and `.elapsed`."""
    seen = []

    class Shop:
        @track(
            "x", external_id=lambda call: call.arguments["who"], data={"all": lambda call: seen.append(call)}
        )
        def go(self, who, n=2, **options):
            return "done"

    shop = Shop()
    shop.go("c1", color="red")

    (call,) = seen
    assert {"self": shop, "who": "c1", "n": 2, "options": {"color": "red"}} == dict(call.arguments)
    assert ("done", None) == (call.result, call.error)
    assert isinstance(call.elapsed, float)
    assert ("c1", {"all": None}) == (catcher.one.external_id, catcher.one.data)


def test_what_a_callable_gives_is_as_it_was_then(catcher, make_logger):
    """Behind a queue, too, it is of the call's end, whatever becomes of it later."""
    items, records = [1], queue.SimpleQueue()
    logger = make_logger(logging.handlers.QueueHandler(records))

    track("x", external_id="c", data={"items": lambda _: items}, logger=logger)(lambda: None)()
    items.append(2)
    catcher.handle(records.get())

    assert {"items": [1]} == catcher.one.data


def test_a_callable_for_whole_data(catcher):
    """`data` can be a callable."""
    assert {"n": 1} == event_of(catcher, lambda: 1, data=lambda call: {"n": call.result}).data


def test_a_callable_that_raises_leaves_its_field_out(catcher, caplog):
    """The field is left out, one line says so, and the program goes on."""
    event = event_of(catcher, lambda: 1, data={"bad": lambda call: 1 / 0, "good": 1})

    assert {"good": 1} == event.data
    (said,) = [record.getMessage() for record in caplog.records if record.name == "spotzee_logging"]
    assert re.fullmatch(
        r"track: the callable for data\['bad'\] raised ZeroDivisionError \(.*test_markers\.py, line \d+\); "
        r"the field is left out\.",
        said,
    )


def test_nothing_is_held_that_was_not_named(catcher):
    """Arguments that no marker names do not outlive the function's own use of them."""
    import weakref

    thing = Thing()
    ref = weakref.ref(thing)
    holder = [thing]
    del thing

    @track("x", external_id="c", data={"n": arg.n})
    def go(holder, n):
        holder.clear()
        return ref()

    assert go(holder, 1) is None


REFUSED = {
    "call": lambda m: m(),
    "call an attribute": lambda m: m.upper(),
    "bool": bool,
    "not": operator.not_,
    "==": lambda m: m == 1,
    "!=": lambda m: m != 1,
    "<": lambda m: m < 1,
    "iterate": list,
    "unpack": lambda m: [*m],
    "in": lambda m: 1 in m,
    "len": len,
    "+": lambda m: m + 1,
    "r+": lambda m: 1 + m,
    "*": lambda m: 2 * m,
    "-": lambda m: -m,
    "/": lambda m: m / 2,
    "str": str,
    "f-string": lambda m: f"{m}",
    "format": "{}".format,
    "percent": lambda m: "%s" % m,  # noqa: UP031
    "int": int,
    "float": float,
    "round": round,
    "as a key": lambda m: result[m],
}


@pytest.mark.parametrize("use", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("marker", [arg.order.total, result, error, elapsed])
def test_what_a_marker_cannot_do_is_refused(use, marker):
    """Instead of silent nonsense there is an error, which names the way that works."""
    with pytest.raises((TypeError, AttributeError), match="lambda call"):
        use(marker)


def test_a_marker_keeps_quiet_when_it_is_probed():
    """Copiers, doctest, mock, debuggers and pickle find no made-up special attributes."""
    for marker in (arg, result.x, error, elapsed):
        assert not hasattr(marker, "__wrapped__")
        assert not hasattr(marker, "__fspath__")
        assert marker is inspect.unwrap(marker)
        assert isinstance(hash(marker), int)
        assert [marker] == [marker]
        assert repr(marker) == repr(copy.copy(marker))
        assert repr(marker) == repr(copy.deepcopy({"a": marker})["a"])
        assert f"{marker!r}" == repr(marker)
        assert not inspect.iscoroutinefunction(marker)
        assert not isinstance(marker, type)
    with pytest.raises(AttributeError):
        arg.x.y = 3
    with pytest.raises(AttributeError, match="seconds"):
        elapsed.real


@pytest.mark.parametrize("marker", [arg, arg[0]])
def test_arg_needs_a_name(marker):
    """`arg` alone would capture everything."""
    with pytest.raises(TypeError, match="names no argument"):
        track("x", external_id="c", data={"all": marker})(lambda a: 1)


@pytest.mark.parametrize(
    ("data", "says"),
    [({arg.a: 1}, "as a key"), ({"a": {arg.a}}, "Use a list"), ({"a": {arg.a, "b"}}, "Use a list")],
)
def test_markers_are_for_values(data, says):
    """As keys, or in sets, they are refused at decoration."""
    with pytest.raises(TypeError, match=says):
        track("x", external_id="c", data=data)(lambda a: 1)


def test_doctests_of_the_modules():
    """The examples in the docstrings are true."""
    import doctest

    from spotzee_logging import markers

    assert (0, 1) == tuple(doctest.testmod(markers))[:2]
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(
        track, "track", globs={"track": track, "arg": arg, "result": result, "elapsed": elapsed}
    )
    assert 0 == doctest.DocTestRunner().run(example).failed
